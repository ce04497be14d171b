"""Which topics of a recording become a dataset."""

from __future__ import annotations

from dataclasses import dataclass

from depth_perception.bags import Bag
from depth_perception.bags.camera_topics import COMPRESSED, IMAGE, find_camera
from depth_perception.errors import BagError
from training.preparation.options import NONE, DatasetOptions

CLOUD, ODOMETRY, INFO = "sensor_msgs/msg/PointCloud2", "nav_msgs/msg/Odometry", "sensor_msgs/msg/CameraInfo"
OURS = ("depth/points", "depth/anchors", "depth/local_points")  # clouds that we made ourselves are no LiDAR


@dataclass(frozen=True)
class RigTopics:
    """What is read. None: the recording has none, or it isn't wanted."""

    image: str
    camera_info: str | None
    right: str | None = None
    right_info: str | None = None
    lidar: str | None = None
    odom: str | None = None
    depth_image: str | None = None
    truth_image: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def all(self) -> set[str]:
        """Their names."""
        named = (self.image, self.camera_info, self.right, self.right_info, self.lidar, self.odom)
        return {topic for topic in (*named, self.depth_image, self.truth_image) if topic is not None}


def find_topics(bag: Bag, options: DatasetOptions) -> RigTopics:
    """As asked for, else the only ones that can be meant.

    Raises:
        BagError: a topic isn't there or is of another type, there is no image, or several could be meant.
    """
    camera = find_camera(bag, options.image or None, options.camera_info or None)
    right = _right(bag, camera.image, options)
    lidar = _only(bag, CLOUD, options.lidar, "lidar", OURS)
    odom = _only(bag, ODOMETRY, options.odom, "odom", ())
    depth = _depth(bag, options.depth_image, "depth-image")
    truth = _depth(bag, options.truth_image, "truth-image")
    notes = [note for note in camera.notes if "taken, " not in note or right is None]
    if lidar is None and depth is None and not options.lidar:
        notes.append("no LiDAR in the recording: samples have no depth")
    right_info = _right_info(bag, right, options)
    return RigTopics(camera.image, camera.camera_info, right, right_info, lidar, odom, depth, truth, tuple(notes))


def _depth(bag: Bag, wanted: str, flag: str) -> str | None:
    """Never chosen by itself: what is registered to the image, nobody can tell."""
    return None if wanted in ("", NONE) else _asked(bag, wanted, (IMAGE,), flag)


def _right(bag: Bag, left: str, options: DatasetOptions) -> str | None:
    if options.right == NONE:
        return None
    if options.right:
        return _asked(bag, options.right, (IMAGE, COMPRESSED), "right")
    partner = left.replace("left", "right")
    topic = bag.topics.get(partner)
    found = partner != left and topic is not None and topic.count and topic.type in (IMAGE, COMPRESSED)
    return partner if found else None


def _right_info(bag: Bag, right: str | None, options: DatasetOptions) -> str | None:
    if right is None:
        return None
    if options.right_info:
        return _asked(bag, options.right_info, (INFO,), "right-info")
    neighbour = right.removesuffix("/compressed").rpartition("/")[0] + "/camera_info"
    return neighbour if neighbour in bag.topics else None


def _only(bag: Bag, kind: str, wanted: str, flag: str, ours: tuple[str, ...]) -> str | None:
    if wanted == NONE:
        return None
    if wanted:
        return _asked(bag, wanted, (kind,), flag)
    found = [name for name, topic in bag.topics.items() if topic.type == kind and topic.count]
    found = sorted(name for name in found if not name.endswith(ours))
    if len(found) > 1:
        raise BagError(f"{bag.path.name!r} holds several topics of type {kind}, {found}: choose one (--{flag} TOPIC)")
    return found[0] if found else None


def _asked(bag: Bag, topic: str, kinds: tuple[str, ...], flag: str) -> str:
    item = bag.topics.get(topic)
    if item is None or item.type not in kinds or not item.count:
        state = "isn't there" if item is None else f"is {item.type} with {item.count} messages"
        of_kind = sorted(name for name, other in bag.topics.items() if other.type in kinds)
        raise BagError(f"--{flag} {topic!r} {state} in {bag.path.name!r}; of its kind there are {of_kind!r}")
    return topic
