"""What is exported: a network between the model contract's image and the contract's depth."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from depth_perception.records import DepthKind
from training.networks.depth_network import DepthNetwork
from training.networks.packing import fix_packing


class Finest(nn.Module):
    """RGB (1, 3, H, W) in [0, 1] → the finest map (1, 1, H, W) of a network of `networks.depth_network`.

    One at half size is doubled bilinearly, as in training. Packing kernels are composed here, once.
    """

    def __init__(self, network: DepthNetwork) -> None:
        super().__init__()
        self.reduction = network.reduction
        self.network = fix_packing(network)

    def forward(self, image: Tensor) -> Tensor:
        inverse: Tensor = self.network(image)[0]
        if self.reduction == 1:
            return inverse
        return F.interpolate(inverse, scale_factor=float(self.reduction), mode="bilinear", align_corners=False)


class DepthFromInverse(nn.Module):
    """uint8 RGB (1, H, W, 3) → depth (1, H, W) from `min_depth` to `max_depth`: PackNet, ResNet, the real-time network.

    Metres, or the training's own unit where it saw no scale: so are the limits.
    """

    def __init__(self, network: DepthNetwork, min_depth: float, max_depth: float) -> None:
        super().__init__()
        self.finest = Finest(network)
        self.min_depth, self.max_depth = min_depth, max_depth

    def forward(self, image: Tensor) -> Tensor:
        inverse = self.finest(unit_image(image))
        return 1.0 / inverse.squeeze(1).clamp(1.0 / self.max_depth, 1.0 / self.min_depth)


class RelativeInverse(nn.Module):
    """uint8 RGB (1, H, W, 3) → inverse depth of unknown scale and shift (1, H, W): a student of a relative teacher."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        relative: Tensor = self.network(unit_image(image))
        return relative.squeeze(1)


def contract_module(network: nn.Module, kind: DepthKind, min_depth: float, max_depth: float) -> nn.Module:
    """What a contract of this kind promises of a network that gives positive inverse depth, in evaluation mode.

    Args:
        network: one of `networks.depth_network`, or what has their output and `reduction`.
    """
    if kind is DepthKind.RELATIVE_INVERSE:
        return RelativeInverse(Finest(network)).eval()  # type: ignore[arg-type]
    return DepthFromInverse(network, min_depth, max_depth).eval()  # type: ignore[arg-type]


def unit_image(image: Tensor) -> Tensor:
    """uint8 RGB (B, H, W, 3) → float (B, 3, H, W) in [0, 1]."""
    return image.permute(0, 3, 1, 2).float() * (1.0 / 255.0)


def depth_kind(scale_seen: bool) -> DepthKind:
    """The contract's kind of a network that predicts inverse depth.

    Args:
        scale_seen: training had something in metres that reaches the depth network: LiDAR (supervised or reprojected),
            a stereo baseline, odometry's velocity, or a metric teacher. A monocular video alone has nothing: its depth
            is right but for one factor, the same for all images as far as training succeeded.
    """
    return DepthKind.METRIC if scale_seen else DepthKind.SCALED
