"""What the launch arguments mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from depth_perception import bringup
from depth_perception.bringup import (
    ARGUMENTS,
    SIMULATED,
    installed_file,
    middleware_environment,
    parameters,
    remappings,
)
from depth_perception.config import options
from depth_perception.errors import ConfigError

PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_BUILTIN_TRANSPORTS")


def test_no_argument_changes_nothing() -> None:
    empty = {argument.name: argument.default for argument in ARGUMENTS}
    assert parameters(empty) == {}
    assert remappings(empty) == []


def test_each_argument_sets_its_parameter_with_the_parameters_type() -> None:
    given = {
        "use_sim_time": "true",
        "autostart": "false",
        "image_transport": "compressed",
        "camera_height": "1",
        "model": "7",
        "backend": "openvino",
        "rectify": "never",
    }
    values = parameters(given)
    assert values == {
        "use_sim_time": True,
        "autostart": False,
        "image_transport": "compressed",
        "scan.camera_height": 1.0,
        "ground.enabled": True,
        "model.path": "7",
        "engine.backend": "openvino",
        "rectify": "never",
    }
    assert type(values["scan.camera_height"]) is float  # the node declares a double: an integer is refused
    assert type(values["model.path"]) is str


def test_every_argument_that_names_a_parameter_names_one_that_exists() -> None:
    known = {item.name: item for item in options()}
    for argument in ARGUMENTS:
        assert argument.switch == "" or known[argument.switch].default is False
        if argument.parameter not in ("", "use_sim_time"):
            item = known[argument.parameter]
            if argument.choices and item.choices:
                assert argument.choices == ("", *item.choices)
    assert set(SIMULATED) <= {argument.name for argument in ARGUMENTS}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("camera_height", "high", "must be a number"),
        ("camera_height", "50", r"outside \[-5.0, 20.0\]"),
        ("camera_height", "nan", "outside"),
        ("autostart", "yes", "must be true or false"),
        ("rectify", "perhaps", "must be one of"),
    ],
)
def test_a_value_that_cannot_be_taken_is_refused(name: str, value: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parameters({name: value})


def test_the_image_argument_serves_both_transports() -> None:
    expected = [("image", "/cam/image_raw"), ("image/compressed", "/cam/image_raw/compressed")]
    assert remappings({"image": "/cam/image_raw"}) == expected
    assert parameters({"image": "/cam/image_raw"}) == {}
    assert remappings({"image": "/cam/image_raw/compressed"}) == expected
    assert parameters({"image": "/cam/image_raw/compressed"}) == {"image_transport": "compressed"}
    assert remappings({"camera_info": "info"}) == [("camera_info", "info")]


def test_share_is_found_in_the_checkout_then_in_ros_then_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installed_file("config/depth.yaml") == Path(__file__).resolve().parent.parent / "config" / "depth.yaml"
    monkeypatch.setattr(bringup, "__file__", str(tmp_path / "site-packages" / "depth_perception" / "bringup.py"))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "venv"))
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path / 'other'}:{tmp_path / 'robot'}")
    with pytest.raises(ConfigError, match="is in none of"):
        installed_file("config/depth.yaml")
    for prefix in ("venv", "robot"):
        file = tmp_path / prefix / "share" / "depth_perception" / "config" / "depth.yaml"
        file.parent.mkdir(parents=True)
        file.touch()
        assert installed_file("config/depth.yaml") == file


def test_shared_memory_has_room_for_images_unless_the_middleware_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROFILES, "ROS_DISTRO"):
        monkeypatch.delenv(name, raising=False)
    profile = str(installed_file("config/fastdds.xml"))
    assert middleware_environment() == {"FASTDDS_DEFAULT_PROFILES_FILE": profile}
    monkeypatch.setenv("ROS_DISTRO", "humble")
    assert middleware_environment() == {"FASTRTPS_DEFAULT_PROFILES_FILE": profile}
    for name in PROFILES:
        with monkeypatch.context() as patch:
            patch.setenv(name, "mine")
            assert middleware_environment() == {}


def test_a_sensors_topic_switches_it_on_and_is_remapped() -> None:
    given = {"lidar": "/velodyne/points", "scan": "/laser", "odom": "/wheel/odom", "imu": "/imu/data"}
    assert parameters(given) == {
        "lidar.enabled": True, "laser.enabled": True, "odometry.enabled": True, "imu.enabled": True
    }  # fmt: skip
    assert set(remappings(given)) == {
        ("lidar/points", "/velodyne/points"), ("lidar/scan", "/laser"), ("odom", "/wheel/odom"), ("imu", "/imu/data")
    }  # fmt: skip
    assert parameters({"camera_height": "0.4"}) == {"scan.camera_height": 0.4, "ground.enabled": True}


def test_the_right_eye_alone_makes_a_pair_with_the_depth_camera() -> None:
    assert parameters({"right": "/pair/right/image_rect"}) == {"stereo.enabled": True}
    assert set(remappings({"right": "/pair/right/image_rect"})) == {
        ("right/image", "/pair/right/image_rect"), ("right/camera_info", "/pair/right/camera_info")
    }  # fmt: skip
    both = {"left": "l/image", "right": "r/image", "right_info": "/calib/right"}
    assert parameters(both) == {"stereo.enabled": True, "stereo.separate_left": True}
    assert set(remappings(both)) == {
        ("left/image", "l/image"), ("left/camera_info", "l/camera_info"), ("right/image", "r/image"),
        ("right/camera_info", "/calib/right"),
    }  # fmt: skip
    with pytest.raises(ConfigError, match="without 'right'"):
        parameters({"left": "l/image"})
