"""Colour: every encoding gives the RGB that a person would name."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from depth_perception.errors import MessageError
from depth_perception.messages import decode_rgb
from depth_perception.messages.colour import cv_bridge_works
from depth_perception.messages.data import byte_view

# Two rows of three pixels, no two channels alike.
RGB = np.array([[[255, 0, 10], [0, 250, 20], [30, 40, 240]], [[1, 2, 3], [128, 64, 32], [200, 150, 100]]], np.uint8)
ALPHA = np.full((2, 3, 1), 7, np.uint8)
GREY = np.array([[0, 1, 127], [128, 254, 255]], np.uint8)
AS_GREY = np.repeat(GREY[..., None], 3, 2)

KNOWN = {
    "rgb8": (RGB, RGB),
    "bgr8": (RGB[..., ::-1], RGB),
    "8UC3": (RGB[..., ::-1], RGB),
    "rgba8": (np.concatenate([RGB, ALPHA], 2), RGB),
    "bgra8": (np.concatenate([RGB[..., ::-1], ALPHA], 2), RGB),
    "mono8": (GREY, AS_GREY),
    "8UC1": (GREY, AS_GREY),
    "mono16": (GREY.astype(np.uint16) * 257, AS_GREY),  # 65535 is white
    "16UC1": (GREY.astype(np.uint16) * 257, AS_GREY),
    "32FC1": (GREY.astype(np.float32) / 255, AS_GREY),  # 1.0 is white
}


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", KNOWN)
def test_packed_encodings(image_msg: Any, padded: Any, encoding: str, padding: int) -> None:
    pixels, expected = KNOWN[encoding]
    step, data = padded(pixels, padding)
    rgb = decode_rgb(image_msg(encoding, 2, 3, step, data))
    np.testing.assert_array_equal(rgb, expected)
    assert rgb.dtype == np.uint8


@pytest.mark.parametrize(("encoding", "dtype"), [("mono16", ">u2"), ("16UC1", ">u2"), ("32FC1", ">f4")])
def test_big_endian_grey(image_msg: Any, padded: Any, encoding: str, dtype: str) -> None:
    values, expected = KNOWN[encoding]
    step, data = padded(values.astype(dtype), 0)
    np.testing.assert_array_equal(decode_rgb(image_msg(encoding, 2, 3, step, data, is_bigendian=1)), expected)


def test_rgb8_is_a_view(image_msg: Any, padded: Any) -> None:
    step, data = padded(RGB, 3)
    msg = image_msg("rgb8", 2, 3, step, data)
    assert np.shares_memory(decode_rgb(msg), byte_view(msg.data))


def test_float_grey_outside_the_unit_range(image_msg: Any) -> None:
    values = np.array([[np.nan, -3.0, 0.5, 1.5, np.inf, -np.inf]], np.float32)
    rgb = decode_rgb(image_msg("32FC1", 1, 6, 24, values.tobytes()))
    assert rgb[0, :, 0].tolist() == [0, 0, 128, 255, 255, 0]


# Y, U, V of saturated colours in BT.601 with limited range (ITU-R BT.601, 8 bit).
YUV = {"red": (81, 90, 240), "green": (145, 54, 34), "blue": (41, 240, 110), "white": (235, 128, 128),
       "black": (16, 128, 128), "grey": (126, 128, 128)}  # fmt: skip
NAMED = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255), "black": (0, 0, 0),
         "grey": (128, 128, 128)}  # fmt: skip
COLOURS = [["red", "green", "blue"], ["white", "black", "grey"], ["blue", "red", "black"], ["grey", "white", "green"]]
TOLERANCE = 2  # 8-bit Y, U, V can't hit the corners of RGB exactly


def named_image(block: tuple[int, int]) -> np.ndarray:
    """COLOURS as RGB, every colour in a block of this size."""
    return np.repeat(np.repeat([[NAMED[c] for c in row] for row in COLOURS], block[0], 0), block[1], 1)


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize(
    ("encoding", "order"), [("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv")]
)
@pytest.mark.parametrize("rows", [3, 4])  # an odd height is legal
def test_yuv422(image_msg: Any, padded: Any, encoding: str, order: str, rows: int, padding: int) -> None:
    quads = {"uyvy": (1, 0, 2, 0), "yuyv": (0, 1, 0, 2)}[order]
    pixels = np.array([[YUV[c][i] for c in row for i in quads] for row in COLOURS[:rows]], np.uint8)
    step, data = padded(pixels, padding)
    rgb = decode_rgb(image_msg(encoding, rows, 6, step, data))
    np.testing.assert_allclose(rgb.astype(int), named_image((1, 2))[:rows], atol=TOLERANCE)


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize(("encoding", "chroma"), [("nv12", (1, 2)), ("nv21", (2, 1))])
def test_yuv420(image_msg: Any, padded: Any, encoding: str, chroma: tuple[int, int], padding: int) -> None:
    luma = [[YUV[c][0] for c in row for _ in range(2)] for row in COLOURS for _ in range(2)]
    colour = [[YUV[c][i] for c in row for i in chroma] for row in COLOURS]
    step, data = padded(np.array(luma + colour, np.uint8), padding)
    rgb = decode_rgb(image_msg(encoding, 8, 6, step, data))
    np.testing.assert_allclose(rgb.astype(int), named_image((2, 2)), atol=TOLERANCE)


def mosaic(order: str, colour: tuple[int, int, int], height: int, width: int) -> np.ndarray:
    """What a sensor with this colour filter (the first two rows of the first two columns) sees of one flat colour."""
    tile = np.array(["rgb".index(letter) for letter in order]).reshape(2, 2)
    filters = np.tile(tile, (height // 2 + 1, width // 2 + 1))[:height, :width]
    return np.array(colour, np.uint8)[filters]


@pytest.mark.parametrize("size", [(6, 8), (5, 9), (3, 3)])
@pytest.mark.parametrize("order", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_of_a_flat_colour(image_msg: Any, padded: Any, order: str, size: tuple[int, int]) -> None:
    colour = (200, 90, 40)
    step, data = padded(mosaic(order, colour, *size), 3)
    rgb = decode_rgb(image_msg(f"bayer_{order}8", *size, step, data))
    # Every wrong pairing of names gives (40, 90, 200) or a checkerboard instead.
    np.testing.assert_array_equal(rgb, np.broadcast_to(np.uint8(colour), (*size, 3)))


@pytest.mark.parametrize(("order", "opencv"), [("rggb", "BG"), ("bggr", "RG"), ("gbrg", "GR"), ("grbg", "GB")])
def test_bayer_as_cv_bridge_pairs_the_names(image_msg: Any, order: str, opencv: str) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (10, 14), np.uint8)
    expected = cv2.cvtColor(pixels, getattr(cv2, f"COLOR_Bayer{opencv}2RGB"))
    np.testing.assert_array_equal(decode_rgb(image_msg(f"bayer_{order}8", 10, 14, 14, pixels.tobytes())), expected)


def test_bayer_mosaic_without_neighbours(image_msg: Any) -> None:
    with pytest.raises(MessageError, match="5x2 bayer_rggb8"):
        decode_rgb(image_msg("bayer_rggb8", 2, 5, 5, bytes(10)))


# --- cv_bridge, where there is one -----------------------------------------------------------------------------------

# Scales 16 bits to 8 as the real one does, by 255 / 65535.
STAND_IN = """
import numpy as np
class CvBridge:
    def imgmsg_to_cv2(self, msg, desired):
        assert desired == "rgb8"
        if msg.encoding not in ("bgr16", "rgb16"):
            raise RuntimeError("Unrecognized image encoding [%s]" % msg.encoding)
        wide = np.frombuffer(msg.data, "<u2").reshape(msg.height, msg.width, 3)
        wide = wide[..., ::-1] if msg.encoding == "bgr16" else wide
        return np.rint(wide * (255 / 65535)).astype(np.uint8){change}
"""


@pytest.fixture
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs a module `cv_bridge` of the given source, also for child processes."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "cv_bridge", raising=False)
    cv_bridge_works.cache_clear()

    def install(source: str) -> None:
        (tmp_path / "cv_bridge.py").write_text(source)

    yield install
    cv_bridge_works.cache_clear()
    sys.modules.pop("cv_bridge", None)


def wide_msg(encoding: str) -> Any:
    """RGB with 16 bits a channel, whatever the encoding says."""
    data = (RGB.astype(np.uint16) * 257).tobytes()
    return SimpleNamespace(encoding=encoding, height=2, width=3, step=18, is_bigendian=0, data=data)


def test_unknown_encoding_goes_to_cv_bridge(bridge: Any) -> None:
    bridge(STAND_IN.format(change=""))
    np.testing.assert_array_equal(decode_rgb(wide_msg("rgb16")), RGB)


BROKEN = {
    "dies on import": "import os; os.abort()",
    "built for another numpy": "raise ImportError('numpy.core.multiarray failed to import')",
    "wrong colours": STAND_IN.format(change="[..., ::-1]"),
}


@pytest.mark.parametrize("source", BROKEN.values(), ids=BROKEN)
def test_broken_cv_bridge_is_an_error_and_not_our_end(bridge: Any, source: str) -> None:
    bridge(source)
    with pytest.raises(MessageError, match=r"'rgb16'.*doesn't work.*rgb8"):
        decode_rgb(wide_msg("rgb16"))


def test_encoding_that_cv_bridge_does_not_know(bridge: Any) -> None:
    bridge(STAND_IN.format(change=""))
    with pytest.raises(MessageError, match=r"'polar4'.*Unrecognized image encoding.*known here: mono8"):
        decode_rgb(wide_msg("polar4"))


def test_cv_bridge_result_of_another_shape(bridge: Any) -> None:
    bridge(STAND_IN.format(change="[:1]"))  # its answer to the probe's one row is right
    with pytest.raises(MessageError, match=r"\(1, 3, 3\).*\(2, 3, 3\)"):
        decode_rgb(wide_msg("rgb16"))


def test_unknown_encoding_without_cv_bridge() -> None:
    if cv_bridge_works():
        pytest.skip("cv_bridge is installed here")
    with pytest.raises(MessageError, match=r"'polar4'.*cv_bridge.*known here: mono8.*Set the camera driver"):
        decode_rgb(wide_msg("polar4"))


@pytest.mark.parametrize("encoding", [*KNOWN, "bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8", "yuv422"])
def test_same_as_the_real_cv_bridge(image_msg: Any, encoding: str) -> None:
    pytest.importorskip("cv_bridge", reason="cv_bridge is not installed")
    if not cv_bridge_works():
        pytest.skip("the installed cv_bridge doesn't work beside this numpy")
    if "UC" in encoding or "FC" in encoding:
        pytest.skip("cv_bridge refuses to name the colours of a nameless encoding")
    from cv_bridge import CvBridge

    data = np.random.default_rng(5).integers(0, 256, 6 * 8 * 4, np.uint8).tobytes()
    samples = {"mono16": 2, "yuv422": 2, "rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4}.get(encoding, 1)
    msg = image_msg(encoding, 6, 8, 8 * samples, data[: 6 * 8 * samples])
    np.testing.assert_array_equal(decode_rgb(msg), CvBridge().imgmsg_to_cv2(msg, "rgb8"))
