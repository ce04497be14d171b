"""`sensor_msgs/PointCloud2` → numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import MessageError
from depth_perception.messages.data import byte_view

_DATATYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}  # sensor_msgs/PointField


def decode_cloud(msg: Any) -> NDArray[np.void]:
    """(H, W) structured view of `msg.data`, one named field per PointField, in the message's byte order.

    A cloud that isn't organised has H = 1. Fields may lie in any order, overlap, leave gaps or hold several values
    (`count` > 1: an extra axis; 0, which old drivers write, counts as 1). Rows may be padded.

    Raises:
        MessageError: a field of unknown datatype or beyond `point_step`, two of one name, `row_step` shorter than a row
            (only read where H > 1), or less data than `row_step` * H.
    """
    height, width, point_step = int(msg.height), int(msg.width), int(msg.point_step)
    if height == 0 or width == 0:
        return np.zeros((height, width), [] if not msg.fields else _point_type(msg))
    row = width * point_step
    row_step = max(int(msg.row_step), row) if height == 1 else int(msg.row_step)
    if row_step < row:
        raise MessageError(f"{_describe(msg)}: a row of {width} points needs a row_step of at least {row} bytes")
    if len(msg.data) < row_step * height:
        raise MessageError(
            f"{_describe(msg)}: expected {row_step * height} bytes (row_step {row_step} * {height} rows); "
            "the message was cut short"
        )
    return np.ndarray((height, width), _point_type(msg), byte_view(msg.data), strides=(row_step, point_step))


def cloud_xyz(msg: Any) -> NDArray[np.float32]:
    """(N, 3) float32 positions in the message's frame and row order, in metres (REP-103); NaN and Inf stay.

    A view of `msg.data` where x, y, z are neighbouring float32 of this machine's byte order (rows of points may be far
    apart), otherwise a copy. A cloud of no points gives (0, 3).

    Raises:
        MessageError: x, y or z is missing or holds several values, or as `decode_cloud`.
    """
    points = decode_cloud(msg)
    if points.size == 0:
        return np.zeros((0, 3), np.float32)
    fields: Any = points.dtype.fields or {}
    missing = [name for name in "xyz" if name not in fields or fields[name][0].shape]
    if missing:
        raise MessageError(f"{_describe(msg)}: no field {' or '.join(missing)} of one value; is this a point cloud?")
    types, offsets = zip(*(fields[name][:2] for name in "xyz"), strict=True)
    if all(kind == np.float32 for kind in types) and offsets == (offsets[0], offsets[0] + 4, offsets[0] + 8):
        shape, strides = (*points.shape, 3), (*points.strides, 4)
        return np.ndarray(shape, np.float32, byte_view(msg.data), offsets[0], strides).reshape(-1, 3)
    xyz = np.empty((*points.shape, 3), np.float32)
    for axis, name in enumerate("xyz"):
        xyz[..., axis] = points[name]
    return xyz.reshape(-1, 3)


def _point_type(msg: Any) -> np.dtype[np.void]:
    """The structured type of one point."""
    order = ">" if msg.is_bigendian else "<"
    names, formats, offsets = [], [], []
    for field in msg.fields:
        if field.datatype not in _DATATYPES:
            raise MessageError(
                f"{_describe(msg)}: field {field.name!r} has datatype {field.datatype!r}; PointField knows 1 to 8"
            )
        count = max(int(field.count), 1)
        sample = np.dtype(order + _DATATYPES[field.datatype])
        if int(field.offset) + sample.itemsize * count > int(msg.point_step):
            raise MessageError(
                f"{_describe(msg)}: field {field.name!r} ({count} * {sample.itemsize} bytes at offset {field.offset}) "
                "doesn't fit into point_step"
            )
        names.append(str(field.name))
        formats.append(sample if count == 1 else np.dtype((sample, (count,))))
        offsets.append(int(field.offset))
    if len(set(names)) < len(names) or "" in names:
        raise MessageError(f"{_describe(msg)}: field names must be different and not empty; fix the publisher")
    layout = {"names": names, "formats": formats, "offsets": offsets, "itemsize": int(msg.point_step)}
    return np.dtype(layout)  # type: ignore[call-overload,no-any-return]


def _describe(msg: Any) -> str:
    """The facts that every complaint about a cloud carries."""
    fields = ", ".join(f"{f.name!r} (datatype {f.datatype}, offset {f.offset}, count {f.count})" for f in msg.fields)
    return (
        f"cloud with height {msg.height}, width {msg.width}, point_step {msg.point_step}, row_step {msg.row_step}, "
        f"{len(msg.data)} bytes of data, fields [{fields}]"
    )
