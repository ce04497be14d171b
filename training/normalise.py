"""Bring a relative label map to a common range: median and mean absolute deviation (Ranftl et al. 2022, eq. 5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def normalise(label: NDArray[np.floating]) -> NDArray[np.float32]:
    """(x - median x) / mean |x - median x|, over the finite pixels of one label map.

    Invariant to any positive scale and any shift of the label, which is all that a relative teacher leaves open.

    Args:
        label: (H, W), any unit, NaN unknown.

    Returns:
        (H, W) float32, unitless, NaN where unknown; zeros where the label is constant (it says nothing relative).
    """
    known = np.isfinite(label)
    values = label[known].astype(np.float64)
    result = np.full(label.shape, np.nan, np.float32)
    if not len(values):
        return result
    centred = values - np.median(values)
    deviation = np.abs(centred).mean()
    result[known] = centred / deviation if deviation > 0 else 0.0
    return result
