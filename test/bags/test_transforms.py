"""Static transforms: the direction, and the quaternion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from depth_perception.bags import StaticTransform, tf_static_message
from depth_perception.bags.transforms import quaternion

OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # R_base_optical: z forward -> x forward


def test_optical_frame_on_a_robot() -> None:
    """REP-103: a forward camera has (-0.5, 0.5, -0.5, 0.5); its inverse has (0.5, -0.5, 0.5, 0.5)."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = OPTICAL, (0.3, -0.1, 1.2)
    [stamped] = tf_static_message([StaticTransform("base_link", "camera_optical", T)], 5_000_000_007).transforms
    assert (stamped.header.frame_id, stamped.child_frame_id) == ("base_link", "camera_optical")
    assert (stamped.header.stamp.sec, stamped.header.stamp.nanosec) == (5, 7)
    q, t = stamped.transform.rotation, stamped.transform.translation
    np.testing.assert_allclose([q.x, q.y, q.z, q.w], [-0.5, 0.5, -0.5, 0.5], atol=1e-12)
    assert (t.x, t.y, t.z) == (0.3, -0.1, 1.2)


@pytest.mark.parametrize(
    ("axis", "expected"), [((1, 0, 0), (1, 0, 0, 0)), ((0, 1, 0), (0, 1, 0, 0)), ((0, 0, 1), (0, 0, 1, 0))]
)
def test_half_turns_where_the_trace_is_minus_one(axis: tuple[int, ...], expected: tuple[int, ...]) -> None:
    R = 2.0 * np.outer(axis, axis) - np.eye(3)
    np.testing.assert_allclose(np.abs(quaternion(R)), expected, atol=1e-12)


@given(arrays(np.float64, 3, elements=st.floats(-10.0, 10.0)))
def test_same_rotation_as_scipy(rotation_vector: np.ndarray) -> None:
    rotation = Rotation.from_rotvec(rotation_vector)
    ours = np.array(quaternion(rotation.as_matrix()))
    assert ours[3] >= 0.0
    np.testing.assert_allclose(np.abs(ours @ rotation.as_quat()), 1.0, atol=1e-12)
    np.testing.assert_allclose(Rotation.from_quat(ours).as_matrix(), rotation.as_matrix(), atol=1e-9)
