"""What a person wants to know of a sequence: counts, depth, beams, sync errors, motion. Sums, however long it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from depth_perception.records import Float32
from training.dataset_folder import Rejected, Sample

DEPTH_EDGES_M = (0.0, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 256.0)
MOTION_EDGES_M = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 1000.0)


@dataclass
class _Reasons:
    """How often each was met, and its first words."""

    count: Counter[str] = field(default_factory=Counter)
    example: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, text: str) -> None:
        self.count[key] += 1
        self.example.setdefault(key, text)

    def entry(self) -> dict[str, dict[str, Any]]:
        return {key: {"count": count, "example": self.example[key]} for key, count in sorted(self.count.items())}


@dataclass
class _Spread:
    """Of numbers that are seen once."""

    count: int = 0
    total: float = 0.0
    low: float = np.inf
    high: float = -np.inf

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.low, self.high = min(self.low, value), max(self.high, value)

    def entry(self) -> dict[str, float]:
        mean = round(self.total / self.count, 6)
        return {"count": self.count, "mean": mean, "min": round(self.low, 6), "max": round(self.high, 6)}


class Statistics:
    """Fed as a sequence is made."""

    def __init__(self) -> None:
        self.frames = 0
        self.rejected, self.missing = _Reasons(), _Reasons()
        self._sync: dict[str, _Spread] = {}
        self._turned = _Spread()
        self._moved = np.zeros(len(MOTION_EDGES_M) - 1, np.int64)
        self._depth: dict[str, np.ndarray] = {}
        self._share: dict[str, _Spread] = {}
        self._beams: Counter[int] = Counter()
        self._error = _Spread()
        self._relative, self._median = _Spread(), _Spread()
        self.first_ns = self.last_ns = 0

    def reject(self, rejected: Rejected) -> None:
        self.rejected.add(rejected.reason, rejected.detail)

    def sample(self, sample: Sample, missing: dict[str, str]) -> None:
        """Count one that is kept, unless the split drops it later."""
        self.first_ns = self.first_ns or sample.stamp_ns
        self.last_ns = sample.stamp_ns
        for sensor, reason in missing.items():
            self.missing.add(sensor, reason)
        for sensor, ms in sample.sync_ms.items():
            self._sync.setdefault(sensor, _Spread()).add(ms)
        if sample.motion_m is not None and sample.motion_rad is not None:
            self._moved += np.histogram([sample.motion_m], MOTION_EDGES_M)[0]
            self._turned.add(sample.motion_rad)

    def depth(self, camera: str, depth: Float32) -> int:
        """Count the pixels of a depth map; returns how many are measured."""
        values = depth[np.isfinite(depth)]
        counts = self._depth.setdefault(camera, np.zeros(len(DEPTH_EDGES_M) - 1, np.int64))
        counts += np.histogram(values, DEPTH_EDGES_M)[0]
        self._share.setdefault(camera, _Spread()).add(values.size / depth.size)
        return int(values.size)

    def beams(self, number: np.ndarray) -> None:
        """Count the points of each beam, by number from the top, that the left camera sees."""
        self._beams.update(dict(enumerate(np.bincount(number[number >= 0]).tolist())))

    def error(self, depth: Float32, truth: Float32) -> None:
        """Compare measured with exact depth, where both are."""
        both = np.isfinite(depth) & np.isfinite(truth)
        if both.any():
            away = np.abs(depth[both] - truth[both])
            relative = away / truth[both]
            self._error.add(float(away.mean()))
            self._relative.add(float(relative.mean()))
            self._median.add(float(np.median(relative)))

    def entry(self) -> dict[str, Any]:
        """For summary.json."""
        return {
            "frames": self.frames,
            "duration_s": round((self.last_ns - self.first_ns) * 1e-9, 6),
            "rejected": self.rejected.entry(),
            "missing": self.missing.entry(),
            "sync_ms": {sensor: spread.entry() for sensor, spread in sorted(self._sync.items())},
            "motion": {
                "edges_m": MOTION_EDGES_M,
                "counts": self._moved.tolist(),
                "turned_rad": self._turned.entry() if self._turned.count else None,
            },
            "depth": {
                camera: {"edges_m": DEPTH_EDGES_M, "counts": counts.tolist(), "share": self._share[camera].entry()}
                for camera, counts in sorted(self._depth.items())
            },
            "points_of_beam": {str(beam): count for beam, count in sorted(self._beams.items())},
            "error_to_truth": self._truth(),
        }

    def _truth(self) -> dict[str, Any] | None:
        """Over frames: their mean absolute error, mean relative error and median relative error."""
        if not self._error.count:
            return None
        spreads = {"mae_m": self._error, "abs_rel": self._relative, "median_rel": self._median}
        return {name: spread.entry() for name, spread in spreads.items()}
