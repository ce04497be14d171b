"""Every default of paper 3's distillation, once; `config/train_student.yaml` and the command line override them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depth_perception.config import from_flat, option
from depth_perception.errors import ConfigError
from depth_perception.records import DepthKind


@dataclass(frozen=True)
class StudentConfig:
    """Where the paper says nothing the description says 'ours'."""

    image: str = option(
        "auto",
        "photograph, or WORLD_FOLDER:INDEX of rendered frames; auto: a kitchen frame of the "
        "recordings beside the checkout, else a frame rendered now",
    )
    teacher: str = option(
        "auto",
        "model file, or 'exact' for the depth of a rendered frame; auto: FastDepth of the "
        "recordings beside the checkout for a photograph, exact for a rendered frame",
    )
    teacher_kind: str = option(
        "metric_depth",
        "what a model file without our contract predicts",
        choices=tuple(kind.value for kind in DepthKind),
    )
    teacher_unit: float = option(
        0.0717, "factor from such a file's output to metres or 1/m (FastDepth's 8 bits)", low=1e-9, high=1e9
    )
    teacher_cache: str = option("runs/teacher_cache", "folder of cached pseudo-labels")
    label_scale: float = option(1000.0, "raw label = this x inverse depth: stands in for MiDaS's range", low=1e-6)
    size: int = option(256, "height and width of the augmented images, px", low=8, high=2048)
    augmentations: int = option(300, "augmented images of the one photograph", low=2, high=100000)
    validation_share: float = option(0.2, "share of them held out", low=0.01, high=0.9)
    rotation_deg: float = option(10.0, "rotation is uniform within +- this (ours)", low=0.0, high=180.0)
    jitter: float = option(0.2, "brightness, contrast, saturation change by up to this share (ours)", low=0.0, high=1.0)
    hue_deg: float = option(9.0, "hue turns by up to this (ours)", low=0.0, high=180.0)
    batch: int = option(4, "images a step (ours)", low=1, high=1024)
    learning_rate: float = option(1e-4, "Adam's", low=1e-9, high=1.0)
    epochs_short: int = option(7, "first evaluation; the sigmoid variant ends here", low=1, high=10000)
    epochs_long: int = option(10, "second evaluation, of the same run", low=1, high=10000)
    scales: int = option(3, "resolutions of the multi-scale MSE (read off the paper's loss values)", low=1, high=8)
    smoothness_weight: float = option(0.1, "weight of the edge-aware smoothness (ours)", low=0.0)
    consistency_weight: float = option(1.0, "weight of the photometric consistency in its row (ours)", low=0.0)
    seed: int = option(0, "of augmentations, split, weights and order", low=0)
    threads: int = option(0, "CPU threads; 0 = torch's own choice", low=0, high=256)
    output: str = option("runs/student", "folder for table, contact sheet, weights and resolved configuration")


def load_config(path: Path | None, overrides: dict[str, Any]) -> StudentConfig:
    """Defaults, then the YAML recipe, then the command line.

    Raises:
        ConfigError: the file can't be read, or a name, type or value is wrong.
    """
    import yaml

    values: dict[str, Any] = {}
    if path is not None:
        try:
            content = yaml.safe_load(path.read_text())
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"recipe {str(path)!r} can't be read: {error}") from error
        if not isinstance(content, dict):
            raise ConfigError(f"recipe {str(path)!r} must hold 'name: value' lines, not {content!r}")
        values = content
    config: StudentConfig = from_flat({**values, **overrides}, StudentConfig)
    if config.epochs_long < config.epochs_short:
        raise ConfigError(f"epochs_long {config.epochs_long!r} must not be below epochs_short {config.epochs_short!r}")
    if config.size % 2 ** max(config.scales - 1, 1):
        raise ConfigError(f"size {config.size!r} must be divisible by 2 and by 2^(scales - 1), scales {config.scales}")
    return config
