"""Small dataset folders for tests: a rig in front of a slanted plane, whose images tell which pixel they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depth_perception.camera import CameraModel
from training.dataset_folder import Rejected, Sample, SequenceCalibration
from training.dataset_writer import SequenceWriter, write_json
from training.preparation.statistics import Statistics

K_LEFT = np.array([[50.0, 0, 30.0], [0, 60.0, 17.0], [0, 0, 1]])
K_RIGHT = np.array([[52.0, 0, 33.0], [0, 61.0, 15.0], [0, 0, 1]])
STEP_M = 0.25  # that the robot drives between two frames

REJECTED = (
    Rejected(5, "static", "moved 0.01 m"),
    Rejected(6, "static", "moved 0.02 m"),
    Rejected(7, "no LiDAR", "nearest is <0.4 s> away"),
)


def turned(axis: Sequence[float], angle: float, xyz: Sequence[float]) -> np.ndarray:
    """(4, 4): turn about `axis` by `angle` rad, then a shift by `xyz` m."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    T = np.eye(4)
    T[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    T[:3, 3] = xyz
    return T


T_LEFT_RIGHT = turned((0.2, 1.0, 0.1), 0.02, (0.4, 0.01, -0.02))


def T_odom_left(n: int) -> np.ndarray:
    """Where the left camera is in frame `n`: forward, and turning."""
    return turned((0.1, 1.0, 0.0), 0.05 * n, (0.1 * n, 0.0, STEP_M * n))


@dataclass(frozen=True)
class Rig:
    """What a test's dataset holds."""

    frames: int = 8
    height: int = 40
    width: int = 64
    right: bool = True  # a right camera
    right_context: bool = True  # with images of every frame, not only of every other one
    right_depth: bool = True
    odometry: bool = True
    image_format: str = "png"
    beams: tuple[int, ...] = ()
    name: str = "drive"
    split: str = "train"


def image_of(n: int, camera: str, rig: Rig) -> np.ndarray:
    """(H, W, 3): red tells the column, green the row, blue the camera and the frame."""
    v, u = np.mgrid[: rig.height, : rig.width]
    blue = np.full_like(u, 10 * n + (100 if camera == "right" else 0))
    return np.stack([u * 255 // rig.width, v * 255 // rig.height, blue], axis=-1).astype(np.uint8)


def depth_of(n: int, camera: str, rig: Rig) -> np.ndarray:
    """(H, W) metres on every third pixel of every second row from the fifth on, NaN elsewhere; tells its pixel."""
    v, u = np.mgrid[: rig.height, : rig.width].astype(np.float32)
    depth = (2.0 + u + n / 8 + (0.5 if camera == "right" else 0.0) + v / 64).astype(np.float32)
    return np.where((u % 3 == 0) & (v % 2 == 0) & (v >= 5), depth, np.float32(np.nan))


def write_dataset(out: Path, rig: Rig | None = None, supervised: Sequence[int] | None = None) -> Path:
    """One sequence of `rig` in the dataset `out`; `supervised`: indices marked S, None: nothing is marked."""
    rig = rig or Rig()
    cameras = {"left": CameraModel(rig.height, rig.width, K_LEFT)}
    if rig.right:
        cameras["right"] = CameraModel(rig.height, rig.width, K_RIGHT)
    seen = set(range(rig.frames) if rig.right_context else range(0, rig.frames, 2)) if rig.right else set()
    statistics = Statistics()
    statistics.frames = rig.frames + 3
    with SequenceWriter(out, rig.name, rig.image_format) as writer:
        samples = []
        for n in range(rig.frames):
            writer.image("left", n, image_of(n, "left", rig))
            writer.depth("left", n, depth_of(n, "left", rig))
            statistics.depth("left", depth_of(n, "left", rig))
            counts = {"left": int(np.isfinite(depth_of(n, "left", rig)).sum())}
            if n in seen:
                writer.image("right", n, image_of(n, "right", rig))
                if rig.right_depth:
                    writer.depth("right", n, depth_of(n, "right", rig))
                    statistics.depth("right", depth_of(n, "right", rig))
                    counts["right"] = int(np.isfinite(depth_of(n, "right", rig)).sum())
            before, after = (m if 0 <= m < rig.frames else None for m in (n - 1, n + 1))
            poses = [T_odom_left(m) if rig.odometry and m is not None else None for m in (before, n, after)]
            samples.append(
                Sample(
                    index=n, stamp_ns=1_000_000_000 + n * 100_000_000, context=(before, after), right=n in seen,
                    depth=counts, beams=rig.beams, T_odom_left=tuple(poses),
                    motion_m=STEP_M if rig.odometry else None, motion_rad=0.05 if rig.odometry else None,
                    sync_ms={"lidar": 3.0 - n, **({"right": 0.5} if n in seen else {})}, split=rig.split,
                    source={"file": "drive.mcap", "topic": "/camera", "number": n},
                )
            )  # fmt: skip
        for rejected in REJECTED:
            writer.reject(rejected)
        calibration = SequenceCalibration(cameras, rig.image_format, {"left": "camera_left_optical"},
                                          T_LEFT_RIGHT if rig.right else None)  # fmt: skip
        for sample in samples:
            statistics.sample(sample, {})
            statistics.beams(np.repeat(np.arange(4), [1, 2, 3, 4]))  # points of each beam in each frame
        writer.finish(calibration, samples, statistics.entry())
        writer.publish()
    if supervised is not None:
        write_json(out / "supervised.json", {"samples": {rig.name: list(supervised)}})
    return out
