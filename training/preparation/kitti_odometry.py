"""A sequence of KITTI's odometry benchmark: `sequences/<nn>/`, poses in `poses/<nn>.txt`.

image_2/000000.png   left colour (3: right); image_0 and image_1, grey, where there is no colour
calib.txt            P0 … P3 (3x4 each), Tr: LiDAR to camera 0
times.txt            seconds, one line a frame
velodyne/000000.bin  scans, already freed of the car's motion
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from depth_perception.errors import BagError, CalibrationError
from depth_perception.extrinsics import Float64
from training.preparation.kitti_files import camera_from, image_size, numbered, read_calibration, rigid
from training.preparation.kitti_source import KittiLayout
from training.preparation.source_frame import Rig

PAIRS = (("2", "3"), ("0", "1"))  # left, right: colour, grey
_PICTURES = (".png", ".jpg")


def odometry_sequences(folder: Path) -> list[Path]:
    """The sequences in a folder: itself, those of `sequences/`, or of a dataset that holds that folder."""
    if is_sequence(folder):
        return [folder]
    found = (path for pattern in ("*", "sequences/*", "dataset/sequences/*") for path in folder.glob(pattern))
    return sorted(path for path in found if is_sequence(path))


def is_sequence(folder: Path) -> bool:
    """True if it is laid out as a sequence."""
    return (folder / "calib.txt").is_file() and _pair(folder) is not None


def kitti_odometry(folder: Path) -> KittiLayout:
    """Raises BagError: no images. CalibrationError: calib.txt lacks a camera."""
    pair = _pair(folder)
    if pair is None:
        raise BagError(f"{str(folder)!r} holds no image_2 or image_0 with pictures")
    calibration = read_calibration(folder / "calib.txt")
    images = {
        side: numbered(folder / f"image_{camera}", _PICTURES)
        for side, camera in zip(("left", "right"), pair, strict=True)
    }
    if f"P{pair[0]}" not in calibration:
        raise CalibrationError(f"{str(folder / 'calib.txt')!r} has no P{pair[0]}: it holds {sorted(calibration)!r}")
    height, width = image_size(next(iter(images["left"].values())))
    left, T_left_cam0 = camera_from(calibration[f"P{pair[0]}"], height, width)
    has_right = bool(images["right"]) and f"P{pair[1]}" in calibration
    right = camera_from(calibration[f"P{pair[1]}"], height, width)[0] if has_right else None
    T_left_lidar = None
    if "Tr" in calibration:
        Tr = calibration["Tr"].reshape(3, 4)
        T_left_lidar = T_left_cam0 @ rigid(Tr[:, :3], Tr[:, 3])
    notes, others = [], [folder / "calib.txt"]
    times = _table(folder / "times.txt", others)
    if times is None:
        notes.append("no times.txt: frames are taken to be 0.1 s apart")
    path = folder.parent.parent / "poses" / f"{folder.name}.txt"
    poses = _table(path, others)
    if poses is None:
        notes.append("no poses: motion is told by the pictures")
    frame_ids = {"left": f"image_{pair[0]}", "right": f"image_{pair[1]}", "lidar": "velodyne", "body": "cam0"}
    stamp_ns = _stamps(times)
    return KittiLayout(
        folder.parent.parent, Rig(left, right, True, None, T_left_lidar, T_left_cam0, frame_ids),
        {side: files for side, files in images.items() if files}, numbered(folder / "velodyne", (".bin", ".bin.xz")),
        stamp_ns, stamp_ns, _poses(poses), others=tuple(others), notes=tuple(notes),
    )  # fmt: skip


def _pair(folder: Path) -> tuple[str, str] | None:
    return next((pair for pair in PAIRS if numbered(folder / f"image_{pair[0]}", _PICTURES)), None)


def _table(path: Path, others: list[Path]) -> Float64 | None:
    if not path.is_file():
        return None
    others.append(path)
    return np.atleast_2d(np.loadtxt(path))


def _stamps(times: Float64 | None) -> Callable[[int], int]:
    seconds = None if times is None else times.ravel()
    return lambda n: round(float(seconds[n]) * 1e9) if seconds is not None and n < len(seconds) else n * 100_000_000


def _poses(rows: Float64 | None) -> Callable[[int], Float64 | None]:
    """T_world_cam0 (4, 4) by frame number."""

    def pose(number: int) -> Float64 | None:
        if rows is None or number >= len(rows):
            return None
        return np.vstack([rows[number].reshape(3, 4), [0.0, 0.0, 0.0, 1.0]])

    return pose
