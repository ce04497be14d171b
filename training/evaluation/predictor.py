"""A model's answer to an image, through the pipeline and the engine that drive the robot."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.config import from_flat
from depth_perception.errors import ConfigError, ModelError
from depth_perception.pipeline import Pipeline, unscaled
from depth_perception.records import DepthKind, Frame
from depth_perception.upsample import Upsampler
from training.dataset_folder import Image
from training.evaluation.protocol import Cap

Float32 = NDArray[np.float32]
NEAREST_M, FARTHEST_M = 1e-6, 1e6


class Predictor(Protocol):
    """Something that answers an image."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def kind(self) -> DepthKind:
        """What its answers are."""

    @property
    def range(self) -> Cap:
        """Metres, that it says of itself."""

    @property
    def sha256(self) -> str:
        """Of its file."""

    @property
    def backend(self) -> str:
        """What runs it."""

    def __call__(self, image: Image, camera: CameraModel) -> Float32:
        """(H, W) at the image's size: metres, depth of unknown scale, or inverse depth of unknown scale and shift."""
        ...


class EnginePredictor:
    """The model in `path` ('default', or an ONNX file) behind `backend`; `name`, if it isn't to be the file's.

    Raises:
        ModelError, EngineError: it is no model, or no engine can run it.
    """

    def __init__(self, path: str, backend: str = "onnxruntime", name: str = "") -> None:
        self._pipeline = Pipeline(from_flat({"model.path": path, "engine.backend": backend, "rectify": "never"}))
        self._upsampler: Upsampler | None = None
        self._name = name

    @property
    def name(self) -> str:
        return self._name or self._pipeline.model.path.name

    @property
    def kind(self) -> DepthKind:
        return self._pipeline.model.contract.kind

    @property
    def range(self) -> Cap:
        return Cap(self._pipeline.model.contract.min_depth, self._pipeline.model.contract.max_depth)

    @property
    def sha256(self) -> str:
        return self._pipeline.model.sha256

    @property
    def backend(self) -> str:
        return self._pipeline.choice.label

    def __call__(self, image: Image, camera: CameraModel) -> Float32:
        """As `Predictor` says.

        It is brought to the image's size as the pipeline does it, but nothing is cut off at the model's range:
        alignment and the protocol's cap come later.

        Raises:
            ConfigError: the model needs a focal length that the camera hasn't.
            ModelError: it says NaN.
        """
        inference = self._pipeline.infer(Frame(image, 0, "camera", camera))
        view, reason = unscaled(inference, np.inf)
        if view is None:
            raise ConfigError(f"the image can't be evaluated: {reason}")
        values = np.ascontiguousarray(view.values if view.is_inverse else _positive(view.values, self.kind))
        if np.isnan(inference.prediction).any():
            raise ModelError(f"{str(self._pipeline.model.path)!r} says NaN for an image: it is broken; export it again")
        return self._at_size(values, (camera.height, camera.width), view.is_inverse)

    def _at_size(self, values: Float32, size: tuple[int, int], is_inverse: bool) -> Float32:
        if is_inverse:
            import cv2

            return cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
        shape = (values.shape[0], values.shape[1])
        if self._upsampler is None or (self._upsampler.from_size, self._upsampler.to_size) != (shape, size):
            self._upsampler = Upsampler(shape, size)
        return self._upsampler(values)


def _positive(depth: Float32, kind: DepthKind) -> Float32:
    """Within what can be aligned: what isn't positive is very near, or of a network of inverse depth very far."""
    if kind is DepthKind.METRIC_INVERSE:
        depth = np.where(depth > 0, depth, np.float32(np.inf))
    return np.clip(depth, np.float32(NEAREST_M), np.float32(FARTHEST_M))
