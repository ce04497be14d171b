"""One source of frames → one sequence of the dataset. The same function on one machine and on a cluster."""

from __future__ import annotations

import json
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from depth_perception.extrinsics import inverse
from depth_perception.records import Float32, Float64, Image
from training.dataset_folder import SPLITS, Rejected, Sample, sample_from
from training.dataset_writer import SequenceWriter, sample_entry
from training.preparation.motion import Motion, change_between, is_static, motion_between, thumb
from training.preparation.options import DatasetOptions
from training.preparation.placement import Placement, place
from training.preparation.source_frame import FrameSource, SourceFrame
from training.preparation.sparse_depth import Thinning, annotated_depth, seen_points
from training.preparation.splits import TimeSplit
from training.preparation.statistics import Statistics
from training.preparation.target_view import splat

Progress = Callable[[int], None]  # images more
_SPOOL = "samples.spool"


@dataclass
class _Entry:
    """A frame in the window of a stride before and after."""

    frame: SourceFrame
    T_odom_left: Float64 | None  # where the camera is; or the body, if nobody knows how it carries the camera
    written: bool = False

    @cached_property
    def thumb(self) -> Image:
        return thumb(self.frame.left)

    @property
    def n(self) -> int:
        return self.frame.number


class SequenceBuilder:
    """Turns frames into files, holding no more than two strides of frames."""

    def __init__(self, source: FrameSource, writer: SequenceWriter, options: DatasetOptions) -> None:
        """Raises CalibrationError, ConfigError: the cameras can't be used."""
        self._source, self._writer, self._options = source, writer, options
        self._placement: Placement = place(source.rig, options)
        self._thinning = Thinning(options)
        self._window: deque[_Entry] = deque()
        self._statistics, self._with_depth = Statistics(), 0
        self._name_seed = zlib.crc32(writer.name.encode())
        self._spool = (writer.folder / _SPOOL).open("w")

    def run(self, progress: Progress = lambda images: None) -> dict[str, Any]:
        """Write everything but the manifest; the summary."""
        for item in self._source:
            progress(1)
            self._statistics.frames += 1
            if isinstance(item, Rejected):
                self._reject(item)
                continue
            if item.breaks:
                self._flush()
            self._push(item)
        self._flush()
        return self._finish()

    # ---------------------------------------------------------------------------------------------- window

    def _push(self, frame: SourceFrame) -> None:
        T_odom_body, T_left_body = frame.T_odom_body, self._source.rig.T_left_body
        T = T_odom_body
        if T_odom_body is not None and T_left_body is not None:
            T = T_odom_body @ inverse(self._placement.T_aligned_left @ T_left_body)
        self._window.append(_Entry(frame, T))
        stride = self._options.stride
        if len(self._window) > stride:
            self._decide(len(self._window) - 1 - stride)
        if len(self._window) > 2 * stride:
            self._window.popleft()

    def _flush(self) -> None:
        """The frames that no later one will follow."""
        for place_ in range(max(len(self._window) - self._options.stride, 0), len(self._window)):
            self._decide(place_)
        self._window.clear()

    def _decide(self, at: int) -> None:
        """Write the window's frame `at`, or reject it."""
        stride, window = self._options.stride, self._window
        entry = window[at]
        before = self._neighbour(entry, window[at - stride] if at >= stride else None)
        after = self._neighbour(entry, window[at + stride] if at + stride < len(window) else None)
        motion = None
        if (other := before or after) is not None:
            motion = self._motion(other, entry)
        if rejected := self._unwanted(entry.frame, motion):
            self._reject(rejected)
            return
        self._write(entry, before, after, motion)

    def _motion(self, a: _Entry, b: _Entry) -> Motion:
        if a.T_odom_left is not None and b.T_odom_left is not None:
            return motion_between(a.T_odom_left, b.T_odom_left)
        return Motion() if self._options.keep_static else Motion(change=change_between(a.thumb, b.thumb))

    def _unwanted(self, frame: SourceFrame, motion: Motion | None) -> Rejected | None:
        """A list of frames decides alone; else a frame must have moved."""
        if self._options.lists:
            return None if frame.split else Rejected(frame.stamp_ns, "not in the list")
        if self._options.keep_static or motion is None:
            return None
        reason = is_static(motion, self._options)
        return Rejected(frame.stamp_ns, "static", reason) if reason else None

    def _neighbour(self, entry: _Entry, other: _Entry | None) -> _Entry | None:
        if other is None:
            return None
        apart_s = abs(other.frame.stamp_ns - entry.frame.stamp_ns) * 1e-9
        return other if apart_s <= self._options.max_gap_s * self._options.stride else None

    # ---------------------------------------------------------------------------------------------- files

    def _write(self, entry: _Entry, before: _Entry | None, after: _Entry | None, motion: Motion | None) -> None:
        for other in (before, entry, after):
            if other is not None and not other.written:
                self._images(other)
        frame = entry.frame
        counts, kept = self._depths(frame)
        known = self._source.rig.T_left_body is not None
        poses = tuple(e.T_odom_left if e is not None and known else None for e in (before, entry, after))
        sample = Sample(
            frame.number, frame.stamp_ns, (before.n if before else None, after.n if after else None),
            frame.right is not None and "right" in self._placement.views, counts, kept, poses,  # type: ignore[arg-type]
            motion.metres if motion else None, motion.radians if motion else None, frame.sync_ms,
            split=frame.split or "train", source=frame.origin, truth="left" in frame.truth,
        )  # fmt: skip
        self._statistics.sample(sample, frame.missing)
        self._spool.write(json.dumps(sample_entry(sample)) + "\n")

    def _images(self, entry: _Entry) -> None:
        for camera, view in self._placement.views.items():
            image = entry.frame.left if camera == "left" else entry.frame.right
            if image is not None:
                self._writer.image(camera, entry.n, image, view)
        entry.written = True

    def _depths(self, frame: SourceFrame) -> tuple[dict[str, int], tuple[int, ...]]:
        """Write the depth maps of both eyes; pixels of each, and the beams that were kept."""
        maps, kept = self._depth_maps(frame)
        counts: dict[str, int] = {}
        for camera, depth in maps.items():
            count = self._statistics.depth(camera, depth)
            if count:
                self._writer.depth(camera, frame.number, depth)
                counts[camera] = count
        for camera, exact in frame.truth.items():
            if camera in self._placement.views:
                truth = self._placement.views[camera].sampled(exact)
                self._writer.depth(camera, frame.number, truth, "truth")
                if camera in maps:
                    self._statistics.error(maps[camera], truth)
        return counts, kept

    def _depth_maps(self, frame: SourceFrame) -> tuple[dict[str, Float32], tuple[int, ...]]:
        views, options = self._placement.views, self._options
        annotated = options.depth == "annotated"
        if annotated and not options.thins:
            return {c: views[c].carried(d) for c, d in frame.depth.items() if c in views}, ()
        if frame.turn is None:
            dense = {} if annotated else frame.depth  # of a depth camera
            return {c: views[c].sampled(d) for c, d in dense.items() if c in views}, ()
        turn = self._thinning(frame.turn, [options.seed, self._name_seed, frame.stamp_ns])
        maps = {}
        for camera, view in views.items():
            T = self._placement.T_camera_left(camera) @ frame.turn.T_left_lidar
            if camera == "right" and frame.right is None:
                continue
            if annotated:
                if camera in frame.depth:
                    maps[camera] = annotated_depth(turn, T, view, frame.depth[camera])
                continue
            seen = seen_points(turn, T, view.camera, options)
            maps[camera] = splat(seen.uv, seen.depth, view.camera)
            if camera == "left":
                self._statistics.beams(self._thinning.numbers(turn, seen.index))
        return maps, turn.kept

    # ---------------------------------------------------------------------------------------------- end

    def _reject(self, rejected: Rejected) -> None:
        self._writer.reject(rejected)
        self._statistics.reject(rejected)

    def _finish(self) -> dict[str, Any]:
        """Place the samples in splits and write them; they are read from a spool, so that none is held."""
        self._spool.close()
        splits = self._placed()
        summary = {
            **self._statistics.entry(),
            "samples": len(splits) - splits.count(None),
            "with_depth": self._with_depth,
            "splits": {name: splits.count(name) for name in SPLITS},
            "lidar_beams": self._thinning.beams,
            "covered": {camera: round(view.covered, 4) for camera, view in self._placement.views.items()},
            "notes": [*self._source.notes, *([self._placement.note] if self._placement.note else [])],
            "problems": self._source.problems,
        }
        calibration = self._placement.calibration(self._source.rig, self._writer.image_format)
        kept = (replace(s, split=split) for s, split in zip(self._spooled(), splits, strict=True) if split is not None)
        self._writer.finish(calibration, kept, summary)
        (self._writer.folder / _SPOOL).unlink()
        return summary

    def _placed(self) -> list[str | None]:
        """The split of each spooled sample; None: dropped."""
        rule = TimeSplit(self._source.total, self._options.shares, self._options.stride)
        splits: list[str | None] = []
        for sample in self._spooled():
            placed = sample if self._options.lists else rule.place(sample)
            if isinstance(placed, Rejected):
                self._reject(placed)
            else:
                self._with_depth += sample.depth.get("left", 0) > 0
            splits.append(None if isinstance(placed, Rejected) else placed.split)
        return splits

    def _spooled(self) -> Iterator[Sample]:
        with (self._writer.folder / _SPOOL).open() as file:
            for line in file:
                yield sample_from(json.loads(line))
