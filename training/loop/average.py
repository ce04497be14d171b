"""The exponential moving average of the weights: less noisy than the last step's, and what a run hands over."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def copy_of(module: Module) -> Module:
    """Its weights without gradient, in evaluation mode."""
    return copy.deepcopy(module).requires_grad_(False).eval()


@torch.no_grad()
def follow(average: nn.Module, module: nn.Module, decay: float, step: int) -> None:
    """average ← d average + (1 - d) module, with d = min(decay, (1 + step) / (10 + step)): quick at first.

    Statistics of batch normalisation are averaged as weights are; counters are copied.
    """
    d = min(decay, (1 + step) / (10 + step))
    theirs = module.state_dict()
    for name, mean in average.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(theirs[name], 1.0 - d)
        else:
            mean.copy_(theirs[name])
