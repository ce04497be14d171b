"""Stereo anchors of real cameras: KITTI's rectified pair, EuRoC's cameras that were calibrated one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from depth_perception.anchors.stereo import StereoMatcher
from depth_perception.camera import CameraModel
from depth_perception.config import StereoConfig
from depth_perception.records import Anchors, StereoPair

CONFIG = StereoConfig()


def grey(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert image is not None, path
    return image


def kitti_pair(data: Path, index: int = 10) -> StereoPair:
    folder = data / "kitti_odom_stereo"
    P = np.loadtxt(folder / "calib.txt").reshape(2, 3, 4)
    eyes = [grey(folder / f"image_{side}" / f"{index:06d}.png") for side in "lr"]
    return StereoPair(*eyes, *(CameraModel(*eyes[0].shape, p[:, :3], P=p) for p in P), index, True)


def euroc_pair(data: Path, index: int = 0) -> StereoPair:
    folder = data / "euroc_stereo_unrectified" / "mav0"
    eyes, cameras, T_body = [], [], []
    for name in ("cam0", "cam1"):
        sensor = yaml.safe_load((folder / name / "sensor.yaml").read_text().replace("%YAML:1.0", ""))
        fx, fy, cx, cy = sensor["intrinsics"]
        eyes.append(grey(sorted((folder / name / "data").iterdir())[index]))
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        D = np.array([*sensor["distortion_coefficients"], 0.0])
        cameras.append(CameraModel(*eyes[-1].shape, K, D, "plumb_bob"))
        T_body.append(np.reshape(sensor["T_BS"]["data"], (4, 4)))
    return StereoPair(*eyes, *cameras, 0, False, np.linalg.inv(T_body[0]) @ T_body[1])


def between_rows(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(N,) px, v_left - v_right of features found and matched by other means than ours."""
    sift = cv2.SIFT.create(2000)
    (left_points, left_words), (right_points, right_words) = (sift.detectAndCompute(i, None) for i in (left, right))
    matches = cv2.BFMatcher(crossCheck=True).match(left_words, right_words)
    pairs = [(left_points[m.queryIdx].pt, right_points[m.trainIdx].pt) for m in matches if m.distance < 150]
    assert len(pairs) > 100
    return np.array([a[1] - b[1] for a, b in pairs])


def compared(some: Anchors, others: Anchors) -> tuple[np.ndarray, np.ndarray]:
    """Difference of depths of anchors within 1 px of each other: as a share of depth, and in standard deviations."""
    distance = np.linalg.norm(some.uv[:, None] - others.uv[None], axis=2)
    near = distance.argmin(axis=1)
    same = distance.min(axis=1) < 1.0
    difference = (some.depth - others.depth[near])[same]
    return difference / some.depth[same], difference / np.hypot(some.sigma, others.sigma[near])[same]


@pytest.mark.parametrize("pair_of", [kitti_pair, euroc_pair])
def test_half_and_full_size_agree(shared_data: Path, pair_of: object) -> None:
    pair = pair_of(shared_data)  # type: ignore[operator]
    half = StereoMatcher()(pair, CONFIG)
    full = StereoMatcher()(pair, replace(CONFIG, scale=1.0, max_anchors=50000))
    share, deviations = compared(half, full)
    assert len(half) > 1400 and len(share) > 400
    assert np.median(np.abs(share)) < 0.012
    assert abs(np.median(share)) < 0.002
    assert (np.abs(share) > 0.2).mean() < 0.02
    assert 0.55 < (np.abs(deviations) < 1.0).mean() < 0.9


def test_kitti_street_has_its_size(shared_data: Path) -> None:
    """KITTI's left grey camera stands 1.65 m above the road; nothing in front of the car is nearer than its bonnet."""
    pair = kitti_pair(shared_data)
    matcher = StereoMatcher()
    anchors = matcher(pair, CONFIG)
    camera = matcher.camera
    assert camera is not None and camera == pair.left_camera.rectified()
    x = (anchors.uv[:, 0] - camera.cx) / camera.fx * anchors.depth
    y = (anchors.uv[:, 1] - camera.cy) / camera.fy * anchors.depth
    road = (np.abs(x) < 1.5) & (anchors.depth < 12.0) & (anchors.uv[:, 1] > 280)
    assert road.sum() > 20
    pitch, height = np.polyfit(anchors.depth[road], y[road], 1)
    assert height == pytest.approx(1.65, abs=0.08) and abs(pitch) < 0.03
    assert anchors.depth.min() > 2.0 and np.ptp(anchors.group) >= 40


@pytest.mark.parametrize("pair_of", [kitti_pair, euroc_pair])
def test_swapped_topics_are_named(shared_data: Path, pair_of: object) -> None:
    pair = pair_of(shared_data)  # type: ignore[operator]
    anchors = StereoMatcher()(replace(pair, left=pair.right, right=pair.left), CONFIG)
    assert len(anchors) == 0 and "swapped" in anchors.note


def test_euroc_rows_agree_after_alignment(shared_data: Path) -> None:
    pair = euroc_pair(shared_data)
    left, right = StereoMatcher().prepare(pair, replace(CONFIG, scale=1.0)).align(pair)
    assert np.median(np.abs(between_rows(pair.left, pair.right))) > 10.0  # as it arrives
    assert np.median(np.abs(between_rows(left, right))) < 0.3


def test_euroc_anchors_fit_the_left_cameras_own_rectified_image(shared_data: Path) -> None:
    """The same points, found from features of the images that the pipeline would make, by plain triangulation."""
    pair = euroc_pair(shared_data)
    matcher = StereoMatcher()
    anchors = matcher(pair, CONFIG)
    assert matcher.camera == pair.left_camera.rectified()
    sift = cv2.SIFT.create(3000)
    (left_points, left_words), (right_points, right_words) = (
        sift.detectAndCompute(image, None) for image in (pair.left, pair.right)
    )
    matches = [m for m in cv2.BFMatcher(crossCheck=True).match(left_words, right_words) if m.distance < 120]
    rays = []
    for camera, points, index in (
        (pair.left_camera, left_points, [m.queryIdx for m in matches]),
        (pair.right_camera, right_points, [m.trainIdx for m in matches]),
    ):
        rays.append(cv2.undistortPoints(np.array([points[i].pt for i in index]), camera.K, camera.D)[:, 0])
    assert pair.T_left_right is not None
    T_right_left = np.linalg.inv(pair.T_left_right)
    homogeneous = cv2.triangulatePoints(np.eye(3, 4), T_right_left[:3], rays[0].T, rays[1].T)
    xyz = (homogeneous[:3] / homogeneous[3]).T
    ahead = (xyz[:, 2] > 0.5) & (xyz[:, 2] < 6.0)
    uv = matcher.camera.project(xyz[ahead])
    distance = np.linalg.norm(uv[:, None] - anchors.uv[None], axis=2)
    near = distance.min(axis=1) < 4.0
    found = anchors.depth[distance.argmin(axis=1)][near]
    assert near.sum() > 80
    ratio = found / xyz[ahead][near, 2]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.01)
    assert np.median(np.abs(ratio - 1.0)) < 0.02
