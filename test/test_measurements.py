"""`MeasurementWindow`: what belongs to an image, and what is said about what doesn't."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from depth_perception import messages
from depth_perception.bags.transforms import StaticTransform, quaternion
from depth_perception.bags.types import jazzy
from depth_perception.camera import CameraModel
from depth_perception.config import DepthConfig, from_flat
from depth_perception.extrinsics import TransformTree
from depth_perception.measurements import MeasurementWindow, Selection, topics_in_use
from depth_perception.records import Frame, PointSweep, Quality, StereoPair
from depth_perception.stamp_buffer import StampBuffer

TYPES = messages.recorded(jazzy())
CAMERA = CameraModel(6, 8, np.array([[20.0, 0, 3.0], [0, 25.0, 2.0], [0, 0, 1]]))
T0 = 1_700_000_000_000_000_000
MS = 1_000_000
# x forward, y left, z up → x right, y down, z forward; the LiDAR 0.2 m above, 0.1 m right of the camera
T_CAM_LIDAR = np.array([[0.0, -1, 0, 0.1], [0, 0, -1, -0.2], [1, 0, 0, 0], [0, 0, 0, 1]])
MOUNTED = "0.1 -0.2 0 0.5 -0.5 0.5 0.5"


def tree(*edges: StaticTransform) -> TransformTree:
    tree = TransformTree()
    for edge in edges:
        tree.add(edge)
    return tree


TREE = tree(StaticTransform("lens", "lidar", T_CAM_LIDAR))


def config(**flat: Any) -> DepthConfig:
    return from_flat({name.replace("__", "."): value for name, value in flat.items()})


LIDAR = config(lidar__enabled=True)


def frame(stamp_ns: int = T0, camera: CameraModel | None = CAMERA) -> Frame:
    return Frame(np.zeros((6, 8, 3), np.uint8), stamp_ns, "lens", camera)


def cloud(stamp_ns: int, xyz: Any = ((5.0, 0, 0), (4, 1, 0)), frame_id: str = "lidar", times: Any = None) -> Any:
    kind = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")] + ([("time", "<f4")] if times is not None else [])
    points = np.zeros(len(xyz), kind)
    for i, name in enumerate("xyz"):
        points[name] = [point[i] for point in xyz]
    if times is not None:
        points["time"] = times
    return messages.points_message(TYPES, points, stamp_ns, frame_id)


def odometry(stamp_ns: int, x: float, yaw: float = 0.0) -> Any:
    c, s = np.cos(yaw), np.sin(yaw)
    qx, qy, qz, qw = quaternion(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]))
    new = TYPES.new
    vector = new("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)
    pose = new(
        "geometry_msgs/msg/Pose", position=new("geometry_msgs/msg/Point", x=x, y=0.0, z=0.0),
        orientation=new("geometry_msgs/msg/Quaternion", x=qx, y=qy, z=qz, w=qw),
    )  # fmt: skip
    return new(
        "nav_msgs/msg/Odometry", header=messages.header_message(TYPES, stamp_ns, "odom"), child_frame_id="base_link",
        pose=new("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=np.zeros(36)),
        twist=new("geometry_msgs/msg/TwistWithCovariance",
                  twist=new("geometry_msgs/msg/Twist", linear=vector, angular=vector), covariance=np.zeros(36)),
    )  # fmt: skip


def imu(stamp_ns: int, acceleration: tuple[float, float, float], frame_id: str = "lens") -> Any:
    x, y, z = acceleration
    vector, none = "geometry_msgs/msg/Vector3", np.zeros(9)
    return TYPES.new(
        "sensor_msgs/msg/Imu", header=messages.header_message(TYPES, stamp_ns, frame_id),
        orientation=TYPES.new("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0), orientation_covariance=none,
        angular_velocity=TYPES.new(vector, x=0.0, y=0.0, z=0.0), angular_velocity_covariance=none,
        linear_acceleration=TYPES.new(vector, x=x, y=y, z=z), linear_acceleration_covariance=none,
    )  # fmt: skip


def picture(stamp_ns: int, value: int = 9, frame_id: str = "right_lens") -> Any:
    return messages.image_message(TYPES, np.full((6, 8, 3), value, np.uint8), "rgb8", stamp_ns, frame_id)


def info(baseline_m: float = 0.1) -> Any:
    P = np.hstack([CAMERA.K, [[-20.0 * baseline_m], [0], [0]]])
    return messages.camera_info_message(TYPES, CameraModel(6, 8, CAMERA.K, P=P), T0, "right_lens")


def filled(config: DepthConfig, *sent: tuple[str, Any], lookup: Any = TREE.lookup, eyes: Any = ("", "")) -> Any:
    window = MeasurementWindow(config, lookup, eyes)
    for topic, message in sent:
        window.add(topic, message)
    return window


def only_warning(selection: Selection) -> str:
    assert selection.measurements == () and len(selection.warnings) == 1
    return selection.warnings[0]


def test_nothing_in_use_selects_nothing_and_says_nothing() -> None:
    assert topics_in_use(DepthConfig()) == ()
    assert filled(DepthConfig()).select(frame(), DepthConfig()) == Selection()


def test_the_sweep_nearest_in_time_is_taken_be_it_later() -> None:
    window = filled(
        LIDAR, *(("lidar/points", cloud(T0 + at * MS, [(float(i), 0, 0)])) for i, at in enumerate((-100, -60, 40, 140)))
    )
    [sweep] = window.select(frame(), LIDAR).measurements
    assert isinstance(sweep, PointSweep)
    assert (sweep.source, sweep.stamp_ns, sweep.xyz.tolist()) == ("lidar", T0 + 40 * MS, [[2, 0, 0]])
    np.testing.assert_allclose(sweep.T_camera_sensor, T_CAM_LIDAR)
    [other] = window.select(frame(T0 - 20 * MS - 1), LIDAR).measurements
    assert other.stamp_ns == T0 - 60 * MS


def test_the_clock_offset_is_added_to_the_sensors_stamps() -> None:
    late = replace(LIDAR, lidar=replace(LIDAR.lidar, clock_offset_s=5.0))
    window = filled(late, ("lidar/points", cloud(T0 - 5_000 * MS)), ("lidar/points", cloud(T0)))
    selection = window.select(frame(T0 + 10 * MS), late)
    assert [m.stamp_ns for m in selection.measurements] == [T0]
    assert not window.reaches(T0 + 5_001 * MS, late) and window.reaches(T0 + 5_000 * MS, late)


def test_a_parameter_wins_over_the_tree_and_a_missing_transform_names_it() -> None:
    moved = replace(LIDAR, lidar=replace(LIDAR.lidar, T_cam_lidar="7 -0.2 0 0.5 -0.5 0.5 0.5"))
    [sweep] = filled(moved, ("lidar/points", cloud(T0))).select(frame(), moved).measurements
    expected = T_CAM_LIDAR.copy()
    expected[0, 3] = 7.0
    np.testing.assert_allclose(sweep.T_camera_sensor, expected, atol=1e-12)
    warning = only_warning(filled(LIDAR, ("lidar/points", cloud(T0, frame_id="velodyne"))).select(frame(), LIDAR))
    assert warning.startswith("lidar: no transform from 'velodyne' to 'lens'") and "lidar.T_cam_lidar" in warning
    wrong = replace(LIDAR, lidar=replace(LIDAR.lidar, T_cam_lidar="1 2 3"))
    assert "lidar.T_cam_lidar: transform '1 2 3' has 3 numbers" in only_warning(
        filled(wrong, ("lidar/points", cloud(T0))).select(frame(), wrong)
    )


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (None, "lidar: no message yet: is lidar/points remapped right?"),
        (cloud(T0 - 400 * MS), "0.400 s older than the image, more than lidar.max_age_s = 0.15"),
        (cloud(T0 + 3_000 * MS), "dated 3.000 s after the image, more than lidar.max_age_s = 0.15"),
        (cloud(T0, []), "lidar: a sweep of 0 points"),
        (cloud(T0, [(np.nan, np.nan, np.nan)] * 3), "none of the 3 points is finite"),
        (replace(cloud(T0), fields=[]), "no field"),
    ],
)
def test_what_is_wrong_with_a_cloud_is_said_with_numbers(message: Any, expected: str) -> None:
    sent = [] if message is None else [("lidar/points", message)]
    assert expected in only_warning(filled(LIDAR, *sent).select(frame(), LIDAR))


def test_a_sweep_is_decoded_once_for_several_images() -> None:
    window = filled(LIDAR, ("lidar/points", cloud(T0)))
    sweeps = [window.select(frame(T0 + at * MS), LIDAR).measurements[0] for at in (0, 33, 66)]
    assert sweeps[0] is sweeps[1] is sweeps[2]


def test_stamps_that_jump_back_start_anew() -> None:
    window = filled(LIDAR, ("lidar/points", cloud(T0)), ("lidar/points", cloud(T0 - 60_000 * MS)))
    assert len(window.select(frame(T0 - 60_000 * MS), LIDAR).measurements) == 1
    assert "older than the image" in only_warning(window.select(frame(T0), LIDAR))


def test_a_parameter_serves_one_frame_and_another_is_named() -> None:
    """Two LiDARs on one topic: where the second one sits isn't what the parameter says."""
    mounted = config(lidar__enabled=True, lidar__T_cam_lidar=MOUNTED)
    window = filled(mounted, ("lidar/points", cloud(T0)))
    assert len(window.select(frame(), mounted).measurements) == 1
    window.add("lidar/points", cloud(T0 + 100 * MS, frame_id="rear_lidar"))
    said = only_warning(window.select(frame(T0 + 100 * MS), mounted))
    assert "the frame is 'rear_lidar' now and was 'lidar', but lidar.T_cam_lidar is for one sensor" in said
    assert len(window.select(frame(), mounted).measurements) == 1, "the first one goes on"
    other = config(lidar__enabled=True, lidar__T_cam_lidar="0 0 0 0 0 0")
    assert len(window.select(frame(T0 + 100 * MS), other).measurements) == 1, "a new value is for the frame of now"


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([], "scan: scan with 0 ranges"),
        ([np.inf, np.nan, 0.01], "scan: none of the 3 points is finite"),
    ],
)
def test_what_is_wrong_with_a_scan_is_said(ranges: list[float], expected: str) -> None:
    laser = config(laser__enabled=True, laser__T_cam_laser=MOUNTED)
    scan = messages.scan_message(TYPES, np.array(ranges, np.float32), 0.0, 0.1, 0.1, 10.0, 0.1, T0, "laser")
    assert expected in only_warning(filled(laser, ("lidar/scan", scan)).select(frame(), laser))


def test_a_laser_scan_is_a_sweep_too() -> None:
    laser = config(laser__enabled=True, laser__T_cam_laser=MOUNTED)
    scan = messages.scan_message(
        TYPES, np.array([2.0, np.inf, 3.0], np.float32), 0.0, np.pi / 4, 0.1, 10.0, 0.1, T0 + 5 * MS, "laser"
    )
    [sweep] = filled(laser, ("lidar/scan", scan)).select(frame(), laser).measurements
    assert (sweep.source, sweep.stamp_ns) == ("scan", T0 + 5 * MS)
    np.testing.assert_allclose(sweep.xyz[[0, 2]], [[2, 0, 0], [0, 3, 0]], atol=1e-6)
    np.testing.assert_allclose(sweep.T_camera_sensor, T_CAM_LIDAR, atol=1e-12)


# ------------------------------------------------------------------------------------------------------ odometry

MOVING = config(lidar__enabled=True, odometry__enabled=True)
ON_ROBOT = tree(
    StaticTransform("base_link", "lidar", np.eye(4)), StaticTransform("base_link", "lens", np.linalg.inv(T_CAM_LIDAR))
)
# A robot that drives 1 m/s along its x axis, the LiDAR's too.
DRIVE = [("odom", odometry(T0 + at * MS, at * 1e-3)) for at in range(-200, 201, 20)]


def in_camera(sweep: PointSweep) -> np.ndarray:
    return sweep.xyz @ sweep.T_camera_sensor[:3, :3].T + sweep.T_camera_sensor[:3, 3]


def test_odometry_carries_a_sweep_to_the_images_time_and_its_age_stays() -> None:
    window = filled(MOVING, *DRIVE, ("lidar/points", cloud(T0 - 100 * MS, [(5.0, 0, 0)])), lookup=ON_ROBOT.lookup)
    selection = window.select(frame(), MOVING)
    [sweep] = selection.measurements
    assert selection.warnings == () and sweep.stamp_ns == T0 - 100 * MS
    # 0.1 s at 1 m/s: what was 5 m ahead is 4.9 m ahead of the camera now; the wrong sign would give 5.1
    np.testing.assert_allclose(in_camera(sweep), [[0.1, -0.2, 4.9]], atol=1e-5)


def test_a_turn_is_deskewed_to_its_stamp() -> None:
    turn = cloud(T0, [(5.0, 0, 0), (5.0, 0, 0)], times=[0.0, 0.1])
    window = filled(MOVING, *DRIVE, ("lidar/points", turn), lookup=ON_ROBOT.lookup)
    [sweep] = window.select(frame(), MOVING).measurements
    np.testing.assert_allclose(in_camera(sweep), [[0.1, -0.2, 5.0], [0.1, -0.2, 5.1]], atol=1e-4)
    plain = replace(MOVING, lidar=replace(MOVING.lidar, deskew=False))
    [sweep] = window.select(frame(), plain).measurements
    np.testing.assert_allclose(in_camera(sweep), [[0.1, -0.2, 5.0], [0.1, -0.2, 5.0]], atol=1e-4)


def test_odometry_without_messages_or_mounting_warns_and_the_sweep_is_used_as_it_is() -> None:
    for sent, expected in (([], "odom: no message yet"), (DRIVE, "the parameter is odometry.T_cam_base")):
        selection = filled(MOVING, *sent, ("lidar/points", cloud(T0))).select(frame(), MOVING)
        [sweep] = selection.measurements
        np.testing.assert_allclose(sweep.T_camera_sensor, T_CAM_LIDAR)
        [warning] = selection.warnings
        assert expected in warning


# ------------------------------------------------------------------------------------------------------ stereo

STEREO = config(stereo__enabled=True)
RECT = ("/pair/left/image_rect", "/pair/right/image_rect")


def test_the_depth_camera_is_the_left_eye_unless_there_is_another() -> None:
    window = filled(
        STEREO, ("right/camera_info", info()), ("right/image", picture(T0 - 33 * MS, 1)),
        ("right/image", picture(T0, 2)), eyes=RECT,
    )  # fmt: skip
    here = frame()
    [pair] = window.select(here, STEREO).measurements
    assert isinstance(pair, StereoPair) and pair.left is here.image and pair.left_camera is CAMERA
    assert pair.right.shape == (6, 8, 3) and pair.right[0, 0, 0] == 2 and pair.rectified
    assert pair.right_camera.P[0, 3] == pytest.approx(-2.0) and pair.T_left_right is None and pair.T_camera_left is None


def test_topic_names_say_whether_a_pair_is_rectified() -> None:
    for eyes, rectified in (
        (RECT, True),
        (("/l/image_raw", "/r/image_raw"), False),
        ((RECT[0], "/r/image_raw"), False),
    ):
        window = filled(STEREO, ("right/camera_info", info()), ("right/image", picture(T0)), eyes=eyes)
        assert window.select(frame(), STEREO).measurements[0].rectified is rectified


def test_a_separate_left_eye_needs_its_mounting() -> None:
    both = config(stereo__enabled=True, stereo__separate_left=True)
    sent = [
        ("left/camera_info", info(0.0)), ("right/camera_info", info()),
        ("left/image", picture(T0 + 4 * MS, 5, "left_lens")), ("right/image", picture(T0 + 4 * MS)),
    ]  # fmt: skip
    assert "stereo.T_cam_left" in only_warning(filled(both, *sent).select(frame(), both))
    mounted = replace(both, stereo=replace(both.stereo, T_cam_left="0.5 0 0 0 0 0", T_left_right="0.1 0 0 0 0 0"))
    [pair] = filled(mounted, *sent).select(frame(), mounted).measurements
    assert pair.left[0, 0, 0] == 5 and pair.stamp_ns == T0 + 4 * MS
    assert pair.T_camera_left[0, 3] == 0.5 and pair.T_left_right[0, 3] == 0.1


@pytest.mark.parametrize(
    ("sent", "camera", "expected"),
    [
        ([], CAMERA, "stereo: no right image yet: is right/image remapped right?"),
        ([("right/image", picture(T0 - 33 * MS))], CAMERA, "taken 0.033 s before the other one, more than stereo.tol"),
        ([("right/image", picture(T0 - 33 * MS))], CAMERA, "= 0.01: trigger the cameras together, or raise it"),
        ([("right/image", picture(T0 - 2100 * MS))], CAMERA, "more than stereo.tolerance_s = 0.01: does it still run?"),
        ([("right/image", picture(T0))], CAMERA, "no right/camera_info yet"),
        ([("right/image", picture(T0)), ("right/camera_info", info())], None, "no camera_info of the left eye"),
        (
            [("right/image", replace(picture(T0), encoding="rgb9")), ("right/camera_info", info())],
            CAMERA,
            "stereo: ",
        ),
    ],
)
def test_a_missing_side_is_named(sent: Any, camera: CameraModel | None, expected: str) -> None:
    assert expected in only_warning(filled(STEREO, *sent).select(frame(camera=camera), STEREO))


# ------------------------------------------------------------------------------------------------------ IMU

WITH_IMU = config(imu__enabled=True)


def test_gravity_gives_the_cameras_pitch_to_the_configuration() -> None:
    # Looking 30° down, what is up is (0, -cos 30°, -sin 30°) in the optical frame.
    samples = [("imu", imu(T0 + i * 10 * MS, (0.0, -8.4928, -4.9033))) for i in range(5)]
    selection = filled(WITH_IMU, *samples).select(frame(T0 + 40 * MS), WITH_IMU)
    assert selection.tilt is not None and selection.warnings == ()
    np.testing.assert_allclose(np.rad2deg(selection.tilt), [30.0, 0.0], atol=0.5)
    scan = selection.configured(WITH_IMU).scan
    assert (scan.camera_pitch, scan.camera_roll) == selection.tilt and scan.camera_height == 0.5
    assert Selection().configured(WITH_IMU) is WITH_IMU


def test_an_imu_that_cannot_be_used_is_named() -> None:
    for sent, expected in (
        ([], "imu: no message yet"),
        ([("imu", imu(T0, (0.0, -9.8, 0.0), "imu_link"))], "the parameter is imu.T_cam_imu"),
        ([("imu", imu(T0, (0.0, -1.0, 0.0)))], "imu: no sample looks like gravity"),
    ):
        selection = filled(WITH_IMU, *sent).select(frame(), WITH_IMU)
        assert selection.tilt is None and expected in selection.warnings[0]


# ------------------------------------------------------------------------------------------------------ parts


def test_reaches_waits_for_every_sensor() -> None:
    both = config(lidar__enabled=True, stereo__enabled=True)
    window = filled(both, ("lidar/points", cloud(T0)))
    assert not window.reaches(T0, both)
    window.add("right/image", picture(T0 + MS))
    assert window.reaches(T0, both) and not window.reaches(T0 + MS, both)
    assert MeasurementWindow(DepthConfig(), TREE.lookup).reaches(T0, DepthConfig())


def test_a_buffer_forgets_the_oldest() -> None:
    buffer: StampBuffer[str] = StampBuffer(2)
    assert buffer.nearest(5) is None and buffer.newest_ns() is None
    for stamp, item in ((10, "a"), (30, "c"), (20, "b")):
        buffer.add(stamp, item)
    assert buffer.nearest(10) == (20, "b") and buffer.newest_ns() == 30
    assert buffer.between(15, 30) == [(20, "b"), (30, "c")]


def test_our_warnings_come_before_the_fits() -> None:
    from test_scale_outputs import frame as depth_frame

    noted = Selection(warnings=("lidar: stale",)).noted(depth_frame(warnings=("stereo: conflict",)))
    assert noted.quality == Quality("lidar", 0.1, 1.0, warnings=("lidar: stale", "stereo: conflict"))
    lost = Selection(warnings=("lidar: stale",)).noted(depth_frame(None, source="none", reason="nothing measures it"))
    assert lost.quality.reason == "nothing measures it; lidar: stale"
    untouched = depth_frame(held=True, count=3)
    assert Selection().noted(untouched) is untouched
