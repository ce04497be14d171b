"""Losses and geometry keep at least 32 bits where the networks around them run in 16."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")
HALF = (torch.float16, torch.bfloat16)


def widen(value: Any) -> Any:
    """A tensor of 16-bit floats as float32, also inside tuples and lists; everything else as it is."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in HALF else value
    if type(value) in (tuple, list):
        return type(value)(widen(item) for item in value)
    return value


def full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` with autocast off and its 16-bit tensors as float32.

    A pixel coordinate of 600 has steps of 0.5 in float16 and of 4 in bfloat16, and a sum over an image overflows
    float16 at 65504: autocast would do both. float64 stays, for gradient checks.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        device = next((v.device.type for v in (*args, *kwargs.values()) if isinstance(v, Tensor)), "cpu")
        with torch.autocast(device, enabled=False):
            return function(*widen(args), **{name: widen(value) for name, value in kwargs.items()})

    return run
