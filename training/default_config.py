"""Every setting of the default model's training, once; `config/train_default.yaml` overrides."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depth_perception.errors import ConfigError


@dataclass(frozen=True)
class DefaultTraining:
    """Settings of `training.train_default`."""

    name: str = "default"
    licence: str = "Apache-2.0"
    seed: int = 1
    # What the network predicts
    canonical_focal: float = 250.0  # px at the model's input
    min_canonical: float = 0.05  # m; the output is limited to this range
    max_canonical: float = 300.0  # m; sky and everything beyond is trained to be exactly this
    min_depth: float = 0.1  # m; the contract's range
    max_depth: float = 80.0  # m
    export_sizes: tuple[tuple[int, int], ...] = ((256, 320), (192, 640))
    # Samples
    train_sizes: tuple[tuple[int, int], ...] = ((192, 256), (192, 256), (256, 320), (128, 416))  # one a batch, in turn
    batch_size: int = 16
    batches_per_scan: int = 100  # the data folder is looked through again for new worlds this often
    validation_every: int = 25  # worlds whose seed is divisible by this are never trained on
    # Objective
    silog_weight: float = 1.0
    silog_focus: float = 0.85
    gradient_weight: float = 0.5
    l1_weight: float = 0.25
    sky_weight: float = 0.2
    # Optimisation
    steps: int = 6000  # length of the schedule, unless `minutes` is positive
    minutes: float = 0.0  # > 0: the schedule follows the clock and ends after this long
    learning_rate: float = 3e-3
    warmup: float = 0.03  # share of the schedule
    weight_decay: float = 0.02
    gradient_clip: float = 1.0
    ema_decay: float = 0.998
    threads: int = 2
    workers: int = 1
    log_every: int = 25
    checkpoint_minutes: float = 3.0


def read_recipe(path: str | Path, **overrides: Any) -> DefaultTraining:
    """Settings from a recipe file, `overrides` (those that aren't None) on top.

    Raises:
        ConfigError: the file can't be read, or names a setting that doesn't exist.
    """
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"recipe {str(path)!r} can't be read: {error}") from error
    return from_dict({**values, **{key: value for key, value in overrides.items() if value is not None}})


def from_dict(values: dict[str, Any]) -> DefaultTraining:
    """Settings from plain values, lists as tuples.

    Raises:
        ConfigError: a name that isn't a setting.
    """
    known = {field.name for field in dataclasses.fields(DefaultTraining)}
    if unknown := sorted(set(values) - known):
        raise ConfigError(f"unknown settings {unknown!r}; known are {sorted(known)!r}")
    pairs = ("export_sizes", "train_sizes")
    sizes = {key: tuple(tuple(size) for size in values[key]) for key in pairs if key in values}
    return DefaultTraining(**{**values, **sizes})


def to_dict(config: DefaultTraining) -> dict[str, Any]:
    """Plain values that YAML writes and `from_dict` reads."""
    values = dataclasses.asdict(config)
    for key in ("export_sizes", "train_sizes"):
        values[key] = [list(size) for size in values[key]]
    return values
