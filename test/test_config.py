"""Parameters: one home for defaults, unknown keys and impossible values refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from depth_perception.config import DepthConfig, from_flat, options, read_parameters, to_flat
from depth_perception.errors import ConfigError


def test_flat_names_round_trip() -> None:
    flat = to_flat(DepthConfig())
    assert flat["engine.backend"] == "auto" and flat["scan.range_max"] == 10.0
    assert from_flat(flat) == DepthConfig()
    assert set(flat) == {item.name for item in options()}


def test_every_option_says_what_it_does_and_takes_its_own_default() -> None:
    for item in options():
        assert len(item.description) > 10, item.name
        assert from_flat({item.name: item.default}) == DepthConfig(), item.name


def test_an_integer_is_taken_for_a_real_but_not_the_reverse() -> None:
    assert from_flat({"scan.range_max": 8}).scan.range_max == 8.0
    with pytest.raises(ConfigError, match="must be a int"):
        from_flat({"points.stride": 1.5})


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("scan.rangemax", 1.0, "did you mean 'scan.range_max'"),
        ("points.stride", 0, "outside"),
        ("points.stride", True, "must be a int"),
        ("rectify", "maybe", "one of"),
        ("scan.range_max", float("nan"), "outside"),
        ("lidar.T_cam_lidar", "0 0 0 0 0", "'lidar.T_cam_lidar': transform '0 0 0 0 0' has 5 numbers; write 'x y z qx"),
        ("laser.T_cam_laser", "0 0 0 0 0 0 0", "'laser.T_cam_laser': .* has norm 0, not 1"),
        ("stereo.T_left_right", "nan 0 0 0 0 0 1", "'stereo.T_left_right': .* isn't finite"),
        ("stereo.T_cam_left", "left", "'stereo.T_cam_left': transform 'left': could not convert"),
        ("odometry.T_cam_base", "0 0 0 1", "'odometry.T_cam_base': .* has 4 numbers"),
        ("imu.T_cam_imu", "0 0 inf 0 0 0", "'imu.T_cam_imu': .* isn't finite"),
    ],
)
def test_impossible_values_are_refused(name: str, value: object, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        from_flat({name: value})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"scan.height_min": 2.0}, "scan.height_min = 2.0 must be less than scan.height_max = 1.5"),
        ({"scan.range_max": 0.2}, "scan.range_min = 0.2 must be less than scan.range_max = 0.2"),
        ({"lidar.min_range": 60.0, "lidar.max_range": 50.0}, "lidar.min_range = 60.0 must be less than lidar.max"),
        ({"min_depth": 5.0, "max_depth": 3.0}, "min_depth = 5.0 must be less than max_depth = 3.0"),
    ],
)
def test_limits_in_the_wrong_order_are_refused(values: dict[str, float], reason: str) -> None:
    with pytest.raises(ConfigError, match=f"^{reason}"):
        from_flat(values)
    assert from_flat({"min_depth": 5.0}).max_depth == 0.0, "0 is the model's own limit"


def test_a_transform_may_be_empty_or_either_form() -> None:
    for text in ("", "0 0 0 0.5 -0.5 0.5 0.5", "1, 2, 3, 0, 0, 1.57"):
        assert from_flat({"lidar.T_cam_lidar": text}).lidar.T_cam_lidar == text
    assert {item.name for item in options() if item.transform} == {
        item.name for item in options() if item.name.rpartition(".")[2].startswith("T_")
    }


def test_parameter_files_as_ros_writes_them(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("/**:\n  ros__parameters:\n    scan: {range_max: 4.0}\n    engine.backend: openvino\n")
    assert read_parameters(file) == {"scan.range_max": 4.0, "engine.backend": "openvino"}
    for content, reason in (
        ("other:\n  ros__parameters: {}\n", "no section"),
        ("/**: {scan: 1}\n", "ros__parameters"),
        ("a: [1\n", "can't be read"),
    ):
        file.write_text(content)
        with pytest.raises(ConfigError, match=reason):
            read_parameters(file)
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        read_parameters(tmp_path / "none.yaml")
