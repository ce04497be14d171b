"""`sensor_msgs/CompressedImage` (jpeg, png) → RGB."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import MessageError
from depth_perception.messages.colour import grey8, to_rgb
from depth_perception.messages.data import byte_view

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# JPEG markers: start of scan, end of image. Neither can occur inside entropy-coded data (ITU-T T.81, B.1.1.5).
_SCAN, _END = b"\xff\xda", b"\xff\xd9"


def decode_compressed(msg: Any) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of a JPEG or PNG; EXIF rotation is ignored, since CameraInfo describes the sensor.

    `format` is read as compressed_image_transport writes it, `<encoding>; <codec> compressed <encoding of the stream>`:
    a stream that says `rgb…` was stored with red and blue swapped, and a grey stream of a `bayer_…8` image is its
    mosaic, unless it says `mono8`. A bare `jpeg` or `png` is what the file itself says. Grey and 16-bit PNG are scaled
    as in `decode_rgb`; alpha is dropped.

    Raises:
        MessageError: compressedDepth, another codec, no data, or a stream that is cut short or damaged.
    """
    import cv2

    data = byte_view(msg.data)
    _check(msg, data)
    try:
        array = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise MessageError(f"{_describe(msg)}: OpenCV can't decode it ({error}); the stream is damaged") from error
    if array is None:
        raise MessageError(f"{_describe(msg)}: OpenCV can't decode it; the stream is cut short or damaged")
    if array.dtype != np.uint8:
        array = grey8(array)  # type: ignore[arg-type]
    encoding = _encoding(str(msg.format), 1 if array.ndim == 2 else array.shape[2])
    return array if encoding == "rgb8" else to_rgb(array, encoding)  # type: ignore[return-value]


def _encoding(text: str, channels: int) -> str:
    """The encoding of what OpenCV decoded, which takes every colour file for RGB and gives BGR."""
    source, _, stream = text.lower().partition(";")
    stored = stream.partition("compressed")[2].strip()
    if channels == 1:
        source = source.strip()
        is_mosaic = source in ("bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8") and stored != "mono8"
        return source if is_mosaic else "mono8"
    if stored.startswith("rgb"):
        return "rgb8" if channels == 3 else "rgba8"
    return "bgr8" if channels == 3 else "bgra8"


def _check(msg: Any, data: NDArray[np.uint8]) -> None:
    if "compresseddepth" in str(msg.format).lower():
        raise MessageError(
            f"{_describe(msg)}: this is depth (compressed_depth_image_transport: a header, then quantised values), not "
            "an image; subscribe to the raw depth topic, or to image/compressed of the camera"
        )
    raw = data.tobytes()
    if raw.startswith(_JPEG):
        # OpenCV before 4.11 fills the missing part with grey and says nothing.
        if raw.rfind(_END) < raw.rfind(_SCAN):
            raise MessageError(f"{_describe(msg)}: the JPEG has no end marker; the stream is cut short")
    elif not raw.startswith(_PNG):
        raise MessageError(
            f"{_describe(msg)}: data starts with {raw[:8]!r}, which is neither JPEG nor PNG; "
            "set the publisher's image transport to one of these"
        )


def _describe(msg: Any) -> str:
    return f"compressed image with format {msg.format!r}, {len(msg.data)} bytes of data"
