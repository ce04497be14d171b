"""What is counted of a sequence for its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.dataset_folder import CAMERAS, SPLITS, Sample, Sequence


@dataclass(frozen=True)
class Spread:
    """Of a list of numbers."""

    count: int
    mean: float
    low: float
    high: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """None of nothing."""
        found = tuple(values)
        return cls(len(found), float(np.mean(found)), min(found), max(found), found) if found else None


@dataclass(frozen=True)
class SequenceNumbers:
    """Counted from the samples themselves, except `summary`, which was written when the sequence was made."""

    name: str
    samples: tuple[Sample, ...]
    split: dict[str, int]  # samples of each
    supervised: int
    with_depth: dict[str, int]  # camera -> samples
    points: dict[str, Spread]  # camera -> measured pixels of a sample that has depth
    right: int  # samples with a stereo partner
    whole_context: int  # samples with both neighbours
    with_pose: int  # samples whose own pose is known
    labelled: dict[str, int]  # camera -> samples with a teacher's label
    beams: tuple[int, ...]  # kept ones, of any sample
    sync_ms: dict[str, Spread]  # sensor -> its stamp minus the image's
    motion_m: Spread | None
    motion_rad: Spread | None
    rejected: dict[str, int]  # reason -> frames
    examples: dict[str, str]  # reason -> the first such frame's numbers
    summary: dict[str, Any]


def count(sequence: Sequence) -> SequenceNumbers:
    """Numbers of one sequence."""
    samples = sequence.samples()
    rejected, examples = Counter[str](), dict[str, str]()
    for frame in sequence.rejected():
        rejected[frame.reason] += 1
        examples.setdefault(frame.reason, frame.detail)
    sensors = sorted({sensor for sample in samples for sensor in sample.sync_ms})
    splits = Counter(sample.split for sample in samples)
    return SequenceNumbers(
        name=sequence.name,
        samples=tuple(samples),
        split={split: splits[split] for split in SPLITS},
        supervised=sum(sample.supervised for sample in samples),
        with_depth={camera: sum(sample.depth.get(camera, 0) > 0 for sample in samples) for camera in CAMERAS},
        points=_known({camera: Spread.of(_points(samples, camera)) for camera in CAMERAS}),
        right=sum(sample.right for sample in samples),
        whole_context=sum(None not in sample.context for sample in samples),
        with_pose=sum(sample.T_odom_left[1] is not None for sample in samples),
        labelled={
            camera: sum(sequence.teacher_path(sample.index, camera).is_file() for sample in samples)
            for camera in CAMERAS
        },
        beams=tuple(sorted({beam for sample in samples for beam in sample.beams})),
        sync_ms=_known(
            {
                sensor: Spread.of(sample.sync_ms[sensor] for sample in samples if sensor in sample.sync_ms)
                for sensor in sensors
            }
        ),
        motion_m=Spread.of(sample.motion_m for sample in samples if sample.motion_m is not None),
        motion_rad=Spread.of(sample.motion_rad for sample in samples if sample.motion_rad is not None),
        rejected=dict(rejected.most_common()),
        examples=examples,
        summary=sequence.summary(),
    )


def _points(samples: Iterable[Sample], camera: str) -> list[int]:
    return [sample.depth[camera] for sample in samples if sample.depth.get(camera, 0) > 0]


def _known(spreads: dict[str, Spread | None]) -> dict[str, Spread]:
    return {name: spread for name, spread in spreads.items() if spread is not None}
