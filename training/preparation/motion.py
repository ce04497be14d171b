"""Did the camera move between two frames? By odometry, else by what the pictures show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depth_perception.extrinsics import inverse
from depth_perception.records import Float64, Image
from training.preparation.options import DatasetOptions

_SMALL = (96, 64)  # width, height at which pictures are compared


@dataclass(frozen=True)
class Motion:
    """From one frame to another: metres and radians by odometry, or the pictures' change of brightness."""

    metres: float | None = None
    radians: float | None = None
    change: float | None = None  # mean absolute, 0-255


def motion_between(T_odom_a: Float64, T_odom_b: Float64) -> Motion:
    """Distance and angle of T_a_b = inverse(T_odom_a) @ T_odom_b, (4, 4) each."""
    T_a_b = inverse(T_odom_a) @ T_odom_b
    R = T_a_b[:3, :3]
    # Half the norm of the antisymmetric part is the sine: exact for small angles, where arccos of the trace isn't
    sine = 0.5 * float(np.linalg.norm([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]]))
    angle = float(np.arctan2(sine, 0.5 * (np.trace(R) - 1.0)))
    return Motion(float(np.linalg.norm(T_a_b[:3, 3])), angle)


def change_between(thumb_a: Image, thumb_b: Image) -> float:
    """Mean absolute difference (0-255) of two thumbs."""
    return float(np.abs(thumb_a.astype(np.int16) - thumb_b).mean())


def is_static(motion: Motion, options: DatasetOptions) -> str:
    """Why a frame counts as standing still; '' if it moved."""
    if motion.metres is None or motion.radians is None:
        if motion.change is None or motion.change >= options.min_change:
            return ""
        return f"brightness changed by {motion.change:.2f} of 255, less than {options.min_change!r}"
    if motion.metres >= options.min_motion_m or motion.radians >= options.min_motion_rad:
        return ""
    limits = f"{options.min_motion_m!r} m and {options.min_motion_rad!r} rad"
    return f"moved {motion.metres:.4f} m and turned {motion.radians:.4f} rad, less than {limits}"


def thumb(image: Image) -> Image:
    """A small grey copy: each pixel the mean of up to 25, so that noise averages out."""
    import cv2

    width, height = (min(5 * small, whole) for small, whole in zip(_SMALL, image.shape[1::-1], strict=True))
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST)  # averaging all would cost ten times
    small = cv2.resize(small, _SMALL, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) if small.ndim == 3 else small  # type: ignore[return-value]
