"""Which topics of a recording are the camera: by type, and by what the first message says."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from depth_perception.bags.reader import Bag
from depth_perception.errors import BagError, MessageError

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
NOT_PICTURES = ("16uc1", "32fc1")  # depth and disparity
OUR_PICTURES = ("depth/preview",)


@dataclass(frozen=True)
class CameraTopics:
    """The camera of a recording. `notes` says what was chosen where there was a choice."""

    image: str
    camera_info: str | None  # None: there is none
    notes: tuple[str, ...] = ()


def find_camera(
    bag: Bag, image: str | None = None, camera_info: str | None = None, others: Collection[str] = ()
) -> CameraTopics:
    """The image topic and its camera_info: as asked for, else the only ones that can be meant.

    Depth images (16UC1, 32FC1, compressedDepth) are no candidates. Of a raw image and its compressed copy the raw one
    is taken, of a stereo pair the left one; topics that are in use as something else (`others`: a right eye) aren't
    taken unasked. The camera_info is the image's neighbour (`…/camera_info`), else the only
    one in the recording.

    Raises:
        BagError: a topic isn't there or is of another type, there is no image, or several could be meant.
    """
    notes: list[str] = []
    image = _find_image(bag, others, notes) if image is None else _checked(bag, image, (IMAGE, COMPRESSED))
    info = _find_info(bag, image, notes) if camera_info is None else _checked(bag, camera_info, (CAMERA_INFO,))
    return CameraTopics(image, info, tuple(notes))


def _of_type(bag: Bag, types: tuple[str, ...]) -> list[str]:
    return sorted(name for name, topic in bag.topics.items() if topic.type in types and topic.count)


def _checked(bag: Bag, topic: str, types: tuple[str, ...]) -> str:
    if topic not in _of_type(bag, types):
        found = bag.topics.get(topic)
        state = "isn't there" if found is None else f"is {found.type} with {found.count} messages"
        raise BagError(
            f"topic {topic!r} {state} in {str(bag.path)!r}; "
            f"of type {' or '.join(types)} it holds {_of_type(bag, types)}"
        )
    return topic


def _find_image(bag: Bag, others: Collection[str], notes: list[str]) -> str:
    topics = [topic for topic in _of_type(bag, (IMAGE, COMPRESSED)) if topic not in others]
    pictures = [topic for topic in topics if _is_picture(bag, topic)]
    copies = [topic for topic in pictures if topic.removesuffix("/compressed") in pictures and _is_copy(topic)]
    candidates = [topic for topic in pictures if topic not in copies]
    if copies:
        notes.append(f"raw image preferred to {', '.join(copies)}")
    if len(candidates) == 2 and candidates[0].replace("left", "right") == candidates[1]:
        notes.append(f"stereo pair: {candidates[0]} taken, {candidates[1]} left out")
        return candidates[0]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise BagError(f"{str(bag.path)!r} holds several image topics, {candidates}: choose one (--image TOPIC)")
    beside = f" beside {sorted(others)}" if others else ""
    depth = f" (depth only: {topics})" if topics else ""
    raise BagError(f"{str(bag.path)!r} holds no camera image{beside}{depth}; its topics: {bag.describe_topics()}")


def _is_copy(topic: str) -> bool:
    return topic.endswith("/compressed")


def _is_picture(bag: Bag, topic: str) -> bool:
    """False for depth; a first message that can't be decoded leaves the benefit of the doubt."""
    if topic.endswith(OUR_PICTURES):
        return False
    try:
        message = bag.decode(next(bag.raw([topic])))
    except (MessageError, StopIteration):
        return True
    if bag.topics[topic].type == COMPRESSED:
        text = str(message.format).lower()
        return "compresseddepth" not in text and not text.startswith(NOT_PICTURES)
    return str(message.encoding).lower() not in NOT_PICTURES


def _find_info(bag: Bag, image: str, notes: list[str]) -> str | None:
    infos = _of_type(bag, (CAMERA_INFO,))
    neighbour = image.removesuffix("/compressed").rpartition("/")[0] + "/camera_info"
    if neighbour in infos:
        return neighbour
    if len(infos) > 1:
        raise BagError(f"none of {infos} lies beside {image!r}: choose one (--camera-info TOPIC)")
    if infos:
        notes.append(f"{infos[0]} taken as the only camera_info")
        return infos[0]
    notes.append("no camera_info in the recording")
    return None
