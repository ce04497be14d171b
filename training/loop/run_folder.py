"""What a run leaves behind, and what it goes on from.

RUN/config.yaml            every setting as used
RUN/dataset.json           sha256 of the dataset's manifest, and of each sequence's
RUN/last.ckpt              all that a run needs to go on; read with `weights_only`
RUN/weights.safetensors    the last weights (averaged, where an average is kept); its metadata has settings and dataset
RUN/best.safetensors       the same at the epoch that validated best
RUN/log.jsonl, tensorboard/
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from depth_perception.errors import ConfigError, ModelError
from training.dataset_writer import write_json
from training.loop.configuration import TrainingConfig, from_values
from training.loop.model import TrainedNetworks, make_networks
from training.loop.overrides import plain

CHECKPOINT, WEIGHTS, BEST = "last.ckpt", "weights.safetensors", "best.safetensors"
# When a run goes on; epochs moves the end of a cosine, too
MAY_CHANGE = ("epochs", "data.workers", *(f"hardware.{name}" for name in ("accelerator", "threads", "log_every")))


def open_run(run: Path, config: TrainingConfig, dataset: dict[str, Any], resume: bool) -> bool:
    """Make the folder and write down settings and dataset; True: there is a checkpoint to go on from.

    Raises:
        ConfigError: it holds another run, or one with other settings or data than it is to go on with.
    """
    there = (run / CHECKPOINT).is_file()
    if there and not resume:
        raise ConfigError(f"{str(run)!r} holds a run: add --resume to go on with it, or choose another --out")
    if there:
        before = _flat(yaml.safe_load((run / "config.yaml").read_text()))
        now = _flat(plain(config))
        changed = [
            f"{name} was {before.get(name)!r}, now {now.get(name)!r}"
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name) and name not in MAY_CHANGE
        ]
        if changed:
            raise ConfigError(
                f"{str(run)!r} can't go on with other settings ({'; '.join(changed)}): choose another --out"
            )
        if json.loads((run / "dataset.json").read_text()) != dataset:
            raise ConfigError(f"{str(run)!r} was trained on another dataset (its manifest's hash differs)")
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.yaml").write_text(yaml.safe_dump(plain(config), sort_keys=False))
    write_json(run / "dataset.json", dataset)
    return there


def save_weights(path: Path, networks: nn.Module, config: TrainingConfig, facts: dict[str, Any]) -> None:
    """Weights as safetensors, with the settings that make the network again; whole or not at all.

    Args:
        facts: more for the metadata, written as JSON.
    """
    part = path.with_name(path.name + ".part")
    tensors = {name: value.detach().cpu().contiguous() for name, value in networks.state_dict().items()}
    content = {"config": plain(config), **facts}
    save_file(tensors, part, {name: json.dumps(value) for name, value in content.items()})
    part.replace(path)


def load_networks(path: Path) -> tuple[TrainedNetworks, TrainingConfig]:
    """The networks of a weights file, in evaluation mode, and the settings that they were trained with.

    Raises:
        ModelError: there is no such file, or it isn't one of ours.
    """
    try:
        with safe_open(path, "pt") as file:  # type: ignore[no-untyped-call]
            config = from_values(json.loads((file.metadata() or {})["config"]))
    except (OSError, KeyError, SafetensorError) as error:
        raise ModelError(f"{str(path)!r} is no weights file of training.train: {error}") from error
    networks = make_networks(config)
    load_weights(networks, path)
    return networks.eval(), config


def weights_of(run: Path) -> Path:
    """The weights that a run is known by: those of the epoch that validated best, or the last; a file is itself.

    Raises:
        ModelError: it isn't a run, or has none yet.
    """
    if run.is_file():
        return run
    for name in (BEST, WEIGHTS):
        if (run / name).is_file():
            return run / name
    if (run / "config.yaml").is_file():
        raise ModelError(
            f"the run {str(run)!r} has neither {BEST!r} nor {WEIGHTS!r} yet: let training.train go on with --resume"
        )
    raise ModelError(f"{str(run)!r} is no run of training.train (it has no config.yaml): give its --out folder")


def facts_of(path: Path) -> dict[str, Any]:
    """What `save_weights` was given besides settings.

    Raises:
        ModelError: there is no such file, or it isn't one of ours.
    """
    try:
        with safe_open(path, "pt") as file:  # type: ignore[no-untyped-call]
            facts = {name: json.loads(value) for name, value in (file.metadata() or {}).items()}
        del facts["config"]
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise ModelError(f"{str(path)!r} is no weights file of training.train: {error}") from error
    return facts


def load_weights(networks: TrainedNetworks, path: Path) -> None:
    """Give networks the weights of a file; its pose network is left out where there is none to take it.

    Raises:
        ModelError: there is no such file, or it is of other networks.
    """
    try:
        with safe_open(path, "pt") as file:  # type: ignore[no-untyped-call]
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if networks.pose is None:
            state = {name: value for name, value in state.items() if not name.startswith("pose.")}
        networks.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(f"{str(path)!r} doesn't give this network its weights: {error}") from error


def _flat(values: dict[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{path}{name}.") if isinstance(value, dict) else {path + name: value}
    return flat
