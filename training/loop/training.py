"""Steps, epochs, checkpoints. Everything random follows from the seed and the step, so a run that goes on from a
checkpoint does what it would have done without the pause."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor

from depth_perception.errors import ConfigError
from training.batch import Batch
from training.dataset import make_loader
from training.loop.average import copy_of, follow
from training.loop.configuration import TrainingConfig
from training.loop.data import batches_of, fingerprint, training_set, validation_set
from training.loop.guard import check_gradient, check_loss, check_outputs, place_of
from training.loop.hardware import channels_last
from training.loop.interrupt import Interrupt
from training.loop.model import inputs, make_networks, prediction
from training.loop.run_folder import BEST, CHECKPOINT, WEIGHTS, load_weights, open_run, save_weights
from training.loop.run_log import RunLog
from training.loop.schedule import make_optimiser, rate_at
from training.loop.validation import Frame, Scores, constant_depth, predicted, scores
from training.losses.motion_config import MotionConfig
from training.losses.motion_objective import motion_objective
from training.losses.stereo_objective import stereo_objective
from training.losses.terms import LossTerms, Prediction


@dataclass
class Progress:
    """Where a run is; plain numbers, which a checkpoint holds."""

    epoch: int = 0
    place: int = 0  # batches of this epoch that are done
    step: int = 0
    best: float = math.inf  # of what validation monitors
    waited: int = 0  # epochs since then


class Training:
    """One run in one process.

    With several processes the gradient is the mean of theirs. That is exactly the gradient of one process with the
    joint batch for terms divided by a number that the batch's size fixes: all of `stereo_objective` with reduction
    "sum" and norm l1 or l2. A mean over what is valid is taken in each process: photometric, reprojected, supervised,
    velocity, distillation and `reduction="mean"` weigh each process alike, however much of its part is valid. BerHu's
    threshold is each process' own, and batch normalisation sees one process' part. The log tells the first's losses.
    """

    def __init__(self, fabric: Fabric, config: TrainingConfig, data: Path, run: Path, resume: bool = False) -> None:
        """Reads the dataset's lists, makes the networks, loads the checkpoint if it is to go on.

        Raises:
            ConfigError, ModelError: the dataset, the settings or a weights file don't fit together.
        """
        self.fabric, self.config, self.run = fabric, config, run
        hardware = config.hardware
        if hardware.threads:
            torch.set_num_threads(hardware.threads)
        self.dataset, self.held_out = training_set(data, config), validation_set(data, config)
        self.facts = fingerprint(data)
        self.batches = batches_of(self.dataset, config, fabric.global_rank, fabric.world_size)
        self.constant = constant_depth(self.dataset, config.validation)
        going_on = self._opened(resume)
        self.networks = make_networks(config)
        if config.network.start and not going_on:
            load_weights(self.networks, Path(config.network.start))
        if hardware.channels_last:
            channels_last(self.networks)
        self.networks.to(fabric.device)
        self.average = copy_of(self.networks) if config.optimiser.ema_decay else None
        if hardware.compile:
            self.networks.depth.compile()
        self.model, self.optimiser = fabric.setup(self.networks, make_optimiser(self.networks, config.optimiser))
        self.progress = Progress()
        self.pending: dict[str, list[float]] = {}  # of steps since the last line of the log
        if going_on:
            self._load()
        self.log = RunLog(run, self.progress.step, fabric.is_global_zero)

    def _opened(self, resume: bool) -> bool:
        """`open_run` in one process; what it says, or raises, all say."""
        answer: bool | str | None = None
        if self.fabric.is_global_zero:
            try:
                answer = open_run(self.run, self.config, self.facts, resume)
            except ConfigError as error:
                answer = str(error)
        answer = self.fabric.broadcast(answer)
        if isinstance(answer, str):
            raise ConfigError(answer)
        return bool(answer)

    def fit(self, interrupt: Interrupt, stop_after: int | None = None) -> bool:
        """Train to the end; False: it was interrupted (or stopped after so many steps) and can go on from RUN."""
        progress, config = self.progress, self.config
        last = math.inf if stop_after is None else progress.step + stop_after
        loader = make_loader(self.dataset, self.batches, config.data.workers, self.fabric.device.type == "cuda")
        if progress.step == 0:
            self.log.end_epoch("before training: " + self._validated())
        while progress.epoch < config.epochs and not self._waited_enough():
            self.batches.start_at(progress.epoch, progress.place)
            self.log.start_epoch(progress.epoch, len(self.batches), progress.place)
            for batch in islice(loader, len(self.batches) - progress.place):
                self.log.stepped(float(self.step(batch).total.detach()))
                if self._asked(interrupt) or progress.step >= last:
                    self._save()
                    self.log.end_epoch(f"stopped in epoch {progress.epoch} after step {progress.step}")
                    return False
            text = self._validated()
            progress.epoch, progress.place = progress.epoch + 1, 0
            self._save()
            self.log.end_epoch(f"epoch {progress.epoch} of {config.epochs}: {text}")
            if self._asked(interrupt):
                return False
        self._save_weights(WEIGHTS, None)
        return True

    def step(self, raw: Batch) -> LossTerms:
        """One step of the optimiser.

        Raises:
            NotFiniteError: an output, the loss or the gradient isn't finite; weights are as they were before the step.
        """
        progress, optimiser = self.progress, self.config.optimiser
        key = (self.config.seed, progress.step, self.fabric.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))  # dropout
        rate = rate_at(optimiser, progress.step, len(self.batches), self.config.epochs)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        batch = raw.to(self.fabric.device, non_blocking=True).floats()

        def place() -> str:
            return place_of(raw, progress.epoch, progress.step, self.dataset.name)

        self.model.train()
        outputs = self.model(*inputs(batch, self.config))
        check_outputs(outputs, place)
        loss = self.objective(batch, prediction(outputs))
        check_loss(loss, place)
        self.optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(loss.total)
        limit = optimiser.gradient_clip or math.inf
        norm = self.fabric.clip_gradients(self.model, self.optimiser, max_norm=limit, error_if_nonfinite=False)
        assert norm is not None
        if self.config.hardware.precision != "fp16":
            check_gradient(norm, place)
        self.optimiser.step()
        progress.step += 1
        progress.place += 1
        if self.average is not None:
            follow(self.average, self.networks, optimiser.ema_decay, progress.step)
        self._note(loss, norm, rate)
        return loss

    def objective(self, batch: Batch, made: Prediction) -> LossTerms:
        """The recipe's loss."""
        how, step = self.config.objective, self.progress.step
        if isinstance(how, MotionConfig):
            return motion_objective(batch, made, how, step)
        return stereo_objective(batch, made, how, step)

    def validate(self) -> Scores | None:
        """Of the averaged weights, where there are any; in one process. None: nothing to validate on."""
        if self.held_out is None or not self.fabric.is_global_zero:
            return None
        dataset, items = self.held_out
        wanted = self.config.validation.pictures
        shown: list[Frame] = []

        def watched() -> Iterator[Frame]:
            frames = predicted((self.average or self.networks).depth, dataset, items, self.fabric.device)
            for number, frame in enumerate(frames):
                if len(shown) < wanted and number >= len(shown) * len(items) / wanted:
                    shown.append(frame)
                yield frame

        found = scores(watched(), self.config.validation, self.constant)
        self.log.pictures(self.progress.step, shown)
        return found

    def _validated(self) -> str:
        """Validate, log, keep the best weights; what to tell a person."""
        progress = self.progress
        found = self.validate()
        numbers = self.fabric.broadcast(None if found is None else found.entry())
        if numbers is None:
            return "no validation"
        self.log.numbers("val", progress.step, progress.epoch, numbers)
        value = numbers[self.config.validation.monitor]
        if progress.step:
            progress.waited += 1
            if value < progress.best:
                progress.best, progress.waited = value, 0
                self._save_weights(BEST, numbers)
        return ", ".join(f"{name} {number:.4f}" for name, number in numbers.items())

    def _waited_enough(self) -> bool:
        patience = self.config.validation.patience
        return patience > 0 and self.progress.waited >= patience

    def _asked(self, interrupt: Interrupt) -> bool:
        """Somebody wants this run to stop; all processes hear of it at the same step."""
        if self.fabric.world_size == 1:
            return interrupt.asked
        asked = self.fabric.all_reduce(torch.tensor(float(interrupt.asked), device=self.fabric.device), reduce_op="sum")
        return bool(asked > 0)  # type: ignore[operator]

    def _note(self, loss: LossTerms, norm: Tensor, rate: float) -> None:
        """Means over `log_every` steps; a measure that is unknown (NaN) in a step doesn't count there."""
        values = {"loss": loss.total, **loss.terms, **loss.measures, "gradient_norm": norm}
        numbers = torch.stack([value.detach().float().cpu() for value in values.values()]).tolist()
        for name, number in zip(values, numbers, strict=True):
            self.pending.setdefault(name, []).append(number)
        if self.progress.step % self.config.hardware.log_every == 0:
            finite = {name: [one for one in row if math.isfinite(one)] for name, row in self.pending.items()}
            means = {name: sum(row) / len(row) for name, row in finite.items() if row}
            self.log.numbers("train", self.progress.step, self.progress.epoch, {**means, "rate": rate})
            self.pending = {}

    def _state(self) -> dict[str, Any]:
        state = {
            "networks": self.model,
            "optimiser": self.optimiser,
            "precision": self.fabric.strategy.precision.state_dict(),  # fp16: its scale
            "progress": vars(self.progress).copy(),
            "pending": self.pending,
        }
        return state if self.average is None else {**state, "average": self.average}

    def _save(self) -> None:
        path = self.run / CHECKPOINT
        part = path.with_name(path.name + ".part")
        self.fabric.save(part, self._state())
        if self.fabric.is_global_zero:
            part.replace(path)
        self.fabric.barrier()

    def _load(self) -> None:
        state = self._state()
        self.fabric.load(self.run / CHECKPOINT, state, weights_only=True)
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        self.progress = Progress(**{field.name: state["progress"][field.name] for field in fields(Progress)})
        self.pending = state["pending"]

    def _save_weights(self, name: str, numbers: dict[str, float] | None) -> None:
        if self.fabric.is_global_zero:
            facts = {"dataset": self.facts, "step": self.progress.step, "validation": numbers}
            save_weights(self.run / name, self.average or self.networks, self.config, facts)
