"""Metres from each kind of sensor, in simulated worlds that no model was trained on.

    MUJOCO_GL=egl python -m benchmarks.accuracy [--worlds 60] [--model FILE]

Worlds are those of config/sim_test_seeds.yaml, two frames of a drive each, depth up to 50 m. Every row stands beside
two answers that the same anchors give without a network: linear interpolation of inverse depth, and our field on
a constant. Nothing is remembered from frame to frame.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterator
from dataclasses import replace

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MUJOCO_GL", "egl")

import cv2
import numpy as np

from benchmarks.scoring import Case, Row, score, table, usable
from benchmarks.simulated import follow, sensors
from depth_perception.anchors.builder import AnchorBuilder
from depth_perception.anchors.deskew import OdometryTrack
from depth_perception.config import DepthConfig, GroundConfig, ScanConfig
from depth_perception.pipeline import Pipeline, unscaled
from depth_perception.records import Anchors, Frame, Measurement
from depth_perception.sim.frames import SimFrame, frames
from depth_perception.sim.setup import CameraSetup, SimConfig
from depth_perception.sim.world import KINDS

FIRST_TEST_SEED = 900_000  # config/sim_test_seeds.yaml
FARTHEST_M = 50.0
TRUTH_STEP = 3  # every third row and column
AIMS = {"16 beams": 0.06, "4 beams": 0.08, "laser scan": 0.10, "stereo": 0.06, "ground": 0.15}
AIMS |= {"16 beams and ground": math.nan, "laser scan and ground": math.nan, "stereo and ground": math.nan}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    config = DepthConfig()
    config = replace(config, model=replace(config.model, path=options.model))
    pipeline, rows = Pipeline(config), {name: Row(name, aim) for name, aim in AIMS.items()}
    for number in range(options.worlds):
        for frame, track in drive(FIRST_TEST_SEED + number, KINDS[number % len(KINDS)]):
            for name, case in cases(pipeline, frame, track):
                if usable(case):
                    score(rows[name], case, seed=number)
                else:
                    rows[name].frames += 1
                    rows[name].lost += 1
    print(table(list(rows.values())))


def drive(seed: int, kind: str) -> Iterator[tuple[SimFrame, OdometryTrack]]:
    """Two frames of a drive, 1 and 2 s from its start, and odometry up to each."""
    track = OdometryTrack()
    config = SimConfig(seed=seed, kind=kind, duration_s=3.0, camera=CameraSetup(rate_hz=1.0))
    for index, frame in enumerate(frames(config)):
        follow(track, frame)
        if index:
            yield frame, track


def cases(pipeline: Pipeline, frame: SimFrame, track: OdometryTrack) -> Iterator[tuple[str, Case]]:
    """The frame with each sensor in turn."""
    inference = pipeline.infer(Frame(frame.image, frame.stamp_ns, "left_optical", frame.camera))
    view, reason = unscaled(inference, FARTHEST_M)
    assert view is not None, reason
    depth = frame.depth[1::TRUTH_STEP, 1::TRUTH_STEP]
    v, u = np.mgrid[1 : frame.depth.shape[0] : TRUTH_STEP, 1 : frame.depth.shape[1] : TRUTH_STEP]
    known = np.isfinite(depth) & (depth <= FARTHEST_M)
    uv, truth = np.stack([u[known], v[known]], axis=1).astype(np.float32), depth[known]
    there = sensors(frame, track)
    for name in AIMS:
        measurements = [item for part in name.split(" and ") if (item := there[part]) is not None]
        found = anchors_of(measurements, "ground" in name, pipeline, inference.prediction, frame)
        yield name, Case(view, tuple(found), uv, truth, (0.1, FARTHEST_M))


def anchors_of(
    measurements: list[Measurement], ground: bool, pipeline: Pipeline, prediction: np.ndarray, frame: SimFrame
) -> list[Anchors]:
    """As the pipeline makes them."""
    setup = CameraSetup()
    mounted = ScanConfig(camera_height=setup.position[2], camera_pitch=float(np.deg2rad(setup.pitch_deg)))
    config = replace(pipeline.config, scan=mounted, ground=GroundConfig(enabled=ground))
    kind = pipeline.model.contract.kind
    return AnchorBuilder()(measurements, frame.camera, prediction, kind, frame.stamp_ns, config)


if __name__ == "__main__":
    main()
