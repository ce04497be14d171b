"""KITTI's HDL-64 and a VLP-16 under a fisheye camera: read from bags, projected, judged."""

from __future__ import annotations

import lzma
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depth_perception import messages
from depth_perception.anchors.beams import _from_elevation, sine_of_elevation
from depth_perception.anchors.lidar import point_anchors
from depth_perception.anchors.sweep import cloud_points, cloud_sweep
from depth_perception.bags import open_bag
from depth_perception.bags.transforms import transform_tree
from depth_perception.camera import CameraModel
from depth_perception.records import Anchors

LIMITS = {"sigma": 0.03, "min_range": 0.5, "max_range": 100.0}


@dataclass(frozen=True)
class First:
    """The first cloud of a recording and the camera that looks at the same."""

    cloud: Any
    camera: CameraModel
    T_camera_lidar: np.ndarray

    def anchors(self) -> Anchors:
        return point_anchors(cloud_sweep(self.cloud, self.T_camera_lidar, 0), self.camera, **LIMITS)


@pytest.fixture(scope="module")
def bags(shared_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    script = shared_tools / "make_bags.py"
    subprocess.run([sys.executable, script, folder], check=True, stdout=subprocess.DEVNULL)
    return folder


def first(path: Path) -> First:
    with open_bag(path) as bag:
        cloud = next(bag.messages(["/lidar/points"])).message
        info = next(bag.messages(["/camera/camera_info"])).message
        T = transform_tree(bag).lookup(info.header.frame_id, cloud.header.frame_id)
    return First(cloud, messages.decode_camera_info(info), T)


def numbers(path: Path, key: str) -> np.ndarray:
    """A line 'key: numbers' of KITTI's calibration files."""
    [line] = [line for line in path.read_text().splitlines() if line.startswith(key + ":")]
    return np.array(line.split()[1:], np.float64)


@pytest.mark.parametrize("name", ["kitti_lidar", "kitti_lidar_ros1.bag"])
def test_kitti_lands_where_its_own_calibration_says(bags: Path, shared_data: Path, name: str) -> None:
    """P_rect_02 · R_rect_00 · T_velo_to_cam by hand, for three points of the file itself, and of all anchors."""
    root = shared_data / "kitti_raw_0926_cam2_velo"
    scan = sorted((root / "velodyne_points").rglob("*.bin.xz"))[0]
    points = np.frombuffer(lzma.decompress(scan.read_bytes()), np.float32).reshape(-1, 4)
    T_velo, R_rect = np.eye(4), np.eye(4)
    T_velo[:3, :3] = numbers(root / "calib_velo_to_cam.txt", "R").reshape(3, 3)
    T_velo[:3, 3] = numbers(root / "calib_velo_to_cam.txt", "T")
    R_rect[:3, :3] = numbers(root / "calib_cam_to_cam.txt", "R_rect_00").reshape(3, 3)
    P = numbers(root / "calib_cam_to_cam.txt", "P_rect_02").reshape(3, 4)
    by_hand = np.column_stack([points[:, :3], np.ones(len(points))]) @ (P @ R_rect @ T_velo).T
    found = first(bags / name).anchors()
    assert len(found) > 14_000
    for near in (8.0, 15.0, 40.0):
        anchor = np.abs(found.depth - near).argmin()
        depth_by_hand = by_hand[:, 2] - P[2, 3]
        pixels = by_hand[:, :2] / by_hand[:, 2:]
        match = (np.abs(depth_by_hand - found.depth[anchor]) < 0.02) & (
            np.abs(pixels - found.uv[anchor]).max(axis=1) < 0.3
        )
        assert match.any(), f"no point of the file lies where the anchor at {near} m does"


def test_kitti_without_ring_has_its_64_beams(bags: Path) -> None:
    data = first(bags / "kitti_lidar")
    points = cloud_points(data.cloud)
    assert np.unique(points.beam).tolist() == list(range(64))
    elevation = np.bincount(points.beam, sine_of_elevation(points.xyz)) / np.bincount(points.beam)
    assert (np.diff(elevation) < 0).all()  # written from the top down
    assert np.bincount(points.beam).min() > 1000
    assert len(np.unique(data.anchors().group)) > 40  # the upper and lower beams pass the image


def test_kitti_loses_few_points_to_occlusion(bags: Path) -> None:
    """Its LiDAR sits 8 cm above and 27 cm behind the camera: it sees past edges, but not much (4 % here)."""
    data = first(bags / "kitti_lidar")
    uv = data.camera.project(cloud_points(data.cloud).xyz @ data.T_camera_lidar[:3, :3].T + data.T_camera_lidar[:3, 3])
    in_image = int(((uv >= -0.5) & (uv < [data.camera.width - 0.5, data.camera.height - 0.5])).all(axis=1).sum())
    kept = len(data.anchors())
    assert 0.93 * in_image < kept < 0.985 * in_image


def test_fisheye_vlp16(bags: Path) -> None:
    """A checkerboard 2 to 3 m ahead fills the left of the image; the hall behind goes on for 10 m and more."""
    data = first(bags / "fisheye_vlp16")
    assert data.camera.distortion_model == "equidistant"
    found = data.anchors()
    assert 6000 < len(found) < 7300 and len(np.unique(found.group)) == 16
    u, v = found.uv.T
    assert u.min() < 20 and u.max() > data.camera.width - 20  # from edge to edge
    on_board = (np.abs(u - 470) < 100) & (np.abs(v - 320) < 150)
    assert np.median(found.depth[on_board]) < 3.0
    assert (np.abs(found.depth[on_board] / np.median(found.depth[on_board]) - 1.0) < 0.3).mean() > 0.97
    behind = (np.abs(u - 1000) < 100) & (np.abs(v - 200) < 100)
    assert np.median(found.depth[behind]) > 8.0


def test_elevation_alone_finds_the_rings_of_a_vlp16(bags: Path) -> None:
    points = cloud_points(first(bags / "fisheye_vlp16").cloud)
    assert (_from_elevation(sine_of_elevation(points.xyz)) == points.beam).mean() > 0.999
