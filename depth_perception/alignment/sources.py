"""Anchors of all sources as parallel arrays at the prediction's resolution; and whether the sources agree."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.records import Anchors

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]

TRUST_ORDER = ("lidar", "scan", "stereo", "ground")  # who is believed where two contradict each other
BLOCKS = (6, 8)  # rows, columns: parts of the image whose errors count as independent
MEETING = (24, 32)  # rows, columns of the cells in which two sources are compared
FEWEST_MEETINGS = 6  # cells
DISAGREEMENT = 0.18  # of log depth: more than this between two sources is a contradiction
MODEL_SIGMA = 0.05  # of log depth: what a prediction gets wrong from pixel to pixel; softens the weights
SYSTEMATIC = 0.005  # of depth: what a calibration gets wrong in all anchors alike
BLOCK_WEIGHT = 200.0  # anchors of one source in one block count for at most so many


@dataclass(frozen=True)
class Gathered:
    """All usable anchors of a frame; arrays are parallel."""

    sources: tuple[Anchors, ...]
    uv: Float32  # (N, 2) pixels of the prediction
    depth: Float32  # (N,) metres
    prediction: Float32  # (N,) of the network there
    weight: Float32  # (N,) 0 to 1: from sigma; less where one source crowds a block
    block: Int32  # (N,) part of the image
    group: Int32  # (N,) what is left out together; no two sources share a number
    source: Int32  # (N,) index into `sources`
    index: Int32  # (N,) index into that source's own arrays

    def __len__(self) -> int:
        return len(self.depth)

    def only(self, keep: NDArray[np.bool_]) -> Gathered:
        """Those where `keep` (N,) is true."""
        arrays = (self.uv, self.depth, self.prediction, self.weight, self.block, self.group, self.source, self.index)
        return Gathered(self.sources, *(array[keep] for array in arrays))  # type: ignore[arg-type]

    @property
    def coverage(self) -> float:
        """Share of the image's blocks that hold an anchor."""
        return len(np.unique(self.block)) / (BLOCKS[0] * BLOCKS[1])

    @property
    def names(self) -> str:
        """'lidar+stereo': the sources that have usable anchors."""
        present = {self.sources[i].source for i in np.unique(self.source)}
        return "+".join(sorted(present, key=_rank))

    @property
    def is_ground(self) -> NDArray[np.bool_]:
        """(N,) true for anchors on the ground."""
        return np.array([s.source == "ground" for s in self.sources] or [False], np.bool_)[self.source]

    @property
    def systematic(self) -> float:
        """Standard deviation, as a share of depth, of what is wrong in all anchors alike.

        A height or pitch that isn't true moves all of the ground (`ground_anchors`), as far as ground has a say here.
        """
        common, everything = 0.0, max(float(np.sum(self.weight)), 1e-9)
        for number, source in enumerate(self.sources):
            mine = self.source == number
            if source.source == "ground" and mine.any():
                relative = float(np.median(source.sigma[self.index[mine]] / self.depth[mine]))
                common += relative * float(np.sum(self.weight[mine])) / everything
        return math.hypot(SYSTEMATIC, common)


def gather(sources: Sequence[Anchors], prediction: Float32, image_size: tuple[int, int]) -> Gathered:
    """Anchors in pixels of an image (height, width) → pixels of its prediction (h, w), read at the nearest one.

    Anchors without a positive finite depth and sigma, or where the network gave no positive finite number, are left
    out; so are those with a sigma as large as their depth, which say nothing.

    Convention: pixel centres are integers, so u' = (u + 0.5) * w / W - 0.5.
    """
    h, w = prediction.shape
    ratio = np.array([w / image_size[1], h / image_size[0]], np.float32)
    parts, next_group = [], 0
    for number, anchors in enumerate(sources):
        uv = (anchors.uv + np.float32(0.5)) * ratio - np.float32(0.5)
        with np.errstate(invalid="ignore"):
            usable = np.isfinite(uv).all(axis=1) & (anchors.depth > 0.0) & np.isfinite(anchors.depth)
            usable &= (anchors.sigma > 0.0) & (anchors.sigma < anchors.depth)
            usable &= (np.abs(uv - (w - 1) / 2)[:, 0] <= w / 2) & (np.abs(uv - (h - 1) / 2)[:, 1] <= h / 2)
        index = np.flatnonzero(usable)
        uv = uv[index]
        column = np.clip(np.rint(uv[:, 0]), 0, w - 1).astype(np.intp)
        row = np.clip(np.rint(uv[:, 1]), 0, h - 1).astype(np.intp)
        value = prediction[row, column]
        good = np.isfinite(value) & (value > 0.0)
        index, uv, value, row, column = index[good], uv[good], value[good], row[good], column[good]
        block = (row * BLOCKS[0] // h * BLOCKS[1] + column * BLOCKS[1] // w).astype(np.int32)
        depth = anchors.depth[index]
        weight = _weights(depth, anchors.sigma[index], block)
        _, group = np.unique(anchors.group[index], return_inverse=True)
        group = (group + next_group).astype(np.int32)
        next_group = int(group.max(initial=next_group - 1)) + 1
        numbers = np.full(len(index), number, np.int32)
        parts.append((uv, depth, value, weight, block, group, numbers, index.astype(np.int32)))
    arrays = [np.concatenate(columns) for columns in zip(*parts, strict=True)] if parts else _nothing()
    return Gathered(tuple(sources), *arrays)  # type: ignore[arg-type]


def _nothing() -> list[NDArray[np.generic]]:
    floats, integers = np.zeros(0, np.float32), np.zeros(0, np.int32)
    return [np.zeros((0, 2), np.float32), floats, floats, floats, integers, integers, integers, integers]


def _weights(depth: Float32, sigma: Float32, block: Int32) -> Float32:
    precision = MODEL_SIGMA**2 / (MODEL_SIGMA**2 + np.square(sigma / depth))
    crowd = np.bincount(block, precision, BLOCKS[0] * BLOCKS[1])
    return (precision * np.minimum(1.0, BLOCK_WEIGHT / np.maximum(crowd, 1e-9))[block]).astype(np.float32)


def settle(anchors: Gathered, size: tuple[int, int], is_inverse: bool) -> tuple[Gathered, tuple[str, ...]]:
    """Sources that contradict a more trusted one are left out; and what to tell about it.

    Two sources are compared where both measured: in cells of the image of `size` (h, w), by their medians of log depth
    minus log prediction (plus, where the prediction is inverse), so that the model's shape drops out within a cell.
    """
    warnings = []
    present = sorted(np.unique(anchors.source), key=lambda i: _rank(anchors.sources[i].source))
    dropped: set[int] = set()
    for better, worse in itertools.combinations(present, 2):
        if better in dropped or worse in dropped:
            continue
        difference = _difference(anchors, int(better), int(worse), size, is_inverse)
        if difference is not None and abs(difference) > DISAGREEMENT:
            names = anchors.sources[worse].source, anchors.sources[better].source
            warnings.append(
                f"{names[0]} is {100 * np.expm1(difference):+.0f} % off the depth that {names[1]} measures at the same "
                f"places: {names[0]} isn't used; check both calibrations"
            )
            dropped.add(worse)
    if dropped:
        anchors = anchors.only(~np.isin(anchors.source, list(dropped)))
    return anchors, tuple(warnings)


def _difference(anchors: Gathered, first: int, second: int, size: tuple[int, int], is_inverse: bool) -> float | None:
    """Median over shared cells of log depth of the second minus the first; None if they hardly meet."""
    cell = (anchors.uv[:, 1] + 0.5) * (MEETING[0] / size[0]), (anchors.uv[:, 0] + 0.5) * (MEETING[1] / size[1])
    number = cell[0].astype(np.int64) * MEETING[1] + cell[1].astype(np.int64)
    shape = np.log(anchors.prediction)
    residual = np.log(anchors.depth) + (shape if is_inverse else -shape)
    a, b = (_medians(number[anchors.source == i], residual[anchors.source == i]) for i in (first, second))
    _, at_a, at_b = np.intersect1d(a[0], b[0], return_indices=True)
    return float(np.median(b[1][at_b] - a[1][at_a])) if len(at_a) >= FEWEST_MEETINGS else None


def _medians(cell: NDArray[np.int64], value: Float32) -> tuple[NDArray[np.int64], Float32]:
    """Cells that hold anything, and the (lower) median of each."""
    order = np.lexsort((value, cell))
    cells, start, count = np.unique(cell[order], return_index=True, return_counts=True)
    return cells, value[order][start + (count - 1) // 2]


def _rank(source: str) -> int:
    return TRUST_ORDER.index(source) if source in TRUST_ORDER else len(TRUST_ORDER)
