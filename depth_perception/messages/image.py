"""`sensor_msgs/Image` → numpy, in the layout it arrived in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import MessageError
from depth_perception.messages.data import byte_view


@dataclass(frozen=True)
class Layout:
    """How one encoding lies in memory."""

    dtype: str  # of one sample, byte order left to the message
    channels: int
    even_width: bool = False  # two neighbours share their chroma
    even_height: bool = False  # two rows share their chroma, which follows the luma plane in H / 2 more rows


_BYTE = Layout("u1", 1)
_YUV422 = Layout("u1", 2, even_width=True)
_YUV420 = Layout("u1", 1, even_width=True, even_height=True)

LAYOUTS: dict[str, Layout] = {
    "mono8": _BYTE,
    "8uc1": _BYTE,
    "mono16": Layout("u2", 1),
    "16uc1": Layout("u2", 1),
    "32fc1": Layout("f4", 1),
    "rgb8": Layout("u1", 3),
    "bgr8": Layout("u1", 3),
    "8uc3": Layout("u1", 3),
    "rgba8": Layout("u1", 4),
    "bgra8": Layout("u1", 4),
    "bayer_rggb8": _BYTE,
    "bayer_bggr8": _BYTE,
    "bayer_gbrg8": _BYTE,
    "bayer_grbg8": _BYTE,
    "yuv422": _YUV422,  # U Y V Y; the name before `uyvy`
    "uyvy": _YUV422,
    "yuv422_yuy2": _YUV422,  # Y U Y V; the name before `yuyv`
    "yuyv": _YUV422,
    "nv12": _YUV420,
    "nv21": _YUV420,
}


def encoding_of(msg: Any) -> str:
    """The encoding as `LAYOUTS` spells it: drivers differ in case."""
    return str(msg.encoding).strip().lower()


def decode_image(msg: Any) -> NDArray[Any]:
    """The pixels as they arrived: a view of `msg.data`, also where rows are padded.

    Two kinds of 16UC1, mono16 and 32FC1 are copied: samples of the other byte order (`is_bigendian` on a little-endian
    machine), and rows whose `step` is no multiple of the sample.

    Shapes: (H, W) for one channel, (H, W, C) for more; yuv422 is (H, W, 2); nv12 and nv21 are (3H/2, W), luma above
    interleaved chroma, both planes with the same `step`.

    Raises:
        MessageError: unknown encoding, zero size, odd size where chroma is shared, `step` shorter than a row, or less
            data than `step` * rows. More data than that is accepted: some drivers pad the end.
    """
    layout = LAYOUTS.get(encoding_of(msg))
    if layout is None:
        raise MessageError(
            f"{describe(msg)}: the encoding is not one of {', '.join(LAYOUTS)}; set the camera driver to one of these"
        )
    height, width, step = int(msg.height), int(msg.width), int(msg.step)
    dtype = np.dtype(layout.dtype).newbyteorder(">" if msg.is_bigendian else "<")
    _check(msg, layout, dtype.itemsize * layout.channels)
    rows = height * 3 // 2 if layout.even_height else height
    shape: tuple[int, ...] = (rows, width, layout.channels)
    strides: tuple[int, ...] = (step, dtype.itemsize * layout.channels, dtype.itemsize)
    if layout.channels == 1:
        shape, strides = shape[:2], strides[:2]
    array = np.ndarray(shape, dtype, byte_view(msg.data), strides=strides)
    odd_step = step % dtype.itemsize != 0  # OpenCV refuses such rows
    return array.astype(dtype.newbyteorder("="), copy=odd_step)


def _check(msg: Any, layout: Layout, pixel_bytes: int) -> None:
    height, width, step = int(msg.height), int(msg.width), int(msg.step)
    if height <= 0 or width <= 0:
        raise MessageError(f"{describe(msg)}: the image has no pixels; check the camera driver's resolution")
    if (layout.even_width and width % 2) or (layout.even_height and height % 2):
        raise MessageError(f"{describe(msg)}: neighbours share their chroma, so the size must be even")
    if step < width * pixel_bytes:
        raise MessageError(
            f"{describe(msg)}: a row of {width} pixels needs a step of at least {width * pixel_bytes} bytes; "
            "the driver's encoding and step contradict each other"
        )
    rows = height * 3 // 2 if layout.even_height else height
    if len(msg.data) < step * rows:
        raise MessageError(
            f"{describe(msg)}: expected {step * rows} bytes (step {step} * {rows} rows); the message was cut short"
        )


def describe(msg: Any) -> str:
    """The facts that every complaint about an image carries."""
    return (
        f"image with encoding {msg.encoding!r}, height {msg.height}, width {msg.width}, step {msg.step}, "
        f"is_bigendian {int(msg.is_bigendian)}, {len(msg.data)} bytes of data"
    )
