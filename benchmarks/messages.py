"""Decode and fill times of 640x480 messages as ratios to memcpy of the same bytes, on one core.

    python -m benchmarks.messages

Wanted: decoding rgb8, bgr8, mono8 and 32FC1 copies nothing (microseconds); filling costs at most 2 x memcpy.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from depth_perception import messages
from depth_perception.camera import CameraModel
from depth_perception.messages import RosTypes

HEIGHT, WIDTH, STAMP, FRAME = 480, 640, 1_700_000_000_123_456_789, "camera_optical"
RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
GREY = RGB[..., 0].copy()
BLOCKS = RGB[::8, ::8].repeat(8, 0).repeat(8, 1)  # noise would be no picture to a JPEG decoder
DEPTH = RNG.random((HEIGHT, WIDTH), np.float32) + 1
XYZ = RNG.random((HEIGHT, WIDTH, 3), np.float32)
CAMERA = CameraModel.pinhole(HEIGHT, WIDTH, 70.0)


def best_ms(calls: tuple[Callable[[], Any], ...], repeats: int = 200) -> list[float]:
    """Shortest wall time of each call, taken in turns: what is longer was disturbed by something else."""
    best = [np.inf] * len(calls)
    for _ in range(repeats):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[i] = min(best[i], 1e3 * (time.perf_counter() - start))
    return best


def report(title: str, rows: dict[str, tuple[int, Callable[[], Any]]]) -> None:
    """Print one line per (bytes, call); memcpy is of as many bytes between two arrays that were touched before."""
    print(f"\n{title:<28}{'ms':>8}{'memcpy ms':>11}{'ratio':>8}")
    for name, (size, call) in rows.items():
        source, target = np.ones(size, np.uint8), np.ones(size, np.uint8)
        ms, copy = best_ms((call, lambda source=source, target=target: np.copyto(target, source)))
        print(f"{name:<28}{ms:8.3f}{copy:11.3f}{ms / copy:8.2f}")


def decoders(types: RosTypes) -> dict[str, tuple[int, Callable[[], Any]]]:
    """Every encoding that cameras send often, and clouds."""
    images = {"rgb8": RGB, "bgr8": RGB, "mono8": GREY, "32FC1": DEPTH, "bayer_rggb8": GREY, "yuv422": RGB[..., :2]}
    rows: dict[str, tuple[int, Callable[[], Any]]] = {}
    for encoding, array in images.items():
        msg = messages.image_message(types, array, encoding, STAMP, FRAME)
        if encoding in ("rgb8", "bgr8", "mono8", "32FC1"):
            rows[f"decode_image {encoding}"] = (array.nbytes, lambda msg=msg: messages.decode_image(msg))
        if encoding != "32FC1":
            rows[f"decode_rgb {encoding}"] = (array.nbytes, lambda msg=msg: messages.decode_rgb(msg))
    depth = messages.image_message(types, DEPTH, "32FC1", STAMP, FRAME)
    cloud = messages.cloud_message(types, XYZ, None, STAMP, FRAME)
    info = messages.camera_info_message(types, CAMERA, STAMP, FRAME)
    jpeg = messages.compressed_image_message(types, BLOCKS, STAMP, FRAME)
    return rows | {
        "decode_depth 32FC1": (DEPTH.nbytes, lambda: messages.decode_depth(depth)),
        "cloud_xyz": (XYZ.nbytes, lambda: messages.cloud_xyz(cloud)),
        "decode_camera_info": (RGB.nbytes, lambda: messages.decode_camera_info(info)),
        "decode_compressed jpeg": (RGB.nbytes, lambda: messages.decode_compressed(jpeg)),
    }


def fillers(types: RosTypes) -> dict[str, tuple[int, Callable[[], Any]]]:
    """Everything that the depth node sends."""
    millimetres = (DEPTH * 1000).astype(np.uint16)
    ranges = DEPTH[0]
    return {
        "image 32FC1": (DEPTH.nbytes, lambda: messages.image_message(types, DEPTH, "32FC1", STAMP, FRAME)),
        "image 16UC1": (millimetres.nbytes, lambda: messages.image_message(types, millimetres, "16UC1", STAMP, FRAME)),
        "image rgb8": (RGB.nbytes, lambda: messages.image_message(types, RGB, "rgb8", STAMP, FRAME)),
        "cloud": (XYZ.nbytes, lambda: messages.cloud_message(types, XYZ, None, STAMP, FRAME)),
        "cloud with rgb": (XYZ.nbytes * 4 // 3, lambda: messages.cloud_message(types, XYZ, RGB, STAMP, FRAME)),
        "camera_info": (DEPTH.nbytes, lambda: messages.camera_info_message(types, CAMERA, STAMP, FRAME)),
        "scan": (DEPTH.nbytes, lambda: messages.scan_message(types, ranges, -1, 0.003, 0.1, 9, 0.03, STAMP, FRAME)),
    }  # fmt: skip


def main() -> None:
    import cv2
    from rosbags.typesys import Stores, get_typestore

    cv2.setNumThreads(1)
    families = {"rosbags": messages.recorded(get_typestore(Stores.ROS2_HUMBLE))}
    try:
        import sensor_msgs.msg  # noqa: F401
    except ImportError:
        print("ROS message packages are not installed: only rosbags messages are measured")
    else:
        families["rclpy"] = messages.live()
    for name, types in families.items():
        report(f"decode, {name}", decoders(types))
        report(f"fill, {name}", fillers(types))


if __name__ == "__main__":
    main()
