"""The recorder as a process over DDS: bytes, QoS, topics that come, go and change, services, kills."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from ros_harness import Robot, running
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Int32, String
from std_srvs.srv import Trigger

from depth_perception import messages
from depth_perception.bags import open_bag
from depth_perception.bags.transforms import transform_tree
from depth_perception.camera import CameraModel
from depth_perception.nodes.recorded_topics import RecordedTopics
from depth_perception.recording.config import RecorderConfig
from depth_perception.recording.statistics import Statistics

NODE = "depth_perception.nodes.recorder"
CAMERA = CameraModel(48, 64, np.array([[50.0, 0, 30.0], [0, 45.0, 20.0], [0, 0, 1]]))
BEST_EFFORT = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def parameters(directory: Path, **more: Any) -> dict[str, Any]:
    return {
        "directory": directory, "min_free_mb": 0.0, "diagnostics_period_s": 0.2,
        **{name.replace("__", "."): value for name, value in more.items()},
    }  # fmt: skip


def cloud(number: int) -> PointCloud2:
    message = PointCloud2(height=1, width=5, point_step=4, row_step=20, data=bytes([number % 256] * 20))
    message.header.frame_id, message.header.stamp.sec = "velo", number
    return message


def image(number: int, frame: str = "lens") -> Image:
    pixels = np.random.default_rng(number).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    return messages.image_message(messages.live(), pixels, "rgb8", number * 10**9, frame)


def heard(robot: Robot, publisher: Any) -> Callable[[], bool]:
    return lambda: publisher.get_subscription_count() > 0


def recordings(directory: Path, kind: str = "drive_2") -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.name.startswith(kind))


def recorded(folder: Path, topic: str) -> list[bytes]:
    with open_bag(folder) as bag:
        assert bag.problems == []
        return [bytes(raw.data) for raw in bag.raw([topic])] if topic in bag.topics else []


def value(robot: Robot, status: str, key: str) -> str:
    found = robot.statuses().get(status)
    return next((pair.value for pair in found.values if pair.key == key), "") if found else ""


def same(found: list[bytes], sent: list[bytes]) -> bool:
    """Equal but for the zeros with which DDS fills a message up to a multiple of four."""
    return len(found) == len(sent) and all(a == b + bytes(-len(b) % 4) for a, b in zip(found, sent, strict=True))


def count(robot: Robot, topic: str) -> int:
    """Messages of a topic that the recorder says it received."""
    return int((value(robot, "topics", topic) or "0").split()[0])


def test_every_role_is_recorded_to_the_byte_whatever_its_publisher_offers(robot: Robot, tmp_path: Path) -> None:
    clouds = robot.node.create_publisher(PointCloud2, "lidar/points", BEST_EFFORT)
    about = robot.node.create_publisher(String, "robot_description", LATCHED)
    about.publish(String(data="four wheels"))  # long before anybody listens
    sent: dict[str, list[bytes]] = {"/image": [], "/camera_info": [], "/lidar/points": [], "/odom": []}
    info = messages.camera_info_message(messages.live(), CAMERA, 7, "lens")
    options = parameters(
        tmp_path,
        topics="/robot_*",
        lidar__T_cam_lidar="'0.1 -0.2 0.3 0.5 -0.5 0.5 0.5'",
        chunk_mb=0.1,
        split__max_mb=0.3,
    )
    with running(NODE, options) as node:
        robot.until(lambda: robot.connected() and heard(robot, clouds)(), "subscriptions")
        robot.until(lambda: "1 messages" in value(robot, "topics", "/robot_description"), "the latched message")
        odometry = robot.node.create_publisher(Odometry, "odom", 50)  # appears late
        robot.until(heard(robot, odometry), "subscription to what came late")
        for number in range(100):
            for name, publish, message in (
                ("/image", robot.publish_image, image(number)),
                ("/camera_info", robot.publish_info, info),
                ("/lidar/points", clouds.publish, cloud(number)),
                ("/odom", odometry.publish, Odometry(child_frame_id=f"base{number}")),
            ):
                sent[name].append(serialize_message(message))
                publish(sent[name][-1])  # as bytes: padding is anything, so a second serialisation may differ
            if number % 10 == 9:  # a queue holds 100 at the recorder, but 5 here
                robot.until(lambda: all(count(robot, name) == len(sent[name]) for name in sent), "what was sent")
        assert "0 dropped, 0 lost" in value(robot, "topics", "/image")
        code, output = node.finish()
    assert code == 0 and "Traceback" not in output and "terminate" not in output, output
    assert "/lidar/points: 100 messages" in output
    [folder] = recordings(tmp_path)
    files = len(list(folder.glob("*.mcap")))
    assert files >= 3
    for name in ("/image", "/lidar/points", "/odom"):
        assert same(recorded(folder, name), sent[name]), name
    assert same(recorded(folder, "/camera_info"), sent["/camera_info"] + sent["/camera_info"][:1] * (files - 1))
    assert len(recorded(folder, "/robot_description")) == files  # each file begins with it
    with open_bag(folder) as bag:
        tree = transform_tree(bag)
        assert tree.frames == ("lens", "velo") and bag.channels["/robot_description"].latched
        assert bag.topics["/odom"].type == "nav_msgs/msg/Odometry"


def test_publishers_that_disagree_vanish_and_change(robot: Robot, tmp_path: Path) -> None:
    """A best-effort publisher joins a reliable one; both leave; another type comes under the same name."""
    thing = robot.node.create_publisher(String, "/thing", 10)
    with running(NODE, parameters(tmp_path, roles="''", topics="/thing /never")) as node:
        robot.until(heard(robot, thing), "subscription")
        counted = lambda text: text in value(robot, "topics", "/thing")  # noqa: E731
        thing.publish(String(data="reliable"))
        robot.until(lambda: counted("1 messages"), "the first")
        assert value(robot, "topics", "nobody publishes") == "/never"
        hasty = robot.node.create_publisher(String, "/thing", BEST_EFFORT)
        robot.until(heard(robot, hasty), "subscription that asks for less")
        hasty.publish(String(data="hasty"))
        robot.until(lambda: counted("2 messages"), "the second")
        robot.node.destroy_publisher(thing)
        robot.node.destroy_publisher(hasty)
        robot.until(lambda: "/thing: vanished" in robot.diagnosis()["topics"], "the note that it vanished")
        assert "recording to" in robot.diagnosis()["recording"]
        number = robot.node.create_publisher(Int32, "/thing", 10)
        robot.until(heard(robot, number), "subscription to the other type")
        number.publish(Int32(data=42))
        robot.until(lambda: counted("3 messages"), "the third")
        robot.until(lambda: "vanished" not in robot.diagnosis()["topics"], "the note taken back")
        code, output = node.finish()
    assert code == 0 and "/thing was std_msgs/msg/String and is std_msgs/msg/Int32 now" in output, output
    before, after = recordings(tmp_path)
    expected = [serialize_message(String(data=text)) for text in ("reliable", "hasty")]
    assert same(recorded(before, "/thing"), expected)
    assert same(recorded(after, "/thing"), [serialize_message(Int32(data=42))])


def ask(robot: Robot, service: str) -> tuple[bool, str]:
    answer = robot.call(Trigger, f"/recorder/{service}", Trigger.Request())
    return answer.success, answer.message


def test_services_and_a_hard_example(robot: Robot, tmp_path: Path) -> None:
    quality = robot.node.create_publisher(DiagnosticArray, "depth/quality", 5)
    options = parameters(
        tmp_path, record=False, snapshot__enabled=True, snapshot__seconds=60.0, hard__enabled=True, hard__for_s=0.0
    )
    numbers = itertools.count(1)

    def see(times: int) -> None:
        for _ in range(times):
            robot.publish_info(messages.camera_info_message(messages.live(), CAMERA, 7, "lens"))
            robot.publish_image(image(next(numbers)))
            wanted = count(robot, "/image") + 1
            robot.until(lambda wanted=wanted: count(robot, "/image") == wanted, "the image")

    def say(abs_rel: float) -> None:
        array = DiagnosticArray()
        array.status.append(DiagnosticStatus(level=b"\0"))
        array.status[0].values.append(KeyValue(key="abs_rel", value=str(abs_rel)))
        quality.publish(array)

    with running(NODE, options) as node:
        robot.until(lambda: robot.connected() and heard(robot, quality)(), "subscriptions")
        assert ask(robot, "stop") == (False, "not recording")
        see(3)
        success, said = ask(robot, "snapshot")
        assert success and f"{tmp_path}/drive_snapshot_" in said and "6 messages" in said
        success, said = ask(robot, "snapshot")
        assert (not success and "in memory" in said) or "being written" in said
        assert ask(robot, "start") == (True, f"recording to {tmp_path}")
        assert ask(robot, "start") == (False, "recording already")
        see(4)
        success, said = ask(robot, "stop")
        assert success and "messages in 1 files" in said
        see(2)
        say(0.1)
        say(0.9)
        robot.until(lambda: len(recordings(tmp_path, "drive_snapshot")) == 2, "the hard example")
        robot.until(lambda: "messages" in value(robot, "snapshot", "last"), "its end")
        code, output = node.finish()
    assert code == 0 and "Traceback" not in output, output
    [folder] = recordings(tmp_path)
    first, hard = recordings(tmp_path, "drive_snapshot")
    stamps = [[raw[4] for raw in recorded(path, "/image")] for path in (first, folder, hard)]
    assert stamps == [[1, 2, 3], [4, 5, 6, 7], [4, 5, 6, 7, 8, 9]]  # header.stamp.sec; nothing is in two snapshots
    assert len(recorded(hard, "/camera_info")) == 7  # the six, and the one that held before
    assert "abs_rel 0.9 is more than 0.25" in (hard / "metadata.yaml").read_text()


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_and_started_again(robot: Robot, tmp_path: Path, seed: int) -> None:
    """The next start makes whole what SIGKILL left; it holds all but the last second, which is a chunk's age."""
    sent = [serialize_message(image(number)) for number in range(60)]
    many = int(np.random.default_rng(seed).integers(20, 60))
    with running(NODE, parameters(tmp_path, chunk_s=0.1, chunk_mb=0.1)) as node:
        robot.until(robot.connected, "subscription")
        for number in range(1, many + 1):
            robot.publish_image(sent[number - 1])  # type: ignore[arg-type]
            if number % 5 == 0 or number == many:
                robot.until(lambda number=number: count(robot, "/image") == number, "what was sent")
        node.finish(signal.SIGKILL)
    [folder] = recordings(tmp_path)
    [active] = folder.glob("*.active")
    with running(NODE, parameters(tmp_path)) as node:
        robot.until(lambda: not active.exists(), "recovery")
        code, output = node.finish()
    assert code == 0 and "was left unfinished" in output, output
    images = recorded(folder, "/image")
    assert same(images, sent[: len(images)])
    assert many - 10 <= len(images) <= many


def test_the_lifecycle_ends_every_file(robot: Robot, tmp_path: Path) -> None:
    with running(NODE, parameters(tmp_path, autostart=False)) as node:

        def change(transition: int) -> bool:
            request = ChangeState.Request(transition=Transition(id=transition))
            return bool(robot.call(ChangeState, "/recorder/change_state", request).success)

        assert ask(robot, "start") == (False, "the recorder is not active: see ros2 lifecycle")
        assert change(Transition.TRANSITION_CONFIGURE) and change(Transition.TRANSITION_ACTIVATE)
        robot.until(robot.connected, "subscription")
        robot.publish_image(image(1))
        robot.until(lambda: "1 messages" in value(robot, "topics", "/image"), "the image")
        assert change(Transition.TRANSITION_DEACTIVATE)
        [folder] = recordings(tmp_path)
        assert len(recorded(folder, "/image")) == 1
        assert change(Transition.TRANSITION_ACTIVATE) and change(Transition.TRANSITION_DEACTIVATE)
        assert change(Transition.TRANSITION_CLEANUP)
        code, _ = node.finish()
    assert code == 0


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [("roles", "radar", "roles names ['radar']"), ("lidar.T_cam_lidar", "'1 2'", "has 2 numbers")],
)
def test_options_that_cannot_be_taken_end_the_node_with_the_reason(
    robot: Robot, tmp_path: Path, name: str, given: str, message: str
) -> None:
    with running(NODE, {**parameters(tmp_path), name: given}) as node:
        code, output = node.wait()
    assert code == 1 and message in output and "Traceback" not in output, output


class Graph:
    """A node that says what exists, and never makes a subscription."""

    def __init__(self, types: dict[str, list[str]]) -> None:
        self.types = types

    def get_parameter(self, name: str) -> Any:
        return SimpleNamespace(value=False)

    def resolve_topic_name(self, name: str) -> str:
        return name

    def get_topic_names_and_types(self) -> list[tuple[str, list[str]]]:
        return list(self.types.items())

    def get_publishers_info_by_topic(self, name: str) -> list[Any]:
        return [SimpleNamespace(topic_type=kind) for kind in self.types[name]]


def test_a_type_that_is_not_installed_is_named() -> None:
    """As tf2_msgs with ROS from pip; the rest is recorded."""
    graph: Any = Graph({"/strange": ["no_such_msgs/msg/Thing"]})
    topics = RecordedTopics(graph, RecorderConfig(topics="/strange"), SimpleNamespace(statistics=Statistics()))  # type: ignore[arg-type]
    topics.refresh()
    assert topics.notes["/strange"].startswith("not recorded: its type no_such_msgs/msg/Thing isn't installed here")


def test_what_was_sent_again_keeps_its_place_before_later_messages() -> None:
    """A reliable reader gets 1, 2, 3 in order although 3 was received first; readers of the file go by log time."""
    put: list[Any] = []
    recorder: Any = SimpleNamespace(statistics=Statistics(), put=lambda message, arrived: put.append(message))
    graph: Any = Graph({})
    topics = RecordedTopics(graph, RecorderConfig(), recorder)
    eye, other = (SimpleNamespace(name=name) for name in ("/eye", "/other"))
    second = 10**9
    for topic, received in ((eye, 400), (eye, 420), (other, 410), (eye, 300), (eye, 430), (eye, 430 - 6 * second)):
        info = {"received_timestamp": 10 * second + received, "source_timestamp": 10 * second + received - 1}
        topics._take(topic, b"", info)
    assert [message.log_time_ns - 10 * second for message in put] == [400, 420, 410, 420, 430, 430 - 6 * second]
    assert put[3].publish_time_ns == 10 * second + 299


def test_calibration_is_recorded_though_nobody_asked(robot: Robot, tmp_path: Path) -> None:
    infos = robot.node.create_publisher(CameraInfo, "/eye/camera_info", 5)
    images = robot.node.create_publisher(Image, "/eye/image_raw", 5)
    with running(NODE, parameters(tmp_path, roles="''", topics="/eye/image_raw")) as node:
        robot.until(lambda: heard(robot, infos)() and heard(robot, images)(), "both subscriptions")
        assert not robot.connected()  # no role: /image is not recorded
        node.finish()
