"""Depth models: reading an ONNX file that keeps the contract, writing one, and finding the one that ships."""

from __future__ import annotations

import functools
import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from depth_perception.contract import IMPORT_REMEDY, METADATA_PREFIX, Contract
from depth_perception.errors import ModelError
from depth_perception.onnx_header import OnnxHeader, parse_header, read_header

if TYPE_CHECKING:
    import onnx

OPSETS = (11, 21)  # 11 brings Resize with half-pixel centres; 21 is the newest that ONNX Runtime 1.19, our floor, runs
SHIPPED_MODELS = Path(__file__).parent / "models"


@dataclass(frozen=True)
class DepthModel:
    """An ONNX file that keeps the contract."""

    path: Path
    contract: Contract

    @functools.cached_property
    def sha256(self) -> str:
        """Hexadecimal digest of the file's bytes, read once when first asked for."""
        with self.path.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()


def load_model(path: str | Path) -> DepthModel:
    """The model in an ONNX file, after checking that the file keeps the contract. Weights are not read.

    Raises:
        ModelError: the file is missing or no ONNX model, its opset, input or output is not the contract's, its weights
            lie in another file, or its metadata say no contract that this version knows.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"there is no model file {str(path)!r}; give an ONNX file, or 'default'")
    try:
        header = read_header(path)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"model file {str(path)!r} is not ONNX: {error}; give a file that an ONNX exporter wrote, or "
            "copy it again if it was cut off"
        ) from error
    try:
        contract = Contract.from_metadata(header.metadata)
        _check_graph(header, contract)
    except ModelError as error:
        raise ModelError(f"model file {str(path)!r} can't be used: {error}") from error
    return DepthModel(path, contract)


def write_contract(source: str | Path | onnx.ModelProto, contract: Contract, out: str | Path) -> DepthModel:
    """Write a network that already has the contract's input and output to `out`, with `contract` in its metadata.

    Other metadata are kept; weights in other files are merged. The file appears whole and checked, or not at all.
    Needs the `onnx` package.

    Raises:
        ModelError: `source` can't be read or doesn't keep the contract, or is too large for one file (2 GB).
    """
    import onnx

    out = Path(out)
    model = onnx.ModelProto()
    try:
        model.CopyFrom(source if isinstance(source, onnx.ModelProto) else onnx.load(source))
        kept = {item.key: item.value for item in model.metadata_props if not item.key.startswith(METADATA_PREFIX)}
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, kept | contract.to_metadata())
        data = model.SerializeToString()
    except Exception as error:  # protobuf, onnx and the file system each have their own
        raise ModelError(f"the network for {str(out)!r} can't be read or written as ONNX: {error}") from error
    try:
        _check_graph(parse_header(memoryview(data)), contract)
    except ModelError as error:
        raise ModelError(f"the network for {str(out)!r} doesn't keep the contract: {error}") from error
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return load_model(out)


def resolve_model(
    name: str | Path, height: int | None = None, width: int | None = None, folder: Path = SHIPPED_MODELS
) -> Path:
    """The file that a model parameter means, for a camera of `height` x `width` pixels.

    `default` is the model that ships, `folder`/default_<H>x<W>.onnx, in the shape whose aspect ratio is nearest the
    camera's (so that it is stretched least); an unknown size counts as 480x640. Anything else is a path.

    Raises:
        ModelError: there is no such file.
    """
    if str(name) != "default":
        path = Path(name).expanduser()
        if not path.is_file():
            raise ModelError(f"there is no model file {str(name)!r}; give an ONNX file, or 'default'")
        return path
    aspect = math.log((height or 480) / (width or 640))
    shapes = {}
    for path in sorted(folder.glob("default_*.onnx")):
        if match := re.fullmatch(r"default_(\d+)x(\d+)\.onnx", path.name):
            shapes[path] = abs(math.log(int(match[1]) / int(match[2])) - aspect)
    if not shapes:
        raise ModelError(
            f"no default model is installed in {str(folder)!r}: install depth_perception again, or give an ONNX file"
        )
    return min(shapes, key=lambda path: shapes[path])


def _check_graph(header: OnnxHeader, contract: Contract) -> None:
    low, high = OPSETS
    if not low <= header.opset <= high:
        raise ModelError(
            f"its opset is {header.opset}, supported are {low} to {high}: export it again with one of these"
        )
    if header.has_external_weights:
        raise ModelError("its weights lie in another file: " + IMPORT_REMEDY + ", which merges them")
    for what, found, wanted in (
        ("input", header.inputs, f"'image' uint8 [1, {contract.height}, {contract.width}, 3]"),
        ("output", header.outputs, f"'depth' float32 [1, {contract.height}, {contract.width}]"),
    ):
        said = ", ".join(str(item) for item in found)
        if said != wanted:
            raise ModelError(f"its {what} is {said or 'none'}, the contract says {wanted}: {IMPORT_REMEDY}")
