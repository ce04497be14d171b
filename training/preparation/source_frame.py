"""What every source of frames gives: a rig that stays the same, and frames in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from depth_perception.camera import CameraModel
from depth_perception.records import Float32, Float64, Image, Int32
from training.dataset_folder import Rejected


@dataclass(frozen=True)
class Rig:
    """Cameras as their images arrive, and where things sit.

    Convention: T_left_x maps into the optical frame that the left camera's CameraInfo names (x right, y down, z
    forward), metres; of an unrectified camera that is the frame of its rectified image.
    """

    left: CameraModel
    right: CameraModel | None = None
    rectified: bool = True  # the images arrive rectified
    T_left_right: Float64 | None = None  # (4, 4); None: only P says
    T_left_lidar: Float64 | None = None
    T_left_body: Float64 | None = None
    frame_ids: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """A LiDAR's points as they were at the image's time."""

    xyz: Float32  # (N, 3) metres in the LiDAR's frame
    beam: Int32  # (N,) as `anchors.beams.beams_of` numbers them; -1 unknown
    T_left_lidar: Float64  # (4, 4) at the image's time: the robot's motion in between is in it


@dataclass(frozen=True)
class SourceFrame:
    """One moment of a recording. What a sensor doesn't say is None or missing."""

    number: int  # of the image in its source, damaged ones counted
    stamp_ns: int
    left: Image  # (H, W, 3) RGB or (H, W) grey, as it arrived
    right: Image | None = None
    turn: Turn | None = None
    depth: dict[str, Float32] = field(default_factory=dict)  # camera → (H, W) m of the rectified image, NaN none
    truth: dict[str, Float32] = field(default_factory=dict)  # likewise, exact
    T_odom_body: Float64 | None = None  # (4, 4) at the image's time
    sync_ms: dict[str, float] = field(default_factory=dict)  # sensor → its stamp minus the image's
    missing: dict[str, str] = field(default_factory=dict)  # sensor → why it isn't here
    origin: dict[str, str | int] = field(default_factory=dict)  # file, topic, number of the image message
    split: str = ""  # as a list of files says; '': not listed, or there is no list
    breaks: bool = False  # not the neighbour of the frame before: the clock was reset, the bag loops


Item = SourceFrame | Rejected


class FrameSource(Protocol):
    """One sequence: a bag, a drive, a world."""

    rig: Rig
    inputs: list[Path]  # files that it reads, for the manifest
    root: Path  # they are named relative to it
    total: int  # images, damaged ones counted
    notes: list[str]  # what a person should know before anything is read

    @property
    def problems(self) -> list[str]:
        """Damage met; complete once an iteration has come to its end."""

    def __iter__(self) -> Iterator[Item]:
        """Frames in order of their stamps, and those that give none."""

    def close(self) -> None:
        """Free what is held."""
