"""The frozen records that cross module boundaries. Units are in the names or in the comment beside them."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel

Image = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]


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
class PointSweep:
    """What a LiDAR or a laser scanner measured in one turn: points in its own frame."""

    source: str  # "lidar" or "scan"
    xyz: Float32  # (N, 3) metres, as one moment saw them (deskewed where that was possible); NaN and Inf are dropped
    beam: Int32  # (N,) number of the beam that measured each point; -1 unknown
    stamp_ns: int  # that moment
    T_camera_sensor: Float64  # (4, 4), p_camera = T_camera_sensor @ p_sensor; the camera's optical frame


@dataclass(frozen=True)
class StereoPair:
    """Two images of one moment."""

    left: Image  # (H, W, 3) or (H, W) uint8
    right: Image
    left_camera: CameraModel
    right_camera: CameraModel  # rectified pair: P[0, 3] = -fx * baseline
    stamp_ns: int
    rectified: bool  # the images are rectified already (their topics say so)
    T_left_right: Float64 | None = None  # (4, 4) where known (tf); unrectified pairs whose P has no baseline need it
    T_camera_left: Float64 | None = None  # (4, 4) into the depth camera's optical frame; None: the left eye is it


Measurement = PointSweep | StereoPair


@dataclass(frozen=True)
class Anchors:
    """Sparse metric depth seen in the image, whatever measured it. The arrays are parallel."""

    uv: Float32  # (N, 2) pixels (column, row) of the image that depth is made for
    depth: Float32  # (N,) metres along the optical axis
    sigma: Float32  # (N,) metres, one standard deviation
    group: Int32  # (N,) what is left out together when quality is measured: a LiDAR's beam, else an image block
    source: str  # "lidar", "scan", "stereo", "ground"
    stamp_ns: int  # when they were measured
    note: str = ""  # what a person should know: why there are few, what is wrong

    def __len__(self) -> int:
        return len(self.depth)


@dataclass(frozen=True)
class Quality:
    """Where the scale of a frame comes from and how good it is."""

    source: str  # "lidar", "lidar+stereo", …; "prior" (the model's own metres); "none" (no scale known)
    relative_std: float  # one standard deviation as a share of depth, median over pixels; NaN = not measured
    valid_share: float  # share of the published depth's pixels that are finite: known, and within the range
    reason: str = ""  # why `depth` is None; empty otherwise
    count: int = 0  # anchors that came
    inlier_share: float = math.nan  # of the anchors that the fit saw
    scale: float = math.nan  # of the fit; depth = scale * prediction, or of inverse depth with `shift`
    shift: float = math.nan  # 1/m, of inverse depth; 0 where the model's kind has none
    age_s: float = math.nan  # of the measurement behind the fit, at the image's time
    held: bool = False  # an older fit is used: this frame's was refused, or there are no anchors
    abs_rel: float = math.nan  # on the anchors that the fit has not seen
    rmse: float = math.nan  # likewise, metres
    delta1: float = math.nan  # likewise
    held_out: int = 0  # how many these were
    warnings: tuple[str, ...] = ()  # what is wrong with the sources, in words


class Use(enum.IntEnum):
    """What the fit made of an anchor."""

    REFUSED = 0  # contradicts the others; or the fit as a whole was refused
    FITTED = 1
    HELD_OUT = 2  # left out to measure quality


@dataclass(frozen=True)
class UsedAnchors:
    """Anchors of one source after the fit."""

    anchors: Anchors
    use: NDArray[np.uint8]  # (N,) values of `Use`


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
    std: Float32 | None = None  # (H, W) metres, one standard deviation of `depth`; NaN where depth isn't finite
    anchors: tuple[UsedAnchors, ...] = ()  # what the sources measured, and what became of it
    stages_ms: dict[str, float] = field(default_factory=dict)  # wall time of each stage
