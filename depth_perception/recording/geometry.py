"""`/tf_static` from parameters, for robots where nobody publishes it or its messages can't be subscribed to.

Frame names are copied from the sensors' own messages, never composed: a transform is written when both are known.
"""

from __future__ import annotations

from collections.abc import Mapping

from depth_perception.bags.transforms import TF_STATIC, StaticTransform, tf_static_message
from depth_perception.bags.types import jazzy
from depth_perception.config import Value
from depth_perception.extrinsics import Float64, parse_transform
from depth_perception.recording.peek import peek
from depth_perception.recording.records import TF_MESSAGE, Message, Topic

# parameter → (the frame it is given in, the frame that it places), each by the node's topics that name the frame
CAMERA = ("image", "image/compressed", "camera_info")
LEFT = ("left/image", "left/image/compressed", "left/camera_info")
RIGHT = ("right/image", "right/image/compressed", "right/camera_info")
MOUNTINGS = {
    "lidar.T_cam_lidar": (CAMERA, ("lidar/points",)),
    "laser.T_cam_laser": (CAMERA, ("lidar/scan",)),
    "stereo.T_cam_left": (CAMERA, LEFT),
    "stereo.T_left_right": (LEFT, RIGHT),
    "odometry.T_cam_base": (CAMERA, ("odom",)),
    "imu.T_cam_imu": (CAMERA, ("imu",)),
}


class Geometry:
    """Watches the sensors' messages until it knows where each mounted one is.

    Convention: the parameter T_a_b (p_a = T_a_b @ p_b) becomes the transform with parent a and child b.
    """

    def __init__(self, parameters: Mapping[str, Value]) -> None:
        """`parameters` by dotted name. Raises ConfigError for one that is no transform."""
        given = {name: str(parameters.get(name, "")) for name in MOUNTINGS}
        self._transforms: dict[str, Float64] = {name: parse_transform(text) for name, text in given.items() if text}
        self._frames: dict[str, str] = {}  # the node's topic → frame
        self._needed = {role for name in self._transforms for side in MOUNTINGS[name] for role in side}
        self._said = 0

    def see(self, message: Message) -> Message | None:
        """A `/tf_static` message if this message completes a transform: it then holds all that are known."""
        role = message.topic.role
        if role not in self._needed or role in self._frames:
            return None
        decoded = peek(message.data, message.topic.type)
        if decoded is None:
            return None
        self._frames[role] = str(decoded.child_frame_id if role == "odom" else decoded.header.frame_id)
        known = [transform for name in self._transforms if (transform := self._placed(name)) is not None]
        if len(known) == self._said:
            return None
        self._said = len(known)
        data = bytes(jazzy().serialize_cdr(tf_static_message(known, message.publish_time_ns), TF_MESSAGE))
        return Message(_topic(), message.log_time_ns, message.log_time_ns, data)

    def waiting(self) -> list[str]:
        """Parameters that were given, but whose frames nobody has named yet."""
        return [name for name in self._transforms if self._placed(name) is None]

    def _placed(self, name: str) -> StaticTransform | None:
        parent, child = (self._named(side) for side in MOUNTINGS[name])
        if not parent and name == "stereo.T_left_right" and "stereo.T_cam_left" not in self._transforms:
            parent = self._named(CAMERA)  # the camera is the left eye
        if not parent or not child or parent == child:
            return None
        return StaticTransform(parent, child, self._transforms[name])

    def _named(self, roles: tuple[str, ...]) -> str:
        return next((self._frames[role] for role in roles if self._frames.get(role)), "")


def _topic() -> Topic:
    definition, _ = jazzy().generate_msgdef(TF_MESSAGE, ros_version=2)
    return Topic(TF_STATIC, TF_MESSAGE, definition, jazzy().hash_rihs01(TF_MESSAGE), True)
