"""The header that we read from bytes is the one that `onnx` reads, and damaged bytes never do harm."""

from __future__ import annotations

import contextlib
import re

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_networks import Foreign, contract_graph

from depth_perception.onnx_header import parse_header, read_header

BYTES = contract_graph().SerializeToString()


def test_says_what_onnx_says(tmp_path):
    model = Foreign(layout="nhwc", dynamic=True, dtype="float16", opset=14, second_output=True).proto()
    onnx.helper.set_model_props(model, {"author": "Zoë", "empty": ""})
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    header = read_header(path)
    assert (header.ir_version, header.opset) == (8, 14)
    assert [str(item) for item in header.inputs] == ["'input' float16 [batch, h, w, 3]"]
    assert [str(item) for item in header.outputs] == [
        "'output' float16 [1, 1, 12, 20]",
        "'confidence' float16 [1, 1, 12, 20]",
    ]
    assert header.metadata == {"author": "Zoë", "empty": ""}
    assert not header.has_external_weights


def test_weights_that_are_inputs_in_ir_3_are_not_counted():
    model = Foreign(ir_version=3).proto()
    assert len(model.graph.input) == 4
    assert [item.name for item in parse_header(memoryview(model.SerializeToString())).inputs] == ["input"]


def test_finds_external_weights(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(contract_graph(), path, save_as_external_data=True, size_threshold=0, location="weights.bin")
    assert read_header(path).has_external_weights


@pytest.mark.parametrize("content", [b"", b"this is text, no network\n" * 9, b"\x00" * 64, BYTES[: len(BYTES) // 2]])
def test_other_bytes_are_refused(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.compile("empty|field|cut off|no graph")):
        read_header(path)


def test_a_file_cut_anywhere_loses_its_opset_or_is_refused():
    for cut in range(1, len(BYTES)):
        try:
            header = parse_header(memoryview(BYTES[:cut]))
        except ValueError:
            continue
        assert header.opset == 0  # only what stands behind the graph is gone: `load_model` refuses opset 0


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, len(BYTES) - 1), value=st.integers(0, 255))
def test_one_wrong_byte_never_raises_anything_else(position, value):
    damaged = bytearray(BYTES)
    damaged[position] = value
    with contextlib.suppress(ValueError):
        parse_header(memoryview(bytes(damaged)))
