"""CameraInfo: the geometry of the image as it arrives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from depth_perception.errors import CalibrationError, MessageError
from depth_perception.messages import decode_camera_info

K = np.array([[600.0, 0.5, 330.0], [0, 610.0, 250.0], [0, 0, 1]])
P = np.array([[580.0, 0, 320.0, -69.6], [0, 580.0, 240.0, 0], [0, 0, 1, 0]])
R = np.array([[0.999847695, 0, 0.017452406], [0, 1, 0], [-0.017452406, 0, 0.999847695]])
D = np.array([-0.3, 0.1, 1e-3, -2e-3, 0.01])


@pytest.fixture
def info_msg(family: Any) -> Callable[..., Any]:
    """Makes a CameraInfo of this family: 640x480, plumb_bob, unless said otherwise."""

    def make(roi: tuple[int, ...] = (0, 0, 0, 0), do_rectify: bool = False, **changes: Any) -> Any:
        x, y, height, width = roi
        region = family.new(
            "sensor_msgs/msg/RegionOfInterest",
            x_offset=x,
            y_offset=y,
            height=height,
            width=width,
            do_rectify=do_rectify,
        )
        fields = {
            "height": 480,
            "width": 640,
            "distortion_model": "plumb_bob",
            "d": D,
            "k": K,
            "r": R,
            "p": P,
            "binning_x": 0,
            "binning_y": 0,
        } | changes
        for name in "dkrp":
            fields[name] = np.asarray(fields[name], np.float64).ravel()
        if family.name == "live":
            fields["d"] = fields["d"].tolist()
        return family.sent(family.info(header=family.header(), roi=region, **fields))

    return make


def test_plain(info_msg: Any) -> None:
    camera = decode_camera_info(info_msg())
    assert (camera.height, camera.width, camera.distortion_model) == (480, 640, "plumb_bob")
    for name, expected in {"K": K, "D": D, "R": R, "P": P}.items():
        np.testing.assert_array_equal(getattr(camera, name), expected)
    assert camera.is_calibrated


def test_it_does_not_hold_the_message_s_memory(info_msg: Any) -> None:
    msg = info_msg()
    field = msg.k if hasattr(msg, "k") else msg.K
    assert not np.shares_memory(decode_camera_info(msg).K, np.asarray(field))


MODELS = {
    "plumb_bob 4": ("plumb_bob", D[:4], "plumb_bob"),
    "rational 8": ("rational_polynomial", np.arange(8) / 100, "rational_polynomial"),
    "rational 14": ("rational_polynomial", np.arange(14) / 1000, "rational_polynomial"),
    "equidistant": ("equidistant", D[:4], "equidistant"),
    "fisheye": ("fisheye", D[:4], "equidistant"),
    "empty D": ("plumb_bob", [], "none"),
    "no model": ("", [], "none"),
    "no model, zeros": ("", [0, 0, 0, 0, 0], "none"),
}


@pytest.mark.parametrize("name, coefficients, expected", MODELS.values(), ids=MODELS)
def test_distortion_models(info_msg: Any, name: str, coefficients: Any, expected: str) -> None:
    camera = decode_camera_info(info_msg(distortion_model=name, d=coefficients))
    assert camera.distortion_model == expected
    np.testing.assert_array_equal(camera.D, [] if expected == "none" else coefficients)


BAD_MODELS = {
    "unknown": ("ftheta", D, ["'ftheta'", "-0.3", "equidistant"]),
    "unknown without coefficients": ("ftheta", [], ["'ftheta'", "plumb_bob"]),
    "unnamed": ("", D, ["distortion model ''", "-0.3"]),
    "three coefficients": ("plumb_bob", D[:3], ["plumb_bob takes 4 or 5"]),
    "eight for plumb_bob": ("plumb_bob", np.arange(8), ["plumb_bob takes 4 or 5"]),
    "five for equidistant": ("equidistant", D, ["equidistant takes 4"]),
    "NaN": ("plumb_bob", [np.nan, 0, 0, 0, 0], ["nan", "finite"]),
}


@pytest.mark.parametrize("name, coefficients, facts", BAD_MODELS.values(), ids=BAD_MODELS)
def test_unusable_distortion(info_msg: Any, name: str, coefficients: Any, facts: list[str]) -> None:
    with pytest.raises(CalibrationError) as caught:
        decode_camera_info(info_msg(distortion_model=name, d=coefficients))
    assert [fact for fact in facts if fact not in str(caught.value)] == []


@pytest.mark.parametrize("model", ["", "plumb_bob", "nonsense"])
@pytest.mark.parametrize("binning", [0, 2])
def test_uncalibrated_is_no_error(info_msg: Any, model: str, binning: int) -> None:
    zeros = {"k": np.zeros(9), "r": np.zeros(9), "p": np.zeros(12)}
    camera = decode_camera_info(
        info_msg(roi=(10, 20, 100, 200), distortion_model=model, d=[], binning_x=binning, binning_y=binning, **zeros)
    )
    assert not camera.is_calibrated
    assert (camera.height, camera.width) == ((50, 100) if binning else (100, 200))


def test_zeros_in_r_and_p_are_not_given(info_msg: Any) -> None:
    camera = decode_camera_info(info_msg(r=np.zeros(9), p=np.zeros(12)))
    np.testing.assert_array_equal(camera.R, np.eye(3))
    np.testing.assert_array_equal(camera.P[:, :3], K)


def test_region_of_interest(info_msg: Any) -> None:
    """image_geometry: the offset moves the principal points and nothing else."""
    camera = decode_camera_info(info_msg(roi=(100, 40, 200, 300)))
    assert (camera.height, camera.width) == (200, 300)
    np.testing.assert_allclose(camera.K, [[600, 0.5, 230], [0, 610, 210], [0, 0, 1]])
    np.testing.assert_allclose(camera.P, [[580, 0, 220, -69.6], [0, 580, 200, 0], [0, 0, 1, 0]])
    np.testing.assert_array_equal(camera.D, D)


def test_region_at_the_origin(info_msg: Any) -> None:
    camera = decode_camera_info(info_msg(roi=(0, 0, 200, 300)))
    assert (camera.height, camera.width) == (200, 300)
    np.testing.assert_array_equal(camera.K, K)


def test_full_region_is_no_region(info_msg: Any) -> None:
    assert decode_camera_info(info_msg(roi=(0, 0, 480, 640))) == decode_camera_info(info_msg())


def test_binning(info_msg: Any) -> None:
    """image_geometry: plain division, other in x than in y; 300 / 4 and 201 / 2 are rounded down."""
    camera = decode_camera_info(info_msg(roi=(100, 40, 201, 302), binning_x=4, binning_y=2))
    assert (camera.height, camera.width) == (100, 75)
    np.testing.assert_allclose(camera.K, [[150, 0.125, 57.5], [0, 305, 105], [0, 0, 1]])
    np.testing.assert_allclose(camera.P, [[145, 0, 55, -17.4], [0, 290, 100, 0], [0, 0, 1, 0]])


@pytest.mark.parametrize("binning", [0, 1])
def test_binning_of_zero_is_one(info_msg: Any, binning: int) -> None:
    assert decode_camera_info(info_msg(binning_x=binning, binning_y=binning)) == decode_camera_info(info_msg())


def test_binned_pixels_see_where_the_full_sensor_saw(info_msg: Any) -> None:
    """A point at full-sensor pixel (u, v) appears at ((u - x_offset) / n, (v - y_offset) / n)."""
    full = decode_camera_info(info_msg(distortion_model="", d=[]))
    part = decode_camera_info(info_msg(roi=(100, 40, 200, 300), binning_x=2, binning_y=2, distortion_model="", d=[]))
    points = np.array([[0.1, -0.2, 2.0], [-0.5, 0.3, 4.0]])
    np.testing.assert_allclose(part.project(points), (full.project(points) - [100, 40]) / 2)


BAD = {
    "no height": ({"height": 0}, ["height 0", "width 640"]),
    "no width": ({"width": 0}, ["width 0"]),
    "region without rows": ({"roi": (10, 0, 0, 300)}, ["x_offset 10", "height 0"]),
    "region beyond the right edge": ({"roi": (400, 0, 100, 300)}, ["x_offset 400", "width 300", "640x480"]),
    "region below the bottom": ({"roi": (0, 400, 100, 300)}, ["y_offset 400", "640x480"]),
    "binned to nothing": ({"binning_x": 1000}, ["1000x1", "640x480"]),
}


@pytest.mark.parametrize("changes, facts", BAD.values(), ids=BAD)
def test_bad_sizes(info_msg: Any, changes: dict[str, Any], facts: list[str]) -> None:
    with pytest.raises(MessageError) as caught:
        decode_camera_info(info_msg(**changes))
    assert [fact for fact in facts if fact not in str(caught.value)] == []


def test_matrix_of_another_length() -> None:
    from types import SimpleNamespace

    msg = SimpleNamespace(height=2, width=3, K=[1.0] * 8, R=[0.0] * 9, P=[0.0] * 12, D=[], distortion_model="")
    with pytest.raises(MessageError, match=r"K = \[1.0.*expected 9"):
        decode_camera_info(msg)
