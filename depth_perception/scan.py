"""Depth image → 2-D laser scan in a level frame, which says 'clear' only where clear was seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.config import ScanConfig
from depth_perception.errors import CalibrationError
from depth_perception.mount import level_rotation
from depth_perception.points import without_uncertain

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Scan:
    """Ranges from right to left; NaN unknown, +Inf seen to be clear up to `range_max`, -Inf closer than visible."""

    ranges: Float32  # (N,) metres in the level plane
    angle_min: float  # rad, of ranges[0]; positive to the left
    angle_increment: float  # rad
    range_min: float
    range_max: float


class ScanBuilder:
    """Nearest obstacle per direction within a height band above level ground.

    The scan's origin is the camera's centre, its axes are level (x forward, z up). For each pixel the depths at which
    its ray is inside the band are known beforehand, so a frame costs one gather, two comparisons and three reductions
    over the pixels that can see the band at all. A direction is

    - its nearest hit, if any pixel of it hits something in the band;
    - NaN, if any of its pixels is unknown, or none could see as far as `range_max` through the band;
    - +Inf, if nothing was hit and a pixel saw through the band up to `range_max`;
    - -Inf, if something is too close to be measured.

    Where the depth's standard deviation is known, a pixel in which it is more than `max_relative_std` of the depth is
    unknown: it marks nothing and its direction isn't clear. So is a hit that one standard deviation more would put on
    the ground: depth too short by a share e lifts floor by e times the camera's height, at any distance. It costs an
    obstacle its lowest part; what rises above that still marks.

    A camera that looks down never sees `range_max` inside the band: choose `range_max` as far as it can see, or the
    scan marks obstacles but clears nothing.
    """

    def __init__(self, camera: CameraModel, config: ScanConfig, seen_at: tuple[int, int] | None = None) -> None:
        """`seen_at` is the (height, width) at which the network saw the image: finer pixels tell nothing more, so
        rows and columns are skipped down to about that.

        Raises:
            CalibrationError: K = 0.
        """
        if not camera.is_calibrated:
            raise CalibrationError("camera_info has K = 0 (uncalibrated): no scan; calibrate the camera")
        self.camera, self.config, self.seen_at = camera, config, seen_at
        steps = (1, 1) if seen_at is None else (round(camera.height / seen_at[0]), round(camera.width / seen_at[1]))
        pixels = np.arange(camera.height * camera.width, dtype=np.int32).reshape(camera.height, camera.width)
        grid = pixels[:: max(steps[0], 1), :: max(steps[1], 1)]
        directions = (
            camera.rays().reshape(-1, 3)[grid.ravel()] @ level_rotation(config.camera_pitch, config.camera_roll).T
        )
        forward, left, up = directions.T
        across = np.hypot(forward, left)
        enter, leave = self._band(up)
        with np.errstate(divide="ignore"):
            enter = np.maximum(enter, config.range_min / across)
            reach = leave * across
            leave = np.minimum(leave, config.range_max / across)
        azimuth = np.arctan2(left, forward)
        self.angle_min, self.angle_increment, bins = self._bins(azimuth.reshape(grid.shape))
        sees = (enter < leave) & (np.abs(azimuth) < np.pi / 2) & (bins >= 0)
        order = np.flatnonzero(sees)[np.argsort(bins[sees], kind="stable")]
        self._pixels = grid.ravel()[order]
        self._filled, self._starts = np.unique(bins[order], return_index=True)
        self._enter, self._leave = enter[order].astype(np.float32), leave[order].astype(np.float32)
        self._across = across[order].astype(np.float32)
        self._reaches = reach[order] >= config.range_max
        self._ground = self._ground_depth(up[order])

    def _band(self, up: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Depths (N,) at which rays of climb `up` (m of height per m of depth) enter and leave the band; empty: inf."""
        low, high = (h - self.config.camera_height for h in (self.config.height_min, self.config.height_max))
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = low / up, high / up
        enter, leave = np.minimum(a, b), np.maximum(a, b)
        level = np.abs(up) < 1e-9
        inside = low <= 0.0 <= high
        enter = np.where(level, 0.0 if inside else np.inf, np.maximum(enter, 0.0))
        return enter, np.where(level, np.inf if inside else 0.0, leave)

    def _ground_depth(self, up: NDArray[np.float64]) -> Float32:
        """Depths (N,) at which rays of that climb meet the ground; +Inf where they don't, or the band reaches it."""
        below = (up < 0.0) & (self.config.camera_height > 0.0) & (self.config.height_min > 0.0)
        return np.where(below, -self.config.camera_height / np.where(below, up, 1.0), np.inf).astype(np.float32)

    def _bins(self, azimuth: NDArray[np.float64]) -> tuple[float, float, NDArray[np.int64]]:
        """angle_min, increment, and the beam of every pixel.

        Beams are evenly spaced in angle, columns in tangent: the increment is the widest angle between neighbouring
        columns, so that no beam falls between two of them.
        """
        ahead = azimuth[np.abs(azimuth) < np.pi / 2]
        low, high = float(ahead.min()), float(ahead.max())
        steps = np.abs(np.diff(azimuth, axis=1))
        increment = float(steps.max(axis=1).min())
        self.beams = int((high - low) / increment) + 1
        beam = np.minimum(np.rint((azimuth.ravel() - low) / increment), self.beams - 1)
        return low, increment, beam.astype(np.int64)

    def __call__(self, depth: Float32, std: Float32 | None = None) -> Scan:
        """(H, W) metres along the optical axis, and their standard deviation in metres → the scan of this frame."""
        ranges = np.full(self.beams, np.nan, np.float32)
        if self._starts.size:
            z = depth.reshape(-1)[self._pixels]
            hit = (z >= self._enter) & (z <= self._leave)
            if std is not None:
                z, hit = self._doubt(z, hit, std.reshape(-1)[self._pixels])
            nearest = np.minimum.reduceat(np.where(hit, z * self._across, np.float32(np.inf)), self._starts)
            lowest = np.minimum.reduceat(z, self._starts)  # NaN if any pixel is unknown, -Inf if any is too close
            through = np.logical_or.reduceat((z > self._leave) & self._reaches, self._starts)
            clear = np.where(through, np.float32(np.inf), np.float32(np.nan))
            clear = np.where(np.isfinite(lowest) | np.isposinf(lowest), clear, lowest)
            ranges[self._filled] = np.where(np.isfinite(nearest), nearest, clear)
        return Scan(ranges, self.angle_min, self.angle_increment, self.config.range_min, self.config.range_max)

    def _doubt(self, z: Float32, hit: NDArray[np.bool_], std: Float32) -> tuple[Float32, NDArray[np.bool_]]:
        """Depths and hits without those that are too uncertain, and without hits that may be floor."""
        z = without_uncertain(z, std, self.config.max_relative_std)
        unknown = np.isnan(z) | (hit & (z + std >= self._ground))
        return np.where(unknown, np.float32(np.nan), z), hit & ~unknown
