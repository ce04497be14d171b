"""What goes into the alignment of a frame, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.records import Quality, UsedAnchors

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Unscaled:
    """What the network said, waiting for its scale."""

    values: Float32  # (h, w) depth (its own metres where it has any), or relative inverse depth
    is_inverse: bool  # relative inverse depth: scale and shift are unknown
    prior_std: float | None  # relative standard deviation of its own metres (NaN: not measured); None: it has none
    image: NDArray[np.uint8]  # (H, W, 3) RGB that anchors' pixels count in
    farthest: float  # metres; nothing is said to be farther


@dataclass(frozen=True)
class Alignment:
    """Depth and its standard deviation (h, w) in metres, None without a trusted scale; and how that came about.

    `quality.reason` of none is what is wrong with the anchors, empty if none came; `quality.valid_share` of some isn't
    known yet: it is that of the depth that leaves.
    """

    depth: Float32 | None
    std: Float32 | None
    quality: Quality
    anchors: tuple[UsedAnchors, ...] = ()
