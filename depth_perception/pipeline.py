"""Frame → DepthFrame. Knows no ROS: the live node and the bag runner call the same `process`."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel, Rectifier
from depth_perception.config import DepthConfig
from depth_perception.engines import load_engine
from depth_perception.errors import CalibrationError, EngineError
from depth_perception.model import load_model, resolve_model
from depth_perception.records import DepthFrame, DepthKind, Frame, Quality
from depth_perception.upsample import Upsampler

if TYPE_CHECKING:
    from depth_perception.contract import Contract
    from depth_perception.engines import Choice
    from depth_perception.model import DepthModel

log = logging.getLogger(__name__)
Float32 = NDArray[np.float32]


class Stopwatch:
    """Wall time of consecutive stages, ms."""

    def __init__(self) -> None:
        self.stages_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def resume(self) -> None:
        """Go on after a pause that belongs to no stage."""
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.stages_ms[stage] = self.stages_ms.get(stage, 0.0) + (now - self._last) * 1e3
        self._last = now


@dataclass(frozen=True)
class Inference:
    """A frame after the network: all that `Pipeline.finish` needs of `Pipeline.infer`."""

    frame: Frame
    image: NDArray[np.uint8]  # (H, W, 3) RGB, rectified where we rectified
    camera: CameraModel | None  # geometry of `image`
    covered: NDArray[np.bool_] | None  # (H, W) False where rectification saw nothing; None: it saw everything
    prediction: Float32  # (h, w) as the network gave it
    contract: Contract  # of the model that gave it
    watch: Stopwatch


class Pipeline:
    """One camera's way from image to metric depth.

    Not thread-safe: one thread calls `process`; or one `infer` and another `finish`, so that the network needn't wait.

    Raises:
        ModelError, EngineError: the model or every backend for it can't be loaded.
    """

    def __init__(self, config: DepthConfig, image_topic: str = "image") -> None:
        self.config = config
        self.rectifies = wants_rectification(config.rectify, image_topic)
        self._failed: frozenset[str] = frozenset()
        self._rectifier: Rectifier | None = None
        self._upsampler: Upsampler | None = None
        self._size: tuple[int, ...] = ()
        self.model: DepthModel = load_model(resolve_model(config.model.path))
        self.choice: Choice = load_engine(self.model, config.engine)

    def close(self) -> None:
        """Free the backend."""
        self.choice.engine.close()

    def process(self, frame: Frame) -> DepthFrame:
        """The whole method: rectify, infer, scale, limit, bring back to the camera's resolution. Raises as `infer`."""
        return self.finish(self.infer(frame))

    def infer(self, frame: Frame) -> Inference:
        """The first half, up to the network's output.

        Raises:
            CalibrationError: the CameraInfo is of another size than the image.
            EngineError: every backend has failed.
        """
        watch = Stopwatch()
        check_size(frame)
        self._use_shape_for(frame)
        image, camera, covered = self._rectify(frame)
        watch.lap("rectify")
        small = shrink(image, self.model.contract.height, self.model.contract.width)
        watch.lap("resize")
        prediction = self._infer(small)
        watch.lap("infer")
        return Inference(frame, image, camera, covered, prediction, self.model.contract, watch)

    def finish(self, inference: Inference) -> DepthFrame:
        """The second half: metres at the camera's resolution."""
        frame, watch = inference.frame, inference.watch
        watch.resume()
        metric, quality = _to_metres(inference)
        depth = None if metric is None else self._to_camera_size(metric, inference)
        watch.lap("upsample")
        return DepthFrame(
            depth, inference.prediction, inference.contract.kind, frame.stamp_ns, frame.frame_id, inference.camera,
            inference.image, quality, stages_ms=watch.stages_ms,
        )  # fmt: skip

    def _use_shape_for(self, frame: Frame) -> None:
        """Of the models that ship, take the one whose shape is nearest the camera's."""
        size = frame.image.shape[:2]
        if size == self._size:
            return
        path = resolve_model(self.config.model.path, *size)
        if path != self.model.path:
            log.info("image is %dx%d: using %s", frame.image.shape[1], frame.image.shape[0], path.name)
            model = load_model(path)
            choice = load_engine(model, self.config.engine, exclude=self._failed)
            self.choice.engine.close()
            self.model, self.choice = model, choice
        self._size = size

    def _rectify(self, frame: Frame) -> tuple[NDArray[np.uint8], CameraModel | None, NDArray[np.bool_] | None]:
        """The image that the network sees, its geometry, and where it shows anything (None: everywhere)."""
        camera = frame.camera
        if camera is None or not camera.is_calibrated:
            return frame.image, camera, None
        if not self.rectifies:
            return frame.image, camera.rectified(), None
        if not camera.is_distorted:
            return frame.image, camera, None
        if self._rectifier is None or self._rectifier.source != camera:
            self._rectifier = Rectifier(camera)
        rectifier = self._rectifier
        return rectifier(frame.image), rectifier.camera, None if rectifier.all_covered else rectifier.covered

    def _infer(self, image: NDArray[np.uint8]) -> Float32:
        """The network's output; a backend that fails is replaced by the next one."""
        while True:
            try:
                return self.choice.engine.infer(image)
            except EngineError as error:
                failed = self.choice.label
                log.error("backend %s failed: %s; falling back to the next one", failed, error)
                self._failed |= {failed}
                fallback = replace(self.config.engine, backend="auto")
                choice = load_engine(self.model, fallback, exclude=self._failed)
                self.choice = replace(choice, reason=f"{failed} failed ({error}); {choice.reason}")

    def _to_camera_size(self, depth: Float32, inference: Inference) -> Float32:
        """Metres at the camera's resolution: NaN unknown, +Inf beyond the range, -Inf before it (REP-117)."""
        size = (inference.image.shape[0], inference.image.shape[1])
        low = self.config.min_depth or inference.contract.min_depth
        high = self.config.max_depth or inference.contract.max_depth
        if not depth.min() > 0.0:  # also true for NaN
            depth = np.where(depth > 0.0, depth, np.float32(np.nan))
        if self._upsampler is None or (self._upsampler.from_size, self._upsampler.to_size) != (depth.shape, size):
            self._upsampler = Upsampler((depth.shape[0], depth.shape[1]), size)
        # Far pixels become +Inf here, where they are few; near ones after, since 1 / -Inf would interpolate as far.
        full = self._upsampler(np.where(depth >= high, np.float32(np.inf), depth))
        if not depth.min() >= low:
            full[full < low] = -np.inf
        if inference.covered is not None:
            full[~inference.covered] = np.nan
        return full


def _to_metres(inference: Inference) -> tuple[Float32 | None, Quality]:
    """Metres at the network's resolution, or None and why there are none."""
    prediction, camera, contract = inference.prediction, inference.camera, inference.contract
    nothing = Quality("none", float("nan"), 0.0)
    if not contract.kind.is_metric:
        reason = f"the model gives {contract.kind.value}: no metric depth until a sensor measures the scale"
        return None, replace(nothing, reason=reason)
    scale = 1.0
    if contract.canonical_focal is not None:
        if camera is None or not camera.is_calibrated:
            state = "no camera_info" if camera is None else "camera_info has K = 0 (uncalibrated)"
            return None, replace(nothing, reason=f"{state}: this model needs fx for metres")
        scale = camera.fx * contract.width / camera.width / contract.canonical_focal
    with np.errstate(divide="ignore"):
        depth = np.reciprocal(prediction) if contract.kind is DepthKind.METRIC_INVERSE else prediction
    depth = depth * np.float32(scale)
    finite = float(np.count_nonzero(np.isfinite(depth))) / depth.size
    return depth, Quality("prior", contract.relative_std, finite)


def wants_rectification(mode: str, image_topic: str) -> bool:
    """`auto` rectifies unless the image's topic name says `rect` (design §2)."""
    return mode == "always" or (mode == "auto" and "rect" not in image_topic)


def check_size(frame: Frame) -> None:
    """Refuse a CameraInfo of another size than its image."""
    camera, (height, width) = frame.camera, frame.image.shape[:2]
    if camera is not None and (camera.height, camera.width) != (height, width):
        raise CalibrationError(
            f"camera_info is for {camera.width}x{camera.height} but the image is {width}x{height}; "
            "publish the CameraInfo of this image (image_proc's resize node does both)"
        )


def shrink(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(H, W, 3) → (height, width, 3), stretched; every input pixel counts (no aliasing), K follows by `resized`."""
    import cv2

    while image.shape[0] >= 3 * height and image.shape[1] >= 3 * width:  # exact halving has a fast path in OpenCV
        image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
