"""Which samples make up an epoch's batches: seeded, the same on every machine, resumable at any epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from depth_perception.errors import ConfigError
from training.dataset import Draw


class EpochBatches(Sampler[list[Draw]]):
    """Every item once per epoch, in an order that follows from seed and epoch. The last batch may be smaller."""

    def __init__(self, items: int, batch_size: int, seed: int) -> None:
        _check(batch_size, 1)
        self.items, self.batch_size, self.seed, self.epoch = items, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next iteration draws; a resumed run sets it and goes on as if it had not stopped."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.items // self.batch_size)

    def __iter__(self) -> Iterator[list[Draw]]:
        seed, size = (self.seed, self.epoch), self.batch_size
        draws = [
            Draw(int(item), (*seed, place))
            for place, item in enumerate(np.random.default_rng(seed).permutation(self.items))
        ]
        return (draws[start : start + size] for start in range(0, len(draws), size))


class HalfBatches(Sampler[list[Draw]]):
    """Half of each batch from U, all items without their depth, once per epoch; half from S, drawn with replacement.

    Guizilini 2019, appendix B: the epoch ends when U is through; U holds the images of S, too. A last, smaller batch is
    half and half as well. The first half of a batch is of U.
    """

    def __init__(self, items: int, supervised: Sequence[int], batch_size: int, seed: int) -> None:
        """Raises ConfigError: no supervised item, or an odd batch."""
        _check(batch_size, 2)
        if not supervised:
            raise ConfigError("no sample is marked supervised (S): make_dataset marks them, or use EpochBatches")
        self.items, self.supervised = items, np.asarray(supervised)
        self.half, self.seed, self.epoch = batch_size // 2, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next iteration draws; a resumed run sets it and goes on as if it had not stopped."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.items // self.half)

    def __iter__(self) -> Iterator[list[Draw]]:
        rng = np.random.default_rng((self.seed, self.epoch))
        unlabelled = rng.permutation(self.items)
        labelled = self.supervised[rng.integers(len(self.supervised), size=self.items)]
        for start in range(0, self.items, self.half):
            places = range(start, min(start + self.half, self.items))
            yield [
                *(Draw(int(unlabelled[place]), (self.seed, self.epoch, 2 * place), False) for place in places),
                *(Draw(int(labelled[place]), (self.seed, self.epoch, 2 * place + 1), True) for place in places),
            ]


def _check(batch_size: int, multiple: int) -> None:
    if batch_size < 1 or batch_size % multiple:
        raise ConfigError(f"batch size {batch_size!r} must be a positive multiple of {multiple}")
