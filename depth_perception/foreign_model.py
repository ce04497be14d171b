"""A depth network from elsewhere, as its ONNX file presents itself, and the few nodes that bring it into our contract.

Needs the `onnx` package, which a robot doesn't: only `depth-perception model import` comes here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from depth_perception.errors import ModelError
from depth_perception.model import OPSETS
from depth_perception.onnx_header import ELEMENT_TYPES

INNER = "network/"  # every name of the foreign graph gets this prefix, so none collides with ours
INPUT_TYPES = ("float32", "float16", "uint8")
OUTPUT_TYPES = ("float32", "float16", "float64")


@dataclass(frozen=True)
class Preprocessing:
    """What a foreign network wants done to an RGB image: x = (image * scale - mean) / std, channels last or first.

    `mean` and `std` are in the order of the network's own channels, so after the swap for `bgr`. Numbers as published
    for ImageNet (0.485...) go with scale 1/255; those for 0 to 255 (123.675...) with scale 1. A network that takes
    uint8 does this itself: leave `mean` and `std` out there.
    """

    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    scale: float = 1.0 / 255.0
    channel_order: str = "rgb"  # or "bgr"


@dataclass(frozen=True)
class Interface:
    """How a foreign graph is called, once its dynamic dimensions are fixed."""

    input_name: str
    input_type: str  # one of INPUT_TYPES
    channels_first: bool
    height: int
    width: int
    output_name: str


def load_foreign(path: Path) -> onnx.ModelProto:
    """The network in an ONNX file: weights in other files merged, an opset out of our range converted to its near end.

    Raises:
        ModelError: it is no ONNX file, a file with weights is missing, or its opset can't be converted.
    """
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf, onnx and the file system each have their own
        raise ModelError(f"model file {str(path)!r} can't be read as ONNX: {error}") from error
    opset = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)
    if not model.graph.node or not opset:
        raise ModelError(f"model file {str(path)!r} is not ONNX: it has no nodes or no opset")
    wanted = min(max(opset, OPSETS[0]), OPSETS[1])
    if wanted == opset:
        return model
    try:
        return onnx.version_converter.convert_version(model, wanted)
    except Exception as error:
        raise ModelError(
            f"model file {str(path)!r} has opset {opset} and can't be converted to {wanted} ({error}): "
            f"export it again with an opset from {OPSETS[0]} to {OPSETS[1]}"
        ) from error


def fix_interface(
    model: onnx.ModelProto,
    input_name: str | None = None,
    output_name: str | None = None,
    size: tuple[int, int] | None = None,
) -> Interface:
    """Find the image input and the depth output of `model` and fix the input's dynamic dimensions in place.

    Args:
        size: (height, width) for dynamic dimensions; a fixed one must agree.

    Raises:
        ModelError: several inputs or outputs and no name, an unknown name, a type, rank or batch that is no image, a
            dynamic size and none given, or another size given.
    """
    weights = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in weights]
    image = _pick("input", inputs, input_name)
    if len(inputs) > 1:
        raise ModelError(f"the network takes {[item.name for item in inputs]}: only one image can be given")
    output = _pick("output", list(model.graph.output), output_name)
    tensor = image.type.tensor_type
    dtype = ELEMENT_TYPES.get(tensor.elem_type, f"element type {tensor.elem_type}")
    if dtype not in INPUT_TYPES:
        raise ModelError(f"the network's input {image.name!r} is {dtype}, supported are {INPUT_TYPES}")
    dims = [item.dim_value or None for item in tensor.shape.dim]
    channels_first, height, width = _image_shape(image.name, dims, size)
    fixed = [1, 3, height, width] if channels_first else [1, height, width, 3]
    for item, value in zip(tensor.shape.dim, fixed, strict=True):
        item.dim_value = value
    return Interface(image.name, dtype, channels_first, height, width, output.name)


def _pick(what: str, items: list[Any], name: str | None) -> Any:
    names = [item.name for item in items]
    if name is None and len(items) == 1:
        return items[0]
    if name not in names:
        raise ModelError(f"the network's {what}s are {names}, asked for {name!r}: choose one with --{what}")
    return items[names.index(name)]


def _image_shape(name: str, dims: list[int | None], size: tuple[int, int] | None) -> tuple[bool, int, int]:
    said = f"the network's input {name!r} has the shape {['?' if item is None else item for item in dims]}"
    if len(dims) != 4 or dims[0] not in (None, 1):
        raise ModelError(f"{said}: it must be [1, 3, H, W] or [1, H, W, 3]")
    channels_first = dims[1] == 3 or (dims[1] is None and dims[3] != 3)
    if (dims[1] if channels_first else dims[3]) not in (None, 3):
        raise ModelError(f"{said}: it must have three channels")
    spatial = dims[2:4] if channels_first else dims[1:3]
    if size is None and None in spatial:
        raise ModelError(f"{said}: give the size to run it at with --size HxW")
    height, width = (own or given for own, given in zip(spatial, size or spatial, strict=True))
    if size is not None and (height, width) != tuple(size):
        raise ModelError(f"{said}: it can't run at {size[0]}x{size[1]}")
    assert height is not None
    assert width is not None
    return channels_first, height, width


def wrap(
    model: onnx.ModelProto, interface: Interface, preprocessing: Preprocessing, output_shape: tuple[int, ...]
) -> onnx.ModelProto:
    """`model` with the nodes around it that make its input `image` and its output `depth` as the contract says.

    The opset and IR version stay. An output at another resolution is resized inside the graph: bilinear, half-pixel
    centres. Values are never changed: what the output means is said by the contract's kind.

    Args:
        output_shape: shape of the network's output for one image; all but two of its sizes must be 1.

    Raises:
        ModelError: the output is no single-channel image or of a type that is no depth.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph, opset = result.graph, next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    _prefix(graph)
    before = _input_nodes(interface, preprocessing)
    after = _output_nodes(interface, output_shape, opset)
    inner = [*graph.node]
    weights = [item for item in graph.input if item.name != INNER + interface.input_name]  # of IR version 3
    del graph.node[:], graph.output[:], graph.input[:]
    shape = [1, interface.height, interface.width]
    graph.node.extend([*before, *inner, *after])
    graph.input.extend([helper.make_tensor_value_info("image", TensorProto.UINT8, [*shape, 3]), *weights])
    graph.output.append(helper.make_tensor_value_info("depth", TensorProto.FLOAT, shape))
    return result


def _prefix(graph: onnx.GraphProto) -> None:
    """Put INNER before the name of every tensor, also in subgraphs, which may use tensors of the graphs around them.

    (`onnx.compose.add_prefix` renames the outer tensor but not its use inside.)
    """
    # Inner shapes may still carry the dynamic dimensions that we have just fixed; every engine infers them anew.
    del graph.value_info[:], graph.quantization_annotation[:]
    for item in [*graph.input, *graph.output, *graph.initializer]:
        item.name = INNER + item.name
    for sparse in graph.sparse_initializer:
        sparse.values.name = INNER + sparse.values.name
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [name and INNER + name for name in names]  # an empty name is an optional one left out
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs] if attribute.HasField("g") else attribute.graphs:
                _prefix(inner)


def _constant(name: str, value: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value), name))


def _input_nodes(interface: Interface, preprocessing: Preprocessing) -> list[onnx.NodeProto]:
    """image → the network's input: swap channels, transpose, (x * scale - mean) / std, cast."""
    nodes: list[onnx.NodeProto] = []
    last = "image"

    def add(op: str, inputs: list[str], **attributes: Any) -> None:
        nonlocal last
        nodes.append(helper.make_node(op, [last, *inputs], [f"input/{op.lower()}_{len(nodes)}"], **attributes))
        last = nodes[-1].output[0]

    if preprocessing.channel_order == "bgr":
        nodes.append(_constant("input/bgr", np.array([2, 1, 0], np.int64)))
        add("Gather", ["input/bgr"], axis=3)
    if interface.channels_first:
        add("Transpose", [], perm=[0, 3, 1, 2])
    if interface.input_type != "uint8":
        assert preprocessing.mean is not None
        assert preprocessing.std is not None
        std = np.array(preprocessing.std)
        shape = (3, 1, 1) if interface.channels_first else (3,)
        nodes.append(_constant("input/factor", (preprocessing.scale / std).astype(np.float32).reshape(shape)))
        nodes.append(_constant("input/offset", (-np.array(preprocessing.mean) / std).astype(np.float32).reshape(shape)))
        add("Cast", [], to=TensorProto.FLOAT)
        add("Mul", ["input/factor"])
        add("Add", ["input/offset"])
    if interface.input_type == "float16":
        add("Cast", [], to=TensorProto.FLOAT16)
    nodes.append(helper.make_node("Identity", [last], [INNER + interface.input_name]))
    return nodes


def _output_nodes(interface: Interface, shape: tuple[int, ...], opset: int) -> list[onnx.NodeProto]:
    """The network's output → depth: cast, shape, resize."""
    sizes = [size for size in shape if size != 1]
    if len(sizes) != 2:
        raise ModelError(
            f"the network's output {interface.output_name!r} has the shape {list(shape)}: a depth image "
            "has two sizes that aren't 1; choose another output with --output"
        )
    nodes = [
        helper.make_node("Cast", [INNER + interface.output_name], ["output/float"], to=TensorProto.FLOAT),
        _constant("output/planes", np.array([1, 1, *sizes], np.int64)),
        helper.make_node("Reshape", ["output/float", "output/planes"], ["output/plane"]),
    ]
    last = "output/plane"
    if sizes != [interface.height, interface.width]:
        empty = "" if opset >= 13 else "output/empty"  # before opset 13 roi and scales had to be there, if only empty
        nodes.append(_constant("output/sizes", np.array([1, 1, interface.height, interface.width], np.int64)))
        if empty:
            nodes.append(_constant(empty, np.zeros(0, np.float32)))
        nodes.append(
            helper.make_node(
                "Resize",
                [last, empty, empty, "output/sizes"],
                ["output/resized"],
                mode="linear",
                coordinate_transformation_mode="half_pixel",
            )
        )
        last = "output/resized"
    nodes.append(_constant("output/shape", np.array([1, interface.height, interface.width], np.int64)))
    nodes.append(helper.make_node("Reshape", [last, "output/shape"], ["depth"]))
    return nodes
