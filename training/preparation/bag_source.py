"""A bag as a source of frames: what belongs to an image, by header stamps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from depth_perception.bags import Bag, RawMessage, open_bag
from depth_perception.bags.files import storage_files
from depth_perception.camera import CameraModel
from depth_perception.config import WatchConfig
from depth_perception.errors import MessageError
from depth_perception.pairing import CameraInfoPairing
from depth_perception.recorded_frames import recorded_camera
from depth_perception.records import Image
from depth_perception.watch import RESET_NS, ImageWatch
from training.dataset_folder import Rejected
from training.preparation.bag_rig import find_rig
from training.preparation.bag_sensors import BagSensors
from training.preparation.bag_topics import RigTopics, find_topics
from training.preparation.options import DatasetOptions
from training.preparation.source_frame import Item, Rig, SourceFrame

_MOST_HELD = 32  # images, serialised
_PATIENCE_NS = 500_000_000  # how long an image waits, in log time, for sensors that have fallen silent


class _Image(NamedTuple):
    """An image that waits for its measurements."""

    number: int
    stamp_ns: int
    raw: RawMessage


class BagSource:
    """Frames of a recording. Holds no more than a few messages, however long the recording is."""

    def __init__(self, path: Path, options: DatasetOptions) -> None:
        """Raises BagError, CalibrationError, ConfigError: there is no usable camera in it."""
        self._options = options
        self._bag = open_bag(path)
        try:
            self._topics = find_topics(self._bag, options)
            self.notes = list(self._topics.notes)
            self.rig = find_rig(self._bag, self._topics, options, self.notes)
            if not self.rig.rectified and self.rig.left.is_distorted:
                self._leave_out_depth()
        except BaseException:
            self._bag.close()
            raise
        files, _ = storage_files(path)
        self.root = path if path.is_dir() else path.parent
        self.inputs = [*files, *([path / "metadata.yaml"] if (path / "metadata.yaml").is_file() else [])]
        self.total = self._bag.topics[self._topics.image].count
        self._damaged: dict[str, int] = {}
        self._origin: dict[str, str | int] = {"file": path.name, "topic": self._topics.image}

    def _leave_out_depth(self) -> None:
        """Of depth images, where lines are bent."""
        for topic in (self._topics.depth_image, self._topics.truth_image):
            if topic is not None:
                self.notes.append(f"{topic} is left out: it shows the lens's distortion, which isn't undone in depth")
        self._topics = replace(self._topics, depth_image=None, truth_image=None)

    @property
    def problems(self) -> list[str]:
        """Damage met; complete once an iteration has come to its end."""
        return [*self._bag.problems, *(f"{count} × {text}" for text, count in self._damaged.items())]

    def close(self) -> None:
        """Remove what had to be decompressed to be read."""
        self._bag.close()

    def __iter__(self) -> Iterator[Item]:
        sensors = BagSensors(self._bag, self._topics, self.rig, self._options, self._damaged)
        return _Reading(self._bag, self._topics, self.rig, sensors, self._origin).run()


class _Reading:
    """One pass over the bag."""

    def __init__(
        self, bag: Bag, topics: RigTopics, rig: Rig, sensors: BagSensors, origin: dict[str, str | int]
    ) -> None:
        self._bag, self._topics, self._rig, self._sensors, self._origin = bag, topics, rig, sensors, origin
        self._held: deque[tuple[_Image, CameraModel | Exception | None]] = deque()
        self._watch = ImageWatch()
        self._last_ns: int | None = None
        self._number = 0

    def run(self) -> Iterator[Item]:
        topics = self._topics
        pairing: CameraInfoPairing[_Image, CameraModel | Exception] = CameraInfoPairing(
            self._rig.left, patience=4 if topics.camera_info else 0
        )
        for raw in self._bag.raw(topics.all):
            topic = raw.channel.topic
            if topic == topics.image:
                stamp_ns = self._sensors.stamp(raw)
                if stamp_ns is None:
                    yield Rejected(raw.log_time_ns, "damaged image message", "its header can't be decoded")
                else:
                    self._held.extend(pairing.add_image(stamp_ns, _Image(self._number, stamp_ns, raw)))
                self._number += 1
            elif topic == topics.camera_info:
                self._held.extend(pairing.add_info(*recorded_camera(self._bag, raw)))
            else:
                self._sensors.add(raw)
            yield from self._settled(raw.log_time_ns)
        self._held.extend(pairing.flush())
        yield from self._settled(None)

    def _settled(self, now_ns: int | None) -> Iterator[Item]:
        """Images for which nothing better can come at log time `now_ns`; None: the recording has ended."""
        while self._held:
            image, camera = self._held[0]
            patient = now_ns is not None and now_ns - image.raw.log_time_ns <= _PATIENCE_NS
            if patient and len(self._held) <= _MOST_HELD and not self._sensors.reach(image.stamp_ns):
                return
            self._held.popleft()
            yield self._frame(*image, camera)

    def _frame(self, number: int, stamp_ns: int, raw: RawMessage, camera: CameraModel | Exception | None) -> Item:
        last_ns, breaks = self._last_ns, False
        if last_ns is not None and stamp_ns <= last_ns:
            if last_ns - stamp_ns < RESET_NS:
                what = "duplicate stamp" if stamp_ns == last_ns else "stamp goes back"
                return Rejected(stamp_ns, what, f"stamp {stamp_ns} after {last_ns}: fix the driver")
            breaks = True
        self._last_ns = stamp_ns
        if isinstance(camera, Exception):
            return Rejected(stamp_ns, "bad camera_info", str(camera))
        try:
            left = self._sensors.picture(raw)
        except MessageError as error:
            return Rejected(stamp_ns, "damaged image message", str(error))
        if complaint := self._complaint(left, camera):
            reason, _, detail = complaint.partition(" (")
            return Rejected(stamp_ns, reason, detail.replace(")", "", 1) or reason)
        origin = {**self._origin, "number": number}
        return SourceFrame(number, stamp_ns, left, breaks=breaks, origin=origin, **self._sensors.around(stamp_ns))

    def _complaint(self, image: Image, camera: CameraModel | None) -> str:
        rig = self._rig.left
        if image.shape[:2] != (rig.height, rig.width):
            size = f"{image.shape[1]}x{image.shape[0]}"
            return f"image size differs ({size}; the sequence began with a calibration for {rig.width}x{rig.height})"
        if camera is not None and camera != rig:
            return f"calibration changed (K is now {camera.K.tolist()!r}; cut the recording there)"
        return self._watch.complaint(image, WatchConfig())
