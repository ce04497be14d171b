"""Layout: what `decode_image` returns is the message's own memory, whatever the encoding, padding and byte order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth_perception.errors import MessageError
from depth_perception.messages import decode_image
from depth_perception.messages.data import byte_view
from depth_perception.messages.image import LAYOUTS

HEIGHT, WIDTH = 4, 6  # even, for the encodings that share chroma


def pattern(encoding: str, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Pixels that differ everywhere, in the layout that `decode_image` promises."""
    layout = LAYOUTS[encoding]
    rows = height * 3 // 2 if layout.even_height else height
    shape = (rows, width, layout.channels)[: 2 if layout.channels == 1 else 3]
    values = np.arange(np.prod(shape)).reshape(shape)
    return (values * 257 % 65536).astype(layout.dtype) if layout.dtype == "u2" else values.astype(layout.dtype)


@pytest.mark.parametrize("padding", [0, 12])
@pytest.mark.parametrize("encoding", LAYOUTS)
def test_every_encoding_is_a_view(image_msg: Any, padded: Any, encoding: str, padding: int) -> None:
    pixels = pattern(encoding)
    step, data = padded(pixels, padding)
    msg = image_msg(encoding, HEIGHT, WIDTH, step, data)
    array = decode_image(msg)
    np.testing.assert_array_equal(array, pixels)
    assert array.dtype == pixels.dtype
    assert array.dtype.isnative
    assert np.shares_memory(array, byte_view(msg.data))


@pytest.mark.parametrize(("encoding", "dtype"), [("16UC1", ">u2"), ("mono16", ">u2"), ("32FC1", ">f4")])
def test_big_endian_becomes_native(image_msg: Any, padded: Any, encoding: str, dtype: str) -> None:
    values = np.array([[1, 2, 3], [256, 1000, 65535]])
    step, data = padded(values.astype(dtype), 4)
    array = decode_image(image_msg(encoding, 2, 3, step, data, is_bigendian=1))
    np.testing.assert_array_equal(array, values)  # read as little-endian, 1 would be 256 (or 4.6e-41)
    assert array.dtype.isnative


def test_byte_order_of_8_bit_images_is_meaningless(image_msg: Any) -> None:
    pixels = pattern("rgb8")
    np.testing.assert_array_equal(decode_image(image_msg("rgb8", 4, 6, 18, pixels.tobytes(), is_bigendian=1)), pixels)


def test_step_that_is_no_multiple_of_the_sample(image_msg: Any, padded: Any) -> None:
    pixels = np.arange(15, dtype=np.float32).reshape(3, 5)
    step, data = padded(pixels, 3)
    array = decode_image(image_msg("32FC1", 3, 5, step, data))
    np.testing.assert_array_equal(array, pixels)
    assert all(stride % 4 == 0 for stride in array.strides)  # OpenCV refuses anything else


@pytest.mark.parametrize("encoding", ["RGB8", " rgb8 ", "Rgb8"])
def test_case_and_blanks_of_the_encoding(image_msg: Any, encoding: str) -> None:
    assert decode_image(image_msg(encoding, 4, 6, 18, bytes(72))).shape == (4, 6, 3)


def test_bytes_after_the_last_row_are_ignored(image_msg: Any) -> None:
    assert decode_image(image_msg("mono8", 2, 3, 3, bytes(range(6)) + b"tail")).tolist() == [[0, 1, 2], [3, 4, 5]]


BAD = {
    "unknown encoding": (("xyz9", 2, 3, 9, bytes(18)), ["'xyz9'", "rgb8", "nv12"]),
    "empty encoding": (("", 2, 3, 9, bytes(18)), ["encoding ''", "rgb8"]),
    "no rows": (("rgb8", 0, 3, 9, b""), ["height 0", "no pixels"]),
    "no columns": (("rgb8", 2, 0, 0, b""), ["width 0", "no pixels"]),
    "one byte short": (("rgb8", 2, 3, 9, bytes(17)), ["17 bytes", "expected 18", "step 9"]),
    "no data": (("rgb8", 2, 3, 9, b""), ["0 bytes", "expected 18"]),
    "last row's padding missing": (("mono8", 2, 3, 8, bytes(11)), ["11 bytes", "expected 16"]),
    "step shorter than a row": (("32FC1", 2, 3, 11, bytes(99)), ["step 11", "at least 12"]),
    "step zero": (("bgr8", 2, 3, 0, bytes(18)), ["step 0", "at least 9"]),
    "odd width of yuv422": (("yuv422", 2, 3, 6, bytes(12)), ["width 3", "even"]),
    "odd width of nv12": (("nv12", 2, 3, 3, bytes(9)), ["width 3", "even"]),
    "odd height of nv21": (("nv21", 3, 2, 2, bytes(9)), ["height 3", "even"]),
    "nv12 without chroma": (("nv12", 2, 4, 4, bytes(8)), ["8 bytes", "expected 12", "3 rows"]),
}


@pytest.mark.parametrize("fields, facts", BAD.values(), ids=BAD)
def test_bad_images_are_refused_with_the_numbers(image_msg: Any, fields: tuple, facts: list[str]) -> None:
    with pytest.raises(MessageError) as caught:
        decode_image(image_msg(*fields))
    assert [fact for fact in facts if fact not in str(caught.value)] == []


@settings(max_examples=200, deadline=None)
@given(
    encoding=st.sampled_from(sorted(LAYOUTS)),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    padding=st.integers(0, 9),
    is_bigendian=st.booleans(),
    cut=st.integers(0, 3),
)
def test_any_size_padding_and_order(
    padded: Any, encoding: str, height: int, width: int, padding: int, is_bigendian: bool, cut: int
) -> None:
    layout = LAYOUTS[encoding]
    height, width = height * (1 + layout.even_height), width * (1 + layout.even_width)
    pixels = pattern(encoding, height, width)
    step, data = padded(pixels.astype(pixels.dtype.newbyteorder(">" if is_bigendian else "<")), padding)
    msg = SimpleNamespace(
        encoding=encoding,
        height=height,
        width=width,
        step=step,
        is_bigendian=is_bigendian,
        data=data[: len(data) - cut],
    )
    if cut:
        with pytest.raises(MessageError, match="cut short"):
            decode_image(msg)
    else:
        np.testing.assert_array_equal(decode_image(msg), pixels)
