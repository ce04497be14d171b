"""Cloud and scan of a frame as options say: thinned by voxel, without what is too uncertain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from depth_perception.camera import CameraModel
from depth_perception.config import DepthConfig, PointsConfig, ScanConfig
from depth_perception.messages import cloud_xyz, decode_cloud, decode_scan, recorded
from depth_perception.outputs import OutputBuilder
from depth_perception.records import DepthFrame, DepthKind, Quality

HEIGHT, WIDTH = 24, 40
CAMERA = CameraModel(HEIGHT, WIDTH, np.array([[30.0, 0, 17.0], [0, 33.0, 10.0], [0, 0, 1]]))
WALL_M = 3.0


def message(topic: str, config: DepthConfig, std: np.ndarray | None = None) -> Any:
    """The message that a frame of a wall gives."""
    depth = np.full((HEIGHT, WIDTH), WALL_M, np.float32)
    depth[0, 0] = np.nan
    image = np.arange(HEIGHT * WIDTH * 3, dtype=np.uint32).reshape(HEIGHT, WIDTH, 3).astype(np.uint8)
    frame = DepthFrame(
        depth, depth, DepthKind.METRIC, 7, "lens", CAMERA, image, Quality("prior", 0.1, 1.0), std=std
    )  # fmt: skip
    return dict(OutputBuilder(recorded(get_typestore(Stores.ROS2_KILTED)))(frame, config, (topic,)))[topic]


@pytest.mark.parametrize("rgb", [True, False])
def test_thinned_cloud_has_one_row_of_known_points(rgb: bool) -> None:
    full = message("depth/points", DepthConfig(points=PointsConfig(rgb=rgb)))
    thin = message("depth/points", DepthConfig(points=PointsConfig(rgb=rgb, voxel=0.5)))
    assert (full.height, full.width, full.is_dense) == (HEIGHT, WIDTH, False)
    points = cloud_xyz(thin)
    assert (thin.height, thin.is_dense) == (1, True) and np.isfinite(points).all()
    # x from -1.7 to 2.2 m and y from -0.9 to 1.2 m touch 9 columns and 5 rows of cubes of 0.5 m
    assert thin.width == 9 * 5
    colour_of = {tuple(p): c for p, c in zip(cloud_xyz(full), _colours(full, rgb), strict=True)}
    assert [colour_of[tuple(p)] for p in points] == list(_colours(thin, rgb)), "each point keeps its own colour"


def _colours(cloud: Any, rgb: bool) -> np.ndarray:
    fields = decode_cloud(cloud)
    return np.ascontiguousarray(fields["rgb" if rgb else "z"]).reshape(-1).view(np.uint32)


def test_uncertain_pixels_are_in_neither_cloud_nor_scan() -> None:
    std = np.full((HEIGHT, WIDTH), 0.4 * WALL_M, np.float32)
    std[:, 20:] = 0.6 * WALL_M
    limits = DepthConfig(scan=ScanConfig(camera_height=0.6))
    points = cloud_xyz(message("depth/points", limits, std)).reshape(HEIGHT, WIDTH, 3)
    assert np.isnan(points[:, 20:]).all() and np.isfinite(points[1:, :20]).all()
    ranges = decode_scan(message("depth/scan", limits, std)).ranges
    assert 0.4 < np.isnan(ranges).mean() < 0.6
    lax = DepthConfig(points=PointsConfig(max_relative_std=0.7), scan=ScanConfig(camera_height=0.6, max_relative_std=1))
    assert np.isfinite(cloud_xyz(message("depth/points", lax, std))).all(axis=1).sum() == HEIGHT * WIDTH - 1
    assert np.isfinite(decode_scan(message("depth/scan", lax, std)).ranges).mean() > 0.9
