"""Depth from the network's resolution to the camera's, without flying pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


class Upsampler:
    """Bilinear in inverse depth where the surface is smooth, one side or the other where depth jumps.

    Interpolating across an occlusion edge makes points that hang in the air between the two surfaces ("flying
    pixels", which a costmap takes for obstacles). Every output pixel beside a jump therefore takes the nearer or the
    farther surface of its neighbourhood, whichever its interpolated value is closer to, so contours stay smooth.

    Convention: pixel centres are integers and images cover the same field of view, so (u + 0.5) / W is preserved.
    Depth +Inf is inverse depth 0; NaN spreads to the pixels that interpolate from it.
    """

    def __init__(self, from_size: tuple[int, int], to_size: tuple[int, int], jump: float = 1.08) -> None:
        """Sizes are (height, width). An edge is a 3×3 window whose farthest depth is `jump` times its nearest."""
        self.from_size, self.to_size, self.jump = from_size, to_size, jump
        self._children = _children(from_size, to_size)

    def __call__(self, depth: Float32) -> Float32:
        """(h, w) metres, C-contiguous → a new array (H, W) metres."""
        import cv2

        if self.from_size == self.to_size:
            return depth.copy()
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = np.reciprocal(depth)
            window = np.ones((3, 3), np.uint8)
            far, near = cv2.erode(inverse, window), cv2.dilate(inverse, window)
            height, width = self.to_size
            out: Float32 = cv2.resize(inverse, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
            edge = np.flatnonzero(near > self.jump * far)
            if edge.size:
                self._snap(out.ravel(), edge, far.ravel(), near.ravel())
            return np.reciprocal(out, out=out)

    def _snap(self, out: Float32, edge: NDArray[np.intp], far: NDArray[Any], near: NDArray[Any]) -> None:
        at = self._children[edge]
        low, high, value = far[edge, None], near[edge, None], out[at]
        snapped = np.where(value > 0.5 * (low + high), high, low)
        out[at] = np.where(np.isnan(value), value, snapped)


def _children(from_size: tuple[int, int], to_size: tuple[int, int]) -> NDArray[np.int32]:
    """(h * w, n) flat indices of the output pixels nearest to each input pixel.

    Input pixels that are nearest to fewer than n repeat one of theirs, or, when they are nearest to none (sizes that
    shrink), name a neighbour's: the same pixel may be snapped twice, which costs nothing.
    """
    rows, columns = (_runs(n, m) for n, m in zip(from_size, to_size, strict=True))
    grid = rows[:, None, :, None] * to_size[1] + columns[None, :, None, :]
    return np.ascontiguousarray(grid.reshape(from_size[0] * from_size[1], -1).astype(np.int32))


def _runs(n_from: int, n_to: int) -> NDArray[np.intp]:
    """(n_from, k) output positions along one axis whose nearest input position is i, padded by repetition."""
    nearest = np.minimum(((np.arange(n_to) + 0.5) * n_from / n_to).astype(np.intp), n_from - 1)
    start = np.searchsorted(nearest, np.arange(n_from), side="left")
    stop = np.searchsorted(nearest, np.arange(n_from), side="right")
    longest = int(max((stop - start).max(), 1))
    runs = np.minimum(start[:, None] + np.arange(longest), np.maximum(stop - 1, start)[:, None])
    return np.minimum(runs, n_to - 1)
