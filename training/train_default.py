"""Train the default model on rendered worlds: `python -m training.train_default DATA RUN [--minutes M] [--resume]`.

DATA is a folder that training.render_sim fills (it may still be filling). RUN gets `config.yaml` (every setting as
used), `log.jsonl` (one line an interval) and `checkpoint.pt`, from which `--resume` goes on at any time.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.default_config import DefaultTraining, read_recipe, to_dict
from training.losses.gradient import multiscale_gradient
from training.losses.log_l1 import log_l1
from training.losses.silog import silog
from training.metrics import depth_metrics, mean_metrics, median_scale
from training.networks.mobile import MobileDepthNet, normalise
from training.sim_augmentation import central_view
from training.sim_dataset import Batch, SimBatches, canonical_target, complete_worlds, split_worlds

RECIPE = Path(__file__).parent.parent / "config" / "train_default.yaml"
VALIDATION_FRAMES = 96


class Trainer:
    """Network, averaged weights and optimiser: everything that a checkpoint holds."""

    def __init__(self, config: DefaultTraining) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.network = MobileDepthNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = MobileDepthNet()
        self.average.load_state_dict(self.network.state_dict())
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]  # biases and batch norm
        groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)
        self.step_number = self.samples = 0
        self.trained_s = 0.0  # wall time between the first and the last step, pauses left out

    def progress(self) -> float:
        """Share of the schedule that is done, by the clock where `minutes` is set, by steps otherwise."""
        if self.config.minutes > 0:
            return self.trained_s / (60.0 * self.config.minutes)
        return self.step_number / self.config.steps

    def step(self, batch: Batch) -> dict[str, float]:
        """One step of the optimiser; the losses as numbers."""
        rate = self.config.learning_rate * one_cycle(min(self.progress(), 1.0), self.config.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        image = normalise(torch.from_numpy(batch.image)).contiguous(memory_format=torch.channels_last)
        prediction = self.network(image).squeeze(1)
        target, weight = torch.from_numpy(batch.log_depth), torch.from_numpy(batch.weight)
        total, parts = objective(prediction, target, weight, self.config)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        self.optimiser.step()
        self.step_number += 1
        self._update_average()
        self.samples += len(batch.image)
        return parts | {"gradient_norm": float(norm), "rate": rate}

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.config.ema_decay, (1 + self.step_number) / (10 + self.step_number))
        for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1.0 - decay)
            else:
                mean.copy_(value)

    def save(self, path: Path, summary: str) -> None:
        """Write a checkpoint; it appears whole or not at all."""
        part = path.with_name(path.name + ".part")
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step_number,
            "samples": self.samples,
            "trained_s": self.trained_s,
            "config": to_dict(self.config),
            "summary": summary,
        }
        torch.save(state, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint; the settings are this trainer's own."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step_number, self.samples, self.trained_s = state["step"], state["samples"], state["trained_s"]


def objective(
    prediction: Tensor, target: Tensor, weight: Tensor, config: DefaultTraining
) -> tuple[Tensor, dict[str, float]]:
    """Weighted sum of the three losses over log canonical depth (B, H, W), and each as a number."""
    losses = {
        "silog": silog(prediction, target, weight, config.silog_focus),
        "gradient": multiscale_gradient(prediction, target, weight),
        "l1": log_l1(prediction, target, weight),
    }
    weights = {"silog": config.silog_weight, "gradient": config.gradient_weight, "l1": config.l1_weight}
    total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
    return total, {name: float(loss.detach()) for name, loss in losses.items()}


def one_cycle(progress: float, warmup: float) -> float:
    """Linear rise over the first `warmup` of the schedule, then half a cosine down to 0.2 % (Smith & Topin 2017)."""
    if progress < warmup:
        return max(progress / warmup, 0.01)
    return 0.002 + 0.998 * 0.5 * (1.0 + math.cos(math.pi * (progress - warmup) / (1.0 - warmup)))


def batches(data: SimBatches, start: int, workers: int) -> Iterator[Batch]:
    """Batch `start` and all that follow, prepared ahead by `workers` processes."""

    def quiet(_: int) -> None:
        import cv2

        cv2.setNumThreads(1)

    loader: torch.utils.data.DataLoader[Batch] = torch.utils.data.DataLoader(
        data,  # type: ignore[arg-type]
        batch_size=None,
        sampler=range(start, start + 10**6),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        collate_fn=_as_it_is,  # a batch is already one
        worker_init_fn=quiet,
    )
    return iter(loader)


def _as_it_is(batch: Any) -> Any:
    return batch


@torch.no_grad()
def validate(network: torch.nn.Module, folder: Path, config: DefaultTraining) -> dict[str, float]:
    """AbsRel of canonical depth on the held-out worlds, clean, full view, plain and median-aligned."""
    _, worlds = split_worlds(complete_worlds(folder), config.validation_every)
    if not worlds:
        return {}
    frames = [(world, index) for index in range(0, 1000, 5) for world in worlds if index < world.frames]
    plain, aligned = [], []
    for world, index in frames[:VALIDATION_FRAMES]:
        view = central_view(world.frame(index), config.final_sizes[0])
        log_target, weight = canonical_target(view, config)
        image = normalise(torch.from_numpy(view.image[None]))
        prediction = torch.exp(network.eval()(image)).clamp(config.min_canonical, config.max_canonical).numpy()[0, 0]
        target, valid = np.exp(log_target), weight == 1.0
        plain.append(depth_metrics(prediction, target, valid))
        aligned.append(depth_metrics(prediction * median_scale(prediction, target, valid), target, valid))
    return {"val_abs_rel": mean_metrics(plain).abs_rel, "val_abs_rel_aligned": mean_metrics(aligned).abs_rel}


def train(config: DefaultTraining, folder: Path, run: Path, resume: bool, stop_after: int | None = None) -> Trainer:
    """Train until the schedule ends (or for `stop_after` more steps); the checkpoint is up to date at return."""
    import yaml

    torch.set_num_threads(config.threads)
    run.mkdir(parents=True, exist_ok=True)
    trainer, checkpoint = Trainer(config), run / "checkpoint.pt"
    if resume and checkpoint.is_file():
        trainer.load(checkpoint)
    (run / "config.yaml").write_text(yaml.safe_dump(to_dict(config), sort_keys=False))
    last = math.inf if stop_after is None else trainer.step_number + stop_after
    saved = stepped = time.monotonic()
    sums: dict[str, float] = {}
    data = SimBatches(folder, config)
    for batch in batches(data, trainer.step_number, config.workers):
        if trainer.progress() >= 1.0 or trainer.step_number >= last:
            break
        data.progress.value = trainer.progress()
        for name, value in trainer.step(batch).items():
            sums[name] = sums.get(name, 0.0) + value / config.log_every
        trainer.trained_s += time.monotonic() - stepped
        if trainer.step_number % config.log_every == 0:
            _log(run, trainer, sums)
            sums = {}
        if time.monotonic() - saved > 60.0 * config.checkpoint_minutes:
            trainer.save(checkpoint, summary(trainer, folder))
            _append(run, {"step": trainer.step_number} | validate(trainer.average, folder, config))
            saved = time.monotonic()
        stepped = time.monotonic()
    trainer.save(checkpoint, summary(trainer, folder))
    _append(run, {"step": trainer.step_number} | validate(trainer.average, folder, config))
    return trainer


def summary(trainer: Trainer, folder: Path) -> str:
    """What goes into the contract's `training`: how and on which data."""
    worlds, _ = split_worlds(complete_worlds(folder), trainer.config.validation_every)
    return (
        f"simulation only: {len(worlds)} generated MuJoCo worlds, {sum(w.frames for w in worlds)} frames, procedural "
        f"textures, from scratch; {trainer.samples} samples in {trainer.step_number} steps, "
        f"{trainer.trained_s / 60:.0f} min on a CPU"
    )


def _log(run: Path, trainer: Trainer, means: dict[str, float]) -> None:
    line = {"step": trainer.step_number, "samples": trainer.samples, "progress": trainer.progress()}
    _append(run, line | {"minutes": trainer.trained_s / 60.0} | means)


def _append(run: Path, line: dict[str, Any]) -> None:
    rounded = {key: round(value, 5) if isinstance(value, float) else value for key, value in line.items()}
    text = json.dumps(rounded)
    with (run / "log.jsonl").open("a") as file:
        file.write(text + "\n")
    print(text, flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's first line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--minutes", type=float, help="the schedule follows the clock and ends after this long")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--resume", action="store_true", help="go on from RUN/checkpoint.pt where there is one")
    options = parser.parse_args(arguments)
    config = read_recipe(options.recipe, minutes=options.minutes, steps=options.steps, threads=options.threads)
    train(config, options.data, options.run, options.resume)


if __name__ == "__main__":
    main()
