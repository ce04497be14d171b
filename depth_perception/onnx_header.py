"""The header of an ONNX file, read straight from its bytes: no `onnx` package and no inference session is needed.

A robot that runs TensorRT or OpenVINO needs neither `onnx` nor `onnxruntime`, and reading a contract must not load the
weights. An ONNX file is one protobuf message, so walking its fields and stepping over the weights takes a millisecond.
Field numbers: onnx/onnx.proto (ModelProto, GraphProto, ValueInfoProto, TypeProto); wire format: protobuf.dev/encoding.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# TensorProto.DataType of what a depth network may take or give; the rest keeps its number
ELEMENT_TYPES = {1: "float32", 2: "uint8", 3: "int8", 5: "int16", 6: "int32", 7: "int64", 10: "float16", 11: "float64"}

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class TensorInfo:
    """Name, element type and shape of one graph input or output; an unknown dimension is its name, or '?'."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.name!r} {self.dtype} [{', '.join(str(size) for size in self.shape)}]"


@dataclass(frozen=True)
class OnnxHeader:
    """What an ONNX file says about itself, without its nodes and weights."""

    ir_version: int
    opset: int  # of the default operator domain
    inputs: tuple[TensorInfo, ...]  # without those that only name a weight (IR version 3)
    outputs: tuple[TensorInfo, ...]
    metadata: dict[str, str]
    has_external_weights: bool


def read_header(path: Path) -> OnnxHeader:
    """The header of the ONNX file `path`.

    Raises:
        OSError: the file can't be read.
        ValueError: the bytes are no ONNX model; the message says why.
    """
    if path.stat().st_size == 0:
        raise ValueError("the file is empty")
    with path.open("rb") as file:  # the mapping outlives the file object and goes with its last view
        return parse_header(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))


def parse_header(data: memoryview) -> OnnxHeader:
    """The header of a serialised ONNX model; `ValueError` if the bytes are none."""
    ir_version, opset, graph = 0, 0, None
    metadata: dict[str, str] = {}
    for number, value in _fields(data):
        if number == 1 and isinstance(value, int):
            ir_version = value
        elif number == 7 and isinstance(value, memoryview):
            graph = _read_graph(value)
        elif number == 8 and isinstance(value, memoryview):
            entry = dict(_fields(value))
            if _text(entry.get(1)) in ("", "ai.onnx"):
                version = entry.get(2)
                opset = version if isinstance(version, int) else 0
        elif number == 14 and isinstance(value, memoryview):
            entry = dict(_fields(value))
            metadata[_text(entry.get(1))] = _text(entry.get(2))
    if graph is None or not ir_version:
        raise ValueError("it has no graph or no IR version")
    inputs, outputs, external = graph
    return OnnxHeader(ir_version, opset, inputs, outputs, metadata, external)


def _read_graph(data: memoryview) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...], bool]:
    inputs: list[TensorInfo] = []
    outputs: list[TensorInfo] = []
    weights: set[str] = set()
    external = False
    for number, value in _fields(data):
        if not isinstance(value, memoryview):
            continue
        if number == 5:
            tensor = dict(_fields(value))
            weights.add(_text(tensor.get(8)))
            external = external or tensor.get(14) == 1
        elif number == 11:
            inputs.append(_read_value_info(value))
        elif number == 12:
            outputs.append(_read_value_info(value))
    return tuple(item for item in inputs if item.name not in weights), tuple(outputs), external


def _read_value_info(data: memoryview) -> TensorInfo:
    name, dtype, shape = "", "unknown", []
    for number, value in _fields(data):
        if number == 1:
            name = _text(value)
        elif number == 2 and isinstance(value, memoryview):
            tensor = dict(_fields(value)).get(1)
            for key, item in _fields(tensor) if isinstance(tensor, memoryview) else ():
                if key == 1 and isinstance(item, int):
                    dtype = ELEMENT_TYPES.get(item, f"element type {item}")
                elif key == 2 and isinstance(item, memoryview):
                    shape = [_read_dimension(dimension) for _, dimension in _fields(item)]
    return TensorInfo(name, dtype, tuple(shape))


def _read_dimension(data: int | memoryview) -> int | str:
    fields = dict(_fields(data)) if isinstance(data, memoryview) else {}
    size = fields.get(1)
    return size if isinstance(size, int) else _text(fields.get(2)) or "?"


def _text(value: int | memoryview | None) -> str:
    return bytes(value).decode("utf-8") if isinstance(value, memoryview) else ""


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of one protobuf message: an int, or the bytes of a nested message or string."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == _BYTES:
            size, position = _varint(data, position)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"no protobuf field begins with the byte {tag & 0xFF:#04x}")
        if number == 0 or position + size > end:
            raise ValueError("a field runs past the end: the file is cut off or damaged")
        yield number, data[position : position + size]
        position += size


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value, shift = 0, 0
    while position < len(data) and shift < 64:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
    raise ValueError("a number runs past the end: the file is cut off or damaged")
