"""The depth node as a process over DDS: numbers, faults, lifecycle, parameters, clean exit."""

from __future__ import annotations

import array
import itertools
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_harness import Process, Robot, running
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2
from tiny_model import tiny_model

from depth_perception import messages
from depth_perception.camera import CameraModel
from depth_perception.records import DepthKind

NODE = "depth_perception.nodes.depth_node"
CAMERA = CameraModel(144, 192, np.array([[250.0, 0, 100.0], [0, 240.0, 70.0], [0, 0, 1]]))
METRES = 2.0 * (250 * 64 / 192) / 100  # of red 64 through the tiny model


def images(height: int = 144, width: int = 192) -> Callable[[], np.ndarray]:
    """Images of red 64 whose other channels differ from one to the next, so that the camera isn't frozen or flat."""
    numbers = itertools.count()

    def make() -> np.ndarray:
        image = np.random.default_rng(next(numbers)).integers(0, 255, (height, width, 3)).astype(np.uint8)
        image[..., 0] = 64
        return image

    return make


def parameters(tmp_path: Path, **more) -> dict:
    model = tmp_path / "tiny.onnx"
    if not model.exists():
        tiny_model(model)
    return {"model.path": model, "engine.backend": "onnxruntime", "diagnostics_period_s": 0.2, **more}


def depth_of(message: Image) -> np.ndarray:
    return np.frombuffer(message.data, np.float32).reshape(message.height, message.width)


def test_depth_flows_with_the_images_stamp_frame_and_metres(robot: Robot, tmp_path: Path) -> None:
    depth, infos = robot.listen(Image, "depth/image"), robot.listen(CameraInfo, "depth/camera_info")
    clouds, scans = robot.listen(PointCloud2, "depth/points"), robot.listen(LaserScan, "depth/scan")
    previews = robot.listen(Image, "depth/preview")
    with running(NODE, parameters(tmp_path)) as node:
        robot.until(robot.connected, "subscription")
        robot.see_until(images(), CAMERA, lambda: depth and infos and clouds and scans and previews, "all outputs")
        image = depth[-1]
        assert (image.encoding, image.height, image.width, image.step) == ("32FC1", 144, 192, 768)
        np.testing.assert_allclose(depth_of(image), METRES, rtol=1e-5)
        assert image.header.frame_id == "lens"
        sent = {1_000_000_000_000 + 33_000_000 * i for i in range(1, 2000)}
        assert {messages.stamp_ns(m.header) for m in (*depth, *infos, *clouds, *scans)} <= sent
        assert list(infos[-1].k) == CAMERA.K.ravel().tolist() and not any(infos[-1].d)
        xyz = messages.cloud_xyz(clouds[-1]).reshape(144, 192, 3)
        np.testing.assert_allclose(
            xyz[20, 30], [(30 - 100) / 250 * METRES, (20 - 70) / 240 * METRES, METRES], rtol=1e-5
        )
        assert clouds[-1].header.frame_id == "lens" and not clouds[-1].is_dense
        ranges = np.array(scans[-1].ranges)
        assert (
            ranges[len(ranges) // 2] == pytest.approx(METRES, rel=0.01) and scans[-1].header.frame_id == "camera_scan"
        )
        assert previews[-1].encoding == "rgb8" and previews[-1].width == 192
        published = lambda: "depth is published" in robot.diagnosis().get("output", "")  # noqa: E731
        robot.see_until(images(), CAMERA, published, "diagnostics")
        assert "onnxruntime on cpu" in robot.diagnosis()["engine"]
        code, output = node.finish(signal.SIGINT)
    assert code == 0 and "terminate" not in output and "Traceback" not in output, output


def test_bad_messages_are_counted_and_lose_nothing(robot: Robot, tmp_path: Path) -> None:
    depth, make = robot.listen(Image, "depth/image"), images()
    types = messages.live()
    with running(NODE, parameters(tmp_path)) as node:
        robot.until(robot.connected, "subscription")
        robot.see_until(make, CAMERA, lambda: depth, "first depth")

        def bad(change: Callable[[Image], None], reason: str) -> None:
            """Send one bad image until it is counted, then good ones until depth flows again."""
            before = robot.count(f"dropped: {reason}")

            def send() -> None:
                robot._stamp_ns += 33_000_000
                message = messages.image_message(types, make(), "rgb8", robot._stamp_ns, "lens")
                change(message)
                robot.publish_image(message)

            def counted() -> bool:
                send()
                return robot.count(f"dropped: {reason}") > before

            robot.until(counted, f"{reason} for {change}")
            assert node.alive
            seen = len(depth)
            robot.see_until(make, CAMERA, lambda: len(depth) > seen, f"depth after {reason}")

        bad(lambda m: setattr(m, "encoding", "rgb9"), "bad image message")
        bad(lambda m: setattr(m, "data", array.array("B", m.data[:100])), "bad image message")
        bad(lambda m: (setattr(m, "height", 0), setattr(m, "width", 0)), "bad image message")
        bad(lambda m: setattr(m, "step", 7), "bad image message")
        bad(lambda m: setattr(m, "data", array.array("B", bytes(len(m.data)))), "black image")
        small = messages.image_message(types, images(72, 96)(), "rgb8", 0, "lens")
        bad(
            lambda m: [setattr(m, f, getattr(small, f)) for f in ("height", "width", "step", "data")], "bad camera_info"
        )
        np.testing.assert_allclose(depth_of(depth[-1]), METRES, rtol=1e-5)

        robot.publish_info(CameraInfo(height=0, width=0))
        robot.until(lambda: robot.count("dropped: bad camera_info") >= 2, "zero-size camera_info is counted")
        seen = len(depth)
        robot.see_until(make, CAMERA, lambda: len(depth) > seen, "depth after a bad camera_info")


def test_reordered_stamps_are_dropped_and_a_looping_bag_goes_on(robot: Robot, tmp_path: Path) -> None:
    depth, make = robot.listen(Image, "depth/image"), images()
    with running(NODE, parameters(tmp_path)):
        robot.until(robot.connected, "subscription")
        robot.see_until(make, CAMERA, lambda: depth, "first depth")

        def late() -> bool:
            robot.see(make(), CAMERA, robot._stamp_ns - 1_000_000)
            return robot.count("dropped: older than the last image") > 0

        robot.until(late, "reordered frame is counted")
        robot._stamp_ns = 5_000_000_000
        robot.see_until(
            make, CAMERA, lambda: messages.stamp_ns(depth[-1].header) < 10_000_000_000, "depth after a reset"
        )


def test_a_new_camera_info_is_followed(robot: Robot, tmp_path: Path) -> None:
    depth, make = robot.listen(Image, "depth/image"), images()
    with running(NODE, parameters(tmp_path)):
        robot.until(robot.connected, "subscription")
        robot.see_until(make, CAMERA, lambda: depth, "first depth")
        zoomed = CameraModel(144, 192, CAMERA.K * np.array([[2.0, 1, 1], [1, 2, 1], [1, 1, 1]]))
        robot.see_until(make, zoomed, lambda: depth_of(depth[-1])[0, 0] > 1.5 * METRES, "depth of the new focal length")
        np.testing.assert_allclose(depth_of(depth[-1]), 2 * METRES, rtol=1e-5)


def test_without_camera_info_there_is_a_preview_and_the_reason(robot: Robot, tmp_path: Path) -> None:
    depth, previews = robot.listen(Image, "depth/image"), robot.listen(Image, "depth/preview")
    with running(NODE, parameters(tmp_path, **{"watch.info_timeout_s": 0.5})):
        robot.until(lambda: robot._image.get_subscription_count(), "subscription")
        robot.see_until(images(), None, lambda: previews and "no camera_info" in str(robot.diagnosis()), "preview")
        uncalibrated = CameraModel(144, 192, np.zeros((3, 3)))
        robot.see_until(images(), uncalibrated, lambda: "K = 0" in str(robot.diagnosis()), "K = 0 is named")
        assert not depth


def test_a_relative_model_previews_but_publishes_no_metres(robot: Robot, tmp_path: Path) -> None:
    depth, previews = robot.listen(Image, "depth/image"), robot.listen(Image, "depth/preview")
    scans = robot.listen(LaserScan, "depth/scan")
    model = tiny_model(tmp_path / "relative.onnx", DepthKind.RELATIVE_INVERSE, canonical_focal=None)
    with running(NODE, parameters(tmp_path, **{"model.path": model})):
        robot.until(robot.connected, "subscription")
        robot.see_until(
            images(),
            CAMERA,
            lambda: len(previews) > 2 and "relative_inverse_depth" in str(robot.diagnosis()),
            "preview",
        )
        assert not depth and not scans
        assert robot.statuses()["scale"].level == b"\x02"


def change_state(robot: Robot, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return robot.call(ChangeState, "/depth/change_state", request).success


def state(robot: Robot) -> int:
    return robot.ask(GetState, "/depth/get_state", GetState.Request()).current_state.id


def set_parameter(robot: Robot, name: str, **value):
    request = SetParameters.Request(parameters=[Parameter(name=name, value=ParameterValue(**value))])
    return robot.call(SetParameters, "/depth/set_parameters", request).results[0]


def text(value: object) -> dict:
    return {"type": ParameterType.PARAMETER_STRING, "string_value": str(value)}


def real(value: float) -> dict:
    return {"type": ParameterType.PARAMETER_DOUBLE, "double_value": value}


def test_lifecycle_by_hand_with_a_model_that_is_none(robot: Robot, tmp_path: Path) -> None:
    depth = robot.listen(Image, "depth/image")
    wrong = tmp_path / "wrong.onnx"
    wrong.write_text("this is no network")
    with running(NODE, parameters(tmp_path, **{"model.path": wrong, "autostart": False})) as node:
        assert not change_state(robot, Transition.TRANSITION_CONFIGURE)
        assert state(robot) == State.PRIMARY_STATE_UNCONFIGURED
        robot.until(lambda: "wrong.onnx" in str(robot.diagnosis()), "the reason in diagnostics")
        assert set_parameter(robot, "model.path", **text(tmp_path / "tiny.onnx")).successful
        assert change_state(robot, Transition.TRANSITION_CONFIGURE)
        refused = set_parameter(robot, "model.path", **text("other.onnx"))
        assert not refused.successful and "clean it up first" in refused.reason
        for _ in range(2):  # a second activation must work as the first
            seen = len(depth)
            assert change_state(robot, Transition.TRANSITION_ACTIVATE)
            robot.see_until(images(), CAMERA, lambda seen=seen: len(depth) > seen, "depth after activation")
            assert change_state(robot, Transition.TRANSITION_DEACTIVATE)
        assert change_state(robot, Transition.TRANSITION_CLEANUP)
        assert change_state(robot, Transition.TRANSITION_CONFIGURE)
        code, output = node.finish(signal.SIGTERM)
    assert code == 0, output


def test_parameters_change_live_or_are_refused_with_the_reason(robot: Robot, tmp_path: Path) -> None:
    depth, scans, make = robot.listen(Image, "depth/image"), robot.listen(LaserScan, "depth/scan"), images()
    with running(NODE, parameters(tmp_path)):
        robot.until(robot.connected, "subscription")
        robot.see_until(make, CAMERA, lambda: depth and scans, "first depth")
        assert set_parameter(robot, "max_depth", **real(1.5)).successful
        robot.see_until(make, CAMERA, lambda: np.isposinf(depth_of(depth[-1])).all(), "depth beyond the new limit")
        assert set_parameter(robot, "scan.range_max", **real(1.0)).successful
        robot.see_until(make, CAMERA, lambda: scans[-1].range_max == 1.0, "scan with the new range")
        assert not set_parameter(robot, "max_depth", **real(-3.0)).successful
        crossed = set_parameter(robot, "scan.range_min", **real(50.0))
        assert not crossed.successful and "range_max" in crossed.reason
        wrong = set_parameter(robot, "rectify", **text("sometimes"))
        assert not wrong.successful
        backend = set_parameter(robot, "engine.backend", **text("openvino"))
        assert not backend.successful and "clean it up first" in backend.reason


def test_nothing_is_computed_while_nobody_subscribes(robot: Robot, tmp_path: Path) -> None:
    with running(NODE, parameters(tmp_path)):
        robot.until(robot.connected, "subscription")
        robot.see_until(images(), CAMERA, lambda: "idle" in robot.diagnosis().get("output", ""), "idle")
        depth = robot.listen(Image, "depth/image")
        robot.see_until(images(), CAMERA, lambda: depth, "depth once somebody listens")


def test_an_incompatible_subscriber_is_named(robot: Robot, tmp_path: Path) -> None:
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    robot.listen(Image, "depth/image", latched)
    with running(NODE, parameters(tmp_path)):
        robot.until(robot.connected, "subscription")
        robot.see_until(images(), CAMERA, lambda: "incompatible QoS" in str(robot.diagnosis()), "QoS mismatch")
        assert "durability" in str(robot.diagnosis())


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("scan.rangemax", 3.0, "did you mean 'scan.range_max'"),
        ("scan.range_max", -1.0, "scan.range_max"),
        ("engine.threads", "many", "engine.threads"),
        ("engine.backend", "abacus", "abacus"),
        ("model.path", "nowhere.onnx", "nowhere.onnx"),
    ],
)
def test_a_wrong_parameter_at_the_start_ends_with_the_reason(tmp_path: Path, name, value, expected) -> None:
    code, output = Process(NODE, parameters(tmp_path, **{name: value})).wait()
    assert code == 1 and expected in output and "Traceback" not in output, output


def test_a_second_signal_while_leaving_changes_nothing(robot: Robot, tmp_path: Path) -> None:
    depth = robot.listen(Image, "depth/image")
    with running(NODE, parameters(tmp_path)) as node:
        robot.until(robot.connected, "subscription")
        robot.see_until(images(), CAMERA, lambda: depth, "first depth")
        node._process.send_signal(signal.SIGINT)
        code, output = node.finish(signal.SIGINT)
    assert code == 0 and "terminate" not in output, output
