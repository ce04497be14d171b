"""How much a network computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(function: Callable[..., Any], *arguments: Any) -> int:
    """Multiplications of all convolutions and matrix products in one call, backward passes inside it included.

    Counted from shapes, so that it works on the `meta` device too, where nothing is computed. Multiplications by
    padding count, as they do everywhere.
    """
    with FlopCounterMode(display=False) as counter:
        function(*arguments)
    return counter.get_total_flops() // 2
