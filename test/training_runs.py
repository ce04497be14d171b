"""A tiny dataset and a tiny network, for whole training runs in a second or two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from dataset_folders import Rig, write_dataset
from torch import Tensor, nn
from torch.nn.functional import softplus

from depth_perception.records import DepthKind
from training.loop.configuration import TrainingConfig, from_values
from training.loop.overrides import merged
from training.preparation.manifest import write_dataset_manifest
from training.teacher_labels import TeacherLabel, write_label

RIG = Rig(height=32, width=64)
SETTINGS: dict[str, Any] = {
    "recipe": "robot",
    "data": {"height": 32, "width": 64, "batch_size": 2, "workers": 0},
    "optimiser": {"learning_rate": 1e-3, "ema_decay": 0.9, "gradient_clip": 5.0, "schedule": "cosine"},
    "hardware": {"accelerator": "cpu", "threads": 1, "log_every": 3},
    "epochs": 2,
}


def write_drives(out: Path, frames: int = 7) -> Path:
    """So many training samples, as many to validate on, a teacher's labels, and a manifest."""
    write_dataset(out, replace(RIG, frames=frames))
    write_dataset(out, replace(RIG, frames=frames, name="held_out", split="val"))
    rng = np.random.default_rng(0)
    for n in range(frames):
        inverse = rng.uniform(0.1, 1.0, (RIG.height, RIG.width)).astype(np.float16)
        sure = np.full(inverse.shape, 255, np.uint8)
        label = TeacherLabel(inverse, sure, DepthKind.RELATIVE_INVERSE, "teacher", "image")
        write_label(out / RIG.name / "teacher" / "left" / f"{n:08d}.npz", label)
    write_dataset_manifest(out, None, {})
    return out


def settings(**changes: Any) -> TrainingConfig:
    """`SETTINGS` with changes, nested as in a recipe."""
    return from_values(merged(SETTINGS, changes))


class Dropping(nn.Module):
    """A network with all that has a state or is drawn: normalisation and dropout."""

    reduction = 1

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout2d(0.5), nn.Conv2d(8, 1, 3, padding=1)
        )

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Half the image's size, brought to all of it; about 0.7 / m at the start."""
        half = nn.functional.interpolate(self.layers(image), scale_factor=2.0, mode="bilinear")
        return (softplus(half.float()),)


def dropping(*_: Any, **__: Any) -> Dropping:
    """In place of `make_depth_network`."""
    return Dropping()


def weights(path: Path) -> dict[str, Tensor]:
    """Of a safetensors file."""
    from safetensors.torch import load_file

    return load_file(path)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
