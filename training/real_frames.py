"""Real pictures with measured depth, for evaluation only: KITTI raw with LiDAR, RGB-D frames. Read in place."""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel

NEAREST_LIDAR_M = 1.0


@dataclass(frozen=True)
class RealFrame:
    """One picture and what a sensor measured in it."""

    source: str
    image: NDArray[np.uint8]  # (H, W, 3) RGB
    camera: CameraModel
    depth: NDArray[np.float32]  # (H, W) metres, NaN where nothing was measured


def kitti_raw_frames(folder: Path, stride: int = 3) -> Iterator[RealFrame]:
    """Frames of one KITTI raw drive, camera 2, with the LiDAR scan projected into the image. `folder`: see below."""
    for image, camera, points, T_camera_lidar in kitti_raw_sweeps(folder, stride):
        seen = points @ T_camera_lidar[:3, :3].T + T_camera_lidar[:3, 3]
        yield RealFrame("kitti_raw", image, camera, _project(seen @ camera.K.T, image.shape[0], image.shape[1]))


def kitti_raw_sweeps(
    folder: Path, stride: int = 3
) -> Iterator[tuple[NDArray[np.uint8], CameraModel, NDArray[np.float32], NDArray[np.float64]]]:
    """Image of camera 2 (H, W, 3) RGB, its camera, LiDAR points (N, 3) m and T_camera_lidar (4, 4) of a raw drive.

    Args:
        folder: holds image_02/data, velodyne_points/data (`.bin.xz`) and the calib_*.txt files.
    """
    cameras = _calibration(folder / "calib_cam_to_cam.txt")
    P = cameras["P_rect_02"].reshape(3, 4)
    to_camera = _calibration(folder / "calib_velo_to_cam.txt")
    T, R, T_camera2 = np.eye(4), np.eye(4), np.eye(4)
    T[:3, :3], T[:3, 3] = to_camera["R"].reshape(3, 3), to_camera["T"]
    R[:3, :3] = cameras["R_rect_00"].reshape(3, 3)
    T_camera2[:3, 3] = np.linalg.solve(P[:, :3], P[:, 3])
    for path in sorted((folder / "image_02" / "data").glob("*.png"))[::stride]:
        image = read_rgb(path)
        scan = lzma.decompress((folder / "velodyne_points" / "data" / f"{path.stem}.bin.xz").read_bytes())
        points = np.frombuffer(scan, np.float32).reshape(-1, 4)[:, :3]
        yield image, CameraModel(image.shape[0], image.shape[1], P[:, :3]), points, T_camera2 @ R @ T


def seven_scenes_frames(folder: Path, stride: int = 4) -> Iterator[RealFrame]:
    """Kinect frames of 7-Scenes: depth in millimetres, 0 and 65535 mean none."""
    K = np.array([[585.0, 0, 320.0], [0, 585.0, 240.0], [0, 0, 1]])
    for path in sorted(folder.glob("*.color.jpg"))[::stride]:
        raw = _read_depth(path.with_name(path.name.replace(".color.jpg", ".depth.png")))
        depth = np.where((raw > 0) & (raw < 65535), raw.astype(np.float32) / 1000, np.float32(np.nan))
        yield RealFrame("7scenes_kitchen", read_rgb(path), CameraModel(480, 640, K), depth)


def rgbd_frames(folder: Path) -> Iterator[RealFrame]:
    """Single frames of TUM (depth / 5000 m), SUN (bits rotated, mm) and Redwood (mm)."""
    K = np.array([[525.0, 0, 319.5], [0, 525.0, 239.5], [0, 0, 1]])
    for colour in sorted(folder.glob("*_color.*")):
        raw = _read_depth(colour.with_name(colour.stem.replace("color", "depth") + ".png"))
        if "SUN" in colour.name:
            raw = ((raw >> 3) | (raw << 13)).astype(np.uint16)
        metres = raw.astype(np.float32) / np.float32(5000.0 if "TUM" in colour.name else 1000.0)
        depth = np.where(raw > 0, metres, np.float32(np.nan))
        yield RealFrame(f"rgbd {colour.stem}", read_rgb(colour), CameraModel(480, 640, K), depth)


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of an image file; grey images are repeated."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"{str(path)!r} is missing or no picture")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)


def _read_depth(path: Path) -> NDArray[np.uint16]:
    raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if raw is None or raw.dtype != np.uint16:
        raise FileNotFoundError(f"{str(path)!r} is missing or no 16-bit depth picture")
    return raw.astype(np.uint16)


def _calibration(path: Path) -> dict[str, NDArray[np.float64]]:
    lines = (line.partition(":") for line in path.read_text().splitlines())
    return {key: np.array(value.split(), np.float64) for key, _, value in lines if key != "calib_time" and value}


def _project(uvw: NDArray[np.floating], height: int, width: int) -> NDArray[np.float32]:
    """Depth image of projected points (N, 3): the nearest point of each pixel."""
    uvw = uvw[uvw[:, 2] > NEAREST_LIDAR_M]
    u, v = (np.rint(uvw[:, i] / uvw[:, 2]).astype(int) for i in (0, 1))
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    order = np.argsort(-uvw[inside, 2])
    depth = np.full((height, width), np.nan, np.float32)
    depth[v[inside][order], u[inside][order]] = uvw[inside, 2][order]
    return depth
