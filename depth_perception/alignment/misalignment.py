"""Does the LiDAR sit where its extrinsic says? If so, range jumps where the image has edges."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from depth_perception.alignment.range_jumps import RangeJumps, range_jumps
from depth_perception.camera import CameraModel
from depth_perception.records import Float32, Float64, Image, PointSweep

SIZES = (1.5, 2.5, 4.0)  # degrees; and, times METRES, metres
METRES = 0.15  # moves a point 9 m away by a degree, one 4 m away by two
SHARPNESS = 230.0  # px focal length at which edges are looked for: 0.25 degrees a pixel
AROUND = (41, 5)  # columns and rows, px of that size: edges count by how far they stand out of this window
FLAT = 0.3  # added to the mean edge, so that a flat wall's noise makes no edge
VIEWS = 60  # what is remembered
FEWEST_VIEWS = 8
LEAST_WEIGHT = 20.0  # of all views together; a jump weighs 0.1 to 0.5
GAIN, DOUBT = 0.02, 1.0  # a change must meet more of the edges than the extrinsic does by GAIN + DOUBT / weight,
CONSISTENCY = 0.2  # and in most views: mean gain over its root mean square
BY_CHANCE = 1.1  # times what points anywhere in the image would meet: so little means that they lie anywhere
LIT = 0.3  # edges a pixel, on average; fewer, in the dark, and chance can't be told
PERIOD_NS = 200_000_000  # sweeps sooner after the last one aren't looked at: they show the same
REMEDY = "check lidar.T_cam_lidar or tf, lidar.clock_offset_s and camera_info (scale.check_extrinsics)"
CELL, KNOWN = 4, 0.5  # a view is new if less than this share of its jumps lies in the cells (px) of the one before


def _changes() -> Float32:
    """(N, 6) turns (rad) and moves (m) about and along one axis each, to both sides; see `range_jumps`."""
    units = np.diag([np.deg2rad(1.0)] * 3 + [METRES] * 3)
    return np.concatenate([units * size * sign for size in SIZES for sign in (1, -1)]).astype(np.float32)


CHANGES = _changes()
_AND_NONE = np.concatenate([np.zeros((1, 6), np.float32), CHANGES])


_SIDEWAYS, _UPRIGHT, _ROLL, _FORWARD = "yaw or x is wrong", "pitch or y is wrong", "roll is wrong", "z is wrong"
# What a change to the positive side of each axis says, and one to the negative side; optical frame, y points down.
_WRONG = (
    (("below", _UPRIGHT), ("above", _UPRIGHT)),
    (("left of", _SIDEWAYS), ("right of", _SIDEWAYS)),
    (("turned counter-clockwise from", _ROLL), ("turned clockwise from", _ROLL)),
    (("left of", _SIDEWAYS), ("right of", _SIDEWAYS)),
    (("above", _UPRIGHT), ("below", _UPRIGHT)),
    (("too far out from", _FORWARD), ("too far in from", _FORWARD)),
)


@dataclass
class _Evidence:
    """Sums over views, the older ones fading."""

    gain: Float64 = field(default_factory=lambda: np.zeros(len(CHANGES)))
    squares: Float64 = field(default_factory=lambda: np.zeros(len(CHANGES)))
    found: float = 0.0  # edges that the extrinsic meets
    chance: float = 0.0  # that as many points anywhere in the image would meet
    weight: float = 0.0
    views: float = 0.0

    def add(self, score: Float64, weight: float, edges: float) -> None:
        """`score`: (1 + N,) edges met with the extrinsic as it is, and with each change; `edges`: the image's mean."""
        fade, gain = 1.0 - 1.0 / VIEWS, score[1:] - score[0]
        self.gain = fade * self.gain + gain
        self.squares = fade * self.squares + gain * gain
        self.found = fade * self.found + float(score[0])
        self.chance = fade * self.chance + weight * edges
        self.weight = fade * self.weight + weight
        self.views = fade * self.views + 1.0

    def gains(self) -> Float64:
        """(N,) how much more of the edges each meets, as a share; 0 where views contradict each other."""
        relative = self.gain / max(self.found + 0.1 * self.weight, 1e-9)
        consistency = self.gain / np.sqrt(np.maximum(self.views * self.squares, 1e-12))
        return np.where(consistency > CONSISTENCY, relative, 0.0)

    def is_chance(self) -> bool:
        """True if the extrinsic meets no more edges than any other would: it is farther off than the changes reach."""
        lit = self.chance > LIT * self.weight and self.weight > 2.0 * LEAST_WEIGHT
        return lit and self.found < BY_CHANCE * self.chance


class MisalignmentWatch:
    """Compares the LiDAR's silhouettes with the image's edges, under its extrinsic and under small changes of it.

    With the right extrinsic no change meets more edges; with a wrong one, some do, or none meets more than chance.
    (Levinson and Thrun, Automatic Online Calibration of Cameras and Lasers, RSS 2013, who count the changes that are
    better; we measure by how much the best is.) It takes a dozen different views or more; a robot that stands still
    shows one. Not thread-safe.
    """

    def __init__(self) -> None:
        self._evidence = _Evidence()
        self._stamp_ns: int | None = None
        self._cells: NDArray[np.bool_] = np.zeros((0, 0), bool)
        self._complains = False

    def complaint(self, image: Image, camera: CameraModel, sweep: PointSweep, min_range: float) -> str:
        """What is wrong, or nothing. `image` (H, W, 3) RGB is `camera`'s; no sweep is counted twice.

        Points nearer to the LiDAR than `min_range` (m) are its own robot.

        Raises:
            CalibrationError: the camera is uncalibrated.
        """
        if self._stamp_ns is None or not 0 <= sweep.stamp_ns - self._stamp_ns < PERIOD_NS:
            self._stamp_ns = sweep.stamp_ns
            jumps = range_jumps(sweep, camera, min_range)
            if jumps is not None:
                self._see(image, jumps, min(1.0, SHARPNESS / camera.fx))
        return self._said()

    def _see(self, image: Image, jumps: RangeJumps, scale: float) -> None:
        height, width = max(round(scale * image.shape[0]), 1), max(round(scale * image.shape[1]), 1)
        ratio = np.array([width / image.shape[1], height / image.shape[0]], np.float32)
        uv = (jumps.uv + np.float32(0.5)) * ratio - np.float32(0.5)
        at = uv.T[:, None] + (_AND_NONE @ jumps.flow) * ratio[:, None, None]  # (2, 1 + N, M)
        low, high = at.min(axis=1), at.max(axis=1)
        inside = (
            (low >= 0.0).all(axis=0) & (high[0] <= width - 1) & (high[1] <= height - 1)
        )  # wherever a change moves it
        weight = jumps.weight[inside]
        if not len(weight) or not self._is_new(uv[inside], height, width):
            return
        column, row = np.rint(at[:, :, inside]).astype(np.intp)
        edges = edge_map(image, height, width)
        score = (edges[row, column] @ weight).astype(np.float64)
        self._evidence.add(score, float(weight.sum()), float(edges.mean()))

    def _is_new(self, uv: Float32, height: int, width: int) -> bool:
        """True if the silhouettes (M, 2) lie elsewhere than in the view counted before."""
        column, row = (uv / CELL).astype(np.intp).T
        size = (height // CELL + 1, width // CELL + 1)
        if self._cells.shape == size and np.mean(self._cells[row, column]) > KNOWN:
            return False
        self._cells = np.zeros(size, bool)
        self._cells[row, column] = True
        return True

    @property
    def has_enough(self) -> bool:
        """True if it has seen enough to judge."""
        return self._evidence.views >= FEWEST_VIEWS and self._evidence.weight >= LEAST_WEIGHT

    def _said(self) -> str:
        if not self.has_enough:
            return ""
        gains = self._evidence.gains()
        best = int(gains.argmax())
        enough = GAIN + DOUBT / self._evidence.weight
        self._complains = bool(gains[best] > (0.5 * enough if self._complains else enough))
        if self._complains:
            return _sentence(CHANGES[best])
        return f"the points meet the image's edges nowhere: {REMEDY}" if self._evidence.is_chance() else ""


def edge_map(image: Image, height: int, width: int) -> Float32:
    """(H, W, 3) → (height, width) how much an upright edge stands out of its surroundings; 1 on average.

    Upright ones, since a beam that jumps crosses a silhouette sideways. The square root keeps one bright lamp from
    outweighing all else; the window is low, so that a post whose upper end stands before the sky doesn't make all
    points look too low.
    """
    import cv2

    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (width, height), interpolation=cv2.INTER_AREA)
    edge = np.sqrt(np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)))
    edge = cv2.GaussianBlur(edge, (0, 0), 1.0)
    floor = FLAT * float(edge.mean()) + FLAT
    return edge / (cv2.blur(edge, AROUND) + np.float32(floor))  # type: ignore[no-any-return]


def _sentence(change: Float32) -> str:
    """What is wrong if `change` mends it. Yaw and x, and pitch and y, can't be told apart at one distance."""
    axis = int(np.abs(change).argmax())
    where, what = _WRONG[axis][int(change[axis] < 0.0)]
    return f"the points lie {where} the image's edges ({what}): {REMEDY}"
