"""The default real-time network in the form in which the other depth networks are trained."""

from __future__ import annotations

from torch import Tensor, nn

from training.networks.mobile import MobileDepthNet, normalise
from training.networks.sizes import check_size


class RealTimeDepth(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] → inverse depth (B, 1, H, W); H and W multiples of 32.

    The network inside is the shipped model's, with its weights where they are given, and predicts the log of depth as a
    camera of the canonical focal length would see it. One camera at one size has one focal length, so training on that
    camera alone makes fx the canonical focal length, and that is what the exported contract should say.
    """

    reduction = 1

    def __init__(self, network: MobileDepthNet | None = None) -> None:
        super().__init__()
        self.network = network if network is not None else MobileDepthNet()

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """One map, as a tuple like the other networks' scales.

        Raises:
            ValueError: the image has another number of channels, or a side that is no multiple of 32.
        """
        check_size(image)
        log_depth = self.network(normalise(255.0 * image.permute(0, 2, 3, 1)))
        return ((-log_depth.to(self.network.head.weight.dtype)).exp(),)
