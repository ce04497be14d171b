"""Metres from sparse anchors on recorded drives and rooms, none of which a model was trained on.

    python -m benchmarks.accuracy_real DATA [--model FILE]

DATA holds `kitti_raw_0926_cam2_velo`, `kitti_odom_stereo` and `7scenes_redkitchen` in their publishers' layouts.

- KITTI LiDAR: 4 of the beams that the image shows, evenly spread, are anchors; the points of all others are truth.
- KITTI stereo: matches in the left half of the image are anchors, those in the right half are truth; and, since half an
  image teaches little about the other half, the same with every other block of an 8x6 grid.
- Kitchen: 200 depth pixels at random are anchors; all others are truth.

Beside each stands what the same anchors give without a network (`benchmarks/accuracy.py` says how).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.scoring import Case, Row, score, table, usable
from depth_perception.anchors.beams import beams_of
from depth_perception.anchors.blocks import image_blocks
from depth_perception.anchors.lidar import point_anchors
from depth_perception.anchors.stereo import StereoMatcher
from depth_perception.camera import CameraModel
from depth_perception.config import DepthConfig, StereoConfig
from depth_perception.pipeline import Inference, Pipeline, unscaled
from depth_perception.records import Anchors, Frame, PointSweep, StereoPair
from training.real_frames import kitti_raw_sweeps, read_rgb, seven_scenes_frames

KITTI_LIMITS = (1.0, 50.0)
ROOM_LIMITS = (0.3, 10.0)
KITTI_BEAMS = 64
ANCHOR_BEAMS = 4
ROOM_ANCHORS = 200
KITTI_STRIDE, ROOM_STRIDE = 3, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    config = DepthConfig()
    config = replace(config, model=replace(config.model, path=options.model))
    rows = []
    for name, aim, make in (
        ("KITTI, 4 of 64 beams", 0.12, lidar_cases),
        ("KITTI stereo, left half", 0.10, lambda folder, pipeline: stereo_cases(folder, pipeline, left_half)),
        ("KITTI stereo, every other block", 0.10, lambda folder, pipeline: stereo_cases(folder, pipeline, checkered)),
        ("kitchen, 200 pixels", 0.05, room_cases),
    ):
        row = Row(name, aim)
        for number, case in enumerate(make(options.data, Pipeline(config))):
            score(row, case, seed=number)
        rows.append(row)
    print(table(rows))


def lidar_cases(data: Path, pipeline: Pipeline) -> Iterator[Case]:
    """Few beams are anchors, the others truth."""
    for image, camera, points, T_camera_lidar in kitti_raw_sweeps(data / "kitti_raw_0926_cam2_velo", KITTI_STRIDE):
        beam = beams_of(np.empty((1, len(points)), [("x", "f4")]), points)
        sweep = PointSweep("lidar", points, beam, 0, T_camera_lidar)
        seen = point_anchors(sweep, camera, sigma=0.03, min_range=1.0, max_range=100.0)
        shown, count = np.unique(seen.group, return_counts=True)
        shown = shown[count > 50]
        chosen = shown[((np.arange(ANCHOR_BEAMS) + 0.5) * len(shown) / ANCHOR_BEAMS).astype(int)]
        yield from split(pipeline, image, camera, seen, np.isin(seen.group, chosen), KITTI_LIMITS)


def stereo_cases(
    data: Path, pipeline: Pipeline, choose: Callable[[Anchors, CameraModel], NDArray[np.bool_]]
) -> Iterator[Case]:
    """Some matches are anchors, the others truth."""
    folder, matcher = data / "kitti_odom_stereo", StereoMatcher()
    P = [np.array(line.split(), float).reshape(3, 4) for line in (folder / "calib.txt").read_text().splitlines()[:2]]
    lefts, rights = (sorted((folder / side).iterdir())[::KITTI_STRIDE] for side in ("image_l", "image_r"))
    for left, right in zip(lefts, rights, strict=True):
        images = read_rgb(left), read_rgb(right)
        height, width = images[0].shape[:2]
        cameras = [CameraModel(height, width, p[:, :3], P=p) for p in P]
        found = matcher(StereoPair(images[0], images[1], cameras[0], cameras[1], 0, True), StereoConfig())
        yield from split(pipeline, images[0], cameras[0], found, choose(found, cameras[0]), KITTI_LIMITS)


def left_half(anchors: Anchors, camera: CameraModel) -> NDArray[np.bool_]:
    return np.asarray(anchors.uv[:, 0] < camera.width / 2)


def checkered(anchors: Anchors, camera: CameraModel) -> NDArray[np.bool_]:
    block = image_blocks(anchors.uv, camera.height, camera.width)
    return np.asarray((block // 8 + block % 8) % 2 == 0)


def room_cases(data: Path, pipeline: Pipeline) -> Iterator[Case]:
    """A few pixels of a depth camera are anchors, the others truth."""
    for number, frame in enumerate(seven_scenes_frames(data / "7scenes_redkitchen", ROOM_STRIDE)):
        v, u = np.nonzero(np.isfinite(frame.depth))
        uv, depth = np.stack([u, v], axis=1).astype(np.float32), frame.depth[v, u]
        group = image_blocks(uv, frame.camera.height, frame.camera.width)
        known = Anchors(uv, depth, 0.01 * depth, group, "lidar", 0)
        chosen = np.zeros(len(depth), bool)
        chosen[np.random.default_rng(number).choice(len(depth), ROOM_ANCHORS, replace=False)] = True
        yield from split(pipeline, frame.image, frame.camera, known, chosen, ROOM_LIMITS)


def split(
    pipeline: Pipeline, image: NDArray[np.uint8], camera: CameraModel, known: Anchors, chosen: NDArray[np.bool_],
    limits: tuple[float, float],
) -> Iterator[Case]:  # fmt: skip
    """The case in which the chosen of all known points are anchors; none if too little is known."""
    inference: Inference = pipeline.infer(Frame(image, 0, "camera", camera))
    view, reason = unscaled(inference, limits[1] * 2)
    assert view is not None, reason
    within = ~chosen & (known.depth >= limits[0]) & (known.depth <= limits[1])
    case = Case(view, (only(known, chosen),), known.uv[within], known.depth[within], limits)
    if usable(case) and within.any():
        yield case


def only(anchors: Anchors, chosen: NDArray[np.bool_]) -> Anchors:
    arrays = {name: getattr(anchors, name)[chosen] for name in ("uv", "depth", "sigma", "group")}
    return replace(anchors, **arrays)


if __name__ == "__main__":
    main()
