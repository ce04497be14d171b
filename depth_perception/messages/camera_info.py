"""`sensor_msgs/CameraInfo` → `CameraModel` of the image that arrives with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.errors import CalibrationError, MessageError

# Name in CameraInfo → (ours, how many coefficients OpenCV's formula can take).
_MODELS: dict[str, tuple[str, tuple[int, ...]]] = {
    "plumb_bob": ("plumb_bob", (4, 5)),
    "rational_polynomial": ("rational_polynomial", (4, 5, 8, 12, 14)),
    "equidistant": ("equidistant", (4,)),
    "fisheye": ("equidistant", (4,)),
}


def decode_camera_info(msg: Any) -> CameraModel:
    """The camera of the image that this message travels with, ROI and binning applied.

    Convention: `height`, `width`, K and P of the message are those of the full sensor (`sensor_msgs/CameraInfo.msg`).
    The ROI is in full-sensor pixels and moves the principal point; then binning divides fx, fy, cx, cy and P's fourth
    column, and the size, rounded down. This is image_geometry's rule (`PinholeCameraModel::fromCameraInfo`), with which
    every other node of the robot reads the same message; the exact centre of pixels that were averaged would be
    (cx + 0.5) / n - 0.5, a quarter of a pixel less at n = 2.

    K = 0 gives a camera whose `is_calibrated` is False, whatever else the message says. R or P of only zeros count as
    not given.

    Raises:
        MessageError: no size, a ROI outside the sensor or of no size, K, R or P of a wrong length.
        CalibrationError: unknown distortion model, or coefficients that don't fit it.
    """
    height, width = int(msg.height), int(msg.width)
    if height <= 0 or width <= 0:
        raise MessageError(f"camera_info has height {height}, width {width}; its driver must fill in the image's size")
    K = _matrix(msg, "K", 9).reshape(3, 3)
    R, P = _matrix(msg, "R", 9), _matrix(msg, "P", 12)
    model, D = ("none", np.zeros(0)) if K[0, 0] == 0.0 else _distortion(msg)
    full = CameraModel(height, width, K, D, model, R if R.any() else None, P if P.any() else None)  # type: ignore[arg-type]
    return _binned(_region(full, msg.roi), int(msg.binning_x) or 1, int(msg.binning_y) or 1)


def _field(msg: Any, name: str) -> Any:
    """`K` of ROS 1 messages or `k` of ROS 2 ones."""
    return getattr(msg, name.lower()) if hasattr(msg, name.lower()) else getattr(msg, name)


def _matrix(msg: Any, name: str, size: int) -> NDArray[np.float64]:
    values = np.array(_field(msg, name), np.float64).ravel()
    if values.size != size:
        raise MessageError(f"camera_info has {name} = {values.tolist()!r}: expected {size} numbers, row by row")
    return values


def _distortion(msg: Any) -> tuple[str, NDArray[np.float64]]:
    """Our name of the distortion model, and its coefficients; ('none', ()) if there are none."""
    name, D = str(msg.distortion_model), np.array(_field(msg, "D"), np.float64).ravel()
    if name == "" and not D.any():
        return "none", np.zeros(0)
    if name not in _MODELS:
        raise CalibrationError(
            f"camera_info has distortion model {name!r} with D = {D.tolist()!r}: known are {', '.join(_MODELS)}; "
            "calibrate with one of these, or publish a rectified image and say plumb_bob with D empty"
        )
    model, sizes = _MODELS[name]
    if D.size == 0:
        return "none", D
    if D.size not in sizes or not np.isfinite(D).all():
        raise CalibrationError(
            f"camera_info has D = {D.tolist()!r}: {name} takes {' or '.join(map(str, sizes))} finite numbers; "
            "calibrate the camera anew"
        )
    return model, D


def _region(camera: CameraModel, roi: Any) -> CameraModel:
    """The camera of the region of interest; all zeros is the full sensor."""
    left, top, height, width = int(roi.x_offset), int(roi.y_offset), int(roi.height), int(roi.width)
    if (left, top, height, width) == (0, 0, 0, 0):
        return camera
    if height == 0 or width == 0 or left + width > camera.width or top + height > camera.height:
        raise MessageError(
            f"camera_info has a region of interest x_offset {left}, y_offset {top}, height {height}, width {width} "
            f"that doesn't lie in its {camera.width}x{camera.height} image; fix the driver's ROI (all zeros = none)"
        )
    return camera.cropped(left, top, height, width)


def _binned(camera: CameraModel, x: int, y: int) -> CameraModel:
    if (x, y) == (1, 1):
        return camera
    height, width = camera.height // y, camera.width // x
    if height == 0 or width == 0:
        raise MessageError(f"camera_info has binning {x}x{y} of a {camera.width}x{camera.height} region: nothing left")
    S = np.diag([1.0 / x, 1.0 / y, 1.0])
    return replace(camera, height=height, width=width, K=S @ camera.K, P=S @ camera.P)
