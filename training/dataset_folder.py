"""The dataset folder (design §7): what lies where, read here; `training.dataset_writer` writes it. No torch.

OUT/manifest.json               every input and output with its sha256, the resolved configuration, the version
OUT/supervised.json             which samples are supervised (S); without it, all that have depth
OUT/<sequence>/                 whole if it exists: it is written as OUT/.<sequence>.partial and renamed at the end
  images/<camera>/<n>.jpg|png   camera left or right, n eight digits: the frame's number in the sequence
  depth/<camera>/<n>.png        measured: uint16, metres * 256, 0 = none (KITTI's convention)
  truth/<camera>/<n>.png        exact, in the same code: only where a simulator knows it, never for training
  teacher/<camera>/<n>.npz      pseudo-labels, added later
  calibration.json samples.jsonl rejected.jsonl summary.json manifest.json
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.errors import ConfigError

FORMAT = 1
CAMERAS = ("left", "right")
SPLITS = ("train", "val", "test")
DEPTH_STEPS = 256.0  # to the metre

Image = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class SequenceCalibration:
    """The cameras as the images lie there: rectified, cropped, resized. Their D is zero.

    Convention: p_left = T_left_x @ p_x in the left camera's optical frame (x right, y down, z forward), metres. K is in
    pixels with the first pixel's centre at (0, 0). The right camera's P[0, 3] is -fx * baseline, as in CameraInfo.
    """

    cameras: dict[str, CameraModel]  # left, and right where there is one
    image_format: str  # jpg or png
    frame_ids: dict[str, str] = field(default_factory=dict)  # left, right, lidar, body: as the source calls them
    T_left_right: Float64 | None = None  # (4, 4); None: no right camera
    T_left_lidar: Float64 | None = None  # (4, 4); None: no LiDAR, or nobody knows where it sits
    T_left_body: Float64 | None = None  # (4, 4); the frame that odometry moves; None: unknown


@dataclass(frozen=True)
class Sample:
    """One image to train on, and what belongs to it."""

    index: int  # n of its files
    stamp_ns: int  # acquisition time in the image's header
    context: tuple[int | None, int | None]  # n of the frames a stride before and after; None: there is none
    right: bool  # images/right/<n> exists
    depth: dict[str, int]  # camera → pixels of depth/<camera>/<n>; a camera without that file is missing
    beams: tuple[int, ...] = ()  # kept beams, counted from the top (0); empty: no LiDAR, or its beams are unknown
    T_odom_left: tuple[Float64 | None, Float64 | None, Float64 | None] = (None, None, None)  # before, this, after
    motion_m: float | None = None  # from the frame before (after it, for a first one); None: no odometry
    motion_rad: float | None = None
    sync_ms: dict[str, float] = field(default_factory=dict)  # right, lidar, odometry: their stamp minus the image's
    supervised: bool = False  # S or U (paper 1, appendix B)
    split: str = "train"
    source: dict[str, str | int] = field(default_factory=dict)  # file, topic, number of the image in it
    truth: bool = False  # truth/<camera>/<n> exists


@dataclass(frozen=True)
class Rejected:
    """A frame that gave no sample."""

    stamp_ns: int
    reason: str  # short, to be counted
    detail: str = ""  # the same with this frame's numbers


class Sequence:
    """A whole sequence on disk; nothing but its calibration is read before it is asked for."""

    def __init__(self, folder: Path) -> None:
        """Raises ConfigError: it isn't a sequence, or of another format."""
        self.folder, self.name = folder, folder.name
        path = folder / "calibration.json"
        if not path.is_file():
            raise ConfigError(f"{str(folder)!r} is no sequence of a dataset: it has no calibration.json")
        content = json.loads(path.read_text())
        if content.get("format") != FORMAT:
            raise ConfigError(f"{str(folder)!r} has format {content.get('format')!r}, known is {FORMAT}: make it again")
        self.calibration = _calibration(content)

    def samples(self, split: str | None = None) -> list[Sample]:
        """In order of time; of one split only, if given. `supervised` is as OUT/supervised.json says now."""
        marked = supervised_marks(self.folder.parent)
        own = None if marked is None else set(marked.get(self.name, ()))
        found = []
        for entry in _lines(self.folder / "samples.jsonl"):
            sample = sample_from(entry)
            supervised = sample.depth.get("left", 0) > 0 if own is None else sample.index in own
            if split is None or sample.split == split:
                found.append(replace(sample, supervised=supervised))
        return found

    def rejected(self) -> Iterator[Rejected]:
        """Every frame that gave no sample, in the order met."""
        return (Rejected(**entry) for entry in _lines(self.folder / "rejected.jsonl"))

    def summary(self) -> dict[str, Any]:
        """Counts, sync errors, histograms (`training.preparation.statistics` says which)."""
        return json.loads((self.folder / "summary.json").read_text())  # type: ignore[no-any-return]

    def image_path(self, n: int, camera: str = "left") -> Path:
        return self.folder / "images" / camera / f"{n:08d}.{self.calibration.image_format}"

    def depth_path(self, n: int, camera: str = "left") -> Path:
        return self.folder / "depth" / camera / f"{n:08d}.png"

    def truth_path(self, n: int, camera: str = "left") -> Path:
        return self.folder / "truth" / camera / f"{n:08d}.png"

    def teacher_path(self, n: int, camera: str = "left") -> Path:
        return self.folder / "teacher" / camera / f"{n:08d}.npz"

    def image(self, n: int, camera: str = "left") -> Image:
        """(H, W, 3) uint8 RGB; of a grey camera three equal channels. Raises FileNotFoundError, ConfigError."""
        import cv2

        return cv2.cvtColor(_read(self.image_path(n, camera), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)  # type: ignore[return-value]

    def depth(self, n: int, camera: str = "left") -> Float32:
        """(H, W) float32 metres along z, NaN where nothing was measured. Raises as `image`."""
        return read_depth(self.depth_path(n, camera))

    def truth(self, n: int, camera: str = "left") -> Float32:
        """(H, W) float32 metres along z as the simulator knows them. Raises as `image`."""
        return read_depth(self.truth_path(n, camera))


def sequences(out: str | Path) -> list[Sequence]:
    """The whole sequences of a dataset, by name.

    Raises:
        ConfigError: there is none, or one is of another format.
    """
    folders = sorted(
        path.parent for path in Path(out).glob("*/calibration.json") if not path.parent.name.startswith(".")
    )
    if not folders:
        raise ConfigError(f"{str(out)!r} holds no dataset; make one with python -m training.make_dataset SOURCE {out}")
    return [Sequence(folder) for folder in folders]


def supervised_marks(out: Path) -> dict[str, list[int]] | None:
    """Sequence → indices of its supervised samples; None: nobody marked any, so all that have depth are."""
    path = out / "supervised.json"
    return json.loads(path.read_text())["samples"] if path.is_file() else None


def read_depth(path: Path) -> Float32:
    """(H, W) float32 metres of a depth file of KITTI's convention, NaN for 0. Raises FileNotFoundError, ConfigError."""
    import cv2

    code = _read(path, cv2.IMREAD_UNCHANGED)
    if code.dtype != np.uint16 or code.ndim != 2:
        raise ConfigError(f"{str(path)!r} is {code.dtype} {code.shape}; depth is a 16-bit PNG of one channel")
    depth = code.astype(np.float32)
    depth *= np.float32(1.0 / DEPTH_STEPS)
    depth[code == 0] = np.nan
    return depth


def sample_from(entry: dict[str, Any]) -> Sample:
    """Of one line of samples.jsonl."""
    entry = {**entry, "context": tuple(entry["context"]), "beams": tuple(entry["beams"])}
    before, this, after = (_matrix(rows) for rows in entry["T_odom_left"])
    return Sample(**{**entry, "T_odom_left": (before, this, after)})


def _calibration(content: dict[str, Any]) -> SequenceCalibration:
    cameras = {
        name: CameraModel(c["height"], c["width"], np.array(c["K"]), P=np.array(c["P"]))
        for name, c in content["cameras"].items()
    }
    transforms = {name: _matrix(content[name]) for name in ("T_left_right", "T_left_lidar", "T_left_body")}
    return SequenceCalibration(cameras, content["image_format"], content["frame_ids"], **transforms)


def _matrix(rows: list[list[float]] | None) -> Float64 | None:
    return None if rows is None else np.array(rows, np.float64)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open() as file:
        for line in file:
            yield json.loads(line)


def _read(path: Path, flags: int) -> NDArray[Any]:
    import cv2

    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags)
    if image is None:
        raise ConfigError(f"{str(path)!r} is damaged: make the dataset again")
    return image
