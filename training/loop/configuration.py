"""Every setting of the training loop, once; the recipes in config/training override."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from depth_perception.errors import ConfigError
from training.loop.overrides import merged, override, parse_assignments
from training.losses.motion_config import MotionConfig
from training.losses.recipes import MOTION, STEREO
from training.losses.stereo_objective import StereoConfig


@dataclass(frozen=True)
class NetworkConfig:
    """The depth network; a pose network is made where the objective needs motions and `motion` says so."""

    name: str = "real_time"  # of training.networks.depth_network, or student
    min_depth: float = 0.5  # m; built into PackNet
    max_depth: float = 100.0  # m
    encoder_weights: str = ""  # file in torchvision's layout, for a ResNet
    motion: Literal["network", "odometry"] = "network"  # who says how the camera moved
    start: str = ""  # weights.safetensors of another run, to go on from (refinement)


@dataclass(frozen=True)
class DataConfig:
    """Which samples. Sources, partner and labels are loaded where the objective needs them."""

    height: int = 192  # pixels, of what the network sees
    width: int = 640
    cameras: tuple[str, ...] = ("left",)  # whose images are targets
    batch_size: int = 4  # of each process
    half_batches: bool = False  # half U, half S: paper 1's study of label fractions
    flip: float = 0.5  # share of samples that are mirrored
    narrowest: float = 1.0  # smallest window as a share of the image's width
    colour: float = 0.5  # share of samples whose colours change
    workers: int = 2  # processes that load; 0: the training process itself


@dataclass(frozen=True)
class OptimiserConfig:
    """How weights change. Biases and normalisation don't decay."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 2e-4
    momentum: float = 0.9  # sgd
    weight_decay: float = 0.0
    schedule: Literal["constant", "halving", "cosine"] = "halving"
    halve_every: int = 40  # epochs
    warmup_steps: int = 0  # over which the rate grows linearly from 0
    gradient_clip: float = 0.0  # largest norm of the gradient of all weights; 0: any
    ema_decay: float = 0.0  # of the averaged weights, which are validated and saved; 0: no average


@dataclass(frozen=True)
class ValidationConfig:
    """AbsRel and its like against the measured depth of the split `val`, after every epoch."""

    monitor: Literal["abs_rel", "abs_rel_median", "abs_rel_aligned"] = "abs_rel"  # decides what is best
    patience: int = 0  # epochs without improvement after which training stops; 0: never
    min_depth: float = 0.5  # m; predictions are clamped to these, measurements outside don't count
    max_depth: float = 80.0  # m
    frames: int = 500  # at most, spread over the split
    pictures: int = 2  # depth pictures for TensorBoard


@dataclass(frozen=True)
class HardwareConfig:
    """Where and how it runs."""

    accelerator: str = "auto"  # as Lightning names them: cpu, gpu, auto
    devices: int = 1  # processes, one for each GPU; on a CPU they use gloo
    precision: Literal["32", "bf16", "fp16"] = "32"  # of the networks; losses always run in 32 bits
    channels_last: bool = True
    compile: bool = False  # torch.compile of the depth network; starts minutes later
    threads: int = 0  # of the CPU, for each process; 0: PyTorch's choice
    log_every: int = 50  # steps


@dataclass(frozen=True)
class TrainingConfig:
    """One run."""

    recipe: str = "robot"  # name of the objective in training.losses.recipes
    objective: MotionConfig | StereoConfig = field(default_factory=lambda: MOTION["robot"])
    network: NetworkConfig = field(default_factory=NetworkConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    hardware: HardwareConfig = field(default_factory=HardwareConfig)
    epochs: int = 100
    seed: int = 1

    @property
    def compares_views(self) -> bool:
        """The objective looks at neighbours in time, so it needs them and their motions."""
        one = self.objective
        return isinstance(one, MotionConfig) and any((one.photometric, one.reprojected, one.velocity))

    @property
    def predicts_partner(self) -> bool:
        """The objective compares the depths of both images of a pair."""
        return isinstance(self.objective, StereoConfig)

    @property
    def uses_partner(self) -> bool:
        """The objective looks at the stereo partner."""
        return isinstance(self.objective, StereoConfig) or self.objective.stereo

    @property
    def uses_teacher(self) -> bool:
        """The objective looks at a teacher's labels."""
        return isinstance(self.objective, MotionConfig) and self.objective.distillation > 0


def read_config(path: str | Path, assignments: Iterable[str] = ()) -> TrainingConfig:
    """A recipe file with `key=value` texts on top.

    Raises:
        ConfigError: the file can't be read, or something in it or in `assignments` isn't a setting.
    """
    try:
        values = yaml.safe_load(Path(path).read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"recipe {str(path)!r} can't be read: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"recipe {str(path)!r} holds {type(values).__name__}; it takes names with values")
    return from_values(merged(values, parse_assignments(assignments)))


def from_values(values: dict[str, Any]) -> TrainingConfig:
    """Settings from nested plain values; `recipe` chooses the objective that `objective`'s values change.

    Raises:
        ConfigError: see `override`; or there is no objective of that name, or a number is out of its range.
    """
    recipe = values.get("recipe", TrainingConfig.recipe)
    objectives: dict[str, MotionConfig | StereoConfig] = {**MOTION, **STEREO}
    if recipe not in objectives:
        raise ConfigError(f"recipe {recipe!r} is none of {sorted(objectives)!r}")
    config = override(TrainingConfig(recipe, objectives[recipe]), values)
    for name, value in (("epochs", config.epochs), ("hardware.devices", config.hardware.devices),
                        ("optimiser.halve_every", config.optimiser.halve_every),
                        ("hardware.log_every", config.hardware.log_every)):  # fmt: skip
        if value < 1:
            raise ConfigError(f"{name} is {value!r}; it must be at least 1")
    if not 0.0 <= config.optimiser.ema_decay < 1.0:
        raise ConfigError(f"optimiser.ema_decay is {config.optimiser.ema_decay!r}; it must be from 0 to below 1")
    if not 0.0 < config.validation.min_depth < config.validation.max_depth:
        raise ConfigError("validation.min_depth must be above 0 and below validation.max_depth")
    return config
