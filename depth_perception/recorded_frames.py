"""A recording as a stream of decoded frames, each with its own CameraInfo; and of raw messages to copy."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from depth_perception import messages
from depth_perception.bags import Bag, RawMessage
from depth_perception.bags.camera_topics import COMPRESSED, CameraTopics
from depth_perception.camera import CameraModel
from depth_perception.config import DepthConfig
from depth_perception.errors import CalibrationError, MessageError
from depth_perception.pairing import CameraInfoPairing
from depth_perception.records import Frame
from depth_perception.watch import ImageWatch

BAD_IMAGE, BAD_INFO = "bad image message", "bad camera_info"


@dataclass(frozen=True)
class RecordedFrame:
    """One image of the recording: decoded, or lost for a reason."""

    log_time_ns: int
    frame: Frame | None
    reason: str = ""  # why there is no frame: short, to be counted
    detail: str = ""  # the same with this frame's numbers


Camera = CameraModel | CalibrationError | MessageError


class RecordedFrames:
    """Every image of the recording as a `RecordedFrame`; messages of the `copied` topics as they are, in between."""

    def __init__(self, bag: Bag, topics: CameraTopics, config: DepthConfig, copied: Collection[str] = ()) -> None:
        self._bag, self._topics, self._config = bag, topics, config
        self._copied = set(copied)
        self._decode = (
            messages.decode_compressed if bag.topics[topics.image].type == COMPRESSED else messages.decode_rgb
        )
        self._watch = ImageWatch()

    def __iter__(self) -> Iterator[RecordedFrame | RawMessage]:
        image_topic, info_topic = self._topics.image, self._topics.camera_info
        first = (
            None if info_topic is None else next((self._camera(raw)[1] for raw in self._bag.raw([info_topic])), None)
        )
        pairing: CameraInfoPairing[RawMessage, Camera] = CameraInfoPairing(first, patience=4 if info_topic else 0)
        for raw in self._bag.raw({image_topic, *([info_topic] if info_topic else ()), *self._copied}):
            if raw.channel.topic in self._copied:
                yield raw
            if raw.channel.topic == info_topic:
                pairs = pairing.add_info(*self._camera(raw))
            elif raw.channel.topic == image_topic:
                pairs = pairing.add_image(self._stamp_ns(raw), raw)
            else:
                continue
            yield from (self._frame(image, camera) for image, camera in pairs)
        yield from (self._frame(image, camera) for image, camera in pairing.flush())

    def _stamp_ns(self, raw: RawMessage) -> int:
        """Acquisition time; of a message that can't be decoded the log time, so that it keeps its place."""
        try:
            return messages.stamp_ns(self._bag.decode(raw).header)
        except MessageError:
            return raw.log_time_ns

    def _camera(self, raw: RawMessage) -> tuple[int, Camera]:
        try:
            message = self._bag.decode(raw)
            stamp_ns = messages.stamp_ns(message.header)
        except MessageError as error:
            return raw.log_time_ns, error
        try:
            return stamp_ns, messages.decode_camera_info(message)
        except (CalibrationError, MessageError) as error:
            return stamp_ns, error

    def _frame(self, raw: RawMessage, camera: Camera | None) -> RecordedFrame:
        if isinstance(camera, Exception):
            return RecordedFrame(raw.log_time_ns, None, BAD_INFO, str(camera))
        try:
            message = self._bag.decode(raw)
            image = self._decode(message)
        except MessageError as error:
            return RecordedFrame(raw.log_time_ns, None, BAD_IMAGE, str(error))
        complaint = self._watch.complaint(image, self._config.watch)
        if complaint and not self._config.process_bad_images:
            return RecordedFrame(raw.log_time_ns, None, complaint.split(" (")[0], complaint)
        frame = Frame(image, messages.stamp_ns(message.header), str(message.header.frame_id), camera)
        return RecordedFrame(raw.log_time_ns, frame)
