"""The sizes that a network takes."""

from __future__ import annotations

import torch
from torch import Tensor

STRIDE = 32  # every network here halves its input five times


def check_size(image: Tensor, channels: int = 3, stride: int = STRIDE) -> None:
    """Refuse an input that can't be halved evenly: padding it would move the principal point without anyone knowing.

    Args:
        image: (B, channels, H, W).
        stride: what H and W must be multiples of.

    Raises:
        ValueError: another number of dimensions or channels, or a side that is no multiple of `stride`.
    """
    if torch.jit.is_tracing():  # the exporter's sizes are fixed, and were checked when the graph was run before
        return
    if image.dim() != 4 or image.shape[1] != channels:
        raise ValueError(f"the network takes (B, {channels}, H, W), not {tuple(image.shape)!r}")
    height, width = image.shape[-2:]
    if height % stride or width % stride or not (height and width):
        raise ValueError(
            f"height and width must be multiples of {stride}, not {height!r}x{width!r}: resize the dataset's images "
            f"to {max(1, round(height / stride)) * stride}x{max(1, round(width / stride)) * stride}, K following"
        )
