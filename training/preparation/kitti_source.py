"""Frames of a KITTI folder, whatever its layout: numbered images, scans, poses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from depth_perception.anchors.beams import beams_of
from depth_perception.config import WatchConfig
from depth_perception.errors import ConfigError, MessageError
from depth_perception.records import Float64
from depth_perception.watch import ImageWatch
from training.dataset_folder import Rejected, read_depth
from training.preparation.kitti_files import read_image, read_scan
from training.preparation.options import DatasetOptions
from training.preparation.source_frame import Item, Rig, SourceFrame, Turn

_POINT = np.dtype([(name, np.float32) for name in ("x", "y", "z", "intensity")])


@dataclass(frozen=True)
class KittiLayout:
    """What lies where."""

    root: Path  # inputs are named relative to it
    rig: Rig
    images: dict[str, dict[int, Path]]  # left, right → frame number → file
    scans: dict[int, Path]
    stamp_ns: Callable[[int], int]  # of an image, by its number
    scan_stamp_ns: Callable[[int], int]
    T_odom_body: Callable[[int], Float64 | None]
    annotated: dict[str, dict[int, Path]] = field(default_factory=dict)  # left, right → frame number → depth map
    others: tuple[Path, ...] = ()  # further files that were read
    notes: tuple[str, ...] = ()
    splits: dict[int, str] = field(default_factory=dict)  # frame number → its split, as lists say


class KittiSource:
    """Reads one frame after the other.

    A scan serves the image of its number as it is: KITTI's camera is triggered when the LiDAR faces forward, so what
    both see was measured at the same time.
    """

    def __init__(self, layout: KittiLayout, options: DatasetOptions) -> None:
        self._layout, self._options = layout, options
        self.rig, self.root = layout.rig, layout.root
        self.notes: list[str] = list(layout.notes)
        self.total = max(layout.images["left"]) + 1
        annotated = [path for files in layout.annotated.values() for path in files.values()]
        used = [path for files in layout.images.values() for path in files.values()]
        self.inputs = sorted([*used, *layout.scans.values(), *annotated, *layout.others])
        self._damaged: list[str] = []
        self._watch = ImageWatch()

    @property
    def problems(self) -> list[str]:
        """Damaged files met."""
        return list(self._damaged)

    def close(self) -> None:
        """Nothing is held."""

    def __iter__(self) -> Iterator[Item]:
        last_ns = None
        for number, path in sorted(self._layout.images["left"].items()):
            stamp_ns = self._layout.stamp_ns(number)
            item = self._frame(number, stamp_ns, path, last_ns)
            last_ns = max(stamp_ns, last_ns or stamp_ns)
            yield item

    def _frame(self, number: int, stamp_ns: int, path: Path, last_ns: int | None) -> Item:
        layout = self._layout
        if last_ns is not None and stamp_ns <= last_ns:
            return Rejected(stamp_ns, "stamp goes back", f"frame {number}: stamp {stamp_ns} after {last_ns}")
        try:
            left = read_image(path)
        except MessageError as error:
            return Rejected(stamp_ns, "damaged image", str(error))
        if left.shape[:2] != (self.rig.left.height, self.rig.left.width):
            size = f"{left.shape[1]}x{left.shape[0]}, not {self.rig.left.width}x{self.rig.left.height}"
            return Rejected(stamp_ns, "image size differs", f"frame {number} is {size}")
        if complaint := self._watch.complaint(left, WatchConfig()):
            return Rejected(stamp_ns, complaint.split(" (")[0], complaint)
        frame: dict[str, Any] = {"sync_ms": {}, "missing": {}, "depth": {}}
        self._add_right(frame, number)
        self._add_turn(frame, number, stamp_ns)
        self._add_annotated(frame, number)
        origin: dict[str, str | int] = {"file": path.relative_to(self.root).as_posix(), "topic": "", "number": number}
        return SourceFrame(
            number, stamp_ns, left, T_odom_body=layout.T_odom_body(number), origin=origin,
            split=layout.splits.get(number, ""), **frame,
        )  # fmt: skip

    def _add_right(self, frame: dict[str, Any], number: int) -> None:
        path = self._layout.images.get("right", {}).get(number)
        if self.rig.right is None:
            return
        if path is None:
            frame["missing"]["right"] = "there is no right image of this number"
            return
        try:
            frame["right"] = read_image(path)
            frame["sync_ms"]["right"] = 0.0
        except MessageError as error:
            frame["missing"]["right"] = self._damage(error)

    def _add_turn(self, frame: dict[str, Any], number: int, stamp_ns: int) -> None:
        if self.rig.T_left_lidar is None:
            return
        path = self._layout.scans.get(number)
        if path is None:
            frame["missing"]["lidar"] = "there is no scan of this number"
            return
        away_ns = self._layout.scan_stamp_ns(number) - stamp_ns
        if abs(away_ns) > self._options.lidar_tolerance_s * 1e9:
            frame["missing"]["lidar"] = f"the scan was measured {away_ns * 1e-9:.3f} s after the image"
            return
        try:
            points = read_scan(path)
        except MessageError as error:
            frame["missing"]["lidar"] = self._damage(error)
            return
        beam = beams_of(points.view(_POINT).reshape(1, -1), points[:, :3])
        frame["turn"] = Turn(points[:, :3], beam, self.rig.T_left_lidar)
        frame["sync_ms"]["lidar"] = away_ns * 1e-6

    def _add_annotated(self, frame: dict[str, Any], number: int) -> None:
        for camera, files in self._layout.annotated.items():
            path = files.get(number)
            if path is None:
                frame["missing"][f"annotated {camera}"] = "there is no annotated depth of this number"
                continue
            try:
                frame["depth"][camera] = read_depth(path)
            except ConfigError as error:
                frame["missing"][f"annotated {camera}"] = self._damage(error)

    def _damage(self, error: Exception) -> str:
        self._damaged.append(str(error))
        return str(error)
