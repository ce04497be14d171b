"""The one image that paper 3 learns from: a photograph, or a rendered frame with its exact depth."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import ConfigError
from depth_perception.sim.depth_code import decode_depth

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "data"  # beside the checkout, where there are any
KITCHEN = RECORDINGS / "7scenes_redkitchen" / "frame-000000.color.jpg"
RENDERED, ROOM_SEED = Path("runs/student_frames"), 7
FASTDEPTH = RECORDINGS / "teacher" / "fast_depth_224.tflite"


@dataclass(frozen=True)
class Photo:
    """`depth` is exact, metres along z, +Inf sky; None for a photograph."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    depth: NDArray[np.float32] | None
    source: str


def load_photo(source: str) -> Photo:
    """The image that `source` names: a picture file, WORLD_FOLDER:INDEX of rendered frames, or 'auto'.

    Raises:
        ConfigError: there is no such file or frame, or it can't be read.
        SimulatorError: 'auto' without recordings, and this machine can't render.
    """
    if source == "auto":
        source = str(KITCHEN) if KITCHEN.is_file() else f"{_render(RENDERED)}:0"
    folder, _, index = source.rpartition(":")
    if folder and index.isdigit() and Path(folder).is_dir():
        return _rendered(Path(folder), int(index))
    pixels = cv2.imread(source, cv2.IMREAD_COLOR)
    if pixels is None:
        raise ConfigError(f"image {source!r} can't be read; give a picture file, or WORLD_FOLDER:INDEX")
    return Photo(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8), None, Path(source).name)


def _render(out: Path) -> Path:
    """The folder of one rendered room, made now unless it is there."""
    os.environ.setdefault("MUJOCO_GL", "egl")
    from training.render_sim import RenderConfig, render_world

    render_world(RenderConfig(out, frames=1, kind="room"), seed=ROOM_SEED)
    return out / f"world_{ROOM_SEED:06d}"


def _rendered(folder: Path, index: int) -> Photo:
    try:
        images, codes = (np.load(folder / name, mmap_mode="r") for name in ("images.npy", "depth.npy"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{str(folder)!r} holds no rendered frames: {error}") from error
    if index >= len(images):
        raise ConfigError(f"frame {index!r} of {str(folder)!r} does not exist; it holds {len(images)} frames")
    return Photo(np.array(images[index]), decode_depth(np.array(codes[index])), f"{folder.name}:{index}")
