"""A few rendered worlds on disk, in the format of training/README.md, made from closed forms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from depth_perception.camera import CameraModel
from depth_perception.sim.depth_code import encode_depth

HEIGHT, WIDTH, FRAMES = 72, 96, 3


def write_world(folder: Path, seed: int, kind: str = "room", complete: bool = True) -> Path:
    """A wall whose brightness tells its distance (red) above a floor (green), under sky in the first column."""
    path = folder / f"world_{seed:06d}{'' if complete else '.part'}"
    path.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    images = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    depth = np.empty((FRAMES, HEIGHT, WIDTH), np.float32)
    cameras = [CameraModel.pinhole(HEIGHT, WIDTH, float(rng.uniform(50, 90))) for _ in range(FRAMES)]
    for i, camera in enumerate(cameras):
        distance = float(rng.uniform(1.0, 6.0))
        rows = np.arange(HEIGHT) - camera.cy
        floor = np.where(rows > 0, 0.8 * camera.fy / np.maximum(rows, 1e-6), np.inf)
        depth[i] = np.minimum(distance, floor)[:, None]
        images[i, ..., 0] = np.uint8(30 * distance)
        images[i, ..., 1] = np.where(floor < distance, 200, 0)[:, None]
        images[i, ..., 2] = rng.integers(0, 30, (HEIGHT, WIDTH))
        depth[i, :, 0] = np.inf
    np.save(path / "images.npy", images)
    np.save(path / "depth.npy", encode_depth(depth))
    np.save(path / "K.npy", np.stack([camera.K for camera in cameras]))
    np.save(path / "T_world_camera.npy", np.tile(np.eye(4), (FRAMES, 1, 1)))
    frame = {"hfov_deg": 60.0, "camera_height_m": 0.8, "pitch_deg": 0.0, "roll_deg": 0.0}
    meta = {"format": 1, "seed": seed, "kind": kind, "height": HEIGHT, "width": WIDTH, "frames": [frame] * FRAMES}
    (path / "meta.json").write_text(json.dumps(meta))
    return path
