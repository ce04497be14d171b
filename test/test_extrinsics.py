"""Transforms from text, messages and trees."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from depth_perception.bags import StaticTransform
from depth_perception.errors import CalibrationError, ConfigError
from depth_perception.extrinsics import (
    TransformTree,
    inverse,
    parse_transform,
    rotation_from_quaternion,
    transform_from_message,
)


def test_a_forward_camera_on_a_robot() -> None:
    """REP-103: the optical frame in the body frame is (-0.5, 0.5, -0.5, 0.5); its z axis is the body's x."""
    T = parse_transform("0.3 -0.1 1.2 -0.5 0.5 -0.5 0.5")
    np.testing.assert_allclose(T @ [0, 0, 2, 1], [2.3, -0.1, 1.2, 1.0], atol=1e-12)
    np.testing.assert_allclose(parse_transform(f"0.3, -0.1, 1.2, {-np.pi / 2}, 0, {-np.pi / 2}"), T, atol=1e-12)


def test_rpy_turns_about_fixed_axes_roll_first() -> None:
    """A quarter of roll, then of yaw: y goes to z and stays. The other order would leave y at -x."""
    T = parse_transform(f"0 0 0 {np.pi / 2} 0 {np.pi / 2}")
    np.testing.assert_allclose(T[:3, :3] @ [0, 1, 0], [0, 0, 1], atol=1e-12)


@given(st.tuples(*[st.floats(-3.1, 3.1)] * 3))
def test_rpy_and_quaternion_agree_with_scipy(rpy: tuple[float, float, float]) -> None:
    rotation = Rotation.from_euler("xyz", rpy)  # lower case: fixed axes
    T = parse_transform("1 2 3 " + " ".join(map(str, rpy)))
    np.testing.assert_allclose(T[:3, :3], rotation.as_matrix(), atol=1e-9)
    np.testing.assert_allclose(rotation_from_quaternion(rotation.as_quat()), rotation.as_matrix(), atol=1e-9)


def test_a_rounded_quaternion_is_normalised() -> None:
    R = parse_transform("0 0 0 0 0 0.71 0.71")[:3, :3]
    np.testing.assert_allclose(R, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has 0 numbers; write 'x y z qx qy qz qw'"),
        ("1 2 3 4 5", "has 5 numbers"),
        ("1 2 3 0 0 0 1 5", "has 8 numbers"),
        ("1 2 3 0 0 one", "'one'"),
        ("1 2 nan 0 0 0", "isn't finite"),
        ("1 2 3 0 0 0 0", "norm 0, not 1"),
        ("0 0 0 1 1 2 3", "norm 3.873, not 1"),
    ],
)
def test_what_is_wrong_with_a_transform_is_said(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_transform(text)
    assert reason in str(caught.value) and repr(text) in str(caught.value)


def message(translation: tuple, rotation: tuple) -> SimpleNamespace:
    return SimpleNamespace(
        translation=SimpleNamespace(**dict(zip("xyz", translation, strict=True))),
        rotation=SimpleNamespace(**dict(zip("xyzw", rotation, strict=True))),
    )


def test_a_message_is_read_as_it_means() -> None:
    T = transform_from_message(message((0.3, -0.1, 1.2), (-0.5, 0.5, -0.5, 0.5)))
    np.testing.assert_allclose(T, parse_transform("0.3 -0.1 1.2 -0.5 0.5 -0.5 0.5"))


@pytest.mark.parametrize("rotation", [(0, 0, 0, 0), (np.nan, 0, 0, 1), (1, 1, 1, 1)])
def test_a_message_that_was_never_filled_in_is_refused(rotation: tuple) -> None:
    with pytest.raises(CalibrationError, match="no rigid motion"):
        transform_from_message(message((0, 0, 0), rotation))


EDGES = {
    ("base_link", "lidar"): parse_transform("0.1 0.2 1.7 0.02 0.03 0.5"),
    ("lidar", "camera"): parse_transform("0.3 -0.1 -0.2 -0.5 0.5 -0.5 0.5"),
    ("base_link", "mast"): parse_transform("-0.4 0 1 0 0 0.2"),
    ("mast", "laser"): parse_transform("0 0 0.3 0 0.1 0"),
}


def tree(edges: dict[tuple[str, str], np.ndarray]) -> TransformTree:
    built = TransformTree()
    for (parent, child), T in edges.items():
        built.add(StaticTransform(parent, child, T))
    return built


@pytest.mark.parametrize("order", [1, -1])
def test_chains_up_and_down(order: int) -> None:
    """camera ← lidar ← base_link → mast → laser: up one arm and down the other, whatever came first."""
    built = tree(dict(list(EDGES.items())[::order]))
    T_base_camera = EDGES["base_link", "lidar"] @ EDGES["lidar", "camera"]
    T_base_laser = EDGES["base_link", "mast"] @ EDGES["mast", "laser"]
    np.testing.assert_allclose(built.lookup("base_link", "camera"), T_base_camera, atol=1e-12)
    np.testing.assert_allclose(built.lookup("camera", "base_link"), np.linalg.inv(T_base_camera), atol=1e-12)
    np.testing.assert_allclose(built.lookup("camera", "laser"), np.linalg.inv(T_base_camera) @ T_base_laser, atol=1e-12)
    np.testing.assert_array_equal(built.lookup("laser", "laser"), np.eye(4))
    assert built.frames == ("base_link", "camera", "laser", "lidar", "mast")


def test_lookup_maps_points_of_the_source_into_the_target() -> None:
    """The lidar is 2 m above base_link: its origin is at z = 2 there. The inverse would say -2."""
    built = tree({("base_link", "lidar"): parse_transform("0 0 2 0 0 0")})
    np.testing.assert_allclose(built.lookup("base_link", "lidar") @ [0, 0, 0, 1], [0, 0, 2, 1])


def test_slashes_do_not_count_and_later_edges_replace() -> None:
    built = tree({("/base_link", "/lidar"): parse_transform("0 0 2 0 0 0")})
    built.add(StaticTransform("base_link", "lidar", parse_transform("0 0 3 0 0 0")))
    assert built.lookup("base_link", "/lidar")[2, 3] == 3.0
    built.add(StaticTransform("mast", "lidar", parse_transform("0 0 1 0 0 0")))
    assert built.lookup("mast", "lidar")[2, 3] == 1.0
    with pytest.raises(CalibrationError, match="'base_link' unknown"):
        built.lookup("base_link", "lidar")


@pytest.mark.parametrize(
    ("target", "source", "why"),
    [
        ("camera", "radar", "'radar' unknown"),
        ("a", "b", "'a' and 'b' unknown"),
        ("camera", "island", "no chain connects them"),
    ],
)
def test_missing_links_are_named(target: str, source: str, why: str) -> None:
    built = tree(EDGES | {("sea", "island"): np.eye(4)})
    with pytest.raises(CalibrationError) as caught:
        built.lookup(target, source)
    text = str(caught.value)
    assert f"from {source!r} to {target!r}: {why}" in text and "base_link -> lidar" in text and "/tf_static" in text


def test_a_frame_is_itself_but_no_name_is_no_frame() -> None:
    np.testing.assert_array_equal(TransformTree().lookup("camera", "/camera"), np.eye(4))
    with pytest.raises(CalibrationError, match="without frame_id"):
        TransformTree().lookup("", "")


def test_nothing_known() -> None:
    with pytest.raises(CalibrationError, match="known are none"):
        TransformTree().lookup("camera", "lidar")


def test_loops_are_refused_not_followed() -> None:
    built = tree({("a", "b"): np.eye(4), ("b", "a"): np.eye(4)})
    with pytest.raises(CalibrationError, match="loop"):
        built.lookup("a", "b")
    with pytest.raises(CalibrationError, match="own parent"):
        built.add(StaticTransform("a", "/a", np.eye(4)))


def test_inverse_is_exact_for_rigid_motions() -> None:
    T = EDGES["base_link", "lidar"]
    np.testing.assert_allclose(inverse(T) @ T, np.eye(4), atol=1e-15)
