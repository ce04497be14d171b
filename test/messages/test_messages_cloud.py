"""PointCloud2 with any layout."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth_perception.errors import MessageError
from depth_perception.messages import cloud_xyz, decode_cloud
from depth_perception.messages.data import byte_view

DATATYPE = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}
INT8, UINT16, FLOAT32, FLOAT64 = 1, 4, 7, 8


def cloud(family: Any, points: np.ndarray, *, row_padding: int = 0, **changes: Any) -> Any:
    """A PointCloud2 of a structured array (H, W), as it lies in memory."""
    names = points.dtype.names or ()
    fields = []
    for name in names:
        kind, offset = points.dtype.fields[name][:2]
        count = int(np.prod(kind.shape)) if kind.shape else 1
        fields.append((name, offset, DATATYPE[kind.base.str[1:]], count))
    rows = np.ascontiguousarray(points).view(np.uint8).reshape(len(points), -1)
    rows = np.hstack([rows, np.full((len(rows), row_padding), 0xEE, np.uint8)])
    values = {
        "height": points.shape[0],
        "width": points.shape[1],
        "fields": fields,
        "is_bigendian": False,
        "point_step": points.dtype.itemsize,
        "row_step": rows.shape[1],
        "data": rows.tobytes(),
    } | changes
    if family is None:
        values["fields"] = [SimpleNamespace(name=n, offset=o, datatype=d, count=c) for n, o, d, c in values["fields"]]
        return SimpleNamespace(**values)
    values["fields"] = [
        family.new("sensor_msgs/msg/PointField", name=n, offset=o, datatype=d, count=c)
        for n, o, d, c in values["fields"]
    ]
    values["data"] = family.bytes(values["data"])
    return family.sent(family.new("sensor_msgs/msg/PointCloud2", header=family.header(), is_dense=False, **values))


VELODYNE = np.dtype(
    {
        "names": ["x", "y", "z", "intensity", "ring", "time"],
        "formats": ["<f4", "<f4", "<f4", "<f4", "<u2", "<f4"],
        "offsets": [0, 4, 8, 16, 20, 24],
        "itemsize": 32,
    }
)


def velodyne(height: int, width: int) -> np.ndarray:
    points = np.zeros((height, width), VELODYNE)
    for i, name in enumerate(VELODYNE.names or ()):
        points[name] = np.arange(height * width).reshape(height, width) + 100 * i
    points["x"].flat[1], points["y"].flat[2] = np.nan, np.inf
    return points


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize("size", [(1, 5), (3, 4)])
def test_fields_with_gaps(family: Any, size: tuple[int, int], padding: int) -> None:
    points = velodyne(*size)
    msg = cloud(family, points, row_padding=padding)
    decoded = decode_cloud(msg)
    assert decoded.shape == size  # sensor_msgs_py gives (W, H)
    for name in VELODYNE.names or ():
        np.testing.assert_array_equal(decoded[name], points[name])
    assert np.shares_memory(decoded, byte_view(msg.data))


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize("size", [(1, 5), (3, 4)])
def test_xyz_keeps_the_order_and_what_is_not_finite(family: Any, size: tuple[int, int], padding: int) -> None:
    points = velodyne(*size)
    msg = cloud(family, points, row_padding=padding)
    xyz = cloud_xyz(msg)
    expected = np.stack([points["x"].ravel(), points["y"].ravel(), points["z"].ravel()], 1)
    np.testing.assert_array_equal(xyz, expected)
    assert np.isnan(xyz[1, 0])
    assert np.isinf(xyz[2, 1])
    assert np.shares_memory(xyz, byte_view(msg.data)) == (size[0] == 1 or padding == 0)


LAYOUTS = {
    "z y x": [("z", "<f4"), ("y", "<f4"), ("x", "<f4")],
    "apart": [("x", "<f4"), ("a", "u1"), ("y", "<f4"), ("b", "<u2"), ("z", "<f4")],
    "float64": [("x", "<f8"), ("y", "<f8"), ("z", "<f8")],
    "mixed": [("intensity", "u1"), ("x", "<f4"), ("y", "<f8"), ("z", "<i2")],
    "big-endian": [("x", ">f4"), ("y", ">f4"), ("z", ">f4")],
    "big-endian float64": [("x", ">f8"), ("y", ">f8"), ("z", ">f8")],
    "unaligned": [("a", "u1"), ("x", "<f4"), ("y", "<f4"), ("z", "<f4")],
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_xyz_of_any_layout(family: Any, layout: list[tuple[str, str]]) -> None:
    points = np.zeros((2, 3), layout)
    expected = np.arange(18, dtype=np.float32).reshape(6, 3) - 9
    for i, name in enumerate("xyz"):
        points[name] = expected[:, i].reshape(2, 3)
    xyz = cloud_xyz(cloud(family, points, is_bigendian=layout[0][1][0] == ">"))
    np.testing.assert_array_equal(xyz, expected)
    assert xyz.dtype == np.float32


def test_several_values_in_one_field(family: Any) -> None:
    points = np.zeros((1, 3), [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("normal", "<f4", (3,)), ("tag", "i1")])
    points["normal"] = np.arange(9).reshape(1, 3, 3)
    points["tag"] = [[-1, 0, 1]]
    decoded = decode_cloud(cloud(family, points))
    np.testing.assert_array_equal(decoded["normal"], points["normal"])
    assert decoded["tag"].tolist() == [[-1, 0, 1]]


def test_count_of_zero_is_one(family: Any) -> None:
    points = np.zeros((1, 2), [("x", "<f4"), ("y", "<f4"), ("z", "<f4")])
    points["z"] = [[5, 6]]
    fields = [("x", 0, FLOAT32, 0), ("y", 4, FLOAT32, 0), ("z", 8, FLOAT32, 0)]
    assert cloud_xyz(cloud(family, points, fields=fields)).tolist() == [[0, 0, 5], [0, 0, 6]]


def test_fields_that_overlap(family: Any) -> None:
    """`rgb` as a float and as its bytes."""
    fields = [("rgb", 0, FLOAT32, 1), ("b", 0, 2, 1), ("g", 1, 2, 1), ("r", 2, 2, 1)]
    msg = cloud(family, np.zeros((1, 1), [("rgb", "<f4")]), fields=fields, data=bytes([10, 20, 30, 0]))
    assert [int(decode_cloud(msg)[name][0, 0]) for name in "rgb"] == [30, 20, 10]


@pytest.mark.parametrize("row_step", [0, 1])
def test_row_step_of_a_single_row_is_not_needed(family: Any, row_step: int) -> None:
    points = velodyne(1, 4)
    np.testing.assert_array_equal(decode_cloud(cloud(family, points, row_step=row_step))["y"], points["y"])


@pytest.mark.parametrize(("height", "width"), [(0, 0), (1, 0), (0, 4)])
@pytest.mark.parametrize("fields", [[], [("x", 0, FLOAT32, 1), ("y", 4, FLOAT32, 1), ("z", 8, FLOAT32, 1)]])
def test_no_points(family: Any, height: int, width: int, fields: list) -> None:
    empty = np.zeros((1, 1), [("x", "<f4"), ("y", "<f4"), ("z", "<f4")])
    msg = cloud(family, empty, height=height, width=width, row_step=0, data=b"", fields=fields)
    assert decode_cloud(msg).shape == (height, width)
    assert cloud_xyz(msg).shape == (0, 3)


XYZ = [("x", 0, FLOAT32, 1), ("y", 4, FLOAT32, 1), ("z", 8, FLOAT32, 1)]
BAD = {
    "no z": ({"fields": XYZ[:2]}, ["no field z", "'x' (datatype 7, offset 0, count 1), 'y'"]),
    "no fields": ({"fields": []}, ["no field x or y or z", "fields []"]),
    "capitals": ({"fields": [("X", 0, FLOAT32, 1)]}, ["no field x or y or z", "'X'"]),
    "vector x": ({"fields": [("x", 0, FLOAT32, 3), *XYZ[1:]]}, ["no field x of one value"]),
    "one byte short": ({"data": bytes(71)}, ["71 bytes", "expected 72", "row_step 36", "height 2"]),
    "no data": ({"data": b""}, ["0 bytes", "expected 72"]),
    "row_step too short": ({"row_step": 35}, ["row_step 35", "at least 36"]),
    "row_step too long": ({"row_step": 37}, ["expected 74"]),
    "field beyond the point": ({"fields": [*XYZ[:2], ("z", 10, FLOAT32, 1)]}, ["'z'", "offset 10", "point_step 12"]),
    "long field": ({"fields": [*XYZ[:2], ("z", 8, FLOAT64, 1)]}, ["'z' (1 * 8 bytes", "point_step 12"]),
    "datatype 0": ({"fields": [*XYZ, ("i", 0, 0, 1)]}, ["'i' has datatype 0"]),
    "datatype 9": ({"fields": [*XYZ, ("i", 0, 9, 1)]}, ["'i' has datatype 9"]),
    "same name twice": ({"fields": [*XYZ, ("x", 0, INT8, 1)]}, ["different"]),
    "nameless": ({"fields": [*XYZ, ("", 0, UINT16, 1)]}, ["not empty"]),
    "point_step 0": ({"point_step": 0, "row_step": 0}, ["'x'", "point_step 0"]),
}


@pytest.mark.parametrize("changes, facts", BAD.values(), ids=BAD)
def test_bad_clouds_are_refused_with_the_numbers(family: Any, changes: dict[str, Any], facts: list[str]) -> None:
    points = np.zeros((2, 3), [("x", "<f4"), ("y", "<f4"), ("z", "<f4")])
    with pytest.raises(MessageError) as caught:
        cloud_xyz(cloud(family, points, **changes))
    assert [fact for fact in facts if fact not in str(caught.value)] == []


@st.composite
def layouts(draw: st.DrawFn) -> tuple[np.dtype, int]:
    """A structured type with x, y, z among other fields, gaps between them, and a row padding."""
    order = draw(st.sampled_from("<>"))
    others = draw(st.lists(st.sampled_from(["a", "b", "c"]), unique=True))
    names = draw(st.permutations(["x", "y", "z", *others]))
    formats, offsets, end = [], [], 0
    for name in names:
        kind = draw(st.sampled_from(["f4", "f8"] if name in "xyz" else sorted(DATATYPE)))
        end += draw(st.integers(0, 5))
        formats.append(order + kind)
        offsets.append(end)
        end += int(kind[1])
    itemsize = end + draw(st.integers(0, 5))
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": itemsize}), draw(
        st.integers(0, 9)
    )


@settings(max_examples=200, deadline=None)
@given(layout=layouts(), height=st.integers(1, 4), width=st.integers(1, 5), seed=st.integers(0, 1000))
def test_any_layout(layout: tuple[np.dtype, int], height: int, width: int, seed: int) -> None:
    dtype, padding = layout
    rng = np.random.default_rng(seed)
    points = np.zeros((height, width), dtype)
    for name in dtype.names or ():
        points[name] = rng.integers(-100, 100, (height, width)) if dtype[name].kind != "u" else rng.integers(0, 100)
    msg = cloud(None, points, row_padding=padding, is_bigendian=dtype["x"].str[0] == ">")
    decoded = decode_cloud(msg)
    for name in dtype.names or ():
        np.testing.assert_array_equal(decoded[name], points[name])
    np.testing.assert_array_equal(cloud_xyz(msg), np.stack([points[n].ravel() for n in "xyz"], 1).astype(np.float32))


def test_same_as_sensor_msgs_py(family: Any) -> None:
    point_cloud2 = pytest.importorskip("sensor_msgs_py.point_cloud2", reason="sensor_msgs_py is not installed")
    if family.name != "live":
        pytest.skip("sensor_msgs_py takes rclpy messages")
    msg = cloud(family, velodyne(1, 50))  # organised clouds come out of it as (W, H)
    theirs = point_cloud2.read_points(msg)
    for name in VELODYNE.names or ():
        np.testing.assert_array_equal(decode_cloud(msg)[name].ravel(), theirs[name].ravel())
