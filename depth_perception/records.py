"""The frozen records that cross module boundaries. Units are in the names or in the comment beside them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel

Image = NDArray[np.uint8]
Float32 = NDArray[np.float32]


class DepthKind(enum.Enum):
    """What a network's output means; the value is the word used in the model contract."""

    METRIC = "metric_depth"
    METRIC_INVERSE = "metric_inverse_depth"
    SCALED = "scaled_depth"  # depth up to an unknown scale
    RELATIVE_INVERSE = "relative_inverse_depth"  # inverse depth up to an unknown scale and shift

    @property
    def is_metric(self) -> bool:
        """True if the output is in metres (or 1/m) without any anchor."""
        return self in (DepthKind.METRIC, DepthKind.METRIC_INVERSE)

    @property
    def is_inverse(self) -> bool:
        """True if a larger number means nearer."""
        return self in (DepthKind.METRIC_INVERSE, DepthKind.RELATIVE_INVERSE)


@dataclass(frozen=True)
class Frame:
    """One camera image as it arrived."""

    image: Image  # (H, W, 3) uint8 RGB; a view of the message wherever the encoding allows
    stamp_ns: int  # acquisition time
    frame_id: str  # optical frame
    camera: CameraModel | None  # None: no CameraInfo yet


@dataclass(frozen=True)
class Anchors:
    """Sparse metric depth seen in the image, whatever measured it."""

    uv: Float32  # (N, 2) pixels, (column, row)
    depth: Float32  # (N,) metres along the optical axis
    sigma: Float32  # (N,) metres, one standard deviation
    source: str


@dataclass(frozen=True)
class Quality:
    """Where the scale of a frame comes from and how good it is."""

    source: str  # "prior" (the model's own metres) or "none" (no scale known)
    relative_std: float  # one standard deviation as a share of depth; NaN = not measured
    valid_share: float  # share of pixels with a finite depth
    reason: str = ""  # why `depth` is None; empty otherwise


@dataclass(frozen=True)
class DepthFrame:
    """What the pipeline makes of a `Frame`."""

    depth: Float32 | None  # (H, W) metres along z; NaN unknown, +Inf beyond range; None: no trusted scale
    prediction: Float32  # (h, w) as the network gave it, at the network's resolution
    kind: DepthKind  # of `prediction`
    stamp_ns: int  # the image's own
    frame_id: str  # the image's own
    camera: CameraModel | None  # geometry of `depth`: of the rectified image where we rectified
    image: Image  # (H, W, 3) uint8 RGB that belongs to `depth` (rectified where we rectified)
    quality: Quality
    stages_ms: dict[str, float] = field(default_factory=dict)  # wall time of each stage
