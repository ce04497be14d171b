"""Small KITTI folders of the wall in `rig_bags`, in the layouts that KITTI's pages document."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from rig_bags import BASELINE_M, LEFT, T_LEFT_LIDAR, K, picture, wall_depth

DRIVE = "2011_09_26_drive_0001_sync"
CAM0_M = 0.06  # camera 0 lies so far to the right of camera 2, so that P[0, 3] = fx * 0.06


def P(right_m: float) -> np.ndarray:
    """(3, 4) of a camera that lies `right_m` to the right of camera 0."""
    return np.hstack([K, [[-K[0, 0] * right_m], [0.0], [0.0]]])


def numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.12e}" for value in np.asarray(values).ravel())


def scan(i: int) -> np.ndarray:
    """(N, 4) float32 of a 64-beam turn against the wall, written beam after beam from the top, as KITTI's files are.

    Behind the camera everything is 10 m away.
    """
    elevation = np.deg2rad(np.linspace(20, -20, 64))
    azimuth = np.deg2rad(np.linspace(0, 360, 540, endpoint=False))
    e, a = (m.ravel() for m in np.meshgrid(elevation, azimuth, indexing="ij"))
    rays = np.column_stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    z = rays @ T_LEFT_LIDAR[2, :3]
    distance = (wall_depth(i) - T_LEFT_LIDAR[2, 3]) / z
    xyz = rays * np.where((z > 0.1) & (distance < 30), distance, 10.0)[:, None]
    xyz = xyz[(z > 0.3) | (z < 0.0)]  # nothing at the wall's far ends
    return np.column_stack([xyz, np.full(len(xyz), 0.5)]).astype(np.float32)


def raw_drive(root: Path, frames: int = 6, stereo: bool = True) -> Path:
    """`2011_09_26/<drive>/…` with timestamps and oxts that drive 0.1 m north a frame; the drive's folder."""
    date = root / "2011_09_26"
    drive = date / DRIVE
    cameras = {"02": -CAM0_M, "03": BASELINE_M - CAM0_M}
    for folder in ("image_02/data", "image_03/data", "velodyne_points/data", "oxts/data"):
        (drive / folder).mkdir(parents=True)
    lines = ["calib_time: 09-Jan-2012 13:57:47", f"R_rect_00: {numbers(np.eye(3))}"]
    lines += [f"P_rect_{camera}: {numbers(P(shift))}" for camera, shift in cameras.items()]
    (date / "calib_cam_to_cam.txt").write_text("\n".join(lines) + "\n")
    T = T_LEFT_LIDAR.copy()
    T[0, 3] -= CAM0_M  # into camera 0
    (date / "calib_velo_to_cam.txt").write_text(f"R: {numbers(T[:3, :3])}\nT: {numbers(T[:3, 3])}\n")
    (date / "calib_imu_to_velo.txt").write_text(f"R: {numbers(np.eye(3))}\nT: {numbers(np.array([-0.8, 0.3, -0.8]))}\n")
    for i in range(frames):
        cv2.imwrite(str(drive / f"image_02/data/{i:010d}.png"), picture(i)[..., ::-1])
        if stereo:
            cv2.imwrite(str(drive / f"image_03/data/{i:010d}.png"), picture(i + 100)[..., ::-1])
        scan(i).tofile(drive / f"velodyne_points/data/{i:010d}.bin")
        latitude = 49.0 + np.rad2deg(0.1 * i / 6378137.0)
        (drive / f"oxts/data/{i:010d}.txt").write_text(f"{latitude:.15f} 8.4 112.0 0 0 {np.pi / 2} " + "0 " * 24)
    for sensor, late in (("image_02", 0), ("velodyne_points", 3)):
        stamps = [f"2011-09-26 13:02:25.{100_000_000 * i + late * 1_000_000:09d}" for i in range(frames)]
        (drive / sensor / "timestamps.txt").write_text("\n".join(stamps) + "\n")
    return drive


def odometry_sequence(root: Path, frames: int = 5) -> Path:
    """`sequences/07/…` and `poses/07.txt`, driving 0.1 m a frame along z; the sequence's folder."""
    folder = root / "sequences" / "07"
    for name in ("image_2", "image_3", "velodyne"):
        (folder / name).mkdir(parents=True)
    shifts = [0.0, BASELINE_M, -CAM0_M, BASELINE_M - CAM0_M]
    T = T_LEFT_LIDAR.copy()
    T[0, 3] -= CAM0_M
    lines = [f"P{i}: {numbers(P(shift))}" for i, shift in enumerate(shifts)] + [f"Tr: {numbers(T[:3])}"]
    (folder / "calib.txt").write_text("\n".join(lines) + "\n")
    (folder / "times.txt").write_text("".join(f"{0.1 * i:e}\n" for i in range(frames)))
    rows = []
    for i in range(frames):
        cv2.imwrite(str(folder / f"image_2/{i:06d}.png"), picture(i)[..., ::-1])
        cv2.imwrite(str(folder / f"image_3/{i:06d}.png"), picture(i + 100)[..., ::-1])
        scan(i).tofile(folder / f"velodyne/{i:06d}.bin")
        rows.append(numbers(np.hstack([np.eye(3), [[0.0], [0.0], [0.1 * i]]])))
    (root / "poses").mkdir()
    (root / "poses" / "07.txt").write_text("\n".join(rows) + "\n")
    return folder


def annotated(root: Path, frames: int = 6, metres: float = 4.25) -> np.ndarray:
    """Annotated depth `train/<drive>/proj_depth/…`, one value in the left half of the image, none in the right."""
    folder = root / "train" / DRIVE / "proj_depth" / "groundtruth" / "image_02"
    folder.mkdir(parents=True)
    depth = np.zeros((LEFT.height, LEFT.width), np.uint16)
    depth[:, : LEFT.width // 2] = round(metres * 256)
    for i in range(1, frames - 1):
        cv2.imwrite(str(folder / f"{i:010d}.png"), depth)
    return depth > 0
