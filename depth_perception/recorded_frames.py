"""A recording as a stream of decoded frames, each with its own CameraInfo; and of raw messages to copy."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from depth_perception import messages
from depth_perception.bags import Bag, RawMessage
from depth_perception.bags.camera_topics import COMPRESSED, CameraTopics
from depth_perception.camera import CameraModel
from depth_perception.config import DepthConfig
from depth_perception.errors import CalibrationError, MessageError
from depth_perception.measurements import NOTHING, Selection
from depth_perception.pairing import CameraInfoPairing
from depth_perception.recorded_sensors import RecordedSensors
from depth_perception.records import Frame
from depth_perception.watch import ImageWatch

MOST_HELD = 64  # images, serialised
BAD_IMAGE, BAD_INFO = "bad image message", "bad camera_info"


@dataclass(frozen=True)
class RecordedFrame:
    """One image of the recording: decoded, or lost for a reason."""

    log_time_ns: int
    frame: Frame | None
    reason: str = ""  # why there is no frame: short, to be counted
    detail: str = ""  # the same with this frame's numbers
    selection: Selection = NOTHING  # what the sensors say about it


Camera = CameraModel | CalibrationError | MessageError


def recorded_camera(bag: Bag, raw: RawMessage) -> tuple[int, Camera]:
    """Acquisition time, and the camera that this CameraInfo describes, or why it describes none."""
    try:
        message = bag.decode(raw)
        stamp_ns = messages.stamp_ns(message.header)
    except MessageError as error:
        return raw.log_time_ns, error
    try:
        return stamp_ns, messages.decode_camera_info(message)
    except (CalibrationError, MessageError) as error:
        return stamp_ns, error


@dataclass(frozen=True)
class _Held:
    """An image that waits for its measurements."""

    stamp_ns: int
    raw: RawMessage
    camera: Camera | None


class RecordedFrames:
    """Every image of the recording as a `RecordedFrame`; messages of the `copied` topics as they are, in between.

    With sensors, images are held back until the measurements nearest to them are known, which may come after them.
    """

    def __init__(
        self,
        bag: Bag,
        topics: CameraTopics,
        config: DepthConfig,
        copied: Collection[str] = (),
        sensors: RecordedSensors | None = None,
    ) -> None:
        self._bag, self._topics, self._config, self._sensors = bag, topics, config, sensors
        self._held: deque[_Held] = deque()
        self._copied = set(copied)
        self._decode = (
            messages.decode_compressed if bag.topics[topics.image].type == COMPRESSED else messages.decode_rgb
        )
        self._watch = ImageWatch()

    def __iter__(self) -> Iterator[RecordedFrame | RawMessage]:
        image_topic, info_topic = self._topics.image, self._topics.camera_info
        first = (
            None
            if info_topic is None
            else next((recorded_camera(self._bag, raw)[1] for raw in self._bag.raw([info_topic])), None)
        )
        pairing: CameraInfoPairing[RawMessage, Camera] = CameraInfoPairing(first, patience=4 if info_topic else 0)
        measured = self._sensors.topics if self._sensors is not None else set()
        cameras = {image_topic, *([info_topic] if info_topic else ())}
        for raw in self._bag.raw({*cameras, *measured, *self._copied}):
            if raw.channel.topic in self._copied:
                yield raw
            if self._sensors is not None and raw.channel.topic in measured:
                self._sensors.add(raw)
            if raw.channel.topic == info_topic:
                self._hold(pairing.add_info(*recorded_camera(self._bag, raw)))
            elif raw.channel.topic == image_topic:
                self._hold(pairing.add_image(self._stamp_ns(raw), raw))
            yield from self._settled(raw.log_time_ns)
        self._hold(pairing.flush())
        yield from self._settled(None)

    def _hold(self, pairs: Iterator[tuple[RawMessage, Camera | None]]) -> None:
        self._held.extend(_Held(self._stamp_ns(raw), raw, camera) for raw, camera in pairs)

    def _settled(self, now_ns: int | None) -> Iterator[RecordedFrame]:
        """The images that need wait no longer at log time `now_ns`; None: the recording has ended."""
        while self._held:
            first = self._held[0]
            if now_ns is not None and len(self._held) <= MOST_HELD and not self._may_go(first, now_ns):
                return
            self._held.popleft()
            yield self._frame(first.raw, first.camera)

    def _may_go(self, held: _Held, now_ns: int) -> bool:
        sensors = self._sensors
        return sensors is None or sensors.settled(held.stamp_ns, now_ns - held.raw.log_time_ns)

    def _stamp_ns(self, raw: RawMessage) -> int:
        """Acquisition time; of a message that can't be decoded the log time, so that it keeps its place."""
        try:
            return messages.stamp_ns(self._bag.decode(raw).header)
        except MessageError:
            return raw.log_time_ns

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
        selection = self._sensors.window.select(frame, self._config) if self._sensors is not None else NOTHING
        return RecordedFrame(raw.log_time_ns, frame, selection=selection)
