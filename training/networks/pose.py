"""The pose network of paper 1 (section 3.2), after Zhou et al. 2017 (figure 4), without explainability mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS = (16, 32, 64, 128, 256, 256, 256)
KERNELS = (7, 5, 3, 3, 3, 3, 3)
OUTPUT_SCALE = 0.01  # of Zhou's code: the first poses are small, so that warped pixels stay in view


class PoseNet(nn.Module):
    """Two images → how the camera moved between them; 1 586 774 parameters (the papers give no figure).

    Seven convolutions of stride 2 with rectifiers, a 1x1 convolution to six channels, averaged over the image. It is
    run once for each source. No normalisation layers: neither paper names any.

    Convention: the six numbers are those of `training.geometry.rigid.transform_from_vector`, translation first. They
    mean `T_source_target`: p_source = T_source_target @ p_target, optical frames. Translation is in metres where
    training saw a scale, else in the scale of the depth network trained beside it.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 6
        for outputs, kernel in zip(WIDTHS, KERNELS, strict=True):
            layers += [nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2), nn.ReLU(inplace=True)]
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.head = nn.Conv2d(inputs, 6, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.get_parameter("bias"))

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1], twice, of any one size → (B, 6).

        The average is taken in the weights' precision under autocast too: poses are small numbers.

        Raises:
            ValueError: the images differ in shape.
        """
        if not torch.jit.is_tracing() and target.shape != source.shape:
            raise ValueError(f"target {tuple(target.shape)!r} and source {tuple(source.shape)!r} must have one shape")
        features = self.layers(torch.cat([target, source], dim=1))
        return OUTPUT_SCALE * self.head(features).mean(dim=(2, 3), dtype=self.head.weight.dtype)
