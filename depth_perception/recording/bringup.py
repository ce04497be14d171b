"""What the arguments of `recorder.launch.py` and `depth-perception record` mean."""

from __future__ import annotations

from collections.abc import Mapping

from depth_perception import bringup
from depth_perception.bringup import BOOLEANS, Argument
from depth_perception.config import Value
from depth_perception.recording.config import RecorderConfig

SHARED = (  # with the depth node: the same words for the same topics
    "namespace", "use_sim_time", "autostart", "log_level", "use_respawn", "image_transport", "camera_info",
    "right_info", "left_info",
)  # fmt: skip
ARGUMENTS = (
    Argument("params_file", "ROS parameter file; empty = the package's config/recorder.yaml"),
    *(argument for argument in bringup.ARGUMENTS if argument.name in SHARED),
    Argument("image", "topic of the camera image; one that ends in /compressed means image_transport:=compressed"),
    Argument("right", "topic of the image of a stereo pair's right eye", topic="right/image"),
    Argument("left", "topic of the left eye's image; empty = `image` is the left eye", topic="left/image"),
    Argument("lidar", "topic of a LiDAR (PointCloud2)", topic="lidar/points"),
    Argument("scan", "topic of a laser scanner (LaserScan)", topic="lidar/scan"),
    Argument("odom", "topic of odometry", topic="odom"),
    Argument("imu", "topic of an IMU", topic="imu"),
    Argument("directory", "folder that takes the recordings", parameter="directory"),
    Argument("name", "what recordings are called, before date and time", parameter="name"),
    Argument("roles", "what is recorded, by what it is for, separated by spaces", parameter="roles"),
    Argument("topics", "topics recorded besides; * and ? stand for any letters", parameter="topics"),
    Argument("exclude", "topics never recorded", parameter="exclude"),
    Argument("record", "record at once, or wait for the service", "", BOOLEANS, "record"),
    Argument(
        "snapshot_s", "keep so many seconds in memory for snapshots", parameter="snapshot.seconds",
        switch="snapshot.enabled",
    ),
    Argument("hard_examples", "take a snapshot when depth is bad (needs snapshot_s)", "", BOOLEANS, "hard.enabled"),
)  # fmt: skip
COMPRESSED = ("right", "left")  # images that have a compressed copy, beside `image`


def parameters(arguments: Mapping[str, str]) -> dict[str, Value]:
    """ROS parameters that the arguments set. Raises ConfigError for a value that can't be taken."""
    return bringup.parameters(arguments, ARGUMENTS, RecorderConfig)


def remappings(arguments: Mapping[str, str]) -> list[tuple[str, str]]:
    """Topic remappings that the arguments ask for; a topic may be given with /compressed or without."""
    plain = {name: topic.removesuffix(bringup.COMPRESSED) for name, topic in arguments.items()}
    copies = [(f"{name}/image/compressed", f"{plain[name]}/compressed") for name in COMPRESSED if plain.get(name)]
    return bringup.remappings(plain) + copies
