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


def fit(run: Run, data: StudentData, config: StudentConfig) -> Iterator[Epoch]:
    """Train and yield after each epoch. Every run starts from the same weights and sees the same order of batches."""
    torch.manual_seed(config.seed)
    order = np.random.default_rng(config.seed)
    network = StudentNet(run.sigmoid).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    target = targets(data, run.normalised)
    for number in range(1, (config.epochs_long if run.long else config.epochs_short) + 1):
        total = 0.0
        for indices in _batches(order.permutation(data.train), config.batch):
            optimiser.zero_grad()
            loss = objective(network, data, target, indices, run, config)[0]
            loss.backward()
            optimiser.step()
            total += loss.item() * len(indices)
        predictions, validation = _validate(network, data, target, run, config)
        yield Epoch(number, total / len(data.train), validation, predictions, network)


def objective(
    network: StudentNet,
    data: StudentData,
    target: NDArray[np.float32],
    indices: NDArray[np.int64],
    run: Run,
    config: StudentConfig,
) -> tuple[Tensor, Tensor]:
    """Multi-scale MSE + smoothness (+ consistency with the batch's next view); returns it and the prediction."""
    images = torch.from_numpy(data.images[indices]).permute(0, 3, 1, 2).float() / 255  # channels-last in memory
    label = torch.from_numpy(target[indices]).unsqueeze(1)
    valid = torch.isfinite(label)
    prediction = network(images)
    loss = multiscale_mse(prediction, label, valid, config.scales)
    loss = loss + config.smoothness_weight * edge_aware_smoothness(prediction, images)
    if run.consistent and len(indices) > 1:
        loss = loss + config.consistency_weight * _consistency(prediction, data, indices)
    return loss, prediction


def _consistency(prediction: Tensor, data: StudentData, indices: NDArray[np.int64]) -> Tensor:
    """Each view against the next of its batch: both show the same photograph, so the warp between them is known."""
    others = np.roll(indices, -1)
    other_from_this = data.matrices[others] @ np.linalg.inv(data.matrices[indices])
    warp = torch.from_numpy(other_from_this[:, :2].astype(np.float32))
    inside = torch.from_numpy(data.inside[indices]).unsqueeze(1)
    return consistency_loss(prediction, prediction.roll(-1, 0), warp, inside)


@torch.no_grad()
def _validate(
    network: StudentNet, data: StudentData, target: NDArray[np.float32], run: Run, config: StudentConfig
) -> tuple[NDArray[np.float32], float]:
    predictions, total = [], 0.0
    for indices in _batches(data.validation, config.batch):
        loss, prediction = objective(network, data, target, indices, run, config)
        predictions.append(prediction.squeeze(1).numpy())
        total += loss.item() * len(indices)
    return np.concatenate(predictions), total / len(data.validation)


def _batches(indices: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(indices), size):
        yield indices[start : start + size]
