"""The network of paper 2 (kuznietsov2017_semi_supervised, section 3.2, table 1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.resnet import ResNetEncoder, convolution
from training.networks.sizes import check_size
from training.networks.upprojection import UpProjection

START_DEPTH = 100.0  # metres; "predicted values are close to 0 in the beginning" (section 4.1), which 0.01 / m is
HEAD_SPREAD = 1e-5  # standard deviation of the last layer's weights at the start: it predicts little but its bias


class ResNetUpProjection(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] → inverse depth 1/m at half size (B, 1, H / 2, W / 2); H and W multiples of 32.

    Parameters with depth 50: 80 766 209 with long skips, 63 563 009 without. The paper gives no figure; Laina et al.
    give 63.6 M for theirs, which has no skips. Depth 18 (14 756 721) is ours, for tests and small machines.

    Readings of table 1: a skip is concatenated, which its column of input channels leaves out; every convolution but
    the last has batch normalisation and a rectifier. A bottleneck halves its input in the first 1x1 convolution as in
    figure 5 unless `strided_kernel` is 3, which weights from torchvision need. The paper's input of 621 x 187 is 640 x
    192 here.

    The output is softplus, started at 100 m; `linear_output` is the paper's plain convolution, which can be 0 or
    negative.
    """

    reduction = 2

    def __init__(
        self,
        depth: int = 50,
        strided_kernel: int = 1,
        skips: bool = True,
        dropout: float = 0.5,
        linear_output: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = ResNetEncoder(depth, strided_kernel)
        *finer, deepest = self.encoder.channels
        width = deepest // 2
        self.reduce = nn.Sequential(convolution(deepest, width, 1), nn.BatchNorm2d(width))
        self.ups = nn.ModuleList()
        joined = 0  # channels of the skip that comes in with the features
        for skip in (*reversed(finer), 0):
            self.ups.append(UpProjection(width + joined, width // 2))
            width, joined = width // 2, skip if skips else 0
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(width, 1, 3, padding=1)
        self.skips, self.linear_output = skips, linear_output
        self._initialise()

    def _initialise(self) -> None:
        """Decoder after Glorot and Bengio, as in section 4.1; the head nearly constant."""
        for part in (self.reduce, self.ups):
            for module in part.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.xavier_uniform_(module.weight)
        start = 1.0 / START_DEPTH
        bias = start if self.linear_output else math.log(math.expm1(start))
        nn.init.normal_(self.head.weight, std=HEAD_SPREAD)
        nn.init.constant_(self.head.get_parameter("bias"), bias)

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """One map, as a tuple like the other networks' scales.

        Raises:
            ValueError: the image has another number of channels, or a side that is no multiple of 32.
        """
        check_size(image)
        *finer, x = self.encoder(image)
        x = F.relu(self.reduce(x))
        for number, up in enumerate(self.ups):
            x = up(x)
            if self.skips and number < len(finer):
                x = torch.cat([x, finer[-1 - number]], dim=1)
        output = self.head(self.dropout(x)).to(self.head.weight.dtype)
        return (output if self.linear_output else F.softplus(output),)
