"""KITTI raw by Eigen's protocol: which pixel a point belongs to, which depth it has, which frames count."""

from __future__ import annotations

import shutil
from pathlib import Path

import kitti_folders as kitti
import numpy as np
import pytest
from rig_bags import LEFT, wall_depth

from depth_perception.camera import CameraModel
from depth_perception.errors import ConfigError
from training.evaluation.kitti_cases import KittiCases, scan_depth
from training.evaluation.protocol import Protocol

CAMERA = CameraModel(30, 40, np.array([[50.0, 0, 20.0], [0, 60.0, 12.0], [0, 0, 1]]))
# x right = -y, y down = -z, z forward = x; the camera is 0.27 m before the LiDAR and 0.1 m below it
T_LEFT_LIDAR = np.array([[0.0, -1, 0, 0], [0, 0, -1, -0.1], [1, 0, 0, -0.27], [0, 0, 0, 1]])


def at(u: float, v: float, z: float) -> list[float]:
    """LiDAR coordinates of what the camera sees at (u, v), z m away."""
    x, y = (u - 20.0) * z / 50.0, (v - 12.0) * z / 60.0
    return [z + 0.27, -x, -(y + 0.1)]


class TestScanDepth:
    def test_nearest_pixel_and_depth_along_the_axis(self) -> None:
        xyz = np.array([at(7.4, 9.6, 5.0), at(30.0, 3.0, 8.0)], np.float32)
        depth = scan_depth(xyz, T_LEFT_LIDAR, CAMERA)
        assert depth.shape == (30, 40) and np.isfinite(depth).sum() == 2
        assert depth[10, 7] == pytest.approx(5.0) and depth[3, 30] == pytest.approx(8.0)

    def test_published_is_the_lidars_forward_distance_one_pixel_up_and_left(self) -> None:
        xyz = np.array([at(7.4, 9.6, 5.0), at(0.0, 9.0, 5.0)], np.float32)  # the second falls off the image
        depth = scan_depth(xyz, T_LEFT_LIDAR, CAMERA, published=True)
        assert np.isfinite(depth).sum() == 1 and depth[9, 6] == pytest.approx(5.27)

    def test_the_nearest_point_of_a_pixel_counts_hidden_ones_beside_it_too(self) -> None:
        xyz = np.array([at(7.0, 9.0, 5.0), at(7.2, 9.1, 4.0), at(8.0, 9.0, 40.0)], np.float32)
        depth = scan_depth(xyz, T_LEFT_LIDAR, CAMERA)
        assert depth[9, 7] == pytest.approx(4.0) and depth[9, 8] == pytest.approx(40.0)

    def test_what_is_behind_or_outside_is_none(self) -> None:
        behind, between = [-5.0, 0.0, 0.0], [0.1, 0.0, -0.1]  # the second lies before the LiDAR, behind the camera
        xyz = np.array([behind, between, at(45.0, 9.0, 5.0), at(7.0, 30.6, 5.0)], np.float32)
        assert np.isnan(scan_depth(xyz, T_LEFT_LIDAR, CAMERA)).all()


class TestKittiCases:
    def test_frames_of_a_drive_show_the_wall(self, tmp_path: Path) -> None:
        kitti.raw_drive(tmp_path, frames=3)
        cases = KittiCases(tmp_path)
        assert len(cases) == 3 and cases.skipped == 0 and cases.part == "all frames"
        case = cases[1]
        assert case.name == f"{kitti.DRIVE}/1" and case.image.shape == (LEFT.height, LEFT.width, 3)
        on_the_wall = case.target[np.isfinite(case.target)]
        assert np.median(on_the_wall) == pytest.approx(wall_depth(1), rel=1e-4)
        assert (np.abs(on_the_wall - wall_depth(1)) < 1e-3).mean() > 0.95
        far = KittiCases(tmp_path, depth="published")[1].target
        assert np.nanmedian(far) != pytest.approx(wall_depth(1), rel=1e-3)

    def test_a_list_says_which(self, tmp_path: Path) -> None:
        kitti.raw_drive(tmp_path, frames=4)
        listed = tmp_path / "test_files.txt"
        listed.write_text(
            f"2011_09_26/{kitti.DRIVE} 0000000002 l\n2011_09_26/{kitti.DRIVE}/image_02/data/0000000003.png\n"
            "2011_09_26/2011_09_26_drive_0002_sync 0000000001 l\n"
        )
        cases = KittiCases(tmp_path, str(listed))
        assert [case.name for case in cases] == [f"{kitti.DRIVE}/2", f"{kitti.DRIVE}/3"]
        assert (
            cases.skipped == 1 and cases.part == "frames of test_files.txt"
        )  # the third is of a drive that isn't here
        listed.write_text("2011_09_26/2011_09_26_drive_0002_sync 0000000001 l\n")
        with pytest.raises(ConfigError, match="no frame with original depth that"):
            KittiCases(tmp_path, str(listed))
        with pytest.raises(ConfigError, match="isn't there"):
            KittiCases(tmp_path, str(tmp_path / "nothing.txt"))

    def test_annotated_depth(self, tmp_path: Path) -> None:
        kitti.raw_drive(tmp_path / "raw", frames=6)
        where = kitti.annotated(tmp_path / "annotated", frames=6, metres=4.25)
        cases = KittiCases(tmp_path / "raw", depth="annotated", annotated=str(tmp_path / "annotated"))
        assert len(cases) == 4 and cases.skipped == 2  # the first and the last frame have none
        target = cases[0].target
        assert (np.isfinite(target) == where).all() and (target[where] == 4.25).all()
        with pytest.raises(ConfigError, match="--annotated ROOT"):
            KittiCases(tmp_path / "raw", depth="annotated")

    def test_a_drive_without_annotated_depth_is_left_out(self, tmp_path: Path) -> None:
        kitti.raw_drive(tmp_path / "raw", frames=6)
        kitti.annotated(tmp_path / "annotated", frames=6)
        date = tmp_path / "raw" / "2011_09_26"
        shutil.copytree(date / kitti.DRIVE, date / "2011_09_26_drive_0002_sync")
        listed = tmp_path / "list.txt"
        listed.write_text("".join(f"2011_09_26_drive_000{drive}_sync 0000000002 l\n" for drive in (1, 2)))
        cases = KittiCases(tmp_path / "raw", str(listed), "annotated", str(tmp_path / "annotated"))
        assert [case.name for case in cases] == [f"{kitti.DRIVE}/2"] and cases.skipped == 1
        assert len(KittiCases(tmp_path / "raw")) == 12

    def test_the_crop_takes_scan_points_only_there(self, tmp_path: Path) -> None:
        kitti.raw_drive(tmp_path, frames=1)
        target = KittiCases(tmp_path)[0].target
        top, bottom, left, right = (int(share * size) for share, size in zip(
            (0.40810811, 0.99189189, 0.03594771, 0.96405229), (LEFT.height, LEFT.height, LEFT.width, LEFT.width),
            strict=True,
        ))  # fmt: skip
        inside = np.isfinite(target[top:bottom, left:right]).sum()
        assert Protocol("garg").counted(target).sum() == inside < np.isfinite(target).sum()


def test_real_drive_counts(shared_data: Path) -> None:
    cases = KittiCases(shared_data / "kitti_raw_0926_cam2_velo")
    assert len(cases) == 30
    counts = {crop: int(Protocol(crop).counted(cases[0].target).sum()) for crop in ("none", "eigen", "garg")}
    assert 10_000 < counts["garg"] < counts["none"] < 25_000  # KITTI's scans leave some 18 000 points in an image
    assert counts["eigen"] < counts["garg"]  # the LiDAR sees little of what is high up
