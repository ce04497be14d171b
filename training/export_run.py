"""A run of training.train as a model file: what its contract says, from the run's settings and its dataset."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from depth_perception.contract import Contract
from depth_perception.errors import ConfigError
from depth_perception.model import DepthModel
from depth_perception.pipeline import shrink
from training.dataset_folder import sequences
from training.evaluation.cases import DatasetCases
from training.evaluation.checkpoint import TorchPredictor, kind_of
from training.evaluation.relative_std import relative_std
from training.export import export_graph
from training.loop.configuration import DataConfig, TrainingConfig
from training.loop.data import fingerprint
from training.loop.run_folder import facts_of, load_networks, weights_of
from training.networks.exported import contract_module


@dataclass(frozen=True)
class Cameras:
    """Those that a run saw."""

    focal: float  # px at the network's width, of the median training sample
    image: torch.Tensor  # (1, H, W, 3) uint8 RGB, the first one as the network sees it


def export_run(run: Path, data: Path, out: Path, licence: str = "not stated", spread: float = math.nan) -> DepthModel:
    """Write the model of a run's folder, or of one of its weights files, to `out`.

    Args:
        data: the dataset that it was trained on.
        licence: of the weights.
        spread: the contract's relative_std; NaN: measured on the split val, where the model gives metres and val is.

    Raises:
        ModelError: no run, no weights yet, or the graph disagrees with torch; nothing is written then.
        ConfigError: `data` is no dataset, or another.
    """
    weights = weights_of(run)
    networks, config = load_networks(weights)
    facts, kind, network = facts_of(weights), kind_of(config), config.network
    _check_same(data, facts, weights)
    cameras = _cameras(data, config.data)
    contract = Contract(
        kind=kind,
        height=config.data.height,
        width=config.data.width,
        min_depth=network.min_depth,
        max_depth=network.max_depth,
        licence=licence,
        # Another camera's metres follow its focal length. Without metres there is nothing to scale.
        canonical_focal=cameras.focal if kind.is_metric else None,
        relative_std=_measured(weights, data) if kind.is_metric and math.isnan(spread) else spread,
        training=_training(config, data, facts),
        name=out.stem,
    )
    module = contract_module(networks.depth, kind, network.min_depth, network.max_depth)
    return export_graph(module, contract, out, cameras.image)


def _check_same(data: Path, facts: dict[str, Any], weights: Path) -> None:
    """Its sequences are those of the run; which samples are marked supervised may have changed since."""
    if fingerprint(data)["sequences"] != facts["dataset"]["sequences"]:
        raise ConfigError(
            f"{str(weights)!r} was trained on another dataset than {str(data)!r} (their hashes differ): give the one "
            "that training.train had as --data"
        )


def _cameras(data: Path, wanted: DataConfig) -> Cameras:
    """Convention: fx is in pixels of an image stretched to the network's width, fx' = fx * width' / width."""
    focals: list[float] = []
    image = None
    for recording in sequences(data):
        samples = recording.samples("train")
        for name in wanted.cameras:
            camera = recording.calibration.cameras.get(name)
            if camera is not None:
                focals += [camera.fx * wanted.width / camera.width] * len(samples)
        if samples and image is None:
            image = shrink(recording.image(samples[0].index), wanted.height, wanted.width)
    if image is None or not focals:
        raise ConfigError(f"{str(data)!r} has no sample for training with cameras {wanted.cameras!r}")
    return Cameras(float(np.median(focals)), torch.from_numpy(image[None]))


def _measured(weights: Path, data: Path) -> float:
    """NaN: the dataset has no references in its split val."""
    try:
        cases = DatasetCases(data, "val")
    except ConfigError:
        return math.nan
    return relative_std(TorchPredictor(weights), cases)


def _training(config: TrainingConfig, data: Path, facts: dict[str, Any]) -> str:
    return (
        f"recipe {config.recipe}, network {config.network.name}, {facts['step']} steps on the dataset "
        f"{data.resolve().name} of {len(facts['dataset']['sequences'])} sequences, manifest sha256 "
        f"{facts['dataset']['manifest_sha256']}"
    )
