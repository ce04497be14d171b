"""`/tf_static` for recordings: every bag that we write carries its geometry."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.bags.types import RENAMED, jazzy
from depth_perception.errors import CalibrationError, MessageError
from depth_perception.extrinsics import TransformTree, transform_from_message

if TYPE_CHECKING:
    from depth_perception.bags.reader import Bag

log = logging.getLogger(__name__)
TF_STATIC, TF_MESSAGE = "/tf_static", "tf2_msgs/msg/TFMessage"


@dataclass(frozen=True, eq=False)
class StaticTransform:
    """Where `child` is mounted on `parent`.

    Convention: p_parent = T_parent_child @ p_child, which equals tf2 `lookup_transform(target=parent, source=child)`
    and TransformStamped(header.frame_id=parent, child_frame_id=child).
    """

    parent: str
    child: str
    T_parent_child: NDArray[np.float64]  # (4, 4), metres


def tf_static_message(transforms: Iterable[StaticTransform], stamp_ns: int = 0) -> Any:
    """A tf2_msgs/msg/TFMessage (rosbags' object) to write to `/tf_static`."""
    types = jazzy().types
    time = types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    stamped = []
    for transform in transforms:
        T = np.asarray(transform.T_parent_child, np.float64)
        x, y, z, w = quaternion(T[:3, :3])
        stamped.append(
            types["geometry_msgs/msg/TransformStamped"](
                header=types["std_msgs/msg/Header"](stamp=time, frame_id=transform.parent),
                child_frame_id=transform.child,
                transform=types["geometry_msgs/msg/Transform"](
                    translation=types["geometry_msgs/msg/Vector3"](*map(float, T[:3, 3])),
                    rotation=types["geometry_msgs/msg/Quaternion"](x=x, y=y, z=z, w=w),
                ),
            )
        )
    return types["tf2_msgs/msg/TFMessage"](transforms=stamped)


def transform_tree(bag: Bag) -> TransformTree:
    """Everything on a recording's `/tf_static` (ROS 1 too); without that topic an empty tree.

    A damaged message, or a transform that is no rigid motion, is logged and left out, as tf2 does.
    """
    tree = TransformTree()
    topic = bag.topics.get(TF_STATIC)
    if topic is None or RENAMED.get(topic.type, topic.type) != TF_MESSAGE:
        return tree
    for raw in bag.raw([TF_STATIC]):
        try:
            transforms = bag.decode(raw).transforms
        except MessageError as error:
            log.warning("a message on %s is left out: %s", TF_STATIC, error)
            continue
        for stamped in transforms:
            parent, child = str(stamped.header.frame_id), str(stamped.child_frame_id)
            try:
                tree.add(StaticTransform(parent, child, transform_from_message(stamped.transform)))
            except CalibrationError as error:
                log.warning("%s -> %s on %s is left out: %s", parent, child, TF_STATIC, error)
    return tree


def quaternion(R: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Unit quaternion (x, y, z, w), w >= 0, of a rotation matrix (3, 3).

    The eigenvector of the largest eigenvalue of Bar-Itzhack's matrix (J. Guidance 23(6), 2000, eq. 15-17): no branch,
    no loss of precision near half a turn, and the nearest rotation if R isn't quite orthogonal.
    """
    xx, xy, xz, yx, yy, yz, zx, zy, zz = np.asarray(R, np.float64).ravel()
    K = np.array(
        [
            [xx - yy - zz, 0, 0, 0],
            [yx + xy, yy - xx - zz, 0, 0],
            [zx + xz, zy + yz, zz - xx - yy, 0],
            [zy - yz, xz - zx, yx - xy, xx + yy + zz],
        ]
    )
    _, vectors = np.linalg.eigh(K)  # reads the lower triangle
    x, y, z, w = vectors[:, -1] * (1.0 if vectors[3, -1] >= 0.0 else -1.0)
    return float(x), float(y), float(z), float(w)
