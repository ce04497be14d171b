"""Colour scales in metres, and the places of their ticks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.colors import Colormap, LogNorm

Float32 = NDArray[np.float32]
UNKNOWN, BEYOND, BEFORE = "black", "0.75", "0.35"  # NaN, +Inf, -Inf
ERROR_ENDS = (0.1, 0.2, 0.5, 1.0)


def depth_norm(*metres: Float32) -> LogNorm:
    """Logarithmic from the 2nd to the 98th percentile of everything finite, so that near and far both show detail.

    At least a factor of 1.5 apart; from 1 to 10 m where nothing is finite.
    """
    from matplotlib.colors import LogNorm

    known = np.concatenate([values[np.isfinite(values) & (values > 0)] for values in metres]) if metres else np.zeros(0)
    low, high = (float(v) for v in np.percentile(known, [2, 98])) if known.size else (1.0, 10.0)
    if high < 1.5 * low:
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(1.5), middle * math.sqrt(1.5)
    return LogNorm(low, high)


def depth_map() -> Colormap:
    """Near is warm, far is cold, as in `depth/preview`; unknown is black, beyond and before the range are grey."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    colours = ListedColormap(matplotlib.colormaps["turbo"](np.linspace(1.0, 0.06, 256)))  # below it is nearly black
    return colours.with_extremes(bad=UNKNOWN, over=BEYOND, under=BEFORE)


def limited(depth: Float32, norm: LogNorm) -> Float32:
    """Finite depth just within the colour scale; infinite far outside, for matplotlib draws infinity as unknown."""
    low, high = 1.0001 * float(norm.vmin or 1), 0.9999 * float(norm.vmax or 1)
    out = np.clip(depth, np.float32(low), np.float32(high))  # NaN stays
    out[np.isposinf(depth)] = 2 * high
    out[np.isneginf(depth)] = 0.5 * low
    return out


def round_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, 20, … within the ends; finer where fewer than three of them are."""
    for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7), tuple(np.arange(10, 100) / 10)):
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [float(f"{digit * 10.0**decade:.4g}") for decade in decades for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:
            break
    return ticks


def error_end(error: NDArray[np.floating[Any]]) -> float:
    """The round number that nine tenths of the relative errors stay below: 0.1, 0.2, 0.5 or 1."""
    known = np.abs(error[np.isfinite(error)])
    reached = float(np.percentile(known, 90)) if known.size else 0.0
    return next((end for end in ERROR_ENDS if reached <= end), ERROR_ENDS[-1])
