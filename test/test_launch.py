"""The launch files, run by the real `launch` wherever it can be imported (a full ROS install).

The executables are stand-ins that write down how they were started.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("launch_ros", reason="launch is in no registry: it comes with a full ROS install")

from launch import LaunchDescription, LaunchService
from launch.actions import DeclareLaunchArgument, EmitEvent, IncludeLaunchDescription, TimerAction
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource

from depth_perception.bringup import ARGUMENTS, SIMULATED

ROOT = Path(__file__).resolve().parent.parent
PROFILE = "FASTDDS_DEFAULT_PROFILES_FILE"
STAND_IN = """#!{python}
import json, os, sys, time
record = {{"words": sys.argv[1:], "profile": os.environ.get({profile!r})}}
with open({folder!r} + "/" + str(time.time_ns()) + ".json", "w") as file:
    json.dump(record, file)
"""


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where stand-ins write; with a prefix as an install makes it, of links into the checkout."""
    for name in (PROFILE, "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_BUILTIN_TRANSPORTS", "ROS_DISTRO"):
        monkeypatch.delenv(name, raising=False)
    folder, prefix = tmp_path / "records", tmp_path / "prefix"
    index = prefix / "share/ament_index/resource_index/packages"
    for path in (folder, index, prefix / "share/depth_perception", prefix / "lib/depth_perception"):
        path.mkdir(parents=True)
    (index / "depth_perception").touch()
    for name in ("launch", "config", "package.xml"):
        (prefix / "share/depth_perception" / name).symlink_to(ROOT / name)
    for node in ("depth_node", "recorder_node", "simulator_node"):
        file = prefix / "lib/depth_perception" / node
        file.write_text(STAND_IN.format(python=sys.executable, profile=PROFILE, folder=str(folder)))
        file.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join([str(prefix), os.environ.get("AMENT_PREFIX_PATH", "")]))
    return folder


def source(file: str) -> PythonLaunchDescriptionSource:
    return PythonLaunchDescriptionSource(str(ROOT / "launch" / file))


def run_launch(records: Path, file: str, end_after_s: float = 0.0, **given: str) -> tuple[int, dict[str, Any]]:
    """Exit code of the launch, and node name → how it was started (the last time, with `starts`)."""
    actions: list[Any] = [IncludeLaunchDescription(source(file), launch_arguments=given.items())]
    if end_after_s:
        actions.append(TimerAction(period=end_after_s, actions=[EmitEvent(event=Shutdown())]))
    service = LaunchService()
    service.include_launch_description(LaunchDescription(actions))
    code = service.run()
    started: dict[str, Any] = {}
    for path in sorted(records.iterdir()):
        record = json.loads(path.read_text())
        name = next(word for word in record["words"] if word.startswith("__node:=")).removeprefix("__node:=")
        started[name] = record | {"starts": started.get(name, {}).get("starts", 0) + 1}
    return code, started


def after(words: list[str], flag: str) -> list[str]:
    return [value for word, value in itertools.pairwise(words) if word == flag]


def parameters(words: list[str]) -> dict[str, Any]:
    """What the node's parameter files say, later ones winning, as in rcl."""
    values: dict[str, Any] = {}
    for file in after(words, "--params-file"):
        for section in yaml.safe_load(Path(file).read_text()).values():
            values |= _flat(section["ros__parameters"])
    return values


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


@pytest.mark.parametrize("file", ["depth.launch.py", "sim.launch.py"])
def test_arguments_are_declared_with_defaults_and_descriptions(file: str) -> None:
    description = source(file).try_get_launch_description_without_context() or source(file).get_launch_description(
        LaunchService().context
    )
    declared = {entity.name: entity for entity in description.entities if isinstance(entity, DeclareLaunchArgument)}
    assert {argument.name for argument in ARGUMENTS} <= set(declared)
    assert all(argument.description and argument.default_value is not None for argument in declared.values())


def test_without_arguments_the_node_gets_the_shipped_file_and_nothing_else(records: Path) -> None:
    code, started = run_launch(records, "depth.launch.py")
    words = started["depth"]["words"]
    assert (code, set(started)) == (0, {"depth"})
    [file] = after(words, "--params-file")
    assert file.endswith("share/depth_perception/config/depth.yaml")
    assert after(words, "-r") == ["__node:=depth"] and "--log-level" not in words
    assert Path(started["depth"]["profile"]).name == "fastdds.xml"


def test_arguments_win_over_the_file(records: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("/**:\n  ros__parameters: {rectify: always, publish_mm: true, scan: {camera_height: 0.9}}\n")
    code, started = run_launch(
        records,
        "depth.launch.py",
        params_file=str(mine),
        namespace="robot",
        use_sim_time="true",
        autostart="false",
        image="/cam/image",
        camera_info="/cam/info",
        image_transport="compressed",
        camera_height="1",
        lidar="/velodyne/points",
        right="/pair/right/image_raw",
        model="7",
        backend="onnxruntime",
        rectify="never",
        log_level="debug",
    )
    words = started["depth"]["words"]
    values = parameters(words)
    assert code == 0
    assert values == {
        "publish_mm": True,
        "use_sim_time": True,
        "autostart": False,
        "image_transport": "compressed",
        "scan.camera_height": 1.0,
        "ground.enabled": True,
        "lidar.enabled": True,
        "stereo.enabled": True,
        "model.path": "7",
        "engine.backend": "onnxruntime",
        "rectify": "never",
    }
    assert type(values["scan.camera_height"]) is float and type(values["model.path"]) is str
    remaps = {"image:=/cam/image", "image/compressed:=/cam/image/compressed", "camera_info:=/cam/info"}
    remaps |= {"lidar/points:=/velodyne/points", "right/image:=/pair/right/image_raw"}
    remaps |= {"right/camera_info:=/pair/right/camera_info"}
    assert {"__node:=depth", "__ns:=/robot"} | remaps == set(after(words, "-r"))
    assert after(words, "--log-level") == ["debug"]


def test_a_bad_argument_stops_the_launch(records: Path) -> None:
    assert run_launch(records, "depth.launch.py", camera_height="high") == (1, {})


def test_the_simulation_is_two_nodes_on_one_clock(records: Path) -> None:
    code, started = run_launch(records, "sim.launch.py", namespace="robot")
    assert (code, set(started)) == (0, {"simulator", "depth"})
    assert after(started["simulator"]["words"], "--params-file")[0].endswith("config/simulator.yaml")
    words = started["depth"]["words"]
    assert after(words, "--params-file")[0].endswith(SIMULATED["params_file"])
    values = parameters(words)
    expected = {"use_sim_time": True, "scan.camera_height": 0.62, "lidar.enabled": True, "odometry.enabled": True}
    assert expected.items() <= values.items() and len(values["lidar.T_cam_lidar"].split()) == 7
    assert {f"image:={SIMULATED['image']}", f"camera_info:={SIMULATED['camera_info']}"} <= set(after(words, "-r"))
    assert all("__ns:=/robot" in record["words"] for record in started.values())


def test_the_recorder_gets_its_file_its_arguments_and_its_topics(records: Path) -> None:
    code, started = run_launch(
        records, "recorder.launch.py", image="/cam/image", lidar="/velodyne", topics="/a /b*", snapshot_s="5", name="7"
    )
    words = started["recorder"]["words"]
    files = after(words, "--params-file")
    assert code == 0 and files[0].endswith("share/depth_perception/config/recorder.yaml")
    values = parameters(words)
    assert (values["topics"], values["snapshot.seconds"], values["snapshot.enabled"]) == ("/a /b*", 5.0, True)
    assert values["name"] == "7" and values["directory"] == "recordings"
    remaps = {"image:=/cam/image", "image/compressed:=/cam/image/compressed", "lidar/points:=/velodyne"}
    assert remaps | {"__node:=recorder"} == set(after(words, "-r"))


def test_the_node_is_started_again_only_if_asked(records: Path) -> None:
    _, started = run_launch(records, "depth.launch.py", end_after_s=4.0)
    assert started["depth"]["starts"] == 1
    _, started = run_launch(records, "depth.launch.py", end_after_s=4.0, use_respawn="true")
    assert started["depth"]["starts"] >= 3


def test_a_middleware_that_is_configured_stays_so(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROFILE, "/etc/mine.xml")
    assert run_launch(records, "depth.launch.py")[1]["depth"]["profile"] == "/etc/mine.xml"
