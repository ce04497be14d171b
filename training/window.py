"""The part of a stored image that a training view shows: crop, resize and mirror, with everything else following."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.pipeline import shrink

Float64 = NDArray[np.float64]
MIRROR_PIXEL = np.diag([-1.0, 1.0, 1.0])
MIRROR_WORLD = np.diag([-1.0, 1.0, 1.0, 1.0])
REDUCTIONS = (8, 4, 2)  # that a JPEG can be decoded at, much faster than whole


@dataclass(frozen=True)
class Window:
    """`width` x `height` stored pixels from (`left`, `top`), resized to `out_width` x `out_height`, perhaps mirrored.

    Convention: the centre of the first pixel is (0, 0). A stored pixel u comes out at
    u' = (u + 0.5 - left) * out_width / width - 0.5, and after a mirror at out_width - 1 - u'. The mirrored image is one
    of a mirrored world, x' = -x: focal lengths stay positive, the principal point moves to out_width - 1 - cx', a
    camera that stood to the right stands to the left. Depth is metres along z, and neither crop, resize nor mirror
    moves a point along z: values stay as they are, only their pixels change.
    """

    left: int
    top: int
    width: int
    height: int
    out_width: int
    out_height: int
    mirrored: bool = False
    reduction: int = 1  # the image is decoded at 1 / reduction; left, top, width and height are multiples of it

    def matrix(self) -> Float64:
        """(3, 3): stored pixel (u, v, 1) -> pixel of this view."""
        sx, sy = self.out_width / self.width, self.out_height / self.height
        matrix = np.array([[sx, 0, (0.5 - self.left) * sx - 0.5], [0, sy, (0.5 - self.top) * sy - 0.5], [0, 0, 1.0]])
        if self.mirrored:
            matrix = np.array([[-1.0, 0, self.out_width - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
        return matrix

    def intrinsics(self, K: Float64) -> Float64:
        """(3, 3) of the stored image -> (3, 3) of this view, see the class's convention."""
        return self.matrix() @ K @ MIRROR_PIXEL if self.mirrored else self.matrix() @ K

    def transform(self, T_b_a: Float64) -> Float64:
        """(4, 4) between two views -> the same between the two as this window shows them.

        Convention: both views are mirrored, or neither; p' = M p with M = diag(-1, 1, 1, 1), so T' = M T M.
        """
        return MIRROR_WORLD @ T_b_a @ MIRROR_WORLD if self.mirrored else T_b_a

    def image(self, decoded: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 decoded at 1 / reduction -> (out_height, out_width, 3), as the runtime resizes its images."""
        left, top, width, height = (value // self.reduction for value in (self.left, self.top, self.width, self.height))
        view = decoded[top : top + height, left : left + width]
        if view.shape[:2] != (self.out_height, self.out_width):
            view = shrink(view, self.out_height, self.out_width)
        return cv2.flip(view, 1) if self.mirrored else np.ascontiguousarray(view)  # type: ignore[return-value]

    def sparse(self, values: NDArray[Any]) -> NDArray[Any]:
        """(H, W) measured, 0 = none -> (out_height, out_width): each value goes to the pixel that its centre lies in.

        Nothing is interpolated: every value that comes out was measured. Where several meet, the nearest surface stays,
        as it would hide the others. A view larger than its window has empty pixels between.
        """
        if not self.mirrored and self._is_whole(values.shape):
            return values
        where = cv2.findNonZero(values)
        out = np.zeros((self.out_height, self.out_width), values.dtype)
        if where is None:
            return out
        u, v = where[:, 0, 0], where[:, 0, 1]
        u, v, known = self._columns(values.shape[1])[u], self._rows(values.shape[0])[v], values[v, u]
        inside = (u >= 0) & (v >= 0)
        pixel, known = v[inside] * self.out_width + u[inside], known[inside]
        if self.out_width < self.width or self.out_height < self.height:
            order = np.argsort(known, kind="stable")[::-1]  # the last of several assignments wins
            pixel, known = pixel[order], known[order]
        out.reshape(-1)[pixel] = known
        return out

    def dense(self, values: NDArray[Any]) -> NDArray[Any]:
        """(H, W, …) -> (out_height, out_width, …): each pixel takes the stored one that its centre lies in."""
        rows = self.top + (2 * np.arange(self.out_height) + 1) * self.height // (2 * self.out_height)
        columns = self.left + (2 * np.arange(self.out_width) + 1) * self.width // (2 * self.out_width)
        if self.mirrored:
            columns = columns[::-1]
        return values[rows[:, None], columns]  # type: ignore[no-any-return]

    def _columns(self, width: int) -> NDArray[np.int32]:
        """(width,) column of this view for each stored one, -1 outside."""
        found = _cells(width, self.left, self.width, self.out_width)
        return np.where(found < 0, found, self.out_width - 1 - found).astype(np.int32) if self.mirrored else found

    def _rows(self, height: int) -> NDArray[np.int32]:
        return _cells(height, self.top, self.height, self.out_height)

    def _is_whole(self, shape: tuple[int, ...]) -> bool:
        size = (self.out_height, self.out_width)
        return shape == size == (self.height, self.width)


def _cells(length: int, first: int, size: int, out: int) -> NDArray[np.int32]:
    """(length,) which of `out` equal cells of first .. first + size - 1 holds a pixel's centre; -1: none."""
    cells = (2 * (np.arange(length) - first) + 1) * out // (2 * size)
    return np.where((cells >= 0) & (cells < out), cells, -1).astype(np.int32)


def whole(size: tuple[int, int], out: tuple[int, int], reducible: bool) -> Window:
    """All of a stored image of `size` (height, width) at `out` (height, width); see `random_window` for the rest."""
    (height, width), (out_height, out_width) = size, out
    step = reduction(height, width, out) if reducible else 1
    while height % step or width % step:
        step //= 2
    return Window(0, 0, width, height, out_width, out_height, reduction=step)


def random_window(
    size: tuple[int, int],
    out: tuple[int, int],
    narrowest: float,
    reducible: bool,
    mirrored: bool,
    rng: np.random.Generator,
) -> Window:
    """A window of `narrowest` to 1 times the stored `size` (height, width), of its shape, anywhere in it.

    Args:
        out: (height, width) of the view.
        reducible: the image is a JPEG, which is decoded at a half, a quarter or an eighth where that is still no
            smaller than the view; the window lies on the grid of such blocks then.
    """
    (height, width), (out_height, out_width) = size, out
    share = 1.0 - (1.0 - narrowest) * rng.random()
    step = reduction(int(height * share), int(width * share), out) if reducible else 1
    rows, columns = max(1, round(height * share) // step), max(1, round(width * share) // step)
    top = int(rng.integers(height // step - rows + 1)) * step
    left = int(rng.integers(width // step - columns + 1)) * step
    return Window(left, top, columns * step, rows * step, out_width, out_height, mirrored, step)


def reduction(height: int, width: int, out: tuple[int, int]) -> int:
    """How much smaller a JPEG of `height` x `width` may be decoded and still have at least `out` pixels."""
    return next((step for step in REDUCTIONS if height >= step * out[0] and width >= step * out[1]), 1)


def pyramid(K: Float64, height: int, width: int, scales: int) -> Float64:
    """(3, 3) of height x width -> (scales, 3, 3): of the image at 1 / 2^k of its size, 0 the finest.

    Convention: c' = (c + 0.5) / 2^k - 0.5, as the centre of the first of 2^k pixels is no pixel's centre.
    """
    camera = CameraModel(height, width, K)
    return np.stack([camera.resized(height >> scale, width >> scale).K for scale in range(scales)])
