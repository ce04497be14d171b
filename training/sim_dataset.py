"""Rendered frames (README, "Rendered frames") as training batches, from a folder that may grow meanwhile."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import ConfigError
from depth_perception.sim.depth_code import decode_depth
from training.default_config import DefaultTraining
from training.photometric_augmentation import degrade
from training.sim_augmentation import Sample, random_view

OPEN_WORLDS = 4096  # kept mapped at once; the files themselves are closed
FIRST_TEST_SEED = 900_000  # seeds from here on are for tests (config/sim_test_seeds.yaml), never for training


@dataclass(frozen=True)
class World:
    """One rendered world on disk; nothing of it is read yet."""

    path: Path
    seed: int
    kind: str  # room, corridor, yard, street
    frames: int

    def frame(self, index: int) -> Sample:
        """Frame `index` of this world."""
        return decoded(self.coded_frame(index))

    def coded_frame(self, index: int) -> Sample:
        """Frame `index` with its depth still coded (uint16): what is cut out and shrunk first is decoded faster."""
        images, codes, K = _open_world(self.path)
        return Sample(np.asarray(images[index]), np.asarray(codes[index]), np.asarray(K[index]))


def decoded(sample: Sample) -> Sample:
    """The sample with its coded depth in metres."""
    return replace(sample, depth=decode_depth(sample.depth))


@lru_cache(maxsize=OPEN_WORLDS)
def _open_world(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.float64]]:
    images, codes = (np.load(path / name, mmap_mode="r") for name in ("images.npy", "depth.npy"))
    return images, codes, np.load(path / "K.npy")


def complete_worlds(folder: str | Path) -> list[World]:
    """Worlds in `folder` that are complete, by seed; those still being written (`.part`) are left out.

    Raises:
        ConfigError: a world of an unknown format.
    """
    worlds = []
    for path in sorted(Path(folder).glob("world_*")):
        if path.suffix == ".part" or not path.is_dir():
            continue
        meta = json.loads((path / "meta.json").read_text())
        if meta["format"] != 1:
            raise ConfigError(f"{str(path)!r} has format {meta['format']!r}, known is 1; render it again")
        worlds.append(World(path, int(meta["seed"]), str(meta["kind"]), len(meta["frames"])))
    return worlds


def split_worlds(worlds: list[World], validation_every: int) -> tuple[list[World], list[World]]:
    """Worlds for training and for validation, split by seed, so that it stays the same while the folder grows."""
    training = [world for world in worlds if world.seed % validation_every]
    return training, [world for world in worlds if not world.seed % validation_every]


@dataclass(frozen=True)
class Batch:
    """What one step of training sees."""

    image: NDArray[np.uint8]  # (B, H, W, 3) RGB
    log_depth: NDArray[np.float32]  # (B, H, W) log of canonical depth, m; NaN unknown
    weight: NDArray[np.float32]  # (B, H, W) 1 surface, `sky_weight` sky, 0 unknown


class SimBatches:
    """Batch number i is the same whenever and wherever it is asked for, as long as the folder's worlds are the same.

    Where the schedule follows the clock, the trainer tells through `progress` (shared between processes) how far it is,
    which decides the size; otherwise that follows from the number too.
    """

    def __init__(self, folder: str | Path, config: DefaultTraining) -> None:
        self.folder, self.config = Path(folder), config
        self.progress = multiprocessing.Value("d", 0.0)
        self._scan = -1
        self._worlds: list[World] = []

    def __getitem__(self, number: int) -> Batch:
        scan = number // self.config.batches_per_scan
        if scan != self._scan:
            self._worlds, self._scan = self._look(), scan
        rng = np.random.default_rng((self.config.seed, number))
        by_clock = self.config.minutes > 0
        sizes = self.config.sizes_at(self.progress.value if by_clock else number / self.config.steps)
        height, width = sizes[number % len(sizes)]
        count = max(2, self.config.batch_pixels // (height * width))  # batch norm needs two
        views = [self._random_view((height, width), rng) for _ in range(count)]
        targets = [canonical_target(view, self.config) for view in views]
        return Batch(
            np.stack([self._photograph(view, views[i - 1], rng) for i, view in enumerate(views)]),
            np.stack([log_depth for log_depth, _ in targets]),
            np.stack([weight for _, weight in targets]),
        )

    def _photograph(self, view: Sample, other: Sample, rng: np.random.Generator) -> NDArray[np.uint8]:
        if rng.random() >= self.config.degraded_share:
            return view.image
        return degrade(view.image, view.depth, other.image, rng)

    def _look(self) -> list[World]:
        worlds, _ = split_worlds(complete_worlds(self.folder), self.config.validation_every)
        if frozen := [world.seed for world in worlds if world.seed >= FIRST_TEST_SEED]:
            raise ConfigError(f"{str(self.folder)!r} holds the test worlds {frozen!r}; train without them")
        if not worlds:
            raise ConfigError(f"no complete training world in {str(self.folder)!r}; run training.render_sim first")
        return worlds

    def _random_view(self, out: tuple[int, int], rng: np.random.Generator) -> Sample:
        world = self._worlds[int(rng.integers(len(self._worlds)))]
        frame = world.coded_frame(int(rng.integers(world.frames)))
        return decoded(random_view(frame, out, rng, narrowest=self.config.narrowest))


def canonical_target(sample: Sample, config: DefaultTraining) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(log canonical depth, weight), both (H, W), of one sample.

    Canonical depth is depth * canonical_focal / fx. Sky and what lies beyond `max_canonical` is `max_canonical`: the
    network must say "far" there, so it keeps a weight of its own.
    """
    with np.errstate(invalid="ignore"):
        canonical = sample.depth * np.float32(config.canonical_focal / sample.K[0, 0])
        log_depth = np.log(np.clip(canonical, config.min_canonical, config.max_canonical))
    weight = np.where(np.isinf(sample.depth), np.float32(config.sky_weight), np.float32(1.0))
    weight[np.isnan(sample.depth)] = 0.0
    return log_depth, weight
