"""Depth images of others: metres, and never a finite number where nothing was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from depth_perception.errors import MessageError
from depth_perception.messages import decode_depth
from depth_perception.messages.data import byte_view

MILLIMETRES = np.array([[0, 1, 1500], [65535, 0, 256]])
METRES = np.array([[np.nan, 0.001, 1.5], [65.535, np.nan, 0.256]], np.float32)


@pytest.mark.parametrize("encoding", ["16UC1", "mono16"])
@pytest.mark.parametrize("is_bigendian", [0, 1])
def test_millimetres(image_msg: Any, padded: Any, encoding: str, is_bigendian: int) -> None:
    step, data = padded(MILLIMETRES.astype(">u2" if is_bigendian else "<u2"), 4)
    depth = decode_depth(image_msg(encoding, 2, 3, step, data, is_bigendian))
    np.testing.assert_allclose(depth, METRES, rtol=1e-6)
    assert depth.dtype == np.float32


def test_metres_are_a_view(image_msg: Any, padded: Any) -> None:
    values = np.array([[np.nan, 0.5, np.inf], [-np.inf, 80.0, 1e-3]], np.float32)
    step, data = padded(values, 8)
    msg = image_msg("32FC1", 2, 3, step, data)
    depth = decode_depth(msg)
    np.testing.assert_array_equal(depth, values)
    assert np.shares_memory(depth, byte_view(msg.data))


def test_zero_and_negative_metres_are_unknown(image_msg: Any) -> None:
    values = np.array([[0.0, -0.0, -2.0, 1.0, -np.inf]], np.float32)
    msg = image_msg("32FC1", 1, 5, 20, values.tobytes())
    before = bytes(msg.data)
    np.testing.assert_array_equal(decode_depth(msg), np.array([[np.nan, np.nan, np.nan, 1.0, -np.inf]], np.float32))
    assert bytes(msg.data) == before


def test_big_endian_metres(image_msg: Any) -> None:
    data = np.array([[1.5, 2.5]], ">f4").tobytes()
    assert decode_depth(image_msg("32FC1", 1, 2, 8, data, 1)).tolist() == [[1.5, 2.5]]


@pytest.mark.parametrize("encoding", ["rgb8", "mono8", "64FC1"])
def test_colour_is_refused(image_msg: Any, encoding: str) -> None:
    with pytest.raises(MessageError, match=f"'{encoding}'.*16UC1.*32FC1.*colour topic"):
        decode_depth(image_msg(encoding, 1, 1, 8, bytes(8)))
