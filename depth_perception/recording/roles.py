"""Which topics are recorded: by what they are for, and by name."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

# What it is for → the node's own names of its topics, which are the depth node's.
ROLES: dict[str, tuple[str, ...]] = {
    "camera": ("image", "camera_info"),
    "stereo": ("left/image", "left/camera_info", "right/image", "right/camera_info"),
    "lidar": ("lidar/points", "lidar/scan"),
    "odometry": ("odom", "imu"),
    "camera_info": ("camera_info", "left/camera_info", "right/camera_info"),
    "tf": ("/tf_static", "/tf"),
    "depth": ("depth/image", "depth/camera_info", "depth/std", "depth/anchors"),
    "quality": ("depth/quality",),
    "none": (),  # only what is listed: on a command line an empty argument means the default
}
IMAGES = ("image", "left/image", "right/image")
PICTURES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
QUALITY = "depth/quality"


@dataclass(frozen=True)
class Wanted:
    """A topic that is to be recorded and exists. `types` has more than one if publishers disagree."""

    name: str
    types: tuple[str, ...]
    role: str  # the node's own name for it; "" = only listed


class Selection:
    """Says which topics of those that exist are recorded, and which are still waited for."""

    def __init__(self, roles: str, topics: str, exclude: str, compressed: bool, resolve: Callable[[str], str]) -> None:
        """`resolve` gives the full name of one of the node's own names (remapping, namespace)."""
        names = [name for role in roles.split() for name in ROLES[role]]
        names = [f"{name}/compressed" if compressed and name in IMAGES else name for name in names]
        self._roles = {resolve(name): name for name in names}
        self._patterns = [pattern if _is_pattern(pattern) else resolve(pattern) for pattern in _absolute(topics)]
        self._exclude = _absolute(exclude)

    def among(self, existing: Mapping[str, Sequence[str]]) -> list[Wanted]:
        """Topics to record of `existing` (name → types), each picture with the camera_info beside it, by name."""
        chosen = {name for name in existing if name in self._roles or _matches(name, self._patterns)}
        chosen |= {info for name in chosen for info in _calibrations(name, existing[name]) if info in existing}
        return [
            Wanted(name, tuple(existing[name]), self._roles.get(name, ""))
            for name in sorted(chosen)
            if not _matches(name, self._exclude)
        ]

    def missing(self, existing: Iterable[str]) -> list[str]:
        """Topics asked for that don't exist (patterns aside), sorted."""
        listed = {pattern for pattern in self._patterns if not _is_pattern(pattern)}
        asked = {name for name in self._roles.keys() | listed if not _matches(name, self._exclude)}
        return sorted(asked - set(existing))


def _absolute(patterns: str) -> list[str]:
    """'*/image' is taken for any namespace: patterns match whole names."""
    return patterns.replace(",", " ").split()


def _is_pattern(text: str) -> bool:
    return any(letter in text for letter in "*?[")


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _calibrations(name: str, types: Sequence[str]) -> list[str]:
    """Where the calibration of a picture lies: beside it, and beside the raw image of a compressed one."""
    if not set(types) & set(PICTURES):
        return []
    folders = [name.rpartition("/")[0]]
    if name.endswith("/compressed"):
        folders.append(folders[0].rpartition("/")[0])
    return [f"{folder}/camera_info" for folder in folders]
