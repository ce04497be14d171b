"""The torch Dataset over a dataset folder: a target, its sources, its stereo partner, and all that belongs to them."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from depth_perception.errors import ConfigError
from training.batch import Batch, Item, PseudoLabel, View, collate
from training.colour_change import ColourChange, ColourRanges, random_change
from training.dataset_folder import CAMERAS, SPLITS, Sample, Sequence, sequences
from training.teacher_labels import read_label
from training.window import Window, pyramid, random_window, whole

Float64 = NDArray[np.float64]
Image = NDArray[np.uint8]
DECODE = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4,
          8: cv2.IMREAD_REDUCED_COLOR_8}  # fmt: skip


KEPT_BYTES = 24 << 20  # glibc learns from blocks below 32 MiB


@dataclass(frozen=True)
class Augmentation:
    """What is drawn anew for each sample. All views of a sample share one draw."""

    flip: float = 0.5  # share of samples that are mirrored
    narrowest: float = 1.0  # smallest window as a share of the image's width; 1: never cropped, as in both papers
    colour: float = 0.5  # share of samples whose colours change
    ranges: ColourRanges = field(default_factory=ColourRanges)


@dataclass(frozen=True)
class DatasetConfig:
    """Which samples of a dataset folder, and which parts of each."""

    height: int = 192  # of what comes out, pixels
    width: int = 640
    split: str = "train"
    cameras: tuple[str, ...] = ("left",)  # whose images are targets; both of a rig are separate streams (paper 1)
    context: bool = True  # give t-1 and t+1
    stereo: bool = False  # give the partner
    teacher: bool = False  # give pseudo-labels
    scales: int = 4  # of K

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ConfigError(f"split {self.split!r} is none of {SPLITS!r}")
        if not self.cameras or set(self.cameras) - set(CAMERAS):
            raise ConfigError(f"cameras {self.cameras!r} must be some of {CAMERAS!r}")
        step = 2 ** (self.scales - 1)
        if self.scales < 1 or self.height % step or self.width % step:
            raise ConfigError(f"{self.height!r} x {self.width!r} can't be halved for {self.scales!r} scales")


class Draw(NamedTuple):
    """What a sampler asks the dataset for; the same draw gives the same bytes, in whichever worker."""

    item: int
    key: tuple[int, ...]  # seeds the augmentation
    supervised: bool | None = None  # give measured depth; None: as the sample is marked


class _Entry(NamedTuple):
    recording: int
    sample: Sample
    camera: str


class FrameDataset(Dataset[Item]):
    """Samples of a dataset folder. An int gives an item as it lies there; a `Draw` an augmented one.

    Convention: a mirrored sample shows a mirrored world (`training.window.Window`), in which the partner of a left
    target stands to its left. So that a pair keeps its order, its sides are exchanged: the mirrored right image is the
    target then, the mirrored left one its partner, each with its own K, depth and sources, and `T_partner_target`
    keeps its sign. A pair whose right side lacks what the left one has (sources that are asked for, measured depth)
    stays as it is; there the sign of `T_partner_target`'s x changes. Either way it maps the target's points to the
    partner's, so a loss that uses it (not a baseline's size) is right in both cases.
    """

    def __init__(self, folder: str | Path, config: DatasetConfig, augmentation: Augmentation | None = None) -> None:
        """Reads the lists of samples, no image.

        Raises:
            ConfigError: no dataset there, no sample of that split, or a pair whose images differ in size.
        """
        self.config, self.augmentation = config, augmentation
        self.recordings = sequences(folder)
        self._right = [_frames(recording, "right") for recording in self.recordings]
        self._entries = [
            _Entry(number, sample, camera)
            for number, recording in enumerate(self.recordings)
            for sample in recording.samples(config.split)
            for camera in config.cameras
            if camera == "left" or sample.right
        ]
        if not self._entries:
            raise ConfigError(f"{str(folder)!r} has no sample of {config.split!r} for cameras {config.cameras!r}")
        for recording in self.recordings if config.stereo else ():
            sizes = {(camera.height, camera.width) for camera in recording.calibration.cameras.values()}
            if len(sizes) > 1:
                raise ConfigError(f"images of the pair in {str(recording.folder)!r} differ: {sorted(sizes)!r}; resize")

    def __len__(self) -> int:
        return len(self._entries)

    def supervised(self) -> list[int]:
        """Items that are marked supervised (S of paper 1, appendix B)."""
        return [number for number, entry in enumerate(self._entries) if entry.sample.supervised]

    def name(self, item: int) -> str:
        """Sequence/camera/number of an item's image, for messages. A mirrored one may show the other camera."""
        place, sample, camera = self._entries[item]
        return f"{self.recordings[place].name}/{camera}/{sample.index:08d}"

    def measured(self) -> list[int]:
        """Items that have measured depth, marked supervised or not."""
        return [number for number, entry in enumerate(self._entries) if entry.sample.depth.get(entry.camera, 0)]

    @property
    def collate(self) -> Callable[[list[Item]], Batch]:
        """Makes a batch of this dataset's items."""
        return partial(collate, stereo=self.config.stereo, teacher=self.config.teacher)

    def __getitem__(self, draw: Draw | int) -> Item:
        if not isinstance(draw, Draw):
            return self._item(draw, None, None)
        return self._item(draw.item, draw.supervised, np.random.default_rng(draw.key))

    def _item(self, number: int, supervised: bool | None, rng: np.random.Generator | None) -> Item:
        place, sample, camera = self._entries[number]
        recording, how = self.recordings[place], self.augmentation
        mirrored = bool(how and rng and rng.random() < how.flip)
        if mirrored and self._may_change_sides(place, sample):
            camera = _other(camera)
        window = self._window(recording, camera, mirrored, rng)
        clean = _image(recording, sample.index, camera, window)
        change = random_change(clean, how.ranges, rng) if how and rng and rng.random() < how.colour else None
        supervised = sample.supervised if supervised is None else supervised
        partner = self.config.stereo and sample.right
        return Item(
            number=number,
            target=_view(clean, change),
            sources=self._sources(place, sample, camera, window, change),
            partner=_view(_image(recording, sample.index, _other(camera), window), change) if partner else None,
            K=self._K(recording, camera, window),
            K_partner=self._K(recording, _other(camera), window) if partner else None,
            T_partner_target=window.transform(_T_partner(recording, camera)) if partner else None,
            T_source_target=self._poses(recording, sample, camera, window),
            depth=_depth(recording, sample, camera, window) if supervised else None,
            partner_depth=_depth(recording, sample, _other(camera), window) if supervised and partner else None,
            teacher=_label(recording, sample.index, camera, window) if self.config.teacher else None,
            mirrored=mirrored,
        )

    def _window(self, recording: Sequence, camera: str, mirrored: bool, rng: np.random.Generator | None) -> Window:
        model, out = recording.calibration.cameras[camera], (self.config.height, self.config.width)
        size, reducible = (model.height, model.width), recording.calibration.image_format == "jpg"
        if rng is None or self.augmentation is None:
            return whole(size, out, reducible)
        return random_window(size, out, self.augmentation.narrowest, reducible, mirrored, rng)

    def _sources(
        self, place: int, sample: Sample, camera: str, window: Window, change: ColourChange | None
    ) -> tuple[View | None, ...]:
        if not self.config.context:
            return ()
        recording = self.recordings[place]
        return tuple(
            _view(_image(recording, n, camera, window), change)
            if n is not None and (camera == "left" or n in self._right[place])
            else None
            for n in sample.context
        )

    def _poses(self, recording: Sequence, sample: Sample, camera: str, window: Window) -> tuple[Float64 | None, ...]:
        """T_source_target of each source, None where odometry doesn't know."""
        if not self.config.context:
            return ()
        before, this, after = sample.T_odom_left
        T_left_camera = np.eye(4) if camera == "left" else recording.calibration.T_left_right
        return tuple(
            None
            if source is None or this is None or T_left_camera is None
            else window.transform(_relative(source @ T_left_camera, this @ T_left_camera))
            for source in (before, after)
        )

    def _K(self, recording: Sequence, camera: str, window: Window) -> Float64:
        K = window.intrinsics(recording.calibration.cameras[camera].K)
        return pyramid(K, self.config.height, self.config.width, self.config.scales)

    def _may_change_sides(self, place: int, sample: Sample) -> bool:
        if not self.config.stereo or not sample.right:
            return False
        seen = not self.config.context or all(n is None or n in self._right[place] for n in sample.context)
        return seen and ((sample.depth.get("left", 0) > 0) == (sample.depth.get("right", 0) > 0))


def make_loader(
    dataset: FrameDataset, sampler: Sampler[list[Draw]], workers: int = 0, pin_memory: bool = False
) -> DataLoader:
    """Batches as `sampler` draws them, the same whatever the number of workers."""
    keep_freed_memory()  # for what this process itself loads, or moves to a GPU
    return DataLoader(
        dataset, batch_sampler=sampler, num_workers=workers, collate_fn=dataset.collate, pin_memory=pin_memory,
        persistent_workers=workers > 0, worker_init_fn=_prepare_worker,
        multiprocessing_context="spawn" if workers else None,  # a fork of OpenCV's threads ends in a deadlock
    )  # fmt: skip


def _prepare_worker(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to every process; the one that trains ends its workers
    cv2.setNumThreads(1)  # workers are as many as there are cores for them
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Make this process keep the memory of a batch for the next one: 2 ms less a sample at 640x192.

    glibc gives large blocks back to the kernel, which has to fill each new one with zeros, until it has seen an even
    larger one freed (mallopt(3), M_MMAP_THRESHOLD). Other C libraries are not changed by it.
    """
    np.empty(KEPT_BYTES, np.uint8)


def _frames(recording: Sequence, camera: str) -> frozenset[int]:
    """Numbers of the images there are."""
    folder = recording.folder / "images" / camera
    return frozenset(int(path.stem) for path in folder.iterdir()) if folder.is_dir() else frozenset()


def _other(camera: str) -> str:
    return "left" if camera == "right" else "right"


def _image(recording: Sequence, n: int, camera: str, window: Window) -> Image:
    path = recording.image_path(n, camera)
    decoded = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), DECODE[window.reduction])
    if decoded is None:
        raise ConfigError(f"{str(path)!r} is damaged: make the dataset again")
    return window.image(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))  # type: ignore[arg-type]


def _view(clean: Image, change: ColourChange | None) -> View:
    return View(clean, clean if change is None else change(clean))


def _T_partner(recording: Sequence, camera: str) -> Float64:
    """T_partner_target, where the target is `camera`."""
    T_left_right = recording.calibration.T_left_right
    if T_left_right is None:
        raise ConfigError(f"{str(recording.folder)!r} has a right image but no T_left_right: make the dataset again")
    return T_left_right if camera == "right" else np.asarray(np.linalg.inv(T_left_right), np.float64)


def _relative(T_c_b: Float64, T_c_a: Float64) -> Float64:
    """T_b_a."""
    return np.asarray(np.linalg.inv(T_c_b) @ T_c_a, np.float64)


def _depth(recording: Sequence, sample: Sample, camera: str, window: Window) -> NDArray[np.uint16] | None:
    if not sample.depth.get(camera, 0):
        return None
    path = recording.depth_path(sample.index, camera)
    code = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if code is None or code.dtype != np.uint16:
        raise ConfigError(f"{str(path)!r} is no 16-bit depth: make the dataset again")
    return window.sparse(code)


def _label(recording: Sequence, n: int, camera: str, window: Window) -> PseudoLabel | None:
    label = read_label(recording.teacher_path(n, camera))
    if label is None:
        return None
    return PseudoLabel(window.dense(label.inverse_depth), window.dense(label.confidence), label.kind.is_metric)
