"""From a camera's image to the dataset's: rectified, cropped, resized, K following."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel, Rectifier
from depth_perception.errors import ConfigError
from depth_perception.records import Float32, Image
from training.preparation.options import DatasetOptions

_COARSEST = 1.25  # pixels of the camera's image between two that are averaged
Window = tuple[int, int, int, int]  # top, left, height, width


class TargetView:
    """One eye's way. `native` is its rectified camera, `camera` that of the dataset's image.

    Convention: crop moves c by whole pixels; resizing by s gives f' = s f and c' = s (c + 0.5) - 0.5, since the centre
    of the first pixel is (0, 0).
    """

    def __init__(self, native: CameraModel, source: CameraModel | None, options: DatasetOptions) -> None:
        """`source`: the camera that images come from; None: they arrive rectified.

        Raises:
            ConfigError: the window doesn't lie in the image.
        """
        self.native = native
        self.window = target_window(native.height, native.width, options)
        top, left, height, width = self.window
        self.size = options.target_size or (height, width)
        cropped = native.cropped(left, top, height, width)
        camera = cropped if self.size == (height, width) else cropped.resized(*self.size)
        self.camera = replace(camera, D=np.zeros(0), distortion_model="none", R=np.eye(3))
        self._rectifier: Rectifier | None = None
        if source is not None:
            # Straight to the target, or to a whole multiple of it where averaging is needed: no other pixel is made
            shrinks = max(height / self.size[0], width / self.size[1])
            times = max(1, math.ceil(shrinks + 1.0 - _COARSEST))
            fine = self.camera if times == 1 else self.camera.resized(times * self.size[0], times * self.size[1])
            self._rectifier = Rectifier(source, fine)

    @property
    def covered(self) -> float:
        """Share of the window that the camera's image covers; below 1 the rest is black (rectified fisheyes)."""
        return 1.0 if self._rectifier is None else float(self._rectifier.covered.mean())

    def __call__(self, image: Image) -> Image:
        """(H, W, 3) or (H, W) as it came → the dataset's image, of as many channels."""
        import cv2

        if self._rectifier is not None:
            image = self._rectifier(image)
        else:
            top, left, height, width = self.window
            image = image[top : top + height, left : left + width]
        if image.shape[:2] == self.size:
            return image
        shrinks = self.size[0] <= image.shape[0] and self.size[1] <= image.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(image, self.size[::-1], interpolation=how)  # type: ignore[return-value]

    def carried(self, depth: Float32) -> Float32:
        """A sparse depth map (H, W) of `native`, NaN none → that of `camera`, pixel by pixel.

        Every measured pixel goes to the one that its centre falls on; the nearest of several stays. Nothing is
        interpolated: values between two surfaces would be neither.
        """
        v, u = np.nonzero(np.isfinite(depth))
        uv = np.stack([u, v], axis=1).astype(np.float32)
        return splat(self.moved(uv), depth[v, u], self.camera)

    def sampled(self, depth: Float32) -> Float32:
        """A dense depth map (H, W) of `native` → that of `camera`: at each pixel what lies nearest to its centre."""
        top, left, height, width = self.window
        row = top + np.floor((np.arange(self.size[0]) + 0.5) * (height / self.size[0])).astype(np.intp)
        column = left + np.floor((np.arange(self.size[1]) + 0.5) * (width / self.size[1])).astype(np.intp)
        return depth[row[:, None], column]

    def moved(self, uv: Float32) -> Float32:
        """Pixels (N, 2) of `native` → pixels of `camera`."""
        top, left, height, width = self.window
        scale = np.array([self.size[1] / width, self.size[0] / height], np.float32)
        return (uv - np.array([left, top], np.float32) + np.float32(0.5)) * scale - np.float32(0.5)


def target_window(height: int, width: int, options: DatasetOptions) -> Window:
    """(top, left, height, width) of what is kept of an image: --crop, then the largest centred one of --size's aspect.

    Raises:
        ConfigError: --crop doesn't lie in the image.
    """
    top, left, rows, columns = options.window or (0, 0, height, width)
    if top < 0 or left < 0 or rows < 1 or columns < 1 or top + rows > height or left + columns > width:
        raise ConfigError(f"--crop {options.crop!r} (top, left, height, width) doesn't lie in a {width}x{height} image")
    size = options.target_size
    if size is None or options.fit == "stretch":
        return top, left, rows, columns
    fitting = (min(rows, round(columns * size[0] / size[1])), min(columns, round(rows * size[1] / size[0])))
    fitting = (max(fitting[0], 1), max(fitting[1], 1))
    return top + (rows - fitting[0]) // 2, left + (columns - fitting[1]) // 2, *fitting


def splat(uv: Float32, depth: Float32, camera: CameraModel) -> Float32:
    """Points at pixels (N, 2) with depth (N,) m → (H, W) float32, NaN where none; the nearest of a pixel stays.

    Convention: pixel centres are integers, so a point belongs to the pixel that u + 0.5, v + 0.5 round down to.
    """
    column, row = np.floor(uv[:, 0] + np.float32(0.5)), np.floor(uv[:, 1] + np.float32(0.5))
    inside = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    pixel: NDArray[np.intp] = (row[inside] * camera.width + column[inside]).astype(np.intp)
    nearest = np.full(camera.height * camera.width, np.inf, np.float32)
    np.minimum.at(nearest, pixel, depth[inside])
    nearest[np.isinf(nearest)] = np.nan
    return nearest.reshape(camera.height, camera.width)
