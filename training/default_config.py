"""Every setting of the default model's training, once; `config/train_default.yaml` overrides."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depth_perception.errors import ConfigError

Sizes = tuple[tuple[int, int], ...]  # (height, width), multiples of 32
_SIZES = ("export_sizes", "small_sizes", "final_sizes")


@dataclass(frozen=True)
class DefaultTraining:
    """Settings of `training.train_default`."""

    name: str = "default"
    licence: str = "Apache-2.0"
    seed: int = 1
    # What the network predicts
    canonical_focal: float = 250.0  # px at the network's input
    reduction: int = 2  # the exported graph shrinks its input so many times for the network and enlarges its answer
    min_canonical: float = 0.05  # m; the output is limited to this range
    max_canonical: float = 200.0  # m; sky and everything beyond is trained to be exactly this, which must be farther
    # than max_depth for the widest camera: 200 m * 67 px / 250 px = 54 m at 100 degrees and 160 px
    min_depth: float = 0.1  # m; the contract's range
    max_depth: float = 50.0  # m
    export_sizes: Sizes = ((256, 320), (192, 640))
    # Samples
    # Sizes that batches have in turn. Small ones until a share of the schedule, since a picture's layout is learnt
    # fastest from many small pictures; then those at which the network will work: it doesn't carry over to others
    small_until: float = 0.7
    small_sizes: Sizes = ((96, 128), (96, 128), (64, 192))
    final_sizes: Sizes = ((128, 160), (128, 160), (96, 320))
    degraded_share: float = 1.0  # share of the samples that get a random camera's faults
    narrowest: float = 0.45  # smallest window that is cut out, as a share of the largest possible
    batch_pixels: int = 200_000  # a batch has as many samples as fit into so many pixels
    batches_per_scan: int = 100  # the data folder is looked through again for new worlds this often
    validation_every: int = 25  # worlds whose seed is divisible by this are never trained on
    # Objective
    silog_weight: float = 0.5
    silog_focus: float = 0.85
    gradient_weight: float = 1.0
    l1_weight: float = 1.0
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
    log_every: int = 100
    checkpoint_minutes: float = 3.0

    def sizes_at(self, progress: float) -> Sizes:
        """Sizes of the batches when `progress` (0 to 1) of the schedule is done."""
        return self.small_sizes if progress < self.small_until else self.final_sizes


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
    sizes = {key: tuple(tuple(size) for size in values[key]) for key in _SIZES if key in values}
    return DefaultTraining(**{**values, **sizes})


def to_dict(config: DefaultTraining) -> dict[str, Any]:
    """Plain values that YAML writes and `from_dict` reads."""
    values = dataclasses.asdict(config)
    for key in _SIZES:
        values[key] = [list(size) for size in values[key]]
    return values
