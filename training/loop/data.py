"""A dataset folder as the loop reads it: training batches that any step can begin with, frames to validate on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Sampler

from depth_perception.errors import ConfigError
from training.dataset import Augmentation, DatasetConfig, Draw, FrameDataset
from training.dataset_folder import SPLITS
from training.dataset_writer import file_hash
from training.loop.configuration import TrainingConfig
from training.preparation.manifest import NAME as MANIFEST
from training.samplers import EpochBatches, HalfBatches


class Part(Sampler[list[Draw]]):
    """One process' part of each batch of an epoch, from a given batch on.

    Process r of n takes every n-th sample from the r-th on, so the n parts together are one process' batch of n times
    the size. What doesn't divide among the processes (at most n - 1 samples, of the last batch) is left out.
    """

    def __init__(self, batches: EpochBatches | HalfBatches, rank: int = 0, processes: int = 1) -> None:
        self.batches, self.rank, self.processes = batches, rank, processes
        self.first = 0
        self._length = sum(1 for draws in batches if len(draws) >= processes)

    def start_at(self, epoch: int, first: int) -> None:
        """The next iteration is of this epoch, without its first batches."""
        self.batches.set_epoch(epoch)
        self.first = first

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return self._length

    def __iter__(self) -> Iterator[list[Draw]]:
        for place, draws in enumerate(self.batches):
            whole = len(draws) // self.processes * self.processes
            if place >= self.first and whole:
                yield draws[self.rank : whole : self.processes]


def training_set(folder: Path, config: TrainingConfig) -> FrameDataset:
    """Samples of `train`, augmented, with whatever the objective needs.

    Raises:
        ConfigError: no such dataset, or none of its samples is for training.
    """
    data = config.data
    parts = DatasetConfig(
        data.height, data.width, "train", data.cameras,
        context=config.compares_views, stereo=config.uses_partner, teacher=config.uses_teacher,
    )  # fmt: skip
    return FrameDataset(folder, parts, Augmentation(data.flip, data.narrowest, data.colour))


def batches_of(dataset: FrameDataset, config: TrainingConfig, rank: int, processes: int) -> Part:
    """The batches of an epoch, in an order that follows from the seed."""
    size = config.data.batch_size * processes
    if config.data.half_batches:
        return Part(HalfBatches(len(dataset), dataset.supervised(), size, config.seed), rank, processes)
    return Part(EpochBatches(len(dataset), size, config.seed), rank, processes)


def validation_set(folder: Path, config: TrainingConfig) -> tuple[FrameDataset, list[int]] | None:
    """Samples of `val` and those of them that are looked at: measured ones, spread over the split. None: there is none.

    Raises:
        ConfigError: there is none, though patience waits for an improvement.
    """
    data, wanted = config.data, config.validation.frames
    parts = DatasetConfig(data.height, data.width, "val", data.cameras, context=False)
    try:
        dataset = FrameDataset(folder, parts)
        items = dataset.measured()
    except ConfigError:
        items = []
    if items:
        chosen = np.linspace(0, len(items) - 1, min(wanted, len(items))).round().astype(int)
        return dataset, [items[place] for place in chosen]
    if config.validation.patience:
        raise ConfigError(f"{str(folder)!r} has no measured depth in 'val' ({SPLITS!r}): set validation.patience=0")
    return None


def fingerprint(folder: Path) -> dict[str, Any]:
    """What a run was trained on: sha256 of the dataset's manifest, which holds those of all its files.

    Raises:
        ConfigError: the dataset has no manifest.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ConfigError(f"{str(folder)!r} has no {MANIFEST}: make the dataset with python -m training.make_dataset")
    content = json.loads(path.read_text())
    return {"manifest_sha256": file_hash(path), "sequences": content["sequences"]}
