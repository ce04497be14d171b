"""Train, validation and test, one after the other in time; supervised and unlabelled samples."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import replace

import numpy as np

from depth_perception.errors import ConfigError
from training.dataset_folder import SPLITS, Rejected, Sample


class TimeSplit:
    """Places a sequence's samples by the number of their image, so that no image serves two splits.

    The first share of the images is train's, the next val's, the last test's. A sample whose own or context image, or
    whose neighbour within `stride`, is another split's is dropped: a gap of `stride` samples on each side.
    """

    def __init__(self, images: int, shares: tuple[float, float, float], stride: int) -> None:
        self._starts = [round(images * share) for share in (0.0, shares[0], shares[0] + shares[1])]
        self._stride, self._last = stride, images - 1

    def place(self, sample: Sample) -> Sample | Rejected:
        """The sample with its split, or why it is dropped."""
        context = [n for n in sample.context if n is not None]
        first = max(min([sample.index - self._stride, *context]), 0)
        last = min(max([sample.index + self._stride, *context]), self._last)
        splits = {self._split(first), self._split(last)}
        if len(splits) == 1:
            return replace(sample, split=splits.pop())
        detail = f"images {first} … {last} belong to {' and '.join(s for s in SPLITS if s in splits)}"
        return Rejected(sample.stamp_ns, "split boundary", detail)

    def _split(self, number: int) -> str:
        return SPLITS[sum(number >= start for start in self._starts[1:])]


def draw_supervised(candidates: Items[tuple[str, int]], wanted: str, seed: int) -> dict[str, list[int]]:
    """Sequence → indices of N samples drawn at random from all candidates (paper 1, appendix B: split S).

    `candidates` are (sequence, index) of the training samples that have depth, in any order; `wanted` is a count such
    as 1000 or a share such as 2.5%. Where fewer have depth, all of them are taken.

    Raises:
        ConfigError: `wanted` is neither.
    """
    ordered = sorted(candidates)
    count = min(_count(wanted, len(ordered)), len(ordered))
    drawn = np.random.default_rng(seed).permutation(len(ordered))[:count]
    marks: dict[str, list[int]] = {}
    for place in sorted(drawn.tolist()):
        name, index = ordered[place]
        marks.setdefault(name, []).append(index)
    return marks


def _count(wanted: str, available: int) -> int:
    try:
        if wanted.endswith("%"):
            share = float(wanted[:-1])
            if 0.0 <= share <= 100.0:
                return round(available * share / 100.0)
        elif int(wanted) >= 0:
            return int(wanted)
    except ValueError:
        pass
    raise ConfigError(f"--supervised {wanted!r} must be a count such as 1000 or a share such as 2.5%")
