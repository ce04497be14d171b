"""Times every engine against a bare ONNX Runtime call on the same network, at both shapes that ship.

    python -m benchmarks.engines [--model FILE ...] [--threads N] [--calls N]

Without --model the networks are random weights in the form of the default model (inverted residuals, a light decoder,
0.5 M parameters): the time of a network doesn't depend on what it learned. Calls of all engines are interleaved, so
that other load on the machine hits each alike. `load` includes the golden check.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from depth_perception.config import EngineConfig
from depth_perception.contract import Contract
from depth_perception.engines import available, load_engine
from depth_perception.model import DepthModel, load_model, write_contract
from depth_perception.records import DepthKind

SHAPES = ((256, 320), (192, 640))
CHANNELS = (16, 24, 40, 80, 112)
WARM_UP = 5


class CompactNetwork:
    """A graph in the making: each method appends nodes and returns the name of the last tensor."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._rng = np.random.default_rng(0)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def build(self) -> onnx.ModelProto:
        x = self._add("Transpose", "image", perm=[0, 3, 1, 2])
        x = self._add("Cast", x, to=TensorProto.FLOAT)
        x = self._add("Mul", x, self._weight(np.float32(1 / 255)))
        x, skips = self._conv(x, 3, CHANNELS[0], 3, stride=2), []
        for before, after in itertools.pairwise(CHANNELS):
            skips.append((x, before))
            x = self._residual(x, before, after, stride=2)
            for _ in range(2):
                x = self._add("Add", x, self._residual(x, after, after))
        for skip, channels in reversed(skips):
            x = self._conv(x, CHANNELS[CHANNELS.index(channels) + 1], channels, 1)
            x = self._add("Add", self._twice(x), skip)
            x = self._conv(self._conv(x, channels, channels, 3, groups=channels), channels, channels, 1)
        x = self._twice(self._add("Softplus", self._conv(x, CHANNELS[0], 1, 3, relu=False)))
        x = self._add("Reshape", x, self._weight(np.array([1, self.height, self.width])))
        self._nodes.append(helper.make_node("Add", [x, self._weight(np.float32(0.5))], ["depth"]))
        shape = [1, self.height, self.width]
        graph = helper.make_graph(
            self._nodes,
            "compact",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, [*shape, 3])],
            [helper.make_tensor_value_info("depth", TensorProto.FLOAT, shape)],
            self._weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def _add(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"tensor_{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def _weight(self, value: Any) -> str:
        name = f"weight_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _conv(
        self, x: str, before: int, after: int, size: int, stride: int = 1, groups: int = 1, relu: bool = True
    ) -> str:
        fan_in = before // groups * size * size
        gain = 2.0 if relu else 0.2  # keeps activations of one size through all residuals: none dies or explodes
        kernel = self._rng.normal(0, (gain / fan_in) ** 0.5, (after, before // groups, size, size)).astype(np.float32)
        bias = np.zeros(after, np.float32)
        x = self._add(
            "Conv",
            x,
            self._weight(kernel),
            self._weight(bias),
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[size // 2] * 4,
            group=groups,
        )
        return self._add("Relu", x) if relu else x

    def _residual(self, x: str, before: int, after: int, stride: int = 1) -> str:
        x = self._conv(x, before, 4 * before, 1)
        x = self._conv(x, 4 * before, 4 * before, 3, stride, groups=4 * before)
        return self._conv(x, 4 * before, after, 1, relu=False)

    def _twice(self, x: str) -> str:
        scales = self._weight(np.array([1, 1, 2, 2], np.float32))
        return self._add("Resize", x, "", scales, mode="linear")


def compact_model(height: int, width: int, folder: Path) -> DepthModel:
    """The random network as a file that keeps the contract."""
    contract = Contract(DepthKind.METRIC, height, width, 0.1, 80.0, "none", name=f"random {height}x{width}")
    return write_contract(CompactNetwork(height, width).build(), contract, folder / f"random_{height}x{width}.onnx")


def bare_call(model: DepthModel, image: np.ndarray, threads: int) -> Callable[[], object]:
    """What a user would write by hand around ONNX Runtime on the CPU, with its own defaults."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(model.path), options, providers=["CPUExecutionProvider"])
    batch = image[None]
    return lambda: session.run(None, {"image": batch})


def interleaved_ms(calls: dict[str, Callable[[], object]], n: int) -> dict[str, tuple[float, float]]:
    """Median and minimum of `n` calls of each, in turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(WARM_UP + n):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn >= WARM_UP:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: (statistics.median(values), min(values)) for name, values in times.items()}


def bench(model: DepthModel, threads: int, n: int) -> None:
    """Print the table of one model."""
    contract = model.contract
    image = np.random.default_rng(1).integers(0, 256, (contract.height, contract.width, 3), dtype=np.uint8)
    calls = {"bare onnxruntime": bare_call(model, image, threads)}
    loads, notes = {}, {}
    for backend in available():
        if not backend.usable:
            notes[backend.name] = backend.reason
            continue
        start = time.perf_counter()
        choice = load_engine(model, EngineConfig(*backend.name.split("/"), threads))
        loads[backend.name] = 1e3 * (time.perf_counter() - start)
        calls[backend.name] = lambda engine=choice.engine: engine.infer(image)  # type: ignore[misc]
    times = interleaved_ms(calls, n)
    print(f"\n{contract.name}, {contract.height}x{contract.width}, threads {threads or 'as the backend likes'}")
    print(f"{'':20}{'median ms':>10}{'min ms':>10}{'ratio':>8}{'load ms':>10}")
    bare = times["bare onnxruntime"][0]
    for name, (median, low) in times.items():
        load = f"{loads[name]:10.0f}" if name in loads else ""
        print(f"{name:20}{median:10.2f}{low:10.2f}{median / bare:8.2f}{load}")
    for name, reason in notes.items():
        print(f"{name:20}not here: {reason}")


def main() -> None:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", type=Path, default=[], help="model file; may be repeated")
    parser.add_argument("--threads", type=int, default=0, help="threads of every engine; 0 = the backend's own choice")
    parser.add_argument("--calls", type=int, default=50, help="timed calls of each")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = [load_model(path) for path in args.model]
        for model in models or [compact_model(*shape, Path(folder)) for shape in SHAPES]:
            bench(model, args.threads, args.calls)


if __name__ == "__main__":
    main()
