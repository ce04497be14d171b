"""Which pixels count, and how far a prediction may go: crops, caps and the minimum of the published protocols."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import ConfigError

NONE = "none"
ALIGNMENTS = (NONE, "median", "affine")
SMALLEST_M = 1e-3  # lower end of a cap that names none, as in Godard et al. 2017's evaluation

# Shares of the image: first row, row after the last, first column, column after the last. Godard et al. 2017
# (evaluate_kitti.py of their monodepth) give both, cut to whole pixels: on 375x1242 Eigen's rows are 124 to 341 and
# Garg's 153 to 370, the columns of both 44 to 1196.
CROPS = {
    "eigen": (0.3324324, 0.91351351, 0.0359477, 0.96405229),  # Eigen et al. 2014
    "garg": (0.40810811, 0.99189189, 0.03594771, 0.96405229),  # Garg et al. 2016
}


@dataclass(frozen=True)
class Cap:
    """Depths that count, m; predictions are limited to the same."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"cap {self.low:g} to {self.high:g} m"


def parse_cap(text: str) -> Cap | None:
    """'80' is above 0.001 and below 80 m, '1-50' what Garg et al. use; 'none': no cap.

    Raises:
        ConfigError: it is neither.
    """
    if text == NONE:
        return None
    try:
        numbers = [float(word) for word in text.split("-")]
        cap = Cap(SMALLEST_M, *numbers) if len(numbers) == 1 else Cap(*numbers)
    except (TypeError, ValueError):
        cap = Cap(np.nan, np.nan)
    if not 0.0 < cap.low < cap.high < np.inf:
        raise ConfigError(f"--cap {text!r} is no range of depths: say metres as 80 or 1-50, or none")
    return cap


def crop_window(crop: str, height: int, width: int) -> tuple[int, int, int, int]:
    """First row, row after the last, first column, column after the last of `crop` in an image of this size.

    Raises:
        ConfigError: an unknown crop.
    """
    if crop == NONE:
        return 0, height, 0, width
    if crop not in CROPS:
        raise ConfigError(f"--crop {crop!r} isn't known: say one of {[*CROPS, NONE]!r}")
    top, bottom, left, right = CROPS[crop]
    return int(top * height), int(bottom * height), int(left * width), int(right * width)


@dataclass(frozen=True)
class Protocol:
    """How predictions are compared with a reference.

    Paper 2 (Kuznietsov et al. 2017, section 4.2): crop eigen with cap 80, or 1-50; for its ablations crop none, cap
    none and a minimum of 5 m, which leaves predictions as they are.
    """

    crop: str = NONE
    cap: Cap | None = Cap(SMALLEST_M, 80.0)
    min_depth: float | None = None  # references nearer than this don't count; predictions may be nearer
    align: str = NONE

    def __post_init__(self) -> None:
        """Raises ConfigError: a value that none can have, or nothing would count."""
        crop_window(self.crop, 1, 1)
        if self.align not in ALIGNMENTS:
            raise ConfigError(f"--align {self.align!r} isn't known: say one of {ALIGNMENTS!r}")
        if self.min_depth is not None and not 0.0 <= self.min_depth < (self.cap.high if self.cap else np.inf):
            raise ConfigError(f"--min-depth {self.min_depth!r} leaves no depth to count: it must lie below --cap")

    def counted(self, target: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(H, W) True where the reference (metres) counts: known, in the crop, strictly in the cap, not too near."""
        top, bottom, left, right = crop_window(self.crop, *target.shape)
        inside = np.zeros(target.shape, bool)
        inside[top:bottom, left:right] = True
        inside &= np.isfinite(target) & (target > 0)
        with np.errstate(invalid="ignore"):
            if self.cap is not None:
                inside &= (target > self.cap.low) & (target < self.cap.high)
            if self.min_depth is not None:
                inside &= target >= self.min_depth
        return inside
