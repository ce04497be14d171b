"""JPEG and PNG, as compressed_image_transport and as cameras write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from depth_perception.errors import MessageError
from depth_perception.messages import decode_compressed

# Smooth, so that JPEG keeps it: red grows to the right, green downwards, blue is low.
V, U = np.mgrid[:24, :40]
RGB = np.stack([U * 6, V * 10, np.full_like(U, 30)], -1).astype(np.uint8)
GREY = (U * 6).astype(np.uint8)


def png(array: np.ndarray) -> bytes:
    """Of RGB (A) or grey pixels."""
    order = [2, 1, 0, 3][: array.shape[2]] if array.ndim == 3 else ...
    return cv2.imencode(".png", array[..., order] if array.ndim == 3 else array)[1].tobytes()


def jpeg(array: np.ndarray) -> bytes:
    """Of RGB or grey pixels."""
    return cv2.imencode(".jpg", array[..., ::-1] if array.ndim == 3 else array, [cv2.IMWRITE_JPEG_QUALITY, 98])[
        1
    ].tobytes()


@pytest.fixture
def compressed_msg(family: Any) -> Callable[[str, bytes], Any]:
    def make(text: str, data: bytes) -> Any:
        fields = {"header": family.header(), "format": text, "data": family.bytes(data)}
        return family.sent(family.new("sensor_msgs/msg/CompressedImage", **fields))

    return make


@pytest.mark.parametrize("text", ["jpeg", "jpg", "", "rgb8; jpeg compressed bgr8", "bgr8; jpeg compressed bgr8"])
def test_jpeg(compressed_msg: Any, text: str) -> None:
    rgb = decode_compressed(compressed_msg(text, jpeg(RGB)))
    assert rgb.shape == (24, 40, 3)
    assert np.abs(rgb.astype(int) - RGB).max() <= 6  # red and blue swapped would be off by 200


@pytest.mark.parametrize("text", ["png", "rgb8; png compressed bgr8", "bgr8; png compressed bgr8"])
def test_png_is_exact(compressed_msg: Any, text: str) -> None:
    np.testing.assert_array_equal(decode_compressed(compressed_msg(text, png(RGB))), RGB)


def test_stream_stored_as_rgb(compressed_msg: Any) -> None:
    """Who gives an RGB array to an encoder that expects BGR says so in the format."""
    swapped = png(RGB[..., ::-1])
    np.testing.assert_array_equal(decode_compressed(compressed_msg("rgb8; png compressed rgb8", swapped)), RGB)


@pytest.mark.parametrize("text", ["mono8; png compressed ", "png", "mono8; png compressed mono8"])
def test_grey_png(compressed_msg: Any, text: str) -> None:
    rgb = decode_compressed(compressed_msg(text, png(GREY)))
    np.testing.assert_array_equal(rgb, np.repeat(GREY[..., None], 3, 2))


def test_grey_jpeg(compressed_msg: Any) -> None:
    rgb = decode_compressed(compressed_msg("mono8; jpeg compressed mono8", jpeg(GREY)))
    assert rgb.shape == (24, 40, 3)
    assert np.abs(rgb[..., 1].astype(int) - GREY).max() <= 3


def test_16_bit_png(compressed_msg: Any) -> None:
    grey = decode_compressed(compressed_msg("mono16; png compressed ", png(GREY.astype(np.uint16) * 257)))
    np.testing.assert_array_equal(grey, np.repeat(GREY[..., None], 3, 2))
    rgb = decode_compressed(compressed_msg("rgb16; png compressed bgr16", png(RGB.astype(np.uint16) * 257)))
    np.testing.assert_array_equal(rgb, RGB)


def test_alpha_is_dropped(compressed_msg: Any) -> None:
    rgba = np.dstack([RGB, np.full((24, 40), 9, np.uint8)])
    np.testing.assert_array_equal(decode_compressed(compressed_msg("rgba8; png compressed bgra8", png(rgba))), RGB)


def test_mosaic_in_a_png(compressed_msg: Any) -> None:
    """compressed_image_transport stores Bayer images as they are."""
    mosaic = np.zeros((6, 8), np.uint8)
    mosaic[0::2, 0::2], mosaic[0::2, 1::2], mosaic[1::2, 0::2], mosaic[1::2, 1::2] = 200, 90, 90, 40
    colour = decode_compressed(compressed_msg("bayer_rggb8; png compressed ", png(mosaic)))
    np.testing.assert_array_equal(colour, np.broadcast_to(np.uint8([200, 90, 40]), (6, 8, 3)))
    grey = decode_compressed(compressed_msg("bayer_rggb8; png compressed mono8", png(mosaic)))
    np.testing.assert_array_equal(grey, np.repeat(mosaic[..., None], 3, 2))


def test_exif_rotation_is_ignored(compressed_msg: Any) -> None:
    """CameraInfo describes the sensor; a rotated image wouldn't fit it."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # orientation 6: quarter turn
    stream = jpeg(RGB)
    tagged = stream[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + stream[2:]
    assert cv2.imdecode(np.frombuffer(tagged, np.uint8), cv2.IMREAD_COLOR).shape == (40, 24, 3)  # the tag is valid
    assert decode_compressed(compressed_msg("jpeg", tagged)).shape == (24, 40, 3)


def test_padding_after_the_end_marker(compressed_msg: Any) -> None:
    assert decode_compressed(compressed_msg("jpeg", jpeg(RGB) + bytes(100))).shape == (24, 40, 3)


@pytest.mark.parametrize("encode", [jpeg, png])
def test_every_truncation_is_an_error(encode: Any) -> None:
    """OpenCV's oldest supported version returns half a picture, the rest grey, for a JPEG that is cut short."""
    from types import SimpleNamespace

    stream = encode(RGB)
    for length in [*range(64), *range(64, len(stream) - 16, 7), *range(len(stream) - 16, len(stream) - 1)]:
        with pytest.raises(MessageError):
            decode_compressed(SimpleNamespace(format="jpeg", data=stream[:length]))


def test_truncation_after_an_embedded_thumbnail() -> None:
    """The thumbnail's own end marker is no end."""
    from types import SimpleNamespace

    thumbnail, stream = jpeg(RGB[::4, ::4]), jpeg(RGB)
    tagged = stream[:2] + b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + stream[2:]
    assert decode_compressed(SimpleNamespace(format="jpeg", data=tagged)).shape == (24, 40, 3)
    with pytest.raises(MessageError, match="end marker"):
        decode_compressed(SimpleNamespace(format="jpeg", data=tagged[:-100]))


BAD = {
    "nothing": ("jpeg", b"", ["'jpeg'", "0 bytes"]),
    "not an image": ("jpeg", b"GIF89a" + bytes(99), ["GIF89a", "neither JPEG nor PNG"]),
    "video": ("h264", b"\0\0\0\1\x67" + bytes(99), ["'h264'", "neither JPEG nor PNG"]),
    "compressedDepth": ("16UC1; compressedDepth png", bytes(12) + png(GREY), ["compressedDepth", "depth", "raw"]),
    "damaged png": ("png", png(RGB)[:60] + b"damage" + png(RGB)[66:], ["'png'", "damaged"]),
    "only markers": ("jpeg", b"\xff\xd8\xff\xda\xff\xd9", ["6 bytes", "damaged"]),
}


@pytest.mark.parametrize("text, data, facts", BAD.values(), ids=BAD)
def test_bad_streams_are_refused(compressed_msg: Any, text: str, data: bytes, facts: list[str]) -> None:
    with pytest.raises(MessageError) as caught:
        decode_compressed(compressed_msg(text, data))
    assert [fact for fact in facts if fact not in str(caught.value)] == []
