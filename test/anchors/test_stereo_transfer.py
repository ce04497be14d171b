"""Anchors of one camera in another's image: by hand, and there and back."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from depth_perception.anchors.blocks import image_blocks
from depth_perception.anchors.transfer import carried_over
from depth_perception.camera import CameraModel
from depth_perception.records import Anchors

LEFT = CameraModel(300, 520, np.array([[420.0, 0, 231], [0, 400, 137.5], [0, 0, 1]]))
DEPTH = CameraModel(240, 320, np.array([[200.0, 0, 150], [0, 210, 125], [0, 0, 1]]))


def anchors(uv: list[list[float]], depth: list[float], sigma: list[float]) -> Anchors:
    group = np.arange(len(depth), dtype=np.int32)
    return Anchors(*(np.array(a, np.float32) for a in (uv, depth, sigma)), group, "stereo", 7, "a note")


def test_by_hand() -> None:
    """p_left = (1, 0.5, 4); the depth camera is 0.5 m behind and 0.2 m to the left: p = (1.2, 0.5, 4.5)."""
    T = np.eye(4)
    T[:3, 3] = [0.2, 0.0, 0.5]
    found = carried_over(anchors([[336.0, 187.5]], [4.0], [0.08]), LEFT, T, DEPTH)
    np.testing.assert_allclose(found.uv, [[150 + 200 * 1.2 / 4.5, 125 + 210 * 0.5 / 4.5]], rtol=1e-6)
    np.testing.assert_allclose(found.depth, [4.5])  # the inverse transform would say 3.5
    np.testing.assert_allclose(found.sigma, [0.09], rtol=1e-6)
    assert found.group.tolist() == image_blocks(found.uv, 240, 320).tolist() == [3 * 8 + 5]
    assert (found.source, found.stamp_ns, found.note) == ("stereo", 7, "a note")


def test_rotation() -> None:
    """A depth camera that looks 90 degrees to the right sees what is on the left eye's right, at depth x."""
    T = np.eye(4)
    T[:3, :3] = [[0, 0, -1], [0, 1, 0], [1, 0, 0]]
    wide = CameraModel(300, 520, np.array([[100.0, 0, 260], [0, 100, 150], [0, 0, 1]]))
    found = carried_over(anchors([[460.0, 150.0], [60.0, 150.0]], [2.0, 2.0], [0.1, 0.1]), wide, T, wide)
    assert found.depth.tolist() == [4.0]  # the second lies behind
    np.testing.assert_allclose(found.uv, [[260 - 100 * 2 / 4, 150]])


def test_outside_is_dropped_at_the_edge_of_the_pixels() -> None:
    uv = [[-0.4, 10.0], [-0.6, 10.0], [519.4, 10.0], [519.6, 10.0], [10.0, 299.4], [10.0, 299.6], [10.0, -0.6]]
    found = carried_over(anchors(uv, [1.0] * 7, [0.1] * 7), LEFT, np.eye(4), LEFT)
    np.testing.assert_allclose(found.uv, [uv[0], uv[2], uv[4]], atol=1e-4)


def test_lens_of_the_depth_camera_counts() -> None:
    lens = CameraModel(300, 520, LEFT.K, np.array([-0.2, 0.05, 0, 0, 0]), "plumb_bob")
    found = carried_over(anchors([[441.0, 137.5]], [3.0], [0.1]), LEFT, np.eye(4), lens)
    r2 = 0.25
    np.testing.assert_allclose(found.uv, [[231 + 420 * 0.5 * (1 - 0.2 * r2 + 0.05 * r2**2), 137.5]], rtol=1e-5)


def test_none_stay_none() -> None:
    none = anchors([], [], [])
    found = carried_over(
        Anchors(np.zeros((0, 2), np.float32), *(none.depth,) * 2, none.group, "stereo", 7), LEFT, np.eye(4), DEPTH
    )
    assert len(found) == 0 and found.uv.shape == (0, 2)


@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(-0.3, 0.3), st.integers(0, 1000))
def test_there_and_back(a: float, b: float, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    uv = rng.uniform((200, 100), (300, 200), (20, 2))
    start = anchors(uv.tolist(), rng.uniform(3, 9, 20).tolist(), [0.1] * 20)
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.array([a, b, 0.1]))[0]
    T[:3, 3] = [shift, -shift, shift]
    wide = CameraModel(2000, 2000, np.array([[400.0, 0, 990], [0, 410, 1010], [0, 0, 1]]))
    there = carried_over(start, LEFT, T, wide)
    back = carried_over(there, wide, np.linalg.inv(T), LEFT)
    for name in ("uv", "depth", "sigma"):
        np.testing.assert_allclose(getattr(back, name), getattr(start, name), rtol=1e-4)


def test_blocks_count_row_by_row() -> None:
    uv = np.array([[-0.5, -0.5], [639.49, -0.5], [-0.5, 479.49], [639.49, 479.49], [79.4, 0], [79.6, 0]], np.float32)
    assert image_blocks(uv, 480, 640).tolist() == [0, 7, 40, 47, 0, 1]
