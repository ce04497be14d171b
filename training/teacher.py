"""Pseudo-labels: what a teacher model says about an image, cached on disk.

The teacher is any model file that our engines read: an ONNX file with our contract, or a network of another format that
OpenVINO reads (TFLite, OpenVINO IR), whose kind and unit the caller states.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.config import EngineConfig
from depth_perception.engines import load_engine
from depth_perception.engines.tensor_model import read_tensor_model
from depth_perception.errors import ModelError
from depth_perception.model import load_model
from depth_perception.pipeline import shrink
from depth_perception.records import DepthKind

Image = NDArray[np.uint8]
Float32 = NDArray[np.float32]


class Teacher:
    """Inverse depth of an image, at the image's size, by a model file."""

    def __init__(self, path: Path, kind: DepthKind, unit: float, threads: int = 0) -> None:
        """Load the model.

        Args:
            path: an ONNX file that keeps our contract, or any other file that OpenVINO reads.
            kind, unit: what an output without contract means, and the factor to metres or 1/m. A contract has both, and
                then they are not used.

        Raises:
            ModelError, EngineError: the file is missing, can't be read, or no backend takes it.
        """
        if not path.is_file():
            raise ModelError(f"teacher {str(path)!r} does not exist; give a model file with --teacher")
        self.kind, self._unit = kind, unit
        self._canonical_focal: float | None = None
        self._infer: Callable[[Image], Float32]
        if path.suffix == ".onnx":
            model = load_model(path)
            self.kind, self._unit = model.contract.kind, 1.0
            self._canonical_focal = model.contract.canonical_focal
            self._height, self._width = model.contract.height, model.contract.width
            self._infer = load_engine(model, EngineConfig(threads=threads)).engine.infer
        else:
            network = read_tensor_model(path, threads=threads)
            self._height, self._width = network.height, network.width
            self._infer = network
        meaning = f"{self.kind.value} {self._unit!r}".encode()
        self.identity = hashlib.sha256(path.read_bytes() + meaning).hexdigest()

    def __call__(self, image: Image) -> Float32:
        """(H, W, 3) uint8 RGB -> (H, W) inverse depth: 1/m if the kind is metric, else up to scale (and shift).

        NaN where the teacher gives no positive depth. Brought to the image's size bilinearly in inverse depth. A
        canonical focal length is not applied: see `focal_factor`.
        """
        output = self._infer(shrink(image, self._height, self._width)) * np.float32(self._unit)
        if not self.kind.is_inverse:
            with np.errstate(divide="ignore"):
                output = np.where(output > 0, np.reciprocal(output), np.float32(np.nan))
        height, width = image.shape[:2]
        resized = cv2.resize(output, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.float32)

    def focal_factor(self, camera: CameraModel) -> float:
        """What a label of this camera's image is multiplied by, if it shall be in 1/m: canonical_focal / fx.

        Convention: fx is that of the image stretched to the model's width, as in `depth_perception.contract`. 1 for a
        model without canonical focal length, and for a relative one.
        """
        if self._canonical_focal is None or self.kind is DepthKind.RELATIVE_INVERSE:
            return 1.0
        return self._canonical_focal * camera.width / (camera.fx * self._width)


class LabelCache:
    """A teacher whose answers are kept as float16 npz, one file an image; a stopped run goes on where it was.

    A file is named by the hash of teacher (weights, kind, unit) and image, so a changed one is never mistaken for
    another; a file that can't be read, or holds a map of another size, is made anew.
    """

    def __init__(self, teacher: Callable[[Image], Float32], identity: str, folder: Path) -> None:
        self._teacher, self._identity, self._folder = teacher, identity, folder
        self.hits, self.misses = 0, 0
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, image: Image) -> Path:
        """Where the label of this image lies."""
        content = f"{self._identity} {image.shape!r}".encode() + np.ascontiguousarray(image).tobytes()
        return self._folder / f"{hashlib.sha256(content).hexdigest()[:32]}.npz"

    def __call__(self, image: Image) -> Float32:
        """(H, W, 3) uint8 RGB -> (H, W) inverse depth rounded to float16 (0.05 %), whether cached or made now."""
        path = self.path(image)
        label = _read(path, image.shape[:2])
        if label is None:
            self.misses += 1
            label = self._teacher(image).astype(np.float16)
            _write(path, label)
        else:
            self.hits += 1
        return label.astype(np.float32)


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[np.float16] | None:
    try:
        with np.load(path, allow_pickle=False) as content:
            label = content["inverse_depth"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return label if label.shape == shape and label.dtype == np.float16 else None


def _write(path: Path, label: NDArray[np.float16]) -> None:
    """Whole or not at all: a run that is stopped here leaves no half label."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, inverse_depth=label)
    part.replace(path)
