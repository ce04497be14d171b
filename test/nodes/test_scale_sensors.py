"""The depth node with sensors that measure the scale, over DDS: a wall at a known distance, and every way to miss it.

The camera shows a wall that `tiny_model` puts at 1.67 m; the sensors say that it is 2.5 m away.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from ros_harness import Process, Robot, running
from sensor_msgs.msg import CameraInfo, Image, Imu, LaserScan, PointCloud2
from tiny_model import tiny_model

from depth_perception import messages
from depth_perception.camera import CameraModel

NODE = "depth_perception.nodes.depth_node"
CAMERA = CameraModel(144, 192, np.array([[250.0, 0, 100.0], [0, 240.0, 70.0], [0, 0, 1]]))
MODEL_M = 2.0 * (250 * 64 / 192) / 100  # what the model says of red 64
WALL_M = 2.5
MOUNTED = "0.1 -0.2 0 0.5 -0.5 0.5 0.5"  # x forward, z up; 0.2 m above, 0.1 m right of the camera
STEP_NS, MS = 33_000_000, 1_000_000
TYPES = messages.live()


def texture(number: int) -> np.ndarray:
    """Red 64, so that the model's depth is known; the rest never the same twice."""
    image = np.random.default_rng(number).integers(0, 255, (144, 192, 3)).astype(np.uint8)
    image[..., 0] = 64
    return image


def wall() -> np.ndarray:
    """(N,) points on the wall in the LiDAR's frame, some of which the camera doesn't see."""
    y, z = np.meshgrid(np.linspace(-2, 2, 80), np.linspace(-1.5, 1.5, 40))
    points = np.zeros(y.size, [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("ring", "<u2")])
    points["x"], points["y"], points["z"] = WALL_M, y.ravel(), z.ravel()
    points["ring"] = np.repeat(np.arange(40), 80)
    return points


class Scene:
    """A robot before a wall: `see` publishes an image, and what `sense` says for its stamp before it."""

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        self.depth = robot.listen(Image, "depth/image")
        self.quality = robot.listen(DiagnosticArray, "depth/quality")
        self.sense: Callable[[int, np.ndarray], None] = lambda stamp_ns, image: None
        self._numbers = itertools.count()
        self._clouds = robot.node.create_publisher(PointCloud2, "lidar/points", 5)

    def cloud(self, stamp_ns: int, points: np.ndarray | None = None, frame: str = "lidar") -> None:
        self._clouds.publish(messages.points_message(TYPES, wall() if points is None else points, stamp_ns, frame))

    def image(self) -> np.ndarray:
        image = texture(next(self._numbers))
        self.sense(self.robot._stamp_ns + STEP_NS, image)
        return image

    def until(self, condition: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
        try:
            return self.robot.see_until(self.image, CAMERA, condition, what, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; quality: {self.says()} {self.values()}") from None

    def connected(self, *topics: str) -> None:
        """Wait until the node hears the camera and these topics, and we hear its depth."""
        names = ("image", "camera_info", *topics)
        self.robot.until(lambda: all(self.robot.node.count_subscribers(name) for name in names), f"ears for {names}")

    def says(self) -> str:
        return self.quality[-1].status[0].message if self.quality else ""

    def diagnosed(self, text: str) -> bool:
        """True if /diagnostics has it, as an error of the scale."""
        said = self.robot.diagnosis().get("scale", "")
        return text in said and "x02" in said

    def level(self) -> int:
        return self.quality[-1].status[0].level[0] if self.quality else -1

    def values(self) -> dict[str, str]:
        return {pair.key: pair.value for pair in self.quality[-1].status[0].values} if self.quality else {}

    def metres(self) -> np.ndarray:
        return messages.decode_image(self.depth[-1]) if self.depth else np.zeros((144, 192), np.float32)

    def at_the_wall(self) -> bool:
        known = self.metres()[np.isfinite(self.metres())]
        return len(known) > 0 and abs(float(np.median(known)) / WALL_M - 1.0) < 0.02 and len(self.quality) > 0


@pytest.fixture
def scene(robot: Robot) -> Scene:
    return Scene(robot)


def parameters(tmp_path: Path, **more: Any) -> dict[str, Any]:
    model = tiny_model(tmp_path / "tiny.onnx")
    return {"model.path": model, "engine.backend": "onnxruntime", "diagnostics_period_s": 0.2, **more}


LIDAR = {"lidar.enabled": True, "lidar.T_cam_lidar": f'"{MOUNTED}"'}


def test_the_lidars_metres_are_published_then_held_then_nothing(scene: Scene, tmp_path: Path) -> None:
    std, points = scene.robot.listen(Image, "depth/std"), scene.robot.listen(PointCloud2, "depth/anchors")
    scene.sense = lambda stamp_ns, image: scene.cloud(stamp_ns)
    with running(NODE, parameters(tmp_path, **LIDAR, **{"scale.hold_s": 0.5})) as node:
        scene.connected("lidar/points")
        scene.until(lambda: scene.at_the_wall() and std and points and scene.level() == 0, "the wall's depth")
        np.testing.assert_allclose(scene.metres(), WALL_M, rtol=0.03)
        values = scene.values()
        assert values["source"] == "lidar" and float(values["scale"]) == pytest.approx(WALL_M / MODEL_M, rel=0.03)
        assert float(values["abs_rel"]) < 0.02 and int(values["held_out"]) > 0 and float(values["age_s"]) < 0.15
        assert 0 < np.nanmedian(messages.decode_image(std[-1])) < 0.5 * WALL_M
        anchors = messages.decode_cloud(points[-1])[0]
        np.testing.assert_allclose(anchors["z"], WALL_M, rtol=1e-5)
        # The points lie on a grid of 4 / 79 m in the LiDAR's y; x = 0.1 - y in the camera
        steps = (0.1 - anchors["x"] + 2.0) / (4.0 / 79)
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
        assert len(anchors) > 100

        scene.sense = lambda stamp_ns, image: None
        held = scene.until(
            lambda: scene.level() == 1 and scene.values()["held"] == "true" and scene.says(), "a held fit"
        )
        assert "lidar: the newest measurement is" in held and "older than the image" in held
        assert np.nanmedian(scene.metres()) == pytest.approx(WALL_M, rel=0.03)
        scene.until(
            lambda: scene.level() == 2 and np.isnan(scene.metres()).all(), "unknown depth once the hold is over"
        )
        assert scene.values()["source"] == "none"

        scene.sense = lambda stamp_ns, image: scene.cloud(stamp_ns)
        scene.until(scene.at_the_wall, "depth once the LiDAR is back")
        assert node.alive


def test_clouds_that_cannot_be_used_are_named_and_stop_nothing(scene: Scene, tmp_path: Path) -> None:
    nothing = wall()
    for axis in "xyz":
        nothing[axis] = np.nan
    unread = np.zeros(9, [("a", "<f4")])
    bad: dict[str, Callable[[int, np.ndarray], None]] = {
        "no message yet: is lidar/points remapped right?": lambda stamp_ns, image: None,
        "older than the image, more than lidar.max_age_s = 0.15": lambda s, image: scene.cloud(s - 700 * MS),
        "after the image, more than lidar.max_age_s = 0.15": lambda s, image: scene.cloud(s + 60_000 * MS),
        "points is finite": lambda s, image: scene.cloud(s, nothing),
        "a sweep of 0 points": lambda s, image: scene.cloud(s, wall()[:0]),
        "no field x or y or z": lambda s, image: scene.cloud(s, unread),
    }
    with running(NODE, parameters(tmp_path, **LIDAR)) as node:
        scene.connected("lidar/points")
        for expected, sense in bad.items():
            scene.sense = sense
            scene.until(lambda expected=expected: expected in scene.says(), expected)
            assert scene.level() == 2 and not np.isfinite(scene.metres()).any()
            scene.until(lambda expected=expected: scene.diagnosed(expected), "an ERROR in /diagnostics")
        scene.sense = lambda stamp_ns, image: scene.cloud(stamp_ns)
        scene.until(scene.at_the_wall, "depth from a good cloud")
        assert node.alive


def test_an_unknown_mounting_is_named_and_is_never_identity(scene: Scene, tmp_path: Path) -> None:
    scene.sense = lambda stamp_ns, image: scene.cloud(stamp_ns, frame="mars")
    with running(NODE, parameters(tmp_path, **{"lidar.enabled": True})):
        scene.connected("lidar/points")
        scene.until(lambda: "no transform from 'mars' to 'lens'" in scene.says(), "the missing transform")
        assert "lidar.T_cam_lidar" in scene.says() and np.isnan(scene.metres()).all()


def test_a_laser_scan_alone_gives_the_scale(scene: Scene, tmp_path: Path) -> None:
    scans = scene.robot.node.create_publisher(LaserScan, "lidar/scan", 5)
    angles = np.linspace(-0.6, 0.6, 241)
    level = "0.1 0.05 0 0.5 -0.5 0.5 0.5"

    def sense(stamp_ns: int, image: np.ndarray) -> None:
        ranges = (WALL_M / np.cos(angles)).astype(np.float32)
        scans.publish(
            messages.scan_message(TYPES, ranges, angles[0], angles[1] - angles[0], 0.1, 10.0, 0.1, stamp_ns, "laser")
        )

    scene.sense = sense
    with running(NODE, parameters(tmp_path, **{"laser.enabled": True, "laser.T_cam_laser": f'"{level}"'})):
        scene.connected("lidar/scan")
        scene.until(lambda: scene.at_the_wall() and scene.values()["source"] == "scan", "the wall's depth")


def test_a_topic_of_another_type_is_named(scene: Scene, tmp_path: Path) -> None:
    """A laser scanner's topic remapped to lidar/points: DDS never connects the two, and says nothing."""
    scans = scene.robot.node.create_publisher(LaserScan, "somewhere", 5)
    remap = ("-r", "lidar/points:=somewhere")
    expected = "/somewhere is sensor_msgs/msg/LaserScan, but must be sensor_msgs/msg/PointCloud2"
    with running(NODE, parameters(tmp_path, **LIDAR), remap) as node:
        scene.connected()
        scene.until(lambda: expected in scene.robot.diagnosis().get("input", ""), "the wrong type")
        assert "no message yet: is lidar/points remapped right?" in scene.says() and scene.level() == 2
        scene.robot.node.destroy_publisher(scans)
        scene.robot.until(lambda: "LaserScan" not in scene.robot.diagnosis().get("input", "LaserScan"), "its end")
        assert node.alive


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0 0 0 0", "has 5 numbers; write 'x y z qx qy qz qw'"),
        ("0 0 0 0 0 0 0", "has norm 0, not 1"),
        ("0 .nan 0 0 0 0 1", "could not convert"),
        ("0 nan 0 0 0 0 1", "holds a number that isn't finite"),
    ],
)
def test_a_mounting_that_is_none_is_refused_at_the_start(tmp_path: Path, text: str, expected: str) -> None:
    wrong = parameters(tmp_path, **{**LIDAR, "lidar.T_cam_lidar": f'"{text}"'})
    code, output = Process(NODE, wrong).wait()
    assert code == 1 and f"error: parameter 'lidar.T_cam_lidar': transform '{text}'" in output and expected in output
    assert "Traceback" not in output


def set_text(robot: Robot, name: str, text: str) -> Any:
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=text)
    request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
    return robot.call(SetParameters, "/depth/set_parameters", request).results[0]


def test_a_mounting_is_changed_or_refused_while_the_node_runs(scene: Scene, tmp_path: Path) -> None:
    scene.sense = lambda stamp_ns, image: scene.cloud(stamp_ns)
    with running(NODE, parameters(tmp_path, **LIDAR)):
        scene.connected("lidar/points")
        scene.until(scene.at_the_wall, "the wall's depth")
        refused = set_text(scene.robot, "lidar.T_cam_lidar", "0 0 0 0 0")
        assert not refused.successful and "has 5 numbers" in refused.reason
        scene.until(scene.at_the_wall, "depth as before")
        assert set_text(scene.robot, "lidar.T_cam_lidar", "0.1 -0.2 0.5 0.5 -0.5 0.5 0.5").successful
        scene.until(
            lambda: abs(float(np.nanmedian(scene.metres())) / (WALL_M + 0.5) - 1) < 0.02, "the LiDAR 0.5 m ahead"
        )


def test_a_second_lidar_on_the_topic_is_named(scene: Scene, tmp_path: Path) -> None:
    scene.sense = lambda stamp_ns, image: scene.cloud(stamp_ns)
    with running(NODE, parameters(tmp_path, **LIDAR, **{"scale.hold_s": 0.2})):
        scene.connected("lidar/points")
        scene.until(scene.at_the_wall, "the wall's depth")
        scene.sense = lambda stamp_ns, image: scene.cloud(stamp_ns, frame="rear_lidar")
        scene.until(lambda: scene.diagnosed("the frame is 'rear_lidar' now and was 'lidar'"), "the other frame")
        assert np.isnan(scene.metres()).all()


def test_a_scan_without_a_measurement_is_named(scene: Scene, tmp_path: Path) -> None:
    scans = scene.robot.node.create_publisher(LaserScan, "lidar/scan", 5)
    clear = np.full(241, np.inf, np.float32)
    scene.sense = lambda stamp_ns, image: scans.publish(
        messages.scan_message(TYPES, clear, -0.6, 0.005, 0.1, 10.0, 0.1, stamp_ns, "laser")
    )
    with running(NODE, parameters(tmp_path, **{"laser.enabled": True, "laser.T_cam_laser": f'"{MOUNTED}"'})):
        scene.connected("lidar/scan")
        scene.until(lambda: scene.diagnosed("scan: none of the 241 points is finite"), "what is wrong")
        assert np.isnan(scene.metres()).all()


class RightEye:
    """The right camera of a pair: 250 px * 0.1 m / 10 px = 2.5 m, the wall's distance."""

    def __init__(self, robot: Robot, baseline_m: float = 0.1) -> None:
        self._images = robot.node.create_publisher(Image, "right/image_rect", 5)
        self._infos = robot.node.create_publisher(CameraInfo, "right/camera_info", 5)
        P = np.hstack([CAMERA.K, [[-250.0 * baseline_m], [0], [0]]])
        self.camera: CameraModel | None = CameraModel(144, 192, CAMERA.K, P=P)
        self.shift = -10  # px, of what the left eye sees

    def __call__(self, stamp_ns: int, image: np.ndarray) -> None:
        if self.camera is not None:
            self._infos.publish(messages.camera_info_message(TYPES, self.camera, stamp_ns, "right_lens"))
        shifted = np.roll(image, self.shift, axis=1)
        self._images.publish(messages.image_message(TYPES, shifted, "rgb8", stamp_ns, "right_lens"))


STEREO = {"stereo.enabled": True, "rectify": "never"}
RECTIFIED = ("-r", "right/image:=right/image_rect")


def test_a_pair_that_cannot_measure_is_named_and_stops_nothing(scene: Scene, tmp_path: Path) -> None:
    eye = RightEye(scene.robot)
    good, eye.camera = eye.camera, None
    scene.sense = eye
    with running(NODE, parameters(tmp_path, **STEREO, **{"scale.hold_s": 0.2}), RECTIFIED) as node:
        scene.connected("right/image_rect", "right/camera_info")
        scene.until(lambda: scene.diagnosed("no right/camera_info yet: is it remapped right?"), "no calibration")
        assert np.isnan(scene.metres()).all()
        eye.camera = CAMERA
        scene.until(lambda: scene.diagnosed("stereo: stereo without a baseline"), "zero baseline")
        assert np.isnan(scene.metres()).all()
        eye.camera, eye.shift = good, 10
        scene.until(lambda: scene.diagnosed("left and right images look swapped"), "swapped sides")
        assert np.isnan(scene.metres()).all()
        eye.shift = -10
        scene.until(lambda: scene.at_the_wall() and scene.level() == 0, "the wall's depth")
        assert node.alive


def test_a_pair_that_contradicts_the_lidar_is_named_and_left_out(scene: Scene, tmp_path: Path) -> None:
    """The pair's baseline is said to be 30 % longer than it is, so that all it measures is 30 % too far."""
    eye = RightEye(scene.robot, baseline_m=0.13)

    def sense(stamp_ns: int, image: np.ndarray) -> None:
        scene.cloud(stamp_ns)
        eye(stamp_ns, image)

    scene.sense = sense
    with running(NODE, parameters(tmp_path, **LIDAR, **STEREO), RECTIFIED):
        scene.connected("lidar/points", "right/image_rect", "right/camera_info")
        scene.until(
            lambda: scene.at_the_wall() and re.search(r"stereo is \+(29|30|31) % off .* that lidar", scene.says()),
            "the contradiction",
        )
        assert scene.level() == 1 and scene.values()["source"] == "lidar"
        expected = "stereo isn't used; check both calibrations"
        scene.until(lambda: expected in scene.robot.diagnosis().get("scale", ""), "a WARN in /diagnostics")


def test_a_right_eye_alone_makes_a_pair_with_the_camera(scene: Scene, tmp_path: Path) -> None:
    images = scene.robot.node.create_publisher(Image, "right/image_rect", 5)
    infos = scene.robot.node.create_publisher(CameraInfo, "right/camera_info", 5)
    baseline, disparity = 0.1, 10  # 250 px * 0.1 m / 10 px = 2.5 m
    P = np.hstack([CAMERA.K, [[-250.0 * baseline], [0], [0]]])
    camera = CameraModel(144, 192, CAMERA.K, P=P)

    def calibrated(stamp_ns: int, image: np.ndarray) -> None:
        infos.publish(messages.camera_info_message(TYPES, camera, stamp_ns, "right_lens"))

    def both(stamp_ns: int, image: np.ndarray) -> None:
        calibrated(stamp_ns, image)
        shifted = np.roll(image, -disparity, axis=1)
        images.publish(messages.image_message(TYPES, shifted, "rgb8", stamp_ns, "right_lens"))

    def late(stamp_ns: int, image: np.ndarray) -> None:
        calibrated(stamp_ns, image)
        images.publish(messages.image_message(TYPES, image, "rgb8", stamp_ns - 15 * MS, "right_lens"))

    remap = ("-r", "right/image:=right/image_rect")
    with running(NODE, parameters(tmp_path, **{"stereo.enabled": True, "rectify": "never"}), remap) as node:
        scene.connected("right/image_rect", "right/camera_info")
        scene.until(lambda: "no right image yet" in scene.says(), "the missing side")
        scene.sense = late
        scene.until(
            lambda: "0.015 s before the other one, more than stereo.tolerance_s" in scene.says(), "stamps apart"
        )
        scene.sense = both
        scene.until(lambda: scene.at_the_wall() and scene.values()["source"] == "stereo", "the wall's depth")
        assert node.alive


def test_the_camera_height_alone_asks_for_no_sensor_and_says_what_is_missing(scene: Scene, tmp_path: Path) -> None:
    with running(NODE, parameters(tmp_path, **{"ground.enabled": True, "scan.camera_height": 0.4})):
        scene.connected()
        scene.until(lambda: "ground" in scene.says(), "why a wall gives no ground")
        assert not any(scene.robot.node.count_subscribers(topic) for topic in ("lidar/points", "odom", "imu"))


def test_odometry_and_imu_are_heard_and_their_absence_is_named(scene: Scene, tmp_path: Path) -> None:
    odom = scene.robot.node.create_publisher(Odometry, "odom", 5)
    imu = scene.robot.node.create_publisher(Imu, "imu", 5)
    scene.sense = lambda stamp_ns, image: scene.cloud(stamp_ns)
    more = {"odometry.enabled": True, "odometry.T_cam_base": f'"{MOUNTED}"', "imu.enabled": True}
    with running(NODE, parameters(tmp_path, **LIDAR, **more)):
        scene.connected("lidar/points", "odom", "imu")
        scene.until(lambda: "odom: no message yet" in scene.says() and "imu: no message yet" in scene.says(), "both")

        def sense(stamp_ns: int, image: np.ndarray) -> None:
            scene.cloud(stamp_ns)
            pose = Odometry(child_frame_id="base_link")
            pose.header.stamp.sec, pose.header.stamp.nanosec = messages.to_stamp(stamp_ns)
            odom.publish(pose)
            gravity = Imu()
            gravity.header.frame_id, gravity.header.stamp = "lens", pose.header.stamp
            gravity.linear_acceleration.y = -9.81
            imu.publish(gravity)

        scene.sense = sense
        scene.until(lambda: scene.says() == "scale from lidar", "no complaint")
        assert scene.at_the_wall()
