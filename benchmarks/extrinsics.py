"""How surely a LiDAR's wrong extrinsic is noticed, and how often a right one is doubted.

    MUJOCO_GL=egl python -m benchmarks.extrinsics [--worlds 40] [--first SEED] [--keep F] [--degrees 2] [--metres 0.3]

Worlds begin at a seed that nothing was trained or tuned on; in each a drive of 9 s, its 16-beam LiDAR deskewed to every
third turn's image. Every drive is seen with the right extrinsic and with each of twelve wrong ones: turned about, or
moved along, one axis of the camera's optical frame. A right one is doubted if the watch complains after any of the
images; a wrong one is noticed if it complains after the last. Where a drive shows too few silhouettes the watch is
silent; the share of drives with enough is the last column.

`--keep` writes the rendered drives to a folder, or reads those that are there.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MUJOCO_GL", "egl")

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated import follow
from depth_perception.alignment.misalignment import MisalignmentWatch
from depth_perception.anchors.deskew import Motion, OdometryTrack, deskew
from depth_perception.camera import CameraModel
from depth_perception.config import LidarConfig
from depth_perception.extrinsics import inverse, parse_transform
from depth_perception.records import PointSweep
from depth_perception.sim.frames import frames
from depth_perception.sim.setup import CameraSetup, SimConfig
from depth_perception.sim.world import KINDS

SECONDS = 9.1
CAMERA = CameraSetup(rate_hz=10 / 3, right=False)
AXES = ("pitch (x)", "yaw (y)", "roll (z)", "x", "y", "z")
View = tuple[NDArray[np.uint8], PointSweep]


@dataclass
class Row:
    """What became of the drives with one kind of error."""

    name: str
    noticed: list[bool] = field(default_factory=list)
    ever: list[bool] = field(default_factory=list)
    enough: list[bool] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--first", type=int, default=900_500, help="seed of the first world")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--degrees", type=float, default=2.0)
    parser.add_argument("--metres", type=float, default=0.3)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    none, rows = Row("none"), [Row(axis) for axis in AXES]
    for number in range(options.worlds):
        views = drive(options.first + number, KINDS[number % len(KINDS)], options.keep)
        see(none, views, CAMERA.model(), np.eye(4))
        for axis, row in enumerate(rows):
            for T in errors(axis, options.degrees, options.metres):
                see(row, views, CAMERA.model(), T)
    print(table(none, rows))


def drive(seed: int, kind: str, kept: Path | None) -> list[View]:
    """Images and deskewed sweeps of a drive."""
    if kept is None:
        return list(rendered(seed, kind))
    path = kept / f"{seed}.npz"
    if not path.exists():
        _write(path, list(rendered(seed, kind)))
    stored = dict(np.load(path))
    ends = np.cumsum(stored["count"])
    return [
        (image, PointSweep("lidar", stored["xyz"][a:b], stored["beam"][a:b], int(stamp_ns), stored["T_camera_lidar"]))
        for image, a, b, stamp_ns in zip(
            stored["image"], ends - stored["count"], ends, stored["stamp_ns"], strict=True
        )
    ]  # fmt: skip


def rendered(seed: int, kind: str) -> Iterator[View]:
    """As the pipeline would get them."""
    track = OdometryTrack()
    for frame in frames(SimConfig(seed=seed, kind=kind, duration_s=SECONDS, scan=None, camera=CAMERA)):
        follow(track, frame)
        if not frame.lidar:
            continue
        assert frame.T_body_lidar is not None
        turn, motion = frame.lidar[-1], Motion(track, frame.T_body_lidar, frame.stamp_ns)
        xyz = deskew(turn.points[:, :3], turn.points[:, 5], turn.stamp_ns, motion)
        if xyz is not None:
            T_camera_lidar = inverse(frame.T_body_camera) @ frame.T_body_lidar
            beam = turn.points[:, 4].astype(np.int32)
            yield frame.image, PointSweep("lidar", xyz, beam, frame.stamp_ns, T_camera_lidar)


def _write(path: Path, views: list[View]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sweeps = [sweep for _, sweep in views]
    np.savez(
        path,
        image=np.array([image for image, _ in views]),
        xyz=np.concatenate([sweep.xyz for sweep in sweeps]),
        beam=np.concatenate([sweep.beam for sweep in sweeps]),
        count=np.array([len(sweep.xyz) for sweep in sweeps]),
        stamp_ns=np.array([sweep.stamp_ns for sweep in sweeps]),
        T_camera_lidar=sweeps[0].T_camera_sensor,
    )


def errors(axis: int, degrees: float, metres: float) -> Iterator[np.ndarray]:
    """T that takes points from where they are to where a wrong extrinsic puts them, to both sides of an axis."""
    for sign in (1.0, -1.0):
        values = np.zeros(6)
        values[3 + axis if axis < 3 else axis - 3] = sign * (np.deg2rad(degrees) if axis < 3 else metres)
        yield parse_transform(" ".join(map(str, values)))


def see(row: Row, views: list[View], camera: CameraModel, T: np.ndarray) -> None:
    """One drive with one extrinsic."""
    watch, complaints, low = MisalignmentWatch(), [], LidarConfig().min_range
    for image, sweep in views:
        wrong = replace(sweep, T_camera_sensor=T @ sweep.T_camera_sensor)
        complaints.append(bool(watch.complaint(image, camera, wrong, low)))
    row.noticed.append(complaints[-1])
    row.ever.append(any(complaints))
    row.enough.append(watch.has_enough)


def table(none: Row, rows: list[Row]) -> str:
    """Markdown."""
    lines = ["| wrong | drives | complains at the end | ever | drives with enough to see |", "|---|---|---|---|---|"]
    together = Row("any of these")
    for row in rows:
        together.noticed += row.noticed
        together.ever += row.ever
        together.enough += row.enough
    for row in (none, *rows, together):
        cells = " | ".join(f"{100 * np.mean(flags):.1f} %" for flags in (row.noticed, row.ever, row.enough))
        lines.append(f"| {row.name} | {len(row.noticed)} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
