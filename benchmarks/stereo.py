"""What a stereo pair costs on one core, stage by stage, and how anchors of half and full size agree.

    python -m benchmarks.stereo [FOLDER]

FOLDER holds `image_l`, `image_r` and `calib.txt` of KITTI odometry (../shared/data/kitti_odom_stereo if not given).
Without it, a random texture of the same size takes its place: it costs the same, but there is nothing to agree with.
Wanted: all of it within 30 ms for 1226x370 matched at half size.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from depth_perception.anchors.stereo import StereoMatcher
from depth_perception.camera import CameraModel
from depth_perception.config import StereoConfig
from depth_perception.records import StereoPair

HEIGHT, WIDTH, FX, BASELINE, REPEATS = 370, 1226, 707.0912, 0.5372, 15


def recorded(folder: Path) -> StereoPair:
    """The first pair of a KITTI odometry sequence."""
    calibration = np.loadtxt(folder / "calib.txt").reshape(2, 3, 4)
    name = min((folder / "image_l").iterdir()).name
    left, right = (cv2.imread(str(folder / side / name), cv2.IMREAD_GRAYSCALE) for side in ("image_l", "image_r"))
    cameras = [CameraModel(*left.shape, P[:, :3], P=P) for P in calibration]
    return StereoPair(left, right, *cameras, 0, True)


def made_up() -> StereoPair:
    """A wall 19 m away."""
    left = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    K = np.array([[FX, 0, 601.9], [0, FX, 183.1], [0, 0, 1]])
    P = np.hstack([K, [[-FX * BASELINE], [0], [0]]])
    return StereoPair(
        left, np.roll(left, -20, 1), CameraModel(HEIGHT, WIDTH, K), CameraModel(HEIGHT, WIDTH, K, P=P), 0, True
    )


def best_ms(call: Callable[[], Any]) -> float:
    """Shortest process time of several runs: what is longer was disturbed by something else."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        times.append(1e3 * (time.process_time() - start))
    return min(times)


def stages(pair: StereoPair, config: StereoConfig) -> dict[str, float]:
    """Milliseconds of each stage, and of all of it."""
    matcher = StereoMatcher()
    plan = matcher.prepare(pair, config)
    left, right = plan.align(pair)
    disparity, sigma = plan.match(left, right)
    chosen = plan.choose(disparity, sigma)
    semi_global = best_ms(lambda: plan.matcher(left, right))
    return {
        "align": best_ms(lambda: plan.align(pair)),
        "match": semi_global,
        "judge": best_ms(lambda: plan.match(left, right)) - semi_global,
        "choose": best_ms(lambda: plan.choose(disparity, sigma)),
        "measure": best_ms(lambda: plan.measure(chosen, disparity, sigma, 0, "")),
        "all": best_ms(lambda: matcher(pair, config)),
        "anchors": len(chosen),
    }


def agreement(pair: StereoPair, config: StereoConfig) -> tuple[int, float]:
    """Anchors of half size within 2 px of one of full size: how many, and the median relative difference."""
    half, full = (StereoMatcher()(pair, replace(config, scale=scale)) for scale in (0.5, 1.0))
    distance = np.linalg.norm(half.uv[:, None] - full.uv[None], axis=2)
    nearest = distance.argmin(axis=1)
    near = distance[np.arange(len(half)), nearest] < 2.0
    return int(near.sum()), float(np.median(np.abs(half.depth / full.depth[nearest] - 1.0)[near]))


def main() -> None:
    """Print the tables."""
    cv2.setNumThreads(1)
    default = Path(__file__).resolve().parents[2] / "shared" / "data" / "kitti_odom_stereo"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    pair = recorded(folder) if folder.is_dir() else made_up()
    print(f"process time of one core, ms, shortest of {REPEATS} runs; {pair.left.shape[1]}x{pair.left.shape[0]} pixels")
    config, header = StereoConfig(), True
    for scale in (0.25, 0.5, 1.0):
        row = stages(pair, replace(config, scale=scale))
        if header:
            print("scale" + "".join(f"{name:>9}" for name in row))
        header = False
        print(f"{scale:<5g}" + "".join(f"{ms:9d}" if isinstance(ms, int) else f"{ms:9.2f}" for ms in row.values()))
    if folder.is_dir():
        count, difference = agreement(pair, config)
        print(f"half and full size agree within {difference:.1%} (median over {count} anchors)")


if __name__ == "__main__":
    main()
