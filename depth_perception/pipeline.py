"""Frame → DepthFrame. Knows no ROS: the live node and the bag runner call the same `process`."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from depth_perception.alignment import Aligner, Alignment, Unscaled
from depth_perception.alignment.misalignment import MisalignmentWatch
from depth_perception.anchors.builder import AnchorBuilder
from depth_perception.camera import CameraModel, Rectifier
from depth_perception.config import DepthConfig
from depth_perception.engines import load_engine
from depth_perception.errors import CalibrationError, EngineError
from depth_perception.model import load_model, resolve_model
from depth_perception.records import Anchors, DepthFrame, DepthKind, Frame, Measurement, PointSweep, Quality
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
        self._anchors, self._align, self._misalignment = AnchorBuilder(), Aligner(), MisalignmentWatch()
        self.model: DepthModel = load_model(resolve_model(config.model.path))
        self.choice: Choice = load_engine(self.model, config.engine)

    def close(self) -> None:
        """Free the backend."""
        self.choice.engine.close()

    def process(self, frame: Frame, measurements: Sequence[Measurement] = ()) -> DepthFrame:
        """The whole method: rectify, infer, scale, limit, bring back to the camera's resolution. Raises as `infer`.

        `measurements` are those of other sensors that belong to the frame.
        """
        return self.finish(self.infer(frame), measurements)

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

    def finish(self, inference: Inference, measurements: Sequence[Measurement] = ()) -> DepthFrame:
        """The second half: metres at the camera's resolution, aligned with what other sensors measured."""
        frame, watch = inference.frame, inference.watch
        watch.resume()
        view, reason = unscaled(inference, self._limits(inference.contract)[1])
        anchors = self._measured(inference, measurements)
        watch.lap("anchors")
        expected = self.config.scale.enabled and (self._expects_anchors or bool(measurements))
        if view is None:
            aligned = Alignment(None, None, Quality("none", float("nan"), 0.0, reason))
        else:
            aligned = self._align(view, anchors, frame.stamp_ns, self.config.scale, expected)
        if aligned.depth is None and view is not None:
            reason = ": ".join(filter(None, [no_metres(inference.contract.kind, expected), aligned.quality.reason]))
            aligned = replace(aligned, quality=replace(aligned.quality, reason=reason))
        watch.lap("align")
        depth, std = self._at_camera_size(aligned, inference, expected)
        quality = replace(aligned.quality, valid_share=finite_share(depth))
        watch.lap("upsample")
        return DepthFrame(
            depth, inference.prediction, inference.contract.kind, frame.stamp_ns, frame.frame_id, inference.camera,
            inference.image, quality, std, aligned.anchors, watch.stages_ms,
        )  # fmt: skip

    @property
    def _expects_anchors(self) -> bool:
        """True if a sensor is set up to measure the scale."""
        config = self.config
        sources = (config.lidar.enabled, config.laser.enabled, config.stereo.enabled, config.ground.enabled)
        return config.scale.enabled and any(sources)

    def _measured(self, inference: Inference, measurements: Sequence[Measurement]) -> list[Anchors]:
        camera = inference.camera
        if not self.config.scale.enabled or camera is None or not camera.is_calibrated:
            return []
        kind, stamp_ns = inference.contract.kind, inference.frame.stamp_ns
        found = self._anchors(measurements, camera, inference.prediction, kind, stamp_ns, self.config)
        if self.config.scale.check_extrinsics:
            for number, item in enumerate(measurements):
                if wrong := self._misplaced(item, inference.image, camera):
                    found[number] = replace(found[number], note=wrong)
        return found

    def _misplaced(self, item: Measurement, image: NDArray[np.uint8], camera: CameraModel) -> str:
        """What is wrong with the extrinsic of a LiDAR, or nothing."""
        if not isinstance(item, PointSweep) or item.source != "lidar":
            return ""
        return self._misalignment.complaint(image, camera, item, self.config.lidar.min_range)

    def _limits(self, contract: Contract) -> tuple[float, float]:
        """Nearest and farthest depth, m."""
        return self.config.min_depth or contract.min_depth, self.config.max_depth or contract.max_depth

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

    def _at_camera_size(
        self, aligned: Alignment, inference: Inference, expected: bool
    ) -> tuple[Float32 | None, Float32 | None]:
        """Depth and std at the camera's resolution.

        Where a sensor is expected to measure the scale and none does, depth is published as unknown, so that whoever
        drives on it learns that; a relative model without any such sensor gives no depth at all.
        """
        if aligned.depth is None:
            return (np.full(inference.image.shape[:2], np.nan, np.float32) if expected else None), None
        depth = self._to_camera_size(aligned.depth, inference)
        return depth, None if aligned.std is None else _std_at(aligned.std, depth)

    def _to_camera_size(self, depth: Float32, inference: Inference) -> Float32:
        """Metres at the camera's resolution: NaN unknown, +Inf beyond the range, -Inf before it (REP-117)."""
        size = (inference.image.shape[0], inference.image.shape[1])
        low, high = self._limits(inference.contract)
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


def unscaled(inference: Inference, farthest: float) -> tuple[Unscaled | None, str]:
    """The prediction in its own metres where it has any, limited to `farthest` m; or None and why it is of no use."""
    prediction, camera, contract = inference.prediction, inference.camera, inference.contract
    if contract.canonical_focal is not None:
        if camera is None or not camera.is_calibrated:
            state = "no camera_info" if camera is None else "camera_info has K = 0 (uncalibrated)"
            return None, f"{state}: this model needs fx for metres"
        scale = np.float32(camera.fx * contract.width / camera.width / contract.canonical_focal)
    else:
        scale = np.float32(1.0)
    if contract.kind is DepthKind.METRIC_INVERSE:
        with np.errstate(divide="ignore"):
            prediction = np.reciprocal(prediction)
    is_inverse = contract.kind is DepthKind.RELATIVE_INVERSE
    values = prediction if is_inverse else prediction * scale
    prior_std = contract.relative_std if contract.kind.is_metric else None
    return Unscaled(values, is_inverse, prior_std, inference.image, farthest), ""


def no_metres(kind: DepthKind, expected: bool) -> str:
    """Why a model of this kind gives no metres; `expected`: a sensor is set up to measure the scale."""
    if not expected:
        return (
            f"the model gives {kind.value}, which isn't metres, and no sensor is set up to measure its scale: use a "
            "LiDAR, a laser scanner, a stereo pair or the camera's height"
        )
    own = "set scale.when_lost to prior for the model's own metres" if kind.is_metric else f"{kind.value} isn't metres"
    return f"no sensor measures a scale that can be trusted ({own})"


def finite_share(depth: Float32 | None) -> float:
    """Share of the pixels of depth (H, W) that are finite; 0 without any."""
    return 0.0 if depth is None else float(np.count_nonzero(np.isfinite(depth))) / max(depth.size, 1)


def _std_at(std: Float32, depth: Float32) -> Float32:
    """Standard deviation (h, w) at the size of depth (H, W); NaN where depth isn't finite."""
    import cv2

    full: Float32 = cv2.resize(std, (depth.shape[1], depth.shape[0]), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    full[~np.isfinite(depth)] = np.nan
    return full


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
