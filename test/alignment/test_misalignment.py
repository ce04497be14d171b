"""A LiDAR's silhouettes against the image's edges, on boards before a wall that a LiDAR and a camera look at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lidar_scene import Plane, mounted, scan

from depth_perception.alignment import misalignment
from depth_perception.alignment.misalignment import MisalignmentWatch, edge_map
from depth_perception.alignment.range_jumps import range_jumps
from depth_perception.camera import CameraModel
from depth_perception.config import DepthConfig, EngineConfig, LidarConfig, ModelConfig, ScaleConfig
from depth_perception.extrinsics import parse_transform
from depth_perception.pipeline import Pipeline
from depth_perception.records import Frame, PointSweep

CAMERA = CameraModel(180, 320, np.array([[210.0, 0, 175.0], [0, 225.0, 80.0], [0, 0, 1]]))
FISHEYE = replace(CAMERA, D=np.array([0.05, -0.02, 0.01, -0.004]), distortion_model="equidistant")
T_CAMERA_LIDAR = mounted(0.15, 0.1, -0.2, pitch=0.03, yaw=-0.02)
PERIOD = misalignment.PERIOD_NS
VIEWS = 12
MIN_RANGE = 0.5


def scene(seed: int) -> list[Plane]:
    """A wall at 12 m and six boards before it, elsewhere for each seed."""
    rng = np.random.default_rng(seed)
    boards = [
        Plane(
            (1.0, 0.0, 0.0),
            x,
            y0=0.6 * x * rng.uniform(-1, 1),
            half_width=rng.uniform(0.2, 0.6),
            low=low,
            high=low + 0.9,
        )
        for x, low in zip(rng.uniform(3.0, 8.0, 6), rng.uniform(-1.2, 0.4, 6), strict=True)
    ]
    return [Plane((1.0, 0.0, 0.0), 12.0), *boards]


def picture(planes: list[Plane], camera: CameraModel, seed: int) -> np.ndarray:
    """What the camera sees: a grey for each plane, and noise."""
    import cv2

    v, u = np.mgrid[0 : camera.height, 0 : camera.width]
    pixels = np.stack([u, v], axis=-1).reshape(-1, 1, 2).astype(np.float64)
    if camera.distortion_model == "equidistant":
        rays = cv2.fisheye.undistortPoints(pixels, camera.K, camera.D)[:, 0]
    else:
        rays = cv2.undistortPoints(pixels, camera.K, camera.D)[:, 0]
    T_lidar_camera = np.linalg.inv(T_CAMERA_LIDAR)
    rays = np.column_stack([rays, np.ones(len(rays))]) @ T_lidar_camera[:3, :3].T
    which = np.array([plane.distance(T_lidar_camera[:3, 3], rays) for plane in planes]).argmin(axis=0)
    rng = np.random.default_rng(seed)
    grey = rng.permutation(np.linspace(40, 220, len(planes)))[which] + rng.normal(0, 3, len(which))
    return np.repeat(grey.clip(0, 255).astype(np.uint8).reshape(camera.height, camera.width, 1), 3, axis=2)


_seen: dict[tuple[int, str], tuple[np.ndarray, PointSweep]] = {}


def view(seed: int, camera: CameraModel = CAMERA) -> tuple[np.ndarray, PointSweep]:
    """Image and sweep, with the right extrinsic."""
    key = seed, camera.distortion_model
    if key not in _seen:
        planes = scene(seed)
        sweep = scan(planes, 16, 450, T_CAMERA_LIDAR, lowest_deg=-15.0, highest_deg=15.0)[0]
        _seen[key] = picture(planes, camera, seed), replace(sweep, stamp_ns=(seed + 1) * PERIOD)
    return _seen[key]


def wrong(change: str) -> np.ndarray:
    """T_camera_lidar off by 'x y z roll pitch yaw' of the camera's optical frame."""
    return parse_transform(change) @ T_CAMERA_LIDAR


def told(T: np.ndarray, views: int = VIEWS, camera: CameraModel = CAMERA) -> list[str]:
    """The complaint after each view."""
    watch = MisalignmentWatch()
    return [
        watch.complaint(image, camera, replace(sweep, T_camera_sensor=T), MIN_RANGE)
        for image, sweep in (view(seed, camera) for seed in range(views))
    ]


@pytest.mark.parametrize("camera", [CAMERA, FISHEYE])
def test_the_right_extrinsic_is_silent(camera: CameraModel) -> None:
    assert told(T_CAMERA_LIDAR, 30, camera) == [""] * 30


@pytest.mark.parametrize("camera", [CAMERA, FISHEYE])
@pytest.mark.parametrize("sign", [1, -1])
def test_two_degrees_of_yaw_are_named(sign: int, camera: CameraModel) -> None:
    """The camera's y axis points down: rpy turns about its x, y, z, so 'pitch' of that frame is the robot's yaw."""
    complaints = told(wrong(f"0 0 0 0 {sign * np.deg2rad(2.0)} 0"), camera=camera)
    assert complaints[: misalignment.FEWEST_VIEWS - 2] == [""] * (misalignment.FEWEST_VIEWS - 2)
    side = "right" if sign > 0 else "left"
    assert f"lie {side} of the image's edges (yaw or x is wrong)" in complaints[-1]
    assert "lidar.T_cam_lidar" in complaints[-1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("0.3 0 0 0 0 0", "right of the image's edges (yaw or x"),
        ("0 0.3 0 0 0 0", "below the image's edges (pitch or y"),
        ("0 0 0 0.035 0 0", "above the image's edges (pitch or y"),
        ("0 0 0 0 0 -0.035", "turned counter-clockwise from the image's edges (roll"),
        ("0 0 -0.4 0 0 0", "too far out from the image's edges (z"),
    ],
)
def test_every_error_is_named(change: str, said: str) -> None:
    """Convention: the optical frame, y down. Nearer points (z too small) lie farther out from the image's centre."""
    assert said in told(wrong(change), 25)[-1]


def test_thirty_degrees_meet_no_edge_by_more_than_chance() -> None:
    """Farther off than any change that is tried."""
    assert "edges" in told(wrong("0 0 0 0 0.35 0.4"), 40)[-1]
    watch = MisalignmentWatch()
    rng = np.random.default_rng(0)
    for _ in range(20):
        watch._evidence.add(rng.normal(5.0, 0.5, 1 + len(misalignment.CHANGES)), weight=10.0, edges=0.5)
    assert "nowhere" in watch._said()
    right = MisalignmentWatch()
    for _ in range(20):
        right._evidence.add(rng.normal(7.0, 0.5, 1 + len(misalignment.CHANGES)), weight=10.0, edges=0.5)
    assert right._said() == ""


def test_in_the_dark_nothing_is_said() -> None:
    """A black image has no edges to meet."""
    watch = MisalignmentWatch()
    for seed in range(30):
        image, sweep = view(seed % 15)
        black = np.zeros_like(image)
        again = replace(sweep, T_camera_sensor=T_CAMERA_LIDAR, stamp_ns=seed * PERIOD)
        assert watch.complaint(black, CAMERA, again, MIN_RANGE) == ""
    assert watch.has_enough


def test_a_view_counts_once() -> None:
    """A robot that stands still; a camera that is faster than the LiDAR."""
    watch = MisalignmentWatch()
    image, sweep = view(0)
    for number in range(50):
        again = replace(sweep, T_camera_sensor=wrong("0 0 0 0 0.04 0"), stamp_ns=number * PERIOD)
        assert watch.complaint(image, CAMERA, again, MIN_RANGE) == ""
    assert watch._evidence.views == 1.0
    looked = replace(sweep, xyz=sweep.xyz * np.float32(np.nan))  # has the stamp of the last: isn't even looked at
    assert watch.complaint(image, CAMERA, replace(looked, stamp_ns=49 * PERIOD), MIN_RANGE) == ""


def test_the_same_sweep_isnt_computed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(misalignment, "range_jumps", lambda *a: calls.append(a))
    watch = MisalignmentWatch()
    image, sweep = view(0)
    for stamp_ns in (0, 0, PERIOD - 1, PERIOD, PERIOD, 0):  # the last: a bag that starts anew
        watch.complaint(image, CAMERA, replace(sweep, stamp_ns=stamp_ns), MIN_RANGE)
    assert [call[0].stamp_ns for call in calls] == [0, PERIOD, 0]


def test_memory_is_bounded_and_forgets() -> None:
    """After hundreds of right views the wrong ones are forgotten; the sums stay those of 60 views."""
    watch = MisalignmentWatch()
    said = ""
    for number in range(300):
        image, sweep = view(number % 15)
        T = wrong("0 0 0 0 0.035 0") if number < 30 else T_CAMERA_LIDAR
        said = watch.complaint(image, CAMERA, replace(sweep, T_camera_sensor=T, stamp_ns=number * PERIOD), MIN_RANGE)
        assert (number != 29) or said
    evidence = watch._evidence
    assert said == "" and 55.0 < evidence.views <= misalignment.VIEWS
    assert evidence.gain.shape == evidence.squares.shape == (len(misalignment.CHANGES),)


def test_too_few_jumps_are_no_evidence() -> None:
    """A bare wall has none; three beams are too few; points without beams have no neighbours."""
    image, sweep = view(0)
    wall = scan([Plane((1.0, 0.0, 0.0), 6.0)], 16, 450, wrong("0 0 0 0 0.1 0"), lowest_deg=-15.0, highest_deg=15.0)[0]
    few = sweep.beam % 6 == 0
    watch = MisalignmentWatch()
    for number, dull in enumerate([wall, replace(sweep, xyz=sweep.xyz[few], beam=sweep.beam[few]),
                                   replace(sweep, beam=np.full_like(sweep.beam, -1)),
                                   replace(sweep, xyz=sweep.xyz[:0], beam=sweep.beam[:0])] * 10):  # fmt: skip
        assert watch.complaint(image, CAMERA, replace(dull, stamp_ns=number * PERIOD), MIN_RANGE) == ""
    assert watch._evidence.views == 0.0


def test_an_image_without_edges_is_no_evidence() -> None:
    watch = MisalignmentWatch()
    for seed in range(20):
        _, sweep = view(seed)
        flat = np.full((CAMERA.height, CAMERA.width, 3), 90, np.uint8)
        sweep = replace(sweep, T_camera_sensor=wrong("0 0 0 0 0.035 0"))
        assert watch.complaint(flat, CAMERA, sweep, MIN_RANGE) == ""


# ------------------------------------------------------------------------------------------------ silhouettes


def board(distance: float = 4.0, half_width: float = 0.8) -> PointSweep:
    """A board of known width before a wall; the LiDAR sits in the camera, so nothing is hidden."""
    planes = [Plane((1.0, 0.0, 0.0), 12.0), Plane((1.0, 0.0, 0.0), distance, half_width=half_width)]
    return scan(planes, 8, 721, mounted(0.0, 0.0, 0.0), lowest_deg=-8.0, highest_deg=8.0)[0]


def test_silhouettes_lie_on_the_boards_edges() -> None:
    """Edges at ±0.8 m, 4 m away: u = 175 ± 210 · 0.2 = 133 and 217, within half a step of 0.25° (0.5 px)."""
    jumps = range_jumps(board(), CAMERA, MIN_RANGE)
    assert jumps is not None and len(jumps.weight) == 16
    assert np.abs(np.abs(jumps.uv[:, 0] - 175.0) - 42.0).max() < 0.55
    np.testing.assert_allclose(jumps.weight, 0.5)  # log(12 / 4) is more


def test_every_other_beam_of_twice_as_many() -> None:
    planes = [Plane((1.0, 0.0, 0.0), 12.0), Plane((1.0, 0.0, 0.0), 4.0, half_width=0.8)]
    sweep = scan(planes, 33, 721, mounted(0.0, 0.0, 0.0), lowest_deg=-8.0, highest_deg=8.0)[0]
    jumps = range_jumps(sweep, CAMERA, MIN_RANGE)
    assert jumps is not None and len(jumps.weight) == 2 * 17  # beams 0, 2, … 32
    few = sweep.beam % 4 == 1  # nine beams, whatever their numbers
    jumps = range_jumps(replace(sweep, xyz=sweep.xyz[few], beam=sweep.beam[few]), CAMERA, MIN_RANGE)
    assert jumps is not None and len(jumps.weight) == 2 * 8


def test_flow_is_what_a_changed_transform_does() -> None:
    """Convention: p' = p + w x p + t in the camera's optical frame, whatever the lens and the rectification."""
    R = parse_transform("0 0 0 0.02 -0.03 0.01")[:3, :3]
    for camera in (CAMERA, FISHEYE, replace(CAMERA, R=R, D=np.array([-0.1, 0.02, 1e-3, -1e-3, 0.0]),
                                            distortion_model="plumb_bob")):  # fmt: skip
        sweep = board()
        jumps = range_jumps(sweep, camera, MIN_RANGE)
        for axis, text in enumerate(("0 0 0 1 0 0", "0 0 0 0 1 0", "0 0 0 0 0 1", "1 0 0", "0 1 0", "0 0 1")):
            small = " ".join(str(1e-3 * float(number)) for number in text.split())
            change = parse_transform(small if axis < 3 else f"{small} 0 0 0")
            moved = range_jumps(replace(sweep, T_camera_sensor=change @ sweep.T_camera_sensor), camera, MIN_RANGE)
            assert jumps is not None and moved is not None and len(moved.uv) == len(jumps.uv)
            np.testing.assert_allclose((moved.uv - jumps.uv) / 1e-3, jumps.flow[:, axis].T, rtol=0.02, atol=0.6)


def test_the_robots_own_points_make_no_silhouette() -> None:
    near = board(distance=0.4, half_width=0.05)
    some = range_jumps(near, CAMERA, 0.1)
    assert some is not None and len(some.weight) > 0
    none = range_jumps(near, CAMERA, MIN_RANGE)
    assert none is not None and len(none.weight) == 0


def test_edge_map_finds_upright_edges_only() -> None:
    upright, level = np.zeros((180, 320, 3), np.uint8), np.zeros((180, 320, 3), np.uint8)
    upright[:, 160:], level[90:] = 200, 200
    found = edge_map(upright, 90, 160)
    assert set(found.argmax(axis=1)) <= {79, 80} and found[:, :60].max() < 0.05 * found.max()
    assert edge_map(level, 90, 160).max() == 0.0


# ------------------------------------------------------------------------------------------------ in the pipeline


def pipeline(tmp_path: Path, scale: ScaleConfig) -> Pipeline:
    from tiny_model import tiny_model

    model = ModelConfig(str(tiny_model(tmp_path / "m.onnx")))
    return Pipeline(
        DepthConfig(
            model=model, engine=EngineConfig(backend="onnxruntime"), lidar=LidarConfig(enabled=True), scale=scale
        )
    )


@pytest.mark.parametrize("T", [T_CAMERA_LIDAR, wrong("0 0 0 0 0.035 0")], ids=["right", "yaw"])
def test_the_warning_reaches_the_frames_quality(tmp_path: Path, T: np.ndarray) -> None:
    subject = pipeline(tmp_path, ScaleConfig())
    for seed in range(VIEWS):
        image, sweep = view(seed)
        out = subject.process(Frame(image, sweep.stamp_ns, "optical", CAMERA), [replace(sweep, T_camera_sensor=T)])
    warned = [w for w in out.quality.warnings if w.startswith("lidar: the points lie right of the image's edges")]
    assert len(warned) == (T is not T_CAMERA_LIDAR)


def test_switched_off_computes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MisalignmentWatch, "complaint", lambda *a: pytest.fail("computed"))
    image, sweep = view(0)
    out = pipeline(tmp_path, ScaleConfig(check_extrinsics=False)).process(
        Frame(image, sweep.stamp_ns, "optical", CAMERA), [sweep]
    )
    assert not any("edges" in warning for warning in out.quality.warnings)
