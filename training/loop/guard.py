"""Stops a run at the first number that isn't one, and says in which batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from depth_perception.errors import DepthPerceptionError
from training.batch import Batch
from training.loop.model import Outputs
from training.losses.terms import LossTerms


class NotFiniteError(DepthPerceptionError):
    """Training met NaN or infinity."""


def check_outputs(outputs: Outputs, place: Callable[[], str]) -> None:
    """Looks at what the networks say before a loss warps with it: the backward pass of PyTorch's CPU `grid_sample`
    reads outside its memory where a coordinate is NaN.

    Raises:
        NotFiniteError: a map or a motion isn't finite.
    """
    maps, motion, partner = outputs
    named = [("inverse depth", one) for one in maps] + [("the partner's inverse depth", one) for one in partner or ()]
    named += [] if motion is None else [("motion", motion)]
    finite = torch.stack([torch.isfinite(tensor.detach()).all() for _, tensor in named])
    if not finite.all():
        bad = sorted({name for (name, _), good in zip(named, finite.tolist(), strict=True) if not good})
        raise NotFiniteError(f"the network's {' and '.join(bad)} isn't finite {place()}")


def check_loss(loss: LossTerms, place: Callable[[], str]) -> None:
    """Raises NotFiniteError: the loss isn't finite; its terms are named."""
    if not torch.isfinite(loss.total.detach()):
        terms = {name: float(value) for name, value in loss.terms.items()}
        raise NotFiniteError(f"the loss isn't finite: {terms!r} {place()}")


def check_gradient(norm: Tensor, place: Callable[[], str]) -> None:
    """Raises NotFiniteError: the gradient's norm isn't finite. Not for fp16, whose scaler skips such a step."""
    if not torch.isfinite(norm):
        raise NotFiniteError(f"the gradient isn't finite {place()}")


def place_of(batch: Batch, epoch: int, step: int, name: Callable[[int], str]) -> str:
    """Epoch, step and every sample of a batch, for an error."""
    samples = [name(int(number)) + " mirrored" * bool(mirrored)
               for number, mirrored in zip(batch.number, batch.mirrored, strict=True)]  # fmt: skip
    return (
        f"in epoch {epoch}, step {step}, samples {samples!r}: look at them (python -m training.view), lower "
        "optimiser.learning_rate, or set optimiser.gradient_clip or hardware.precision=32"
    )
