"""What the launch arguments mean, once: `depth.launch.py` and `depth-perception up` both ask here.

An empty argument means not used. Arguments come after the parameter file, so the command line wins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from depth_perception.config import DepthConfig, Value, check, options
from depth_perception.errors import ConfigError

BOOLEANS = ("", "true", "false")
COMPRESSED = "/compressed"  # the suffix that image_transport gives a compressed topic


@dataclass(frozen=True)
class Argument:
    """One launch argument, and what it sets. Names are empty where there is nothing of the kind."""

    name: str
    description: str
    default: str = ""
    choices: tuple[str, ...] = ()
    parameter: str = ""  # the ROS parameter that takes the argument's value
    topic: str = ""  # the node's topic that is remapped to the argument's value
    switch: str = ""  # the ROS parameter that becomes true when the argument is given


ARGUMENTS = (
    Argument("namespace", "namespace of the node and of every relative topic"),
    Argument("params_file", "ROS parameter file; empty = the package's config/depth.yaml"),
    Argument("use_sim_time", "follow /clock", choices=BOOLEANS, parameter="use_sim_time"),
    Argument("autostart", "configure and activate without a lifecycle manager", "", BOOLEANS, "autostart"),
    Argument("log_level", "debug, info, warn, error or fatal"),
    Argument("use_respawn", "start the node again when it dies", "false", BOOLEANS),
    Argument("image", "topic of the camera image; one that ends in /compressed means image_transport:=compressed"),
    Argument("camera_info", "topic of the camera's calibration", topic="camera_info"),
    Argument("image_transport", "raw or compressed", "", ("", "raw", "compressed"), "image_transport"),
    Argument(
        "lidar", "topic of a LiDAR (PointCloud2) that measures the scale", topic="lidar/points", switch="lidar.enabled"
    ),
    Argument(
        "scan",
        "topic of a laser scanner (LaserScan) that measures the scale",
        topic="lidar/scan",
        switch="laser.enabled",
    ),
    Argument(
        "right", "topic of the raw image of a stereo pair's right eye", topic="right/image", switch="stereo.enabled"
    ),
    Argument("right_info", "topic of its calibration; empty = beside the image", topic="right/camera_info"),
    Argument(
        "left",
        "topic of the left eye's raw image; empty = `image` is the left eye",
        topic="left/image",
        switch="stereo.separate_left",
    ),
    Argument("left_info", "topic of its calibration; empty = beside the image", topic="left/camera_info"),
    Argument("odom", "topic of odometry, for deskewing a LiDAR's turns", topic="odom", switch="odometry.enabled"),
    Argument("imu", "topic of an IMU: gravity gives the camera's pitch and roll", topic="imu", switch="imu.enabled"),
    Argument(
        "camera_height",
        "height of the camera above the ground, m: the ground measures the scale",
        parameter="scan.camera_height",
        switch="ground.enabled",
    ),
    Argument("model", "ONNX file that keeps the model contract, or 'default'", parameter="model.path"),
    Argument("backend", "inference backend: auto, onnxruntime, openvino, …", parameter="engine.backend"),
    Argument(
        "rectify", "rectify the image before the network", "", ("", "auto", "always", "never"), parameter="rectify"
    ),
)

# What the arguments that weren't given are on the simulated robot.
SIMULATED = {
    "params_file": "config/depth_simulated.yaml",  # of the package's share
    "use_sim_time": "true",
    "image": "camera/image",
    "camera_info": "camera/camera_info",
    "lidar": "lidar/points",
    "odom": "odom",
}
NEIGHBOURS = {"right": "right/camera_info", "left": "left/camera_info"}  # calibration that lies beside its image

_OLD_FAST_DDS = ("humble", "iron", "jazzy")  # their Fast DDS 2 knows its profile file by its former name


def parameters(
    arguments: Mapping[str, str], declared: Sequence[Argument] = ARGUMENTS, cls: type = DepthConfig
) -> dict[str, Value]:
    """ROS parameters that the arguments set: dotted name → value of the parameter's type.

    `declared` are the launch file's arguments, and `cls` has its node's parameters.

    Raises:
        ConfigError: a value that the parameter can't take.
    """
    known = {item.name: item for item in options(cls)}
    values: dict[str, Value] = {}
    for argument in declared:
        text = arguments.get(argument.name, "")
        if text and argument.switch:
            values[argument.switch] = True
        if text == "" or argument.parameter == "":
            continue
        item = known.get(argument.parameter)  # use_sim_time is every node's own
        wanted = bool if item is None else type(item.default)
        value = _parse(argument.name, text, wanted)
        values[argument.parameter] = value if item is None else check(item, value)
    if arguments.get("image", "").endswith(COMPRESSED):
        values.setdefault("image_transport", "compressed")
    if arguments.get("left") and not arguments.get("right"):
        raise ConfigError(f"argument 'left' = {arguments['left']!r} without 'right': a stereo pair needs both eyes")
    return values


def remappings(arguments: Mapping[str, str]) -> list[tuple[str, str]]:
    """Topic remappings (the node's relative name, the topic) that the arguments ask for.

    A remapping of `image` doesn't carry `image/compressed` along, so both are named.
    """
    pairs = []
    if image := arguments.get("image", "").removesuffix(COMPRESSED):
        pairs += [("image", image), ("image/compressed", f"{image}/compressed")]
    for name, info in NEIGHBOURS.items():
        if topic := arguments.get(name, ""):
            pairs += [(info, arguments.get(f"{name}_info") or topic.rpartition("/")[0] + "/camera_info")]
    return pairs + [(a.topic, arguments[a.name]) for a in ARGUMENTS if a.topic and _remaps(a, arguments)]


def _remaps(argument: Argument, arguments: Mapping[str, str]) -> bool:
    """A calibration that its image's argument has placed already isn't remapped twice."""
    return bool(arguments.get(argument.name)) and argument.topic not in NEIGHBOURS.values()


def installed_file(relative: str) -> Path:
    """A file of the package's share, e.g. `config/depth.yaml`: of the checkout, of ROS, or of the environment.

    Raises:
        ConfigError: it is in none of these.
    """
    checkout = Path(__file__).resolve().parent.parent
    places = [checkout] if (checkout / "package.xml").is_file() else []
    prefixes = [prefix for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    places += [Path(prefix) / "share" / "depth_perception" for prefix in [*prefixes, sys.prefix]]
    for place in places:
        if (place / relative).is_file():
            return place / relative
    raise ConfigError(f"{relative!r} is in none of {[str(place) for place in places]!r}; install the package again")


def middleware_environment() -> dict[str, str]:
    """Variables that give Fast DDS shared memory enough for images; none where Fast DDS is configured already.

    Its default segment (512 kB) is smaller than a VGA image: on a loaded machine a third of the images got lost. Other
    middlewares don't read them.
    """
    names = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
    if any(name in os.environ for name in (*names, "FASTDDS_BUILTIN_TRANSPORTS")):
        return {}
    old = os.environ.get("ROS_DISTRO") in _OLD_FAST_DDS
    return {names[1] if old else names[0]: str(installed_file("config/fastdds.xml"))}


def _parse(name: str, text: str, wanted: type) -> Value:
    if wanted is bool:
        if text not in ("true", "false"):
            raise ConfigError(f"argument {name!r} = {text!r} must be true or false")
        return text == "true"
    if wanted is str:
        return text
    try:
        return wanted(text)  # type: ignore[no-any-return]
    except ValueError as error:
        raise ConfigError(f"argument {name!r} = {text!r} must be a number") from error
