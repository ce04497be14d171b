"""Weights of an encoder from a file that the user has, in torchvision's layout of ResNet-18 and ResNet-50."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from depth_perception.errors import ModelError
from training.networks.resnet import ResNetEncoder

CLASSIFIER = "fc."  # the only part of torchvision's network that has no place here
NAMED = 5  # so many keys are named in an error, the rest is counted
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


def load_encoder(encoder: ResNetEncoder, path: str | Path) -> None:
    """Give `encoder` the weights of a `.safetensors` or `.pth` file.

    Raises:
        ModelError: the file can't be read, lacks keys, has others than the encoder's, or some of another shape; or the
            encoder halves images elsewhere than the network that these weights were trained in.
    """
    path = Path(path)
    if encoder.depth == 50 and encoder.strided_kernel != 3:
        raise ModelError(
            "torchvision's weights of ResNet-50 are for strided_kernel=3 (its 3x3 convolutions halve the image), the "
            f"encoder has {encoder.strided_kernel!r}: make it with strided_kernel=3"
        )
    state = {key: value for key, value in read_state(path).items() if not key.startswith(CLASSIFIER)}
    wanted = encoder.state_dict()
    optional = {key for key in wanted if key.endswith("num_batches_tracked")}  # absent from old files
    complaints = [
        _named("lacks", sorted(wanted.keys() - state.keys() - optional)),
        _named("has unexpected", sorted(state.keys() - wanted.keys())),
        _named(
            "has in another shape",
            [
                f"{key} {tuple(state[key].shape)} for {tuple(wanted[key].shape)}"
                for key in sorted(state.keys() & wanted.keys())
                if state[key].shape != wanted[key].shape
            ],
        ),
    ]
    if any(complaints):
        raise ModelError(
            f"{str(path)!r} is not torchvision's ResNet-{encoder.depth}: it {'; it '.join(filter(None, complaints))}. "
            f"Give a state dict saved from torchvision.models.resnet{encoder.depth}"
        )
    encoder.load_state_dict(state, strict=False)  # what may be absent is all that is


def _named(what: str, keys: list[str]) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return f"{what} {', '.join(keys[:NAMED])}{more}"


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name. A pickled file is read without running any code in it.

    Raises:
        ModelError: the file is missing, damaged, of another format, or holds more than tensors.
    """
    if not path.is_file():
        raise ModelError(f"there is no weights file {str(path)!r}")
    try:
        if path.suffix == ".safetensors":
            return _read_safetensors(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError, struct.error) as error:
        raise ModelError(
            f"weights file {str(path)!r} can't be read ({error}); give a .safetensors file, or a .pth file that holds "
            "nothing but a state dict"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"{str(path)!r} holds no state dict (names and tensors); save network.state_dict() alone")
    return dict(state)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """The format is 8 bytes of length, a JSON header of that length, and the tensors' bytes, all little-endian."""
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length].decode())
    state = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        dtype, shape = DTYPES[entry["dtype"]], entry["shape"]
        part = torch.frombuffer(data, dtype=torch.uint8, count=last - first, offset=8 + length + first)
        state[name] = part.clone().view(dtype).reshape(shape)
    return state
