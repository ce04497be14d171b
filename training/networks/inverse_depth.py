"""What a depth network predicts: inverse depth between two bounds."""

from __future__ import annotations

from torch import Tensor, nn


class InverseDepthHead(nn.Module):
    """Features (B, C, H, W) → (B, 1, H, W) in (0, 1): 3x3 convolution and sigmoid.

    The sigmoid runs in the weights' own precision under autocast too: in half precision, far depths would come in
    steps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x).to(self.convolution.weight.dtype).sigmoid()


def bounded_inverse_depth(unit: Tensor, min_depth: float, max_depth: float) -> Tensor:
    """(0, 1) → inverse depth in (1/max_depth, 1/min_depth), linearly.

    Metres where training saw a scale; else in the scale that the pose network chose, and the bounds bound that.
    """
    return 1.0 / max_depth + unit * (1.0 / min_depth - 1.0 / max_depth)
