"""One training run of paper 3: which target, which output, which losses; Adam over the augmented views."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.losses.consistency import consistency_loss
from training.losses.multiscale_mse import multiscale_mse
from training.losses.smoothness import edge_aware_smoothness
from training.networks.student import StudentNet
from training.normalise import normalise
from training.student_config import StudentConfig
from training.student_data import StudentData


@dataclass(frozen=True)
class Run:
    """What distinguishes the rows of the table."""

    name: str
    normalised: bool = False  # targets: median and mean absolute deviation; else raw labels
    sigmoid: bool = False
    consistent: bool = False  # photometric consistency added
    long: bool = True  # evaluated after epochs_short and epochs_long; else after epochs_short only


RUNS = (
    Run("raw"),
    Run("raw, sigmoid", sigmoid=True, long=False),
    Run("normalised", normalised=True),
    Run("normalised + consistency", normalised=True, consistent=True),
)


@dataclass(frozen=True)
class Epoch:
    """State after one epoch; both losses are means over images."""

    number: int  # from 1
    train_loss: float  # while training, as the paper's table 2
    validation_loss: float
    predictions: NDArray[np.float32]  # (V, S, S) of the validation views, in the target's unit
    network: StudentNet


def targets(data: StudentData, normalised: bool) -> NDArray[np.float32]:
    """(N, S, S) what the student learns: the raw labels, or each normalised by itself. NaN unknown."""
    return np.stack([normalise(label) for label in data.labels]) if normalised else data.labels


class Objective:
    """Multi-scale MSE + edge-aware smoothness (+ consistency with the batch's next view)."""

    def __init__(self, data: StudentData, run: Run, config: StudentConfig) -> None:
        self._data, self._run, self._config = data, run, config
        self._target = targets(data, run.normalised)
        learnt = self._target[data.train]
        self._low, self._high = float(np.nanmin(learnt)), float(np.nanmax(learnt))

    def __call__(self, network: StudentNet, indices: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Loss of these views and their predictions (B, 1, S, S)."""
        config = self._config
        images = torch.from_numpy(self._data.images[indices]).permute(0, 3, 1, 2).float() / 255  # stays channels-last
        label = torch.from_numpy(self._target[indices]).unsqueeze(1)
        prediction = network(images)
        loss = multiscale_mse(prediction, label, torch.isfinite(label), config.scales)
        loss = loss + config.smoothness_weight * edge_aware_smoothness(prediction, images)
        if self._run.consistent and len(indices) > 1:
            loss = loss + config.consistency_weight * self._consistency(prediction, indices)
        return loss, prediction

    def _consistency(self, prediction: Tensor, indices: NDArray[np.int64]) -> Tensor:
        """Each view against the next of its batch: both show the same photograph, so the warp between them is known."""
        data = self._data
        other_from_this = data.matrices[np.roll(indices, -1)] @ np.linalg.inv(data.matrices[indices])
        warp = torch.from_numpy(other_from_this[:, :2].astype(np.float32))
        inside = torch.from_numpy(data.inside[indices]).unsqueeze(1)
        return consistency_loss(prediction, prediction.roll(-1, 0), warp, inside, self._low, self._high)


def fit(run: Run, data: StudentData, config: StudentConfig) -> Iterator[Epoch]:
    """Train and yield after each epoch. Every run starts from the same weights and sees the same order of batches."""
    torch.manual_seed(config.seed)
    order = np.random.default_rng(config.seed)
    network = StudentNet(run.sigmoid).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    objective = Objective(data, run, config)
    for number in range(1, (config.epochs_long if run.long else config.epochs_short) + 1):
        total = 0.0
        for indices in _batches(order.permutation(data.train), config.batch):
            optimiser.zero_grad()
            loss, _ = objective(network, indices)
            loss.backward()
            optimiser.step()
            total += loss.item() * len(indices)
        predictions, validation = _validate(network, objective, data.validation, config.batch)
        yield Epoch(number, total / len(data.train), validation, predictions, network)


@torch.no_grad()
def _validate(
    network: StudentNet, objective: Objective, views: NDArray[np.int64], batch: int
) -> tuple[NDArray[np.float32], float]:
    predictions, total = [], 0.0
    for indices in _batches(views, batch):
        loss, prediction = objective(network, indices)
        predictions.append(prediction.squeeze(1).numpy())
        total += loss.item() * len(indices)
    return np.concatenate(predictions), total / len(views)


def _batches(indices: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(indices), size):
        yield indices[start : start + size]
