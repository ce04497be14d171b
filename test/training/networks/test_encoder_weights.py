"""Weights from files in torchvision's layout, and what a wrong file is told."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from torch import Tensor

from depth_perception.errors import ConfigError, ModelError
from training.networks.depth_network import make_depth_network
from training.networks.encoder_weights import load_encoder
from training.networks.resnet import ResNetEncoder


def torchvision_state(depth: int = 18) -> dict[str, Tensor]:
    """What torchvision's network of that depth would save, in values of our own."""
    torch.manual_seed(depth)
    state = {
        name: torch.rand_like(value) if value.is_floating_point() else value
        for name, value in ResNetEncoder(depth).state_dict().items()
    }
    outputs = 512 if depth == 18 else 2048
    return state | {"fc.weight": torch.rand(1000, outputs), "fc.bias": torch.rand(1000)}


def write_safetensors(state: dict[str, Tensor], path: Path) -> None:
    names = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, value in state.items():
        raw = value.numpy().tobytes()
        header[name] = {
            "dtype": names[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_file_gives_its_weights(tmp_path: Path, ending: str) -> None:
    state, path = torchvision_state(), tmp_path / f"resnet18{ending}"
    torch.save(state, path) if ending == ".pth" else write_safetensors(state, path)
    encoder = ResNetEncoder(18)
    load_encoder(encoder, path)
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_half_precision_and_old_files_are_taken(tmp_path: Path) -> None:
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in torchvision_state().items()
        if not name.endswith("num_batches_tracked")  # torchvision's first files have none
    }
    write_safetensors(state, tmp_path / "half.safetensors")
    encoder = ResNetEncoder(18)
    load_encoder(encoder, tmp_path / "half.safetensors")
    assert encoder.conv1.weight.dtype == torch.float32
    assert torch.equal(encoder.conv1.weight, state["conv1.weight"].float())


def test_names_and_shapes_are_torchvisions() -> None:
    """Sizes of torchvision's published files: 11 689 512 and 25 557 032 values with the classifier."""
    with torch.device("meta"):
        for depth, total in ((18, 11_689_512), (50, 25_557_032)):
            encoder = ResNetEncoder(depth)
            count = sum(parameter.numel() for parameter in encoder.parameters())
            assert count + encoder.channels[-1] * 1000 + 1000 == total
            names = set(dict(encoder.named_parameters()))
            assert {"conv1.weight", "bn1.bias", "layer2.0.downsample.0.weight", "layer4.1.bn2.weight"} <= names


def test_a_wrong_file_names_what_is_missing_and_unexpected(tmp_path: Path) -> None:
    torch.save(torchvision_state(18), tmp_path / "resnet18.pth")
    with pytest.raises(ModelError, match=r"ResNet-50.*lacks layer1\.0\.bn3.* more; it has in another shape"):
        load_encoder(ResNetEncoder(50), tmp_path / "resnet18.pth")
    state = torchvision_state(18)
    state["head.weight"] = state.pop("layer4.1.conv2.weight")
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(ModelError, match=r"lacks layer4\.1\.conv2\.weight; it has unexpected head\.weight"):
        load_encoder(ResNetEncoder(18), tmp_path / "other.pth")


def test_papers_striding_refuses_torchvisions_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="strided_kernel=3"):
        load_encoder(ResNetEncoder(50, strided_kernel=1), tmp_path / "any.pth")


def test_a_network_made_with_weights(tmp_path: Path) -> None:
    torch.save(torchvision_state(18), tmp_path / "resnet18.pth")
    network = make_depth_network("resnet18_upprojection", encoder_weights=tmp_path / "resnet18.pth")
    assert torch.equal(network.encoder.conv1.weight, torchvision_state(18)["conv1.weight"])
    assert network.encoder.strided_kernel == 3
    with torch.device("meta"):
        assert make_depth_network("resnet50_upprojection").encoder.strided_kernel == 1  # figure 5 of paper 2
    with pytest.raises(ConfigError, match=r"'packnet' takes no encoder weights"):
        make_depth_network("packnet", encoder_weights=tmp_path / "resnet18.pth")


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("harm"),))


@pytest.mark.parametrize(
    ("content", "ending", "what"),
    [
        (None, ".pth", "there is no weights file"),
        (b"not a file of torch", ".pth", "can't be read"),
        (b"", ".safetensors", "can't be read"),
        (struct.pack("<Q", 5) + b"{]}  ", ".safetensors", "can't be read"),
        (pickle.dumps(Harmful(), protocol=2), ".pth", "can't be read"),
    ],
)
def test_unreadable_files(tmp_path: Path, monkeypatch, content: bytes | None, ending: str, what: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"weights{ending}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=what):
        load_encoder(ResNetEncoder(18), path)
    assert not Path("harm").exists()


def test_a_checkpoint_that_is_no_state_dict(tmp_path: Path) -> None:
    torch.save({"model": torchvision_state(), "epoch": 3}, tmp_path / "checkpoint.pth")
    with pytest.raises(ModelError, match=r"no state dict"):
        load_encoder(ResNetEncoder(18), tmp_path / "checkpoint.pth")
