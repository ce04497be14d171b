"""`sensor_msgs/Image` that holds depth → metres."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import MessageError
from depth_perception.messages.image import decode_image, describe, encoding_of


def decode_depth(msg: Any) -> NDArray[np.float32]:
    """(H, W) float32 metres along the optical axis; NaN unknown, +Inf nothing in range, -Inf too close (REP-118).

    16UC1 and mono16 are millimetres with 0 = unknown. 32FC1 is metres and stays a view of `msg.data`, unless it holds
    0.0 or negative numbers: those become NaN, for a finite value would be taken for a point.

    Raises:
        MessageError: another encoding, or as `decode_image`.
    """
    encoding = encoding_of(msg)
    if encoding not in ("16uc1", "mono16", "32fc1"):
        raise MessageError(f"{describe(msg)}: depth is 16UC1 (millimetres) or 32FC1 (metres); is this a colour topic?")
    array = decode_image(msg)
    if array.dtype == np.uint16:
        depth = array.astype(np.float32)
        depth *= np.float32(0.001)
        depth[array == 0] = np.nan
        return depth
    impossible = (array <= 0.0) & (array != -np.inf)
    return np.where(impossible, np.float32(np.nan), array) if impossible.any() else array
