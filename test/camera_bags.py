"""Recordings of a camera for which `tiny_model` gives a depth known in closed form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from bags import recordings as rec
from bags.recordings import JAZZY, T0

HEIGHT, WIDTH = 120, 160
K = np.array([[200.0, 0, 90.0], [0, 190.0, 55.0], [0, 0, 1]])
STEP_NS = 33_000_000


def picture(red: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """RGB of one red everywhere, and a green ramp so that the camera doesn't look covered."""
    image = np.full((height, width, 3), red, np.uint8)
    image[..., 1] = np.linspace(0, 255, width).astype(np.uint8)
    return image


def expected_depth(red: int, fx: float = K[0, 0], width: int = WIDTH) -> float:
    """`tiny_model` with canonical focal 100 px at 64 px width."""
    return (1.0 + red / 64) * fx * 64 / width / 100


def image_message(rgb: np.ndarray, stamp_ns: int, encoding: str = "rgb8", store: Any = JAZZY) -> Any:
    data = np.ascontiguousarray(rgb[..., ::-1] if encoding == "bgr8" else rgb)
    return store.types["sensor_msgs/msg/Image"](
        header=rec.header(store, stamp_ns, "lens"), height=rgb.shape[0], width=rgb.shape[1], encoding=encoding,
        is_bigendian=0, step=3 * rgb.shape[1], data=data.reshape(-1),
    )  # fmt: skip


def png_message(rgb: np.ndarray, stamp_ns: int) -> Any:
    data = cv2.imencode(".png", rgb[..., ::-1])[1].reshape(-1)
    return JAZZY.types["sensor_msgs/msg/CompressedImage"](
        rec.header(JAZZY, stamp_ns, "lens"), "rgb8; png compressed bgr8", data
    )


def info_message(
    stamp_ns: int,
    K: np.ndarray = K,
    size: tuple[int, int] = (HEIGHT, WIDTH),
    D: tuple[float, ...] = (0.0,) * 5,
    store: Any = JAZZY,
) -> Any:
    """Positional, because ROS 1 spells D K R P and ROS 2 d k r p."""
    roi = store.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    P = np.hstack([K, np.zeros((3, 1))])
    return store.types["sensor_msgs/msg/CameraInfo"](
        rec.header(store, stamp_ns, "lens"), *size, "plumb_bob", np.array(D), K.reshape(9), np.eye(3).reshape(9),
        P.reshape(12), 0, 0, roi,
    )  # fmt: skip


def camera_messages(reds: list[int], topic: str = "/cam/image_rect", store: Any = JAZZY) -> list[tuple[str, int, Any]]:
    """Image, then its camera_info, at each step; log times 20 ms after the stamps."""
    out: list[tuple[str, int, Any]] = []
    for i, red in enumerate(reds):
        stamp = T0 + i * STEP_NS
        out.append((topic, stamp + 20_000_000, image_message(picture(red), stamp, store=store)))
        out.append(("/cam/camera_info", stamp + 20_000_000, info_message(stamp, store=store)))
    return out


def camera_bag(path: Path, reds: list[int], extra: list[tuple[str, int, Any]] | None = None) -> Path:
    return rec.rosbag2(path, [*(extra or []), *camera_messages(reds)])
