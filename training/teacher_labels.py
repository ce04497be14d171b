"""A teacher's label of one image as it lies in a dataset folder: `teacher/<camera>/<n>.npz`."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import ConfigError
from depth_perception.records import DepthKind


@dataclass(frozen=True)
class TeacherLabel:
    """What a teacher says about an image, and which teacher about which image."""

    inverse_depth: NDArray[np.float16]  # (H, W) NaN unknown; 1/m if `kind.is_metric`, else up to scale (and shift)
    confidence: NDArray[np.uint8]  # (H, W) 0 to 255: see training.flip_consistency
    kind: DepthKind  # of the model; whichever it is, the label is inverse depth
    teacher: str  # sha256 of the model and of how it was used
    image: str  # sha256 of the image file


def read_label(path: Path) -> TeacherLabel | None:
    """The label in a file; None if there is none.

    Raises:
        ConfigError: the file is damaged or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            return TeacherLabel(
                content["inverse_depth"],
                content["confidence"],
                DepthKind(str(content["kind"])),
                str(content["teacher"]),
                str(content["image"]),
            )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigError(f"{str(path)!r} is no teacher's label ({error}): run training.pseudo_label again") from error


def read_origin(path: Path) -> tuple[str, str] | None:
    """(teacher, image) hashes of a label that is there and whole, or None: it must be made."""
    try:
        label = read_label(path)
    except ConfigError:
        return None
    return None if label is None else (label.teacher, label.image)


def write_label(path: Path, label: TeacherLabel) -> None:
    """Whole or not at all: a run that is killed here leaves no half label."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(
            file,
            inverse_depth=label.inverse_depth,
            confidence=label.confidence,
            kind=label.kind.value,
            teacher=label.teacher,
            image=label.image,
        )
    part.replace(path)
