"""Which anchors each frame leaves out, to measure quality on what the fit has not seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def held_out(group: NDArray[np.int32], share: float, turn: int) -> NDArray[np.bool_]:
    """True (N,) for the anchors that frame number `turn` leaves out: whole groups (beams, image blocks), in rotation.

    Points beside a fitted point of the same beam prove nothing, so a group goes as a whole. At least one group goes
    where there are three or more; with fewer none can be spared. Every group has its turn within a few frames.
    """
    groups = np.unique(group)
    if len(groups) < 3 or share <= 0.0:
        return np.zeros(len(group), bool)
    count = min(max(1, round(share * len(groups))), len(groups) // 2)
    # Evenly spread over the image, not neighbours: a stride through the groups, shifted by one each turn.
    step = len(groups) / count
    chosen = groups[(turn + np.floor(np.arange(count) * step)).astype(np.int64) % len(groups)]
    return np.isin(group, chosen)
