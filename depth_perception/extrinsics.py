"""Where sensors are mounted: transforms from text and messages, and a tree that answers as tf2 does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import CalibrationError, ConfigError

if TYPE_CHECKING:
    from depth_perception.bags.transforms import StaticTransform

Float64 = NDArray[np.float64]

_FORMS = "'x y z qx qy qz qw' (m, quaternion) or 'x y z roll pitch yaw' (m, rad)"
_NORM_TOLERANCE = 0.05  # a quaternion typed with two digits is that far from unit length, seven other numbers aren't


def parse_transform(text: str) -> Float64:
    """T_a_b (4, 4) of 'x y z qx qy qz qw' or 'x y z roll pitch yaw', separated by spaces or commas; m and rad.

    Convention: p_a = T_a_b @ p_b. Quaternions are Hamilton's, w last (geometry_msgs). R = Rz(yaw) Ry(pitch) Rx(roll)
    (REP-103: fixed axes, roll first).

    Raises:
        ConfigError: not six or seven finite numbers, or the quaternion's norm isn't about 1.
    """
    words = text.replace(",", " ").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise ConfigError(f"transform {text!r}: {error}; write {_FORMS}") from None
    if len(numbers) not in (6, 7):
        raise ConfigError(f"transform {text!r} has {len(numbers)} numbers; write {_FORMS}")
    if not all(map(math.isfinite, numbers)):
        raise ConfigError(f"transform {text!r} holds a number that isn't finite; write {_FORMS}")
    T = np.eye(4)
    T[:3, 3] = numbers[:3]
    if len(numbers) == 6:
        T[:3, :3] = rotation_from_rpy(*numbers[3:])
        return T
    norm = math.hypot(*numbers[3:])
    if abs(norm - 1.0) > _NORM_TOLERANCE:
        raise ConfigError(
            f"transform {text!r}: the quaternion {numbers[3:]!r} has norm {norm:.4g}, not 1; the order is qx qy qz qw "
            "after x y z"
        )
    T[:3, :3] = rotation_from_quaternion(np.array(numbers[3:]))
    return T


def rotation_from_rpy(roll: float, pitch: float, yaw: float) -> Float64:
    """R (3, 3) = Rz(yaw) Ry(pitch) Rx(roll), rad (REP-103)."""
    (cr, sr), (cp, sp), (cy, sy) = ((math.cos(a), math.sin(a)) for a in (roll, pitch, yaw))
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def rotation_from_quaternion(q: Float64) -> Float64:
    """R (…, 3, 3) of quaternions (…, 4) in the order x y z w, of any norm but 0."""
    x, y, z, w = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def transform_from_message(transform: Any) -> Float64:
    """T_parent_child (4, 4) of a geometry_msgs/Transform (rclpy's or rosbags').

    Raises:
        CalibrationError: a number isn't finite, or the quaternion's norm isn't about 1 (all zero: never filled in).
    """
    t, q = transform.translation, transform.rotation
    xyz, xyzw = np.array([t.x, t.y, t.z], np.float64), np.array([q.x, q.y, q.z, q.w], np.float64)
    norm = float(np.linalg.norm(xyzw))
    if not np.isfinite(xyz).all() or not abs(norm - 1.0) <= _NORM_TOLERANCE:
        raise CalibrationError(
            f"transform with translation {xyz.tolist()!r} and rotation {xyzw.tolist()!r} (x y z w) is no rigid motion: "
            "fix its publisher"
        )
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation_from_quaternion(xyzw), xyz
    return T


def inverse(T: Float64) -> Float64:
    """T_b_a of a rigid T_a_b (4, 4)."""
    inverted = np.eye(4)
    inverted[:3, :3] = T[:3, :3].T
    inverted[:3, 3] = -T[:3, :3].T @ T[:3, 3]
    return inverted


class TransformTree:
    """Frames and where each is mounted on its parent, in any order of arrival.

    Convention: `lookup(target, source)` is T_target_source, p_target = T @ p_source, as tf2's
    `lookup_transform(target, source)`. A child has one parent: what is added later replaces. Leading slashes of names
    (tf 1) don't count.
    """

    def __init__(self) -> None:
        self._mounts: dict[str, tuple[str, Float64]] = {}  # child → parent, T_parent_child

    def add(self, transform: StaticTransform) -> None:
        """Take one edge; raises CalibrationError if a frame would be mounted on itself."""
        parent, child = _name(transform.parent), _name(transform.child)
        if parent == child:
            raise CalibrationError(f"frame {child!r} can't be its own parent: fix the publisher of this transform")
        self._mounts[child] = (parent, np.array(transform.T_parent_child, np.float64).reshape(4, 4))

    @property
    def frames(self) -> tuple[str, ...]:
        """Every frame that is known, sorted."""
        return tuple(sorted({*self._mounts, *(parent for parent, _ in self._mounts.values())}))

    def lookup(self, target: str, source: str) -> Float64:
        """T_target_source (4, 4), metres.

        Raises:
            CalibrationError: a frame has no name or is unknown, or no chain leads from one to the other.
        """
        target, source = _name(target), _name(source)
        if not target or not source:
            raise CalibrationError(f"frames {target!r} and {source!r}: a message without frame_id can't be placed")
        if target == source:
            return np.eye(4)
        up_target, up_source = self._chain(target), self._chain(source)
        for frame, T_frame_target in up_target.items():
            if frame in up_source:
                return inverse(T_frame_target) @ up_source[frame]
        raise CalibrationError(self._unconnected(target, source))

    def _chain(self, frame: str) -> dict[str, Float64]:
        """T_ancestor_frame of the frame itself and each ancestor, upwards."""
        chain, T = {frame: np.eye(4)}, np.eye(4)
        while frame in self._mounts:
            frame, T_parent_frame = self._mounts[frame]
            T = T_parent_frame @ T
            if frame in chain:
                raise CalibrationError(f"the transforms of {sorted(chain)} form a loop at {frame!r}: fix a publisher")
            chain[frame] = T
        return chain

    def _unconnected(self, target: str, source: str) -> str:
        known = ", ".join(f"{parent} -> {child}" for child, (parent, _) in sorted(self._mounts.items()))
        unknown = [frame for frame in (target, source) if frame not in self.frames]
        why = f"{' and '.join(map(repr, unknown))} unknown" if unknown else "no chain connects them"
        return (
            f"no transform from {source!r} to {target!r}: {why}; known are {known or 'none'}. Publish it to /tf_static "
            "or give it as a parameter"
        )


def _name(frame: str) -> str:
    return frame.lstrip("/")
