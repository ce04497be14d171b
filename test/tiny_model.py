"""Contract models whose output is known in closed form, made in a moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from depth_perception.contract import Contract
from depth_perception.model import write_contract
from depth_perception.records import DepthKind

HEIGHT, WIDTH = 48, 64


def tiny_model(
    path: Path,
    kind: DepthKind = DepthKind.METRIC,
    canonical_focal: float | None = 100.0,
    height: int = HEIGHT,
    width: int = WIDTH,
    max_depth: float = 80.0,
) -> Path:
    """A network whose output is 1 + red / 64, pixel by pixel: the image says which depth to expect."""
    red = numpy_helper.from_array(np.array([0], np.int64), "red")
    scale = numpy_helper.from_array(np.array(1 / 64, np.float32), "scale")
    one = numpy_helper.from_array(np.array(1.0, np.float32), "one")
    axis = numpy_helper.from_array(np.array([3], np.int64), "axis")
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["image", "red"], ["channel"], axis=3),
            helper.make_node("Squeeze", ["channel", "axis"], ["plane"]),
            helper.make_node("Cast", ["plane"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["real", "scale"], ["scaled"]),
            helper.make_node("Add", ["scaled", "one"], ["depth"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, height, width, 3])],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, [1, height, width])],
        [red, scale, one, axis],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    contract = Contract(
        kind, height, width, min_depth=0.1, max_depth=max_depth, licence="test", canonical_focal=canonical_focal,
        relative_std=0.2, training="none: closed form", name="tiny",
    )  # fmt: skip
    write_contract(model, contract, path)
    return path


def expected_output(red: int) -> float:
    """What `tiny_model` gives for an image of this red."""
    return 1.0 + red / 64
