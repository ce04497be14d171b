"""Samples as pictures: the image, what was measured in it, what a teacher says, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import ConfigError
from training.dataset_folder import Sample
from training.dataset_folder import Sequence as Recording
from training.teacher_labels import read_label

Image = NDArray[np.uint8]
Float32 = NDArray[np.float32]
TILE_WIDTH, CAPTION, GAP, ACROSS = 800, 22, 6, 3  # pixels; tiles side by side
DIM = 0.55  # of the picture's brightness under dots
MOST_COVERED = 0.12  # share of a picture that dots may hide
TICKS_M = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 80.0)


@dataclass(frozen=True)
class Ends:
    """Depth of the warm and of the cold end of the colours, metres; logarithmic between."""

    near: float
    far: float

    @classmethod
    def of(cls, depths: Sequence[Float32]) -> Ends:
        """The 1st and 99th percentile of all finite; 1 to 10 m of nothing."""
        known = np.concatenate([np.zeros(0, np.float32), *(depth[np.isfinite(depth)] for depth in depths)])
        if not known.size:
            return cls(1.0, 10.0)
        near, far = (float(value) for value in np.percentile(known, [1, 99]))
        return cls(near, max(far, 1.5 * near))

    def colours(self, depth: Float32) -> Image:
        """(…) metres -> (…, 3) RGB: near is warm, far is cold, unknown is black."""
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.log(self.far / depth) / np.log(self.far / self.near)
        return painted(np.clip(share, 0.0, 1.0))


def painted(share: Float32) -> Image:
    """(H, W) or (N,), 0 cold to 1 warm, NaN black -> (…, 3) RGB."""
    unknown = np.isnan(share)
    level = np.rint(25 + 225 * np.where(unknown, 0.0, share)).astype(np.uint8)  # the map's very ends are nearly black
    rgb = cv2.applyColorMap(level.reshape(-1, 1), cv2.COLORMAP_TURBO)[..., ::-1].reshape(*share.shape, 3)
    return np.where(unknown[..., None], np.uint8(0), rgb).astype(np.uint8)


class Colours(Protocol):
    """What gives numbers their colours."""

    def colours(self, depth: Float32, /) -> Image: ...


def overlay(image: Image, depth: Float32, ends: Colours) -> Image:
    """(h, TILE_WIDTH, 3): the picture in grey, a dot on each measured pixel, the nearest (smallest) on top.

    Convention: a pixel's centre is at whole numbers, so (u, v) lies at (u + 0.5) * scale - 0.5. Where dots would hide
    more than MOST_COVERED of the picture, they are a random share of what was measured.
    """
    scale = TILE_WIDTH / image.shape[1]
    dim = cv2.cvtColor(tile(image), cv2.COLOR_RGB2GRAY)
    out = (DIM * np.repeat(dim[..., None], 3, axis=2)).astype(np.uint8)
    rows, columns = np.nonzero(np.isfinite(depth))
    reach = 1 if len(rows) > 0.005 * depth.size else 2
    most = int(MOST_COVERED * dim.size / (2 * reach) ** 2)
    if len(rows) > most:
        chosen = np.random.default_rng(0).choice(len(rows), most, replace=False)
        rows, columns = rows[chosen], columns[chosen]
    order = np.argsort(-depth[rows, columns], kind="stable")  # far first
    rows, columns = rows[order], columns[order]
    colours = ends.colours(depth[rows, columns])
    v, u = (np.floor((place + 0.5) * scale - 0.5).astype(int) for place in (rows, columns))
    for dv in range(1 - reach, 1 + reach):
        for du in range(1 - reach, 1 + reach):
            out[np.clip(v + dv, 0, out.shape[0] - 1), np.clip(u + du, 0, TILE_WIDTH - 1)] = colours
    return out


def tile(picture: Image) -> Image:
    """The picture TILE_WIDTH wide."""
    size = TILE_WIDTH, max(1, round(picture.shape[0] * TILE_WIDTH / picture.shape[1]))
    shrinks = picture.shape[1] > TILE_WIDTH
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[return-value]


def sample_tiles(recording: Recording, sample: Sample, ends: Ends) -> list[tuple[str, Image]]:
    """Captions and tiles of one sample."""
    tiles: list[tuple[str, Image]] = []
    for camera in ("left", "right") if sample.right else ("left",):
        image = recording.image(sample.index, camera)
        tiles.append((f"{camera} {sample.index} {_marks(sample) if camera == 'left' else ''}", tile(image)))
        if sample.depth.get(camera, 0):
            depth = recording.depth(sample.index, camera)
            tiles.append((f"measured, {camera}: {sample.depth[camera]} pixels", overlay(image, depth, ends)))
        tiles += _teacher_tiles(recording, sample, camera, ends)
    return tiles


def sheet(recording: Recording, samples: Sequence[Sample]) -> Image:
    """One picture of several samples, their tiles in lines, with a scale of the colours below.

    Raises:
        ConfigError: no sample.
    """
    if not samples:
        raise ConfigError(f"{str(recording.folder)!r} has no sample to draw")
    measured = [
        recording.depth(sample.index, camera)
        for sample in samples
        for camera in ("left", "right")
        if sample.depth.get(camera, 0)
    ]
    ends = Ends.of(measured)
    blocks = [sample_tiles(recording, sample, ends) for sample in samples]
    most = max(len(tiles) for tiles in blocks)
    across = 2 if most == 4 else min(ACROSS, most)
    lines = [line(tiles[at : at + across], across) for tiles in blocks for at in range(0, len(tiles), across)]
    return np.vstack([*lines, colour_scale(ends, lines[0].shape[1])] if measured else lines)


def _teacher_tiles(recording: Recording, sample: Sample, camera: str, ends: Ends) -> list[tuple[str, Image]]:
    label = read_label(recording.teacher_path(sample.index, camera))
    if label is None:
        return []
    inverse = label.inverse_depth.astype(np.float32)
    if label.kind.is_metric:
        with np.errstate(divide="ignore"):
            picture = ends.colours(np.where(inverse > 0, 1 / inverse, np.float32(np.nan)))
    else:
        low, high = np.nanpercentile(inverse, [1, 99])
        picture = painted(np.clip((inverse - low) / max(high - low, 1e-9), 0, 1))
    sure = label.confidence.mean() / 255
    grey = np.repeat(label.confidence[..., None], 3, axis=2)
    own = "" if label.kind.is_metric else ", colours of its own"
    return [
        (f"teacher, {camera}: {label.kind.value}{own}", tile(picture)),
        (f"confidence, {camera}: mean {sure:.2f} (white 1)", tile(grey)),
    ]


def _marks(sample: Sample) -> str:
    said = [sample.split, "S" if sample.supervised else "U"]
    if sample.motion_m is not None:
        said.append(f"moved {sample.motion_m:.3f} m")
    said += [f"{sensor} {ms:+.1f} ms" for sensor, ms in sample.sync_ms.items()]
    return ", ".join(said)


def line(tiles: Sequence[tuple[str, Image]], across: int) -> Image:
    """Captions and tiles side by side, in the places of `across`."""
    height = max(picture.shape[0] for _, picture in tiles)
    out = np.full((height + CAPTION + GAP, across * (TILE_WIDTH + GAP), 3), 255, np.uint8)
    for place, (caption, picture) in enumerate(tiles):
        left = place * (TILE_WIDTH + GAP)
        out[CAPTION : CAPTION + picture.shape[0], left : left + TILE_WIDTH] = picture
        _write(out, caption, left)
    return out


def colour_scale(ends: Ends, width: int) -> Image:
    """Colours of metres, (h, width, 3)."""
    strip = np.full((CAPTION + 18, width, 3), 255, np.uint8)
    metres = np.geomspace(ends.near, ends.far, TILE_WIDTH).astype(np.float32)
    strip[:18, :TILE_WIDTH] = ends.colours(metres)
    for tick in (tick for tick in TICKS_M if ends.near <= tick <= ends.far):
        at = round(np.log(tick / ends.near) / np.log(ends.far / ends.near) * (TILE_WIDTH - 1))
        strip[14:22, at] = 0
        _write(strip, f"{tick:g} m", min(at, TILE_WIDTH - 40), 18)
    return strip


def _write(picture: Image, text: str, left: int, top: int = 0) -> None:
    cv2.putText(picture, text, (left + 2, top + 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
