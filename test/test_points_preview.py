"""Cloud and preview against hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest

from depth_perception.camera import CameraModel
from depth_perception.config import PreviewConfig
from depth_perception.errors import CalibrationError
from depth_perception.outputs import millimetres
from depth_perception.points import PointCloudBuilder, one_per_voxel, without_uncertain
from depth_perception.preview import colour

CAMERA = CameraModel(6, 8, np.array([[4.0, 0, 3.0], [0, 5.0, 2.0], [0, 0, 1]]))


def test_points_are_back_projected_pixels() -> None:
    depth = np.arange(1, 49, dtype=np.float32).reshape(6, 8)
    xyz = PointCloudBuilder()(depth, CAMERA)
    assert xyz.shape == (6, 8, 3) and xyz.dtype == np.float32
    z = depth[4, 7]
    np.testing.assert_allclose(xyz[4, 7], [(7 - 3) / 4 * z, (4 - 2) / 5 * z, z], rtol=1e-6)


def test_stride_keeps_the_rays_of_the_kept_pixels() -> None:
    depth = np.arange(1, 49, dtype=np.float32).reshape(6, 8)
    build = PointCloudBuilder()
    full = build(depth, CAMERA)
    np.testing.assert_array_equal(build(depth[::3, ::3], CAMERA, 3), full[::3, ::3])


def test_unknown_and_infinite_depth_give_nan_points() -> None:
    depth = np.full((6, 8), 2.0, np.float32)
    depth[0, 0], depth[1, 1], depth[2, 2] = np.nan, np.inf, -np.inf
    xyz = PointCloudBuilder()(depth, CAMERA)
    for i in range(3):
        assert np.isnan(xyz[i, i]).all()
    assert np.isfinite(xyz).all(axis=2).sum() == 45


def test_one_point_per_voxel_is_the_first_in_each() -> None:
    cubes = [[0.0, 0, 1], [0.04, 0.09, 1.09], [-0.01, 0, 1], [np.nan] * 3, [0.1, 0, 1], [0.05, 0.05, 1.05]]
    assert sorted(one_per_voxel(np.array(cubes, np.float32), 0.1).tolist()) == [0, 2, 4]


def test_voxels_agree_with_a_search_for_unique_rows() -> None:
    rng = np.random.default_rng(0)
    xyz = rng.normal(0, [3, 1, 2], (5000, 3)).astype(np.float32)
    xyz[::7] = np.nan
    known = np.flatnonzero(np.isfinite(xyz[:, 2]))
    _, first = np.unique(np.floor(xyz[known] * np.float32(4.0)), axis=0, return_index=True)
    assert set(one_per_voxel(xyz, 0.25)) == set(known[first])


def test_no_known_point_leaves_no_voxel() -> None:
    assert one_per_voxel(np.full((9, 3), np.nan, np.float32), 0.1).size == 0


def test_uncertain_points_are_unknown() -> None:
    depth = np.array([[2.0, 2.0, np.inf, -np.inf, np.nan]], np.float32)
    std = np.array([[0.9, 1.1, np.nan, np.nan, np.nan]], np.float32)
    np.testing.assert_array_equal(without_uncertain(depth, std, 0.5), [[2.0, np.nan, np.inf, -np.inf, np.nan]])


def test_uncalibrated_camera_has_no_cloud() -> None:
    with pytest.raises(CalibrationError, match="K = 0"):
        PointCloudBuilder()(np.ones((6, 8), np.float32), CameraModel(6, 8, np.zeros((3, 3))))


def test_millimetres_round_and_saturate_to_unknown() -> None:
    depth = np.array([[1.2344, 1.2346, np.nan, np.inf, -np.inf, 65.535, 65.54]], np.float32)
    assert millimetres(depth).tolist() == [[1234, 1235, 0, 0, 0, 65535, 0]]


def test_preview_is_warm_near_cold_far_black_unknown() -> None:
    depth = np.full((8, 12), 10.0, np.float32)
    depth[:, :4], depth[0, 0] = 1.0, np.nan
    picture = colour(depth, 8, 12, PreviewConfig(min_depth=1.0, max_depth=10.0))
    assert picture.shape == (8, 12, 3) and picture.dtype == np.uint8
    near, far = picture[4, 2].astype(int), picture[4, 10].astype(int)
    assert near[0] > near[2], "near is red"
    assert far[2] >= far[0], "far is blue"
    assert (picture[0, 0] == 0).all()


def test_preview_of_a_map_without_any_known_value_is_black() -> None:
    assert (colour(np.full((8, 12), np.nan, np.float32), 8, 12, PreviewConfig()) == 0).all()
