"""What a model is asked, and the reference it is compared with: the samples of a dataset folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.errors import ConfigError
from training.dataset_folder import SPLITS, Image, Sample, Sequence, sequences

Float32 = NDArray[np.float32]
REFERENCES = ("auto", "truth", "depth")
ALL = "all"


@dataclass(frozen=True)
class Case:
    """One image with its reference."""

    name: str  # sequence/number
    image: Image  # (H, W, 3) RGB, rectified
    camera: CameraModel  # of that image
    target: Float32  # (H, W) metres along z, NaN unknown
    measured: Float32 | None  # (H, W) what training saw of this image; None: nobody knows, or it is the reference


class Cases(Protocol):
    """Images with references, in a fixed order; each can be asked for again."""

    name: str  # of the data
    part: str  # of the data, in words
    reference: str  # what the targets are
    skipped: int  # samples of the split without such a reference

    def __len__(self) -> int: ...

    def __getitem__(self, place: int) -> Case: ...

    def __iter__(self) -> Iterator[Case]: ...


class DatasetCases:
    """Left images of a dataset folder's split.

    The reference is a simulator's truth where every sequence has it, else the depth that lies in the folder.

    Args:
        split: train, val, test, or all.
        reference: auto, truth or depth.
        trained_on: a dataset of the same recordings whose depth is what training saw (say, of four beams).

    Raises:
        ConfigError: no dataset, no sample in the split, or none with a reference.
    """

    def __init__(
        self, folder: Path, split: str = "test", reference: str = "auto", trained_on: Path | None = None
    ) -> None:
        if split not in (*SPLITS, ALL):
            raise ConfigError(f"--split {split!r} isn't known: say one of {[*SPLITS, ALL]!r}")
        if reference not in REFERENCES:
            raise ConfigError(f"--reference {reference!r} isn't known: say one of {REFERENCES!r}")
        found = [(recording, sample) for recording in sequences(folder) for sample in recording.samples()]
        chosen = [(recording, sample) for recording, sample in found if split in (ALL, sample.split)]
        if not chosen:
            counts = {name: sum(sample.split == name for _, sample in found) for name in SPLITS}
            raise ConfigError(
                f"{str(folder)!r} has no sample in split {split!r}; it has {counts!r}: say another --split"
            )
        self.name, self.part = folder.resolve().name, "all splits" if split == ALL else f"split {split}"
        self.reference = _reference(reference, [sample for _, sample in chosen])
        self._pairs = [pair for pair in chosen if _has(pair[1], self.reference)]
        self.skipped = len(chosen) - len(self._pairs)
        if not self._pairs:
            raise ConfigError(
                f"none of the {len(chosen)} samples of {str(folder)!r}, split {split!r}, has {self.reference}: "
                "nothing to compare with; make it with a LiDAR or --depth-image, or say another --reference"
            )
        self._trained_on = None if trained_on is None else {item.name: item for item in sequences(trained_on)}
        self._check_trained_on(trained_on)

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, place: int) -> Case:
        recording, sample = self._pairs[place]
        target = recording.truth(sample.index) if self.reference == "truth" else recording.depth(sample.index)
        return Case(
            f"{recording.name}/{sample.index}", recording.image(sample.index), recording.calibration.cameras["left"],
            target, self._measured(recording, sample),
        )  # fmt: skip

    def __iter__(self) -> Iterator[Case]:
        return (self[place] for place in range(len(self)))

    def _measured(self, recording: Sequence, sample: Sample) -> Float32 | None:
        if self._trained_on is not None:
            other = self._trained_on[recording.name]
            return other.depth(sample.index) if other.depth_path(sample.index).is_file() else None
        if self.reference == "truth" and _has(sample, "depth"):
            return recording.depth(sample.index)
        return None

    def _check_trained_on(self, folder: Path | None) -> None:
        if self._trained_on is None:
            return
        for recording in {pair[0].name: pair[0] for pair in self._pairs}.values():
            other = self._trained_on.get(recording.name)
            if other is None:
                raise ConfigError(f"--trained-on {str(folder)!r} has no sequence {recording.name!r}, the dataset has")
            mine, theirs = (item.calibration.cameras["left"] for item in (recording, other))
            if (mine.height, mine.width) != (theirs.height, theirs.width) or not np.allclose(mine.K, theirs.K):
                raise ConfigError(
                    f"--trained-on {str(folder)!r} shows {recording.name!r} at {theirs.width}x{theirs.height} with "
                    f"another K than the dataset ({mine.width}x{mine.height}): make both with one --size and --crop"
                )


def _reference(wanted: str, samples: list[Sample]) -> str:
    if wanted != "auto":
        return wanted
    return "truth" if all(sample.truth for sample in samples) else "depth"


def _has(sample: Sample, reference: str) -> bool:
    return sample.truth if reference == "truth" else sample.depth.get("left", 0) > 0
