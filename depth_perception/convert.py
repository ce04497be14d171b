"""The bag door: every frame of a recording through the same pipeline as the live node, into a rosbag2 of depth topics.

Reading and decoding run ahead of the network, metres and writing behind it, each on its own thread with a bounded
queue, so that a recording takes about as long as the network alone, and one of any length no more memory than a short
one.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from depth_perception import messages
from depth_perception.bags import Bag, BagWriter, RawMessage, open_bag
from depth_perception.bags.camera_topics import CameraTopics, find_camera
from depth_perception.bags.transforms import transform_tree
from depth_perception.bags.types import RENAMED, jazzy
from depth_perception.config import DepthConfig
from depth_perception.errors import BagError, CalibrationError, MessageError
from depth_perception.outputs import OutputBuilder
from depth_perception.overlap import ReadAhead, WriteBehind
from depth_perception.pipeline import Inference, Pipeline
from depth_perception.recorded_frames import BAD_INFO, RecordedFrame, RecordedFrames
from depth_perception.recorded_sensors import RecordedSensors, find_sensors, image_topics, with_sensors
from depth_perception.records import DepthFrame

log = logging.getLogger(__name__)
DEFAULT_OUTPUTS = ("depth/image", "depth/camera_info")
TRANSFORMS = ("tf2_msgs/msg/TFMessage", *RENAMED)
QUEUE = 4  # frames that wait on either side of the network

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Loss:
    """Images that gave no depth for one reason."""

    count: int
    example: str  # the first of them, with its numbers


@dataclass
class ConvertSummary:
    """What became of a recording."""

    out: Path
    image_topic: str
    camera_info_topic: str | None
    images: int = 0
    depth_images: int = 0
    lost: dict[str, Loss] = field(default_factory=dict)  # reason → images without depth
    measured: Counter[str] = field(default_factory=Counter)  # source of the scale → depth images; "prior": the model
    held: int = 0  # of these, images that got an older image's scale
    abs_rels: list[float] = field(default_factory=list)  # of each image, on anchors that its fit hasn't seen
    warned: dict[str, Loss] = field(default_factory=dict)  # warning without its numbers → images
    seconds: float = 0.0  # of the conversion, without loading the model
    backend: str = ""
    notes: list[str] = field(default_factory=list)  # choices made, messages left out
    problems: list[str] = field(default_factory=list)  # damage of the recording

    def count(self, frame: DepthFrame) -> None:
        """Count an image that went through the pipeline."""
        quality = frame.quality
        if frame.depth is None or quality.source == "none":
            self.lose("no metric depth", quality.reason)
        else:
            self.depth_images += 1
            self.measured[quality.source] += 1
            self.held += quality.held
        if math.isfinite(quality.abs_rel):
            self.abs_rels.append(quality.abs_rel)
        for warning in quality.warnings:
            kind = re.sub(r"[\d.]+", "#", warning)
            before = self.warned.get(kind, Loss(0, warning))
            self.warned[kind] = Loss(before.count + 1, before.example)

    def lose(self, reason: str, detail: str) -> None:
        """Count an image without depth."""
        before = self.lost.get(reason, Loss(0, detail))
        self.lost[reason] = Loss(before.count + 1, before.example)

    def describe_scale(self) -> str:
        """'scale: lidar in 28, prior in 2 of 30 depth images (2 held); AbsRel 0.043 on left-out anchors'.

        Empty if no sensor measured anything.
        """
        if set(self.measured) <= {"prior"}:
            return ""
        parts = [f"{source} in {count}" for source, count in self.measured.most_common()]
        held = f" ({self.held} held)" if self.held else ""
        error = f"; AbsRel {sum(self.abs_rels) / len(self.abs_rels):.3f} on left-out anchors" if self.abs_rels else ""
        return f"scale: {', '.join(parts)} of {self.depth_images} depth images{held}{error}"

    def describe_losses(self) -> str:
        """'3 × bad image message (image with encoding …); …'"""
        return "; ".join(f"{loss.count} × {reason} ({loss.example})" for reason, loss in self.lost.items())


def convert(
    source: str | Path,
    out: str | Path,
    *,
    image: str | None = None,
    camera_info: str | None = None,
    sensors: Mapping[str, str] | None = None,
    config: DepthConfig | None = None,
    outputs: Collection[str] = DEFAULT_OUTPUTS,
    copy_inputs: bool = False,
    compression: str = "none",
    progress: Progress | None = None,
) -> ConvertSummary:
    """Run every image of a recording through the pipeline and write the depth topics as a rosbag2 (MCAP) folder.

    Each message carries its image's stamp and optical frame, and the image's log time. Transforms are copied always,
    the other topics with `copy_inputs`. Images that give no depth are counted by reason and never end the run.

    Args:
        image, camera_info: topics; None finds them (`find_camera`), with a left eye the eye's.
        sensors: what measures the scale: the node's topic (`lidar/points`) → the recording's (`find_sensors`). Each
            image gets what was measured nearest to it in time, be it before or after. Sensors sit where the parameters
            say (`lidar.T_cam_lidar`), else where the recording's transforms say.
        outputs: topics to write, names of `OutputBuilder`; a model without metres gives `depth/preview` only.
        compression: of the output's chunks, see `BagWriter`.
        progress: called with (images done, images in all) after each image.

    Raises:
        BagError: the recording can't be read, its camera can't be told, the output exists or can't be written, or
            nothing at all came out (then nothing is left behind).
        ModelError, EngineError: the model or every backend can't be loaded, or failed.
    """
    config = config or DepthConfig()
    with open_bag(source) as bag:
        sensors = sensors or {}
        topics = find_camera(bag, image or sensors.get("left/image"), camera_info, image_topics(sensors))
        found = find_sensors(bag, sensors, topics.image)
        config = with_sensors(config, found)
        pipeline = Pipeline(config, topics.image)
        summary = ConvertSummary(Path(out), topics.image, topics.camera_info, notes=list(topics.notes))
        try:
            with BagWriter(out, compression) as writer:
                conversion = _Conversion(bag, topics, found, pipeline, writer, outputs, summary)
                conversion.run(copy_inputs, progress)
                if not conversion.written:
                    writer.discard()
                    raise BagError(f"no depth came out of {str(source)!r}: {summary.describe_losses()}")
        finally:
            pipeline.close()
            summary.problems = bag.problems
    return summary


class _Conversion:
    """One run: the thread of `run` infers; `_write` runs behind it and finishes."""

    def __init__(
        self,
        bag: Bag,
        topics: CameraTopics,
        found: Mapping[str, str],
        pipeline: Pipeline,
        writer: BagWriter,
        outputs: Collection[str],
        summary: ConvertSummary,
    ) -> None:
        self._bag, self._topics, self._found, self._pipeline, self._writer = bag, topics, found, pipeline, writer
        self._config = pipeline.config
        self._outputs, self._summary = outputs, summary
        self._build = OutputBuilder(messages.recorded(jazzy()))
        self._uncopied = 0
        self.written = 0  # outputs

    def run(self, copy_inputs: bool, progress: Progress | None) -> None:
        """Every image, start to end."""
        copied = self._declare_copies(copy_inputs)
        sensors = self._sensors()
        frames = RecordedFrames(self._bag, self._topics, self._config, copied, sensors)
        total, started = self._bag.topics[self._topics.image].count, time.perf_counter()
        with WriteBehind(self._write, QUEUE) as writing, ReadAhead(frames, QUEUE) as reading:
            for item in reading:
                if isinstance(item, RawMessage):
                    writing.put(item)
                    continue
                inference = self._infer(item)
                if inference is not None:
                    writing.put((item, inference))
                if progress is not None:
                    progress(self._summary.images, total)
        choice = self._pipeline.choice
        self._summary.seconds = time.perf_counter() - started
        self._summary.backend = f"{choice.engine.name} on {choice.engine.device}"
        if self._uncopied:
            self._summary.notes.append(f"{self._uncopied} damaged messages were not copied")
        if sensors is not None and sensors.damaged:
            self._summary.notes.append(f"{sensors.damaged} damaged messages of sensors were left out")

    def _sensors(self) -> RecordedSensors | None:
        if not self._found:
            return None
        tree = transform_tree(self._bag)
        return RecordedSensors(self._bag, self._found, self._config, tree.lookup, self._topics.image)

    def _infer(self, item: RecordedFrame) -> Inference | None:
        self._summary.images += 1
        if item.frame is None:
            self._summary.lose(item.reason, item.detail)
            return None
        try:
            return self._pipeline.infer(item.frame)
        except CalibrationError as error:
            self._summary.lose(BAD_INFO, str(error))
            return None

    def _write(self, item: RawMessage | tuple[RecordedFrame, Inference]) -> None:
        if isinstance(item, RawMessage):
            self._copy(item)
            return
        recorded, inference = item
        # `infer` runs on the other thread meanwhile; it doesn't read what a selection changes (the camera's tilt).
        self._pipeline.config = config = recorded.selection.configured(self._config)
        depth_frame = recorded.selection.noted(self._pipeline.finish(inference, recorded.selection.measurements))
        self._summary.count(depth_frame)
        for topic, message in self._build(depth_frame, config, self._outputs):
            self._writer.write(f"/{topic}", recorded.log_time_ns, message)
            self.written += 1

    def _copy(self, raw: RawMessage) -> None:
        name = RENAMED.get(raw.channel.type, raw.channel.type)
        try:
            cdr = self._bag.to_cdr(raw)
        except MessageError as error:
            log.warning("not copied: %s", error)
            self._uncopied += 1
            return
        self._writer.write_raw(raw.channel.topic, name, raw.log_time_ns, cdr)

    def _declare_copies(self, copy_inputs: bool) -> list[str]:
        """The topics to copy, made known to the writer."""
        copied = []
        for name, topic in sorted(self._bag.topics.items()):
            if not topic.count or not (copy_inputs or topic.type in TRANSFORMS):
                continue
            channel = None if name.lstrip("/") in self._outputs else self._bag.ros2_channel(name)
            if channel is None:
                why = "an output has its name" if name.lstrip("/") in self._outputs else "ROS 2 has no such type"
                self._summary.notes.append(f"{name} ({topic.type}) not copied: {why}")
                continue
            self._writer.declare(name, channel.type, channel)
            copied.append(name)
        return copied
