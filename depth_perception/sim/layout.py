"""What a world's builder hands on besides surfaces: where one may be, where lamps hang, where a road leads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layout:
    """`bounds` (xmin, ymin, xmax, ymax) metres; `start` (x, y) in free space; `lamps` (N, 3); `road` (M, 2) or None."""

    bounds: tuple[float, float, float, float]
    start: tuple[float, float]
    lamps: np.ndarray
    road: np.ndarray | None = None
    indoor: bool = True
