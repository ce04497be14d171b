"""Where everything lies in the dataset's own frames: the eyes' rows aligned, the LiDAR and the body seen from there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from depth_perception.anchors.stereo_geometry import StereoGeometry, stereo_geometry
from depth_perception.camera import CameraModel
from depth_perception.errors import CalibrationError
from depth_perception.records import Float64, StereoPair
from training.dataset_folder import SequenceCalibration
from training.preparation.options import DatasetOptions
from training.preparation.source_frame import Rig
from training.preparation.target_view import TargetView


@dataclass(frozen=True)
class Placement:
    """How a rig's images and points come into the dataset."""

    views: dict[str, TargetView]  # left, and right where there is a usable pair
    T_aligned_left: Float64  # (4, 4) a rotation: from the rig's left frame into that of the dataset's left image
    baseline_m: float  # 0: no right camera
    note: str = ""  # why there is no right camera although one was recorded

    def T_camera_left(self, camera: str) -> Float64:
        """(4, 4) from the rig's left frame into that of the dataset's left or right image."""
        if camera == "left":
            return self.T_aligned_left
        T = self.T_aligned_left.copy()
        T[0, 3] -= self.baseline_m
        return T

    def calibration(self, rig: Rig, image_format: str) -> SequenceCalibration:
        """What stands in calibration.json."""
        right = None
        if self.baseline_m:
            right = np.eye(4)
            right[0, 3] = self.baseline_m
        cameras = {name: _plain(view.camera, -self.baseline_m * (name == "right")) for name, view in self.views.items()}
        return SequenceCalibration(
            cameras, image_format, rig.frame_ids, right, self._moved(rig.T_left_lidar), self._moved(rig.T_left_body)
        )

    def _moved(self, T_left_x: Float64 | None) -> Float64 | None:
        return None if T_left_x is None else self.T_aligned_left @ T_left_x


def place(rig: Rig, options: DatasetOptions) -> Placement:
    """Raises CalibrationError: the left camera is uncalibrated; ConfigError: --crop doesn't fit."""
    if not rig.left.is_calibrated:
        raise CalibrationError(
            f"K = {rig.left.K.tolist()!r} is uncalibrated: calibrate the camera, or say --intrinsics"
        )
    if rig.right is None:
        return _monocular(rig, options, "")
    sizes = (rig.left.height, rig.left.width), (rig.right.height, rig.right.width)
    try:
        if sizes[0] != sizes[1]:
            raise CalibrationError(f"the eyes' images differ in size, {sizes!r} (height, width)")
        pair = StereoPair(*_no_images(rig), rig.left, rig.right, 0, rig.rectified, rig.T_left_right)
        geometry = stereo_geometry(pair)
    except CalibrationError as error:
        return _monocular(rig, options, f"the right camera is left out: {error}")
    return _binocular(geometry, options)


def _monocular(rig: Rig, options: DatasetOptions, note: str) -> Placement:
    straight = not rig.left.is_distorted and np.array_equal(rig.left.K, rig.left.rectified().K)
    source = None if rig.rectified or straight else rig.left
    view = TargetView(rig.left.rectified(), source, options)
    return Placement({"left": view}, np.eye(4), 0.0, note)


def _binocular(geometry: StereoGeometry, options: DatasetOptions) -> Placement:
    T = np.eye(4)
    T[:3, :3] = geometry.R_camera_aligned.T
    sources = [maps.source for maps in geometry.rectifiers] if geometry.rectifiers else [None, None]
    left, right = (
        TargetView(camera, source, options)
        for camera, source in zip((geometry.left, geometry.right), sources, strict=True)
    )
    return Placement({"left": left, "right": right}, T, geometry.baseline)


def _plain(camera: CameraModel, shift_m: float) -> CameraModel:
    """The same camera with P = K [I | (shift, 0, 0)]."""
    P = np.hstack([camera.K, camera.K @ np.array([[shift_m], [0.0], [0.0]])])
    return replace(camera, P=P)


def _no_images(rig: Rig) -> tuple[np.ndarray, np.ndarray]:
    """Geometry needs none."""
    none = np.zeros((0, 0), np.uint8)
    return none, none
