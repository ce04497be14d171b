"""The optimiser and its learning rate: a function of the step alone, so nothing of it needs to be saved."""

from __future__ import annotations

import math

import torch
from torch import nn

from training.loop.configuration import OptimiserConfig


def make_optimiser(module: nn.Module, config: OptimiserConfig) -> torch.optim.Optimizer:
    """Adam (β 0.9 and 0.999), AdamW or SGD with momentum; only weights of more than one dimension decay."""
    decayed = [one for one in module.parameters() if one.ndim > 1]
    others = [one for one in module.parameters() if one.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if config.name == "sgd":
        return torch.optim.SGD(groups, config.learning_rate, config.momentum)
    kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    return kind(groups, config.learning_rate)


def rate_at(config: OptimiserConfig, step: int, steps_per_epoch: int, epochs: int) -> float:
    """Learning rate of a step, counted from 0.

    Linear from 0 over `warmup_steps`; then constant, halved every `halve_every` epochs, or half a cosine down to 0 at
    the end of the last epoch.
    """
    warm = min(1.0, (step + 1) / max(config.warmup_steps, 1))
    factor = 1.0
    if config.schedule == "halving":
        factor = 0.5 ** (step // steps_per_epoch // config.halve_every)
    elif config.schedule == "cosine":
        first, last = config.warmup_steps, steps_per_epoch * epochs
        done = (step - first) / max(last - first, 1)
        factor = 0.5 * (1.0 + math.cos(math.pi * min(max(done, 0.0), 1.0)))
    return config.learning_rate * warm * factor
