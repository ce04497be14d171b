"""Every setting of a dataset, once. The command line is made from it, and it is written beside the result."""

from __future__ import annotations

import argparse
import dataclasses
import math
from dataclasses import dataclass, field, fields
from typing import Any

from depth_perception.errors import ConfigError

BEAM_COUNTS = (1, 2, 4, 8, 16, 32, 64)
DEPTHS = ("original", "annotated")
NONE = "none"


def _option(default: Any, text: str, metavar: str = "", choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"text": text, "metavar": metavar, "choices": choices})


@dataclass(frozen=True)
class DatasetOptions:
    """What a sequence is made with. The same options and inputs give the same bytes."""

    # Which topics of a bag; '' chooses the only one that can be meant, 'none' does without
    image: str = _option("", "image topic of the (left) camera; default: the only one, or the left of a pair", "TOPIC")
    camera_info: str = _option("", "its calibration; default: the image's neighbour", "TOPIC")
    right: str = _option("", "the right eye's image; default: the left one's partner by name", "TOPIC")
    right_info: str = _option("", "its calibration; default: the right image's neighbour", "TOPIC")
    lidar: str = _option("", "a LiDAR's points; default: the only PointCloud2", "TOPIC")
    odom: str = _option("", "odometry; default: the only one", "TOPIC")
    depth_image: str = _option("", "a depth camera's image, registered to the image (16UC1 mm or 32FC1 m)", "TOPIC")
    truth_image: str = _option("", "a simulator's exact depth of the image: depth is compared with it", "TOPIC")
    rectify: str = _option("auto", "auto: unless the topic's name says rect", choices=("auto", "always", "never"))
    intrinsics: str = _option("", "of a rectified camera without camera_info, pixels", "'FX FY CX CY'")
    # Where sensors sit, if the bag's /tf_static doesn't say
    T_cam_lidar: str = _option("", "LiDAR in the left camera's optical frame", "'X Y Z QX QY QZ QW'")
    T_left_right: str = _option("", "right eye in the left one's optical frame", "'X Y Z QX QY QZ QW'")
    T_cam_base: str = _option("", "odometry's child frame in the left camera's optical frame", "'X Y Z QX QY QZ QW'")
    # Which measurements belong to an image
    right_tolerance_s: float = _option(0.01, "left and right belong together within this", "S")
    lidar_tolerance_s: float = _option(0.1, "a turn measured longer before or after the image isn't used", "S")
    lidar_offset_s: float = _option(0.0, "added to the LiDAR's stamps to get the camera's clock", "S")
    odom_offset_s: float = _option(0.0, "added to odometry's stamps to get the camera's clock", "S")
    # The picture
    size: str = _option("", "size of the dataset's images; default: as they come", "HxW")
    crop: str = _option("", "window of the (rectified) image that is kept, before resizing", "TOP,LEFT,HEIGHT,WIDTH")
    fit: str = _option("crop", "where the window's aspect isn't that of --size", choices=("crop", "stretch"))
    image_format: str = _option("jpg", "jpg is small and fast, png loses nothing", choices=("jpg", "png"))
    # Depth
    beams: int = _option(0, "keep so many equally spaced beams of the LiDAR, before projection: 64 … 1; 0: all")
    beam_offset: int = _option(0, "number of the topmost beam that is kept, from 0")
    lidar_beams: int = _option(0, "how many beams the LiDAR has; 0: as its first turn shows")
    point_share: float = _option(1.0, "random share of the LiDAR's points that is kept, before projection", "SHARE")
    min_range_m: float = _option(0.5, "points nearer to the LiDAR are its own robot", "M")
    max_range_m: float = _option(100.0, "points farther from the LiDAR are dropped", "M")
    depth: str = _option("original", "original: the LiDAR; annotated: KITTI's annotated depth", choices=DEPTHS)
    annotated: str = _option("", "root of KITTI's annotated depth, if it isn't in the drive's folder", "DIR")
    # Context and motion
    stride: int = _option(1, "context is so many images before and after")
    max_gap_s: float = _option(0.5, "images farther apart than this for a stride of 1 are no context", "S")
    min_motion_m: float = _option(0.005, "odometry that moved less, and turned less, than this is standing still", "M")
    min_motion_rad: float = _option(0.005, "see --min-motion-m", "RAD")
    min_change: float = _option(1.0, "without odometry: mean change of brightness (0-255) that is still standing still")
    keep_static: bool = _option(False, "keep frames without motion")
    # Splits
    split: str = _option("0.8,0.1,0.1", "shares of train, val, test, one after the other in time", "A,B,C")
    train_list: str = _option("", "KITTI: file that lists the training frames, as Eigen's; instead of --split", "FILE")
    val_list: str = _option("", "likewise, validation", "FILE")
    test_list: str = _option("", "likewise, test", "FILE")
    seed: int = _option(0, "of the random share of points")

    def __post_init__(self) -> None:
        """Raises ConfigError: a value is out of its range."""
        if self.beams not in (0, *BEAM_COUNTS):
            raise ConfigError(f"--beams {self.beams!r} must be one of {BEAM_COUNTS}, or 0 for all")
        if not 0.0 < self.point_share <= 1.0:
            raise ConfigError(f"--point-share {self.point_share!r} must be above 0 and at most 1")
        if self.stride < 1:
            raise ConfigError(f"--stride {self.stride!r} must be at least 1")
        if self.beam_offset < 0 or self.lidar_beams < 0:
            raise ConfigError(
                f"--beam-offset {self.beam_offset!r}, --lidar-beams {self.lidar_beams!r} can't be negative"
            )
        if not 0.0 <= self.min_range_m < self.max_range_m:
            raise ConfigError(f"--min-range-m {self.min_range_m!r} must lie below --max-range-m {self.max_range_m!r}")
        _ = self.target_size, self.window, self.shares, self.focal

    @property
    def target_size(self) -> tuple[int, int] | None:
        """(height, width); None: as it comes."""
        numbers = _numbers("--size", self.size.replace("x", ","), 2, "192x640")
        if numbers is not None and min(numbers) < 1:
            raise ConfigError(f"--size {self.size!r} must be positive")
        return None if numbers is None else (int(numbers[0]), int(numbers[1]))

    @property
    def window(self) -> tuple[int, int, int, int] | None:
        """(top, left, height, width); None: all."""
        numbers = _numbers("--crop", self.crop, 4, "100,0,200,640")
        return None if numbers is None else tuple(map(int, numbers))  # type: ignore[return-value]

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of train, val, test."""
        numbers = _numbers("--split", self.split, 3, "0.8,0.1,0.1")
        if numbers is None or min(numbers) < 0.0 or not math.isclose(sum(numbers), 1.0, abs_tol=1e-6):
            raise ConfigError(f"--split {self.split!r} must be three shares that add up to 1, such as 0.8,0.1,0.1")
        return numbers[0], numbers[1], numbers[2]

    @property
    def focal(self) -> tuple[float, ...] | None:
        """(fx, fy, cx, cy) of --intrinsics."""
        numbers = _numbers("--intrinsics", self.intrinsics.replace(" ", ","), 4, "'500 500 319.5 239.5'")
        return None if numbers is None else tuple(numbers)

    @property
    def thins(self) -> bool:
        """Some of the LiDAR's points are left out on purpose."""
        return bool(self.beams) or self.point_share < 1.0

    @property
    def lists(self) -> dict[str, str]:
        """Split → the file that lists its frames, where given."""
        given = {"train": self.train_list, "val": self.val_list, "test": self.test_list}
        return {split: file for split, file in given.items() if file}

    def entry(self) -> dict[str, Any]:
        """What stands in the manifest: options by name; of files that are read, only their names."""
        entry = dataclasses.asdict(self)
        for name in ("annotated", "train_list", "val_list", "test_list"):
            entry[name] = entry[name].rstrip("/").rpartition("/")[2]
        return entry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One flag an option."""
    for item in fields(DatasetOptions):
        flag, meta = "--" + item.name.replace("_", "-"), item.metadata
        text = meta["text"] + ("" if item.default in ("", False) else f" (default: {item.default})")
        text = text.replace("%", "%%")
        if isinstance(item.default, bool):
            parser.add_argument(flag, action="store_true", help=text)
        elif meta["choices"]:
            parser.add_argument(flag, choices=meta["choices"], default=item.default, help=text)
        else:
            metavar = meta["metavar"] or "N"
            parser.add_argument(flag, metavar=metavar, type=type(item.default), default=item.default, help=text)


def from_arguments(args: argparse.Namespace) -> DatasetOptions:
    """Raises ConfigError."""
    return DatasetOptions(**{item.name: getattr(args, item.name) for item in fields(DatasetOptions)})


def _numbers(flag: str, text: str, count: int, example: str) -> list[float] | None:
    if not text:
        return None
    try:
        numbers = [float(part) for part in text.split(",") if part]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ConfigError(f"{flag} {text!r}: {count} numbers are expected, such as {flag} {example}")
    return numbers
