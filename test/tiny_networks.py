"""Tiny depth networks whose answer is known in closed form, ours and foreign ones in every layout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from depth_perception.contract import Contract
from depth_perception.model import DepthModel, write_contract
from depth_perception.records import DepthKind

HEIGHT, WIDTH = 12, 20
WEIGHTS = (0.5, 0.3, 0.2)  # of the three channels, all different: swapped channels show
CONTRACT = Contract(
    kind=DepthKind.METRIC,
    height=HEIGHT,
    width=WIDTH,
    min_depth=0.1,
    max_depth=20.0,
    licence="Apache-2.0",
    canonical_focal=300.0,
    relative_std=0.25,
    training="none",
    name="tiny",
)


def ramp(height: int, width: int) -> NDArray[np.float32]:
    """1 m at the first pixel, more to the right (0.01 a column) and downwards (0.1 a row): swapped axes show."""
    v, u = np.mgrid[0:height, 0:width]
    return (1.0 + 0.1 * v + 0.01 * u).astype(np.float32)


def contract_graph(height: int = HEIGHT, width: int = WIDTH, opset: int = 17) -> onnx.ModelProto:
    """image → depth = ramp + WEIGHTS · image / 255, blurred nowhere."""
    kernel = np.array(WEIGHTS, np.float32).reshape(1, 3, 1, 1) / 255
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "kernel"], ["grey"]),
        helper.make_node("Reshape", ["grey", "shape"], ["grey3"]),
        helper.make_node("Add", ["grey3", "ramp"], ["depth"]),
    ]
    weights = {"kernel": kernel, "shape": np.array([1, height, width]), "ramp": ramp(height, width)[None]}
    return model_proto(
        nodes,
        ("image", TensorProto.UINT8, [1, height, width, 3]),
        [("depth", TensorProto.FLOAT, [1, height, width])],
        weights,
        opset,
    )


def contract_answer(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What `contract_graph` gives for (H, W, 3) uint8."""
    return ramp(*image.shape[:2]) + (image @ np.array(WEIGHTS) / 255).astype(np.float32)


def write_tiny(path: Path, height: int = HEIGHT, width: int = WIDTH, **changes: Any) -> DepthModel:
    """`contract_graph` as a file with its contract."""
    contract = replace(CONTRACT, height=height, width=width, **changes)
    return write_contract(contract_graph(height, width), contract, path)


def model_proto(
    nodes: list[onnx.NodeProto],
    image: tuple[str, int, list[Any]],
    outputs: list[tuple[str, int, list[Any]]],
    weights: dict[str, NDArray[Any]],
    opset: int = 17,
    ir_version: int = 8,
) -> onnx.ModelProto:
    """A checked model of one input."""
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    inputs = [helper.make_tensor_value_info(*image)]
    if ir_version < 4:  # then every weight is an input too
        inputs += [helper.make_tensor_value_info(item.name, item.data_type, item.dims) for item in tensors]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info(*item) for item in outputs], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
    onnx.checker.check_model(model)
    return model


@dataclass(frozen=True)
class Foreign:
    """A network that isn't ours: `answer = WEIGHTS · x + 1`, averaged over blocks of `stride` pixels."""

    layout: str = "nchw"
    dtype: str = "float32"
    output_rank: str = "11hw"  # which of the output's sizes are there: 11hw, 1hw, hw, 1hw1
    stride: int = 1
    dynamic: bool = False
    opset: int = 17
    ir_version: int = 8
    input_name: str = "input"
    output_name: str = "output"
    second_output: bool = False

    def proto(self) -> onnx.ModelProto:
        """The graph; its inner tensors are called `image` and `depth`, which are our names too."""
        floats = helper.np_dtype_to_tensor_dtype(np.dtype("float32" if self.dtype == "uint8" else self.dtype))
        number = np.dtype("float32" if self.dtype == "uint8" else self.dtype)
        nodes = []
        last = self.input_name
        if self.dtype == "uint8":
            nodes.append(helper.make_node("Cast", [last], ["image"], to=TensorProto.FLOAT))
            last = "image"
        if self.layout == "nhwc":
            nodes.append(helper.make_node("Transpose", [last], ["first"], perm=[0, 3, 1, 2]))
            last = "first"
        nodes.append(helper.make_node("Conv", [last, "kernel", "one"], ["depth"]))
        nodes.append(
            helper.make_node(
                "AveragePool", ["depth"], ["pooled"], kernel_shape=[self.stride] * 2, strides=[self.stride] * 2
            )
        )
        nodes.append(helper.make_node("Reshape", ["pooled", "rank"], [self.output_name]))
        h, w = HEIGHT // self.stride, WIDTH // self.stride
        shape = {"11hw": [1, 1, h, w], "1hw": [1, h, w], "hw": [h, w], "1hw1": [1, h, w, 1]}[self.output_rank]
        dims: list[Any] = [1, 3, HEIGHT, WIDTH] if self.layout == "nchw" else [1, HEIGHT, WIDTH, 3]
        if self.dynamic:
            dims = ["batch", 3, "h", "w"] if self.layout == "nchw" else ["batch", "h", "w", 3]
        weights = {
            "kernel": np.array(WEIGHTS, number).reshape(1, 3, 1, 1),
            "one": np.ones(1, number),
            "rank": np.array(shape),
        }
        outputs = [(self.output_name, floats, shape)]
        if self.second_output:
            nodes.append(helper.make_node("Neg", [self.output_name], ["confidence"]))
            outputs.append(("confidence", floats, shape))
        kind = TensorProto.UINT8 if self.dtype == "uint8" else floats
        return model_proto(nodes, (self.input_name, kind, dims), outputs, weights, self.opset, self.ir_version)

    def write(self, path: Path) -> Path:
        """The graph as a file."""
        onnx.save(self.proto(), path)
        return path
