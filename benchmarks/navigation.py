"""Obstacles in our scan against the true ones, in simulated worlds that no model was trained on.

    MUJOCO_GL=egl python -m benchmarks.navigation [--worlds 8] [--seconds 3]

Worlds are those of the frozen test seeds, kinds in turn. Two truths: the scan that the same builder makes of exact
depth (what the camera could have known), and rays cast through the world at heights all over the band (what is there,
hidden or not; worlds without moving things). A beam's obstacle is right within 10 % or 0.25 m of the true range.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MUJOCO_GL", "egl")

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.simulated import follow, sensors
from depth_perception.anchors.deskew import OdometryTrack
from depth_perception.config import DepthConfig, GroundConfig, ScanConfig
from depth_perception.mount import Mount
from depth_perception.pipeline import Pipeline
from depth_perception.records import Frame
from depth_perception.scan import Scan, ScanBuilder
from depth_perception.sim.frames import SimFrame, frames
from depth_perception.sim.rays import cast
from depth_perception.sim.scene import compile_scene
from depth_perception.sim.setup import CameraSetup, SimConfig
from depth_perception.sim.world import KINDS, World, build_world

Float32 = NDArray[np.float32]
# One drive's predictor: frame by frame to (depth, its standard deviation or None), both (H, W) metres; NaN unknown.
# It is made anew for each drive, so it may remember. The frame's LiDAR, scans and right image are there to be used.
Predictor = Callable[[SimFrame], tuple[Float32, Float32 | None]]

FIRST_TEST_SEED = 900_000  # config/sim_test_seeds.yaml
RIGHT_SHARE, RIGHT_M = 0.10, 0.25
FLOOR_M = 0.03  # true points no higher than this are floor
HEIGHTS_M = 0.05  # between the rays of the second truth


@dataclass
class Score:
    """Counts of beams over all frames."""

    hits: int = 0  # of ours, where the truth is known
    right: int = 0  # of these, those with a true obstacle at that range
    obstacles: int = 0  # true
    found: int = 0  # of these, those that we have at that range
    cleared: int = 0  # of these, those that we call clear, or clear beyond them
    beams: int = 0
    floor: int = 0  # in which pixels that show bare floor make an obstacle where there is none

    def add(self, ours: Float32, truth: Float32) -> None:
        """One frame: ranges of both (N,), finite = obstacle, +Inf = clear, NaN = unknown."""
        hit, obstacle = np.isfinite(ours), np.isfinite(truth)
        with np.errstate(invalid="ignore"):
            right = hit & obstacle & (np.abs(ours - truth) <= np.maximum(RIGHT_SHARE * truth, RIGHT_M))
            beyond = obstacle & ~right & (ours > truth)
        self.hits += int((hit & ~np.isnan(truth)).sum())
        self.right += int(right.sum())
        self.obstacles += int(obstacle.sum())
        self.found += int(right.sum())
        self.cleared += int(beyond.sum())
        self.beams += len(ours)

    def add_floor(self, of_floor: Float32, truth: Float32) -> None:
        """What bare floor alone becomes (N,), and the truth: a hit at or behind a true obstacle harms nobody."""
        with np.errstate(invalid="ignore"):
            behind = of_floor >= truth - np.maximum(RIGHT_SHARE * truth, RIGHT_M)
        self.floor += int((np.isfinite(of_floor) & ~behind).sum())


def exact(frame: SimFrame) -> tuple[Float32, None]:
    """What the renderer knows."""
    return frame.depth, None


def noisy(share: float, blur_px: float) -> Predictor:
    """Exact depth times a factor with that standard deviation, alike within about `blur_px`."""
    rng = np.random.default_rng(0)

    def predict(frame: SimFrame) -> tuple[Float32, None]:
        noise = rng.standard_normal(frame.depth.shape).astype(np.float32)
        if blur_px > 0.0:
            noise = cv2.GaussianBlur(noise, (0, 0), blur_px)
        return frame.depth * np.exp(np.float32(share) / noise.std() * noise), None

    return predict


def model_prior() -> Predictor:
    """The default model as it is, without anything that measures."""
    pipeline = Pipeline(DepthConfig())

    def predict(frame: SimFrame) -> tuple[Float32, Float32 | None]:
        out = pipeline.process(Frame(frame.image, frame.stamp_ns, "camera", frame.camera))
        assert out.depth is not None
        return out.depth, out.std

    return predict


def measured(*rows: str) -> Callable[[], Predictor]:
    """The default model with the scale from these sensors, rows of `benchmarks.accuracy`."""

    def make() -> Predictor:
        setup = CameraSetup()
        mounted = ScanConfig(camera_height=setup.position[2], camera_pitch=float(np.deg2rad(setup.pitch_deg)))
        ground = GroundConfig(enabled="ground" in rows)
        pipeline, track = Pipeline(DepthConfig(scan=mounted, ground=ground)), OdometryTrack()

        def predict(frame: SimFrame) -> tuple[Float32, Float32 | None]:
            follow(track, frame)
            there = sensors(frame, track) if frame.lidar else {}
            found = [item for row in rows if (item := there.get(row)) is not None]
            out = pipeline.process(Frame(frame.image, frame.stamp_ns, "camera", frame.camera), found)
            unknown = np.full(frame.depth.shape, np.nan, np.float32)
            return unknown if out.depth is None else out.depth, out.std

        return predict

    return make


PREDICTORS: dict[str, Callable[[], Predictor]] = {
    "exact depth": lambda: exact,
    "5 % noise, smooth over 20 px": lambda: noisy(0.05, 20.0),
    "5 % noise, each pixel its own": lambda: noisy(0.05, 0.0),
    "default model, no anchors": model_prior,
    "default model and 16 beams": measured("16 beams"),
    "default model, 16 beams and ground": measured("16 beams", "ground"),
    "default model and 4 beams": measured("4 beams"),
    "default model and laser scan": measured("laser scan"),
    "default model, laser scan and ground": measured("laser scan", "ground"),
    "default model and stereo": measured("stereo"),
    "default model and ground": measured("ground"),
}


def drive(seed: int, seconds: float) -> tuple[World, Iterator[SimFrame]]:
    """A world of the frozen test seeds and a drive through it, two pictures a second."""
    kind = KINDS[seed % len(KINDS)]
    world = build_world(seed, kind)
    return world, frames(SimConfig(seed=seed, kind=kind, duration_s=seconds, camera=CameraSetup(rate_hz=2.0)), world)


class WorldRays:
    """The nearest thing in each direction at any height of the scan's band."""

    def __init__(self, world: World, config: ScanConfig) -> None:
        import mujoco

        self.config = config
        self.model = compile_scene(world.scene, world.sky, (16, 16), 16)
        self.data = mujoco.MjData(self.model)
        mujoco.mj_forward(self.model, self.data)

    def __call__(self, frame: SimFrame, scan: Scan) -> Float32:
        """(N,) metres for the beams of `scan`; +Inf where nothing is within range."""
        angle = scan.angle_min + scan.angle_increment * np.arange(len(scan.ranges))
        directions = (
            np.column_stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)]) @ frame.T_world_body[:3, :3].T
        )
        origin = (frame.T_world_body @ frame.T_body_camera)[:3, 3]
        nearest = np.full(len(angle), np.inf)
        for height in np.arange(self.config.height_min, self.config.height_max, HEIGHTS_M):
            distance, _ = cast(self.model, self.data, np.array([*origin[:2], height]), directions, scan.range_max)
            nearest = np.minimum(nearest, distance)
        return nearest.astype(np.float32)


def floor_only(depth: Float32, frame: SimFrame, mount: Mount) -> Float32:
    """`depth` where the frame truly shows bare floor, +Inf elsewhere."""
    up = frame.camera.rays() @ mount.R_level_optical[2].astype(np.float32)
    with np.errstate(invalid="ignore"):
        is_floor = np.abs(mount.height_m + up * frame.depth) < FLOOR_M
    return np.where(is_floor, depth, np.float32(np.inf))


def score_all(worlds: int, seconds: float) -> dict[str, tuple[Score, Score]]:
    """Each predictor's scores against both truths."""
    setup = CameraSetup()
    mount = Mount(setup.position[2], float(np.deg2rad(setup.pitch_deg)))
    config = ScanConfig(camera_height=mount.height_m, camera_pitch=mount.pitch_rad)
    build = ScanBuilder(setup.model(), config)
    scores = {name: (Score(), Score()) for name in PREDICTORS}
    for seed in range(FIRST_TEST_SEED, FIRST_TEST_SEED + worlds):
        world, drive_frames = drive(seed, seconds)
        cast_truth = None if world.scene.movers else WorldRays(world, config)
        predictors = {name: make() for name, make in PREDICTORS.items()}
        for frame in drive_frames:
            seen = build(frame.depth)
            there = None if cast_truth is None else cast_truth(frame, seen)
            for name, predict in predictors.items():
                depth, std = predict(frame)
                ranges = build(depth, std).ranges
                of_camera, of_world = scores[name]
                of_camera.add(ranges, seen.ranges)
                of_camera.add_floor(build(floor_only(depth, frame, mount), std).ranges, seen.ranges)
                if there is not None:
                    of_world.add(ranges, there)
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    scores = score_all(arguments.worlds, arguments.seconds)
    beams = next(iter(scores.values()))[0].beams
    print(f"{arguments.worlds} unseen worlds, {beams} beams; right = within {RIGHT_SHARE:.0%} or {RIGHT_M} m\n")
    print("| depth | precision | recall | obstacle called clear | floor taken for obstacle | precision, world's rays "
          "| recall, world's rays |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for name, (camera, world) in scores.items():
        shares = (
            camera.right / max(camera.hits, 1), camera.found / max(camera.obstacles, 1),
            camera.cleared / max(camera.obstacles, 1), camera.floor / max(camera.beams, 1),
            world.right / max(world.hits, 1), world.found / max(world.obstacles, 1),
        )  # fmt: skip
        print(f"| {name} | " + " | ".join(f"{share:.3f}" for share in shares) + " |")


if __name__ == "__main__":
    main()
