"""Camera geometry: intrinsics for one image size, scaling, rectification, projection and back-projection."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import CalibrationError

DISTORTION_MODELS = ("none", "plumb_bob", "rational_polynomial", "equidistant")


@dataclass(frozen=True, eq=False)
class CameraModel:
    """A pinhole camera with optional lens distortion, for exactly one image size.

    Convention: optical frame, x right, y down, z forward. The centre of the first pixel is (u, v) = (0, 0), so the
    centre of the image is ((W - 1) / 2, (H - 1) / 2). `K` describes the image as it arrives; `R` and `P` the rectified
    image (`sensor_msgs/CameraInfo`). `P[0, 3]` is -fx * baseline in the right camera of a stereo pair.
    """

    height: int
    width: int
    K: NDArray[np.float64]  # (3, 3) pixels
    D: NDArray[np.float64] = None  # type: ignore[assignment]  # (n,) as the distortion model orders them; () = none
    distortion_model: str = "none"
    R: NDArray[np.float64] = None  # type: ignore[assignment]  # (3, 3) rectifying rotation
    P: NDArray[np.float64] = None  # type: ignore[assignment]  # (3, 4) of the rectified image

    def __post_init__(self) -> None:
        K = np.asarray(self.K, np.float64).reshape(3, 3)
        set_field = object.__setattr__  # the dataclass is frozen for everyone else
        set_field(self, "K", K)
        set_field(self, "D", np.zeros(0) if self.D is None else np.asarray(self.D, np.float64).ravel())
        set_field(self, "R", np.eye(3) if self.R is None else np.asarray(self.R, np.float64).reshape(3, 3))
        P = np.hstack([K, np.zeros((3, 1))]) if self.P is None else np.asarray(self.P, np.float64).reshape(3, 4)
        set_field(self, "P", P)
        if self.distortion_model not in DISTORTION_MODELS:
            raise CalibrationError(
                f"distortion model {self.distortion_model!r} is not one of {DISTORTION_MODELS}; "
                "calibrate with one of these or publish a rectified image"
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CameraModel):
            return NotImplemented
        return (
            (self.height, self.width, self.distortion_model) == (other.height, other.width, other.distortion_model)
            and np.array_equal(self.K, other.K)
            and np.array_equal(self.D, other.D)
            and np.array_equal(self.R, other.R)
            and np.array_equal(self.P, other.P)
        )

    @property
    def fx(self) -> float:
        return float(self.K[0, 0])

    @property
    def fy(self) -> float:
        return float(self.K[1, 1])

    @property
    def cx(self) -> float:
        return float(self.K[0, 2])

    @property
    def cy(self) -> float:
        return float(self.K[1, 2])

    @property
    def is_calibrated(self) -> bool:
        """False if K[0] is 0, which is how `sensor_msgs/CameraInfo` says 'uncalibrated'."""
        return self.fx > 0.0 and self.fy > 0.0 and bool(np.isfinite(self.K).all())

    @property
    def is_distorted(self) -> bool:
        """True if any distortion coefficient is not zero or the rectifying rotation is not identity."""
        return bool(np.any(self.D != 0.0)) or not np.allclose(self.R, np.eye(3), atol=1e-9)

    @classmethod
    def pinhole(cls, height: int, width: int, horizontal_fov_deg: float) -> CameraModel:
        """An ideal camera with square pixels and a centred principal point."""
        f = 0.5 * width / np.tan(0.5 * np.deg2rad(horizontal_fov_deg))
        return cls(height, width, np.array([[f, 0, (width - 1) / 2], [0, f, (height - 1) / 2], [0, 0, 1.0]]))

    def resized(self, height: int, width: int) -> CameraModel:
        """The same camera after its image was resized (any aspect).

        Convention: pixel centres are integers, so c' = s * (c + 0.5) - 0.5. Plain multiplication is half a pixel off.
        Distortion coefficients don't depend on the size and stay.
        """
        sx, sy = width / self.width, height / self.height
        S = np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1.0]])
        return replace(self, height=height, width=width, K=S @ self.K, P=S @ self.P)

    def cropped(self, left: int, top: int, height: int, width: int) -> CameraModel:
        """The same camera after a window of its image was cut out; (left, top) is the window's first pixel."""
        S = np.array([[1.0, 0, -left], [0, 1.0, -top], [0, 0, 1.0]])
        return replace(self, height=height, width=width, K=S @ self.K, P=S @ self.P)

    def rectified(self) -> CameraModel:
        """The camera of the rectified image: zero D, identity R, K and P as CameraInfo's P says.

        An unrectified camera whose P says nothing (P[0, 0] == 0) keeps its K; this is the common case of a camera
        calibrated on its own.
        """
        P = self.P if self.P[0, 0] > 0.0 else np.hstack([self.K, np.zeros((3, 1))])
        return CameraModel(self.height, self.width, P[:, :3], P=P)

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Pixels (N, 2) of points (N, 3) metres in the optical frame, lens distortion included.

        Points at or behind the camera plane give NaN.
        """
        import cv2

        points = np.asarray(points, np.float64).reshape(-1, 3)
        uv = np.full((len(points), 2), np.nan)
        front = points[:, 2] > 0.0
        if not front.any():
            return uv
        if not np.any(self.D != 0.0):
            xyz = points[front]
            uv[front] = (xyz[:, :2] / xyz[:, 2:]) @ self.K[:2, :2].T + self.K[:2, 2]
            return uv
        zero = np.zeros(3)
        if self.distortion_model == "equidistant":
            projected, _ = cv2.fisheye.projectPoints(points[front, None], zero, zero, self.K, self.D[:4])
        else:
            projected, _ = cv2.projectPoints(points[front, None], zero, zero, self.K, self.D)
        uv[front] = projected.reshape(-1, 2)
        return uv

    def rays(self) -> NDArray[np.float32]:
        """Points (H, W, 3) at depth 1 m of every pixel of an undistorted image."""
        u = (np.arange(self.width) - self.cx) / self.fx
        v = (np.arange(self.height) - self.cy) / self.fy
        rays = np.empty((self.height, self.width, 3), np.float32)
        rays[..., 0] = u[None, :] - (self.K[0, 1] / self.fx) * v[:, None]
        rays[..., 1] = v[:, None]
        rays[..., 2] = 1.0
        return rays


class Rectifier:
    """Undistorts and rectifies images of one camera; the maps are computed once.

    `camera` is the geometry of what comes out. Pixels that no input pixel covers are black in the image, and `covered`
    is False there.
    """

    def __init__(self, source: CameraModel, target: CameraModel | None = None) -> None:
        """`target`: a crop or another size of `source.rectified()`, which it is unless given."""
        import cv2

        if not source.is_calibrated:
            raise CalibrationError(f"K = {source.K.tolist()!r} is uncalibrated: an image can't be rectified without it")
        self.source = source
        self.camera = source.rectified() if target is None else target
        K_new, size = self.camera.K, (self.camera.width, self.camera.height)
        if source.distortion_model == "equidistant":
            map_x, map_y = cv2.fisheye.initUndistortRectifyMap(
                source.K, source.D[:4], source.R, K_new, size, cv2.CV_32FC1
            )
        else:
            D = source.D if source.D.size else np.zeros(5)
            map_x, map_y = cv2.initUndistortRectifyMap(source.K, D, source.R, K_new, size, cv2.CV_32FC1)
        inside = (map_x > -0.5) & (map_x < source.width - 0.5) & (map_y > -0.5) & (map_y < source.height - 0.5)
        self.covered: NDArray[np.bool_] = np.ascontiguousarray(inside)
        self.all_covered = bool(inside.all())
        self._maps = cv2.convertMaps(map_x, map_y, cv2.CV_16SC2)  # fixed point: twice as fast as float maps

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) or (H, W) image of `source` → the rectified image, of the size of `camera`."""
        import cv2

        return cv2.remap(image, *self._maps, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
