"""A slanted plane with a random texture, seen by two eyes: inverse depth is affine in pixels, so all is closed form."""

from __future__ import annotations

import cv2
import numpy as np

from depth_perception.camera import CameraModel
from depth_perception.records import StereoPair

HEIGHT, WIDTH, FX, FY, CY, BASELINE = 300, 520, 420.0, 400.0, 137.5, 0.11
CX_LEFT, CX_RIGHT = 231.0, 244.25  # the eyes' images are cut differently: disparity is -13.25 px at infinity
STAMP = 1_700_000_000_123_456_789
INVERSE_DEPTH = (0.30, 0.05, 0.20)  # 1/m: at the optical axis, per x/z, per y/z


def inverse_depth(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """1/m at pixels of the left image, from 4.5 m at the top to 2.5 m at the bottom."""
    a, b, c = INVERSE_DEPTH
    return a + b * (u - CX_LEFT) / FX + c * (v - CY) / FY


def cameras(cx_right: float = CX_RIGHT) -> tuple[CameraModel, CameraModel]:
    """Left and right as camera_info of a rectified pair has them."""
    models = []
    for cx, shift in ((CX_LEFT, 0.0), (cx_right, -FX * BASELINE)):
        K = np.array([[FX, 0, cx], [0, FY, CY], [0, 0, 1]])
        models.append(CameraModel(HEIGHT, WIDTH, K, P=np.hstack([K, [[shift], [0], [0]]])))
    return models[0], models[1]


def stereo_pair(noise: float = 2.0, contrast: float = 40.0, cx_right: float = CX_RIGHT, seed: int = 0) -> StereoPair:
    """Both images; noise and contrast are standard deviations in grey levels.

    u_right = u_left - FX * BASELINE * inverse_depth(u_left, v) - (CX_LEFT - cx_right) is affine in u_left, hence solved
    for u_left: what the right pixel shows.
    """
    rng = np.random.default_rng(seed)
    margin = 100
    texture = cv2.GaussianBlur(rng.normal(0.0, 1.0, (HEIGHT, WIDTH + 2 * margin)).astype(np.float32), (0, 0), 1.6)
    texture = 120.0 + contrast * texture / texture.std()
    v, u_right = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    per_u = FX * BASELINE * INVERSE_DEPTH[1] / FX
    at_zero = FX * BASELINE * inverse_depth(np.zeros_like(v), v) + CX_LEFT - cx_right
    u_left = (u_right + at_zero) / (1.0 - per_u)
    maps = (u_left + margin).astype(np.float32), v.astype(np.float32)
    right = cv2.remap(texture, *maps, interpolation=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)
    left = texture[:, margin : margin + WIDTH]
    eyes = [np.clip(eye + rng.normal(0, noise, eye.shape), 0, 255).round().astype(np.uint8) for eye in (left, right)]
    return StereoPair(*eyes, *cameras(cx_right), STAMP, True)
