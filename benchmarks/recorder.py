"""The recorder at the rate of a robot: two 640x480 rgb8 cameras at 30 Hz, a LiDAR at 10 Hz, odometry at 50 Hz.

    python -m benchmarks.recorder [--seconds 60] [--depth] [--directory DIR] [-p NAME:=VALUE …]

Another process publishes, and begins when it is heard. With --depth the depth node runs beside on the left camera and
its depth/quality is recorded too. -p goes to the recorder. Prints what was sent and what is in the file, the CPU time
of the recorder's process as a share of the time that passed, and its memory while it ran.
"""

from __future__ import annotations

import argparse
import array
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from sensor_msgs.msg import PointCloud2

from benchmarks.node import cpu_s, memory_mb
from benchmarks.pipeline import picture
from depth_perception import messages
from depth_perception.bags import open_bag
from depth_perception.camera import CameraModel

TICK_HZ = 300
EVERY = {  # ticks between two messages
    "left/image": 10, "right/image": 10, "left/camera_info": 10, "right/camera_info": 10, "lidar/points": 30, "odom": 6,
}  # fmt: skip
LIDAR_POINTS = 120_000  # a turn of KITTI's 64 beams
WARM_UP_S = 3.0
SAMPLE_S = 5.0


def publish(seconds: float, points: int) -> None:
    """The robot: prints 'go' when it is heard, and then how many messages of each topic it has sent."""
    rclpy.init()
    node = rclpy.create_node("robot")
    data = ready_messages(points)
    publishers = {topic: node.create_publisher(type(data[topic][0]), topic, 5) for topic in EVERY}
    while not all(publisher.get_subscription_count() for publisher in publishers.values()):
        time.sleep(0.05)
    time.sleep(1.0)
    print("go", flush=True)
    ready = {topic: [serialize_message(message) for message in data[topic]] for topic in EVERY}
    sent, start = dict.fromkeys(EVERY, 0), time.monotonic()
    for tick in range(round(seconds * TICK_HZ)):
        time.sleep(max(start + tick / TICK_HZ - time.monotonic(), 0.0))
        for topic, publisher in publishers.items():
            if tick % EVERY[topic] == 0:
                publisher.publish(ready[topic][sent[topic] % len(ready[topic])])
                sent[topic] += 1
    late = time.monotonic() - start - seconds
    time.sleep(2.0)
    print(f"{late:.2f}", *(f"{topic}={count}" for topic, count in sent.items()), flush=True)
    node.destroy_node()
    rclpy.shutdown()


def ready_messages(points: int) -> dict[str, list]:
    """A few of each, made before."""
    types, rng = messages.live(), np.random.default_rng(0)
    camera = CameraModel.pinhole(480, 640, 70.0)
    images = [messages.image_message(types, picture(seed), "rgb8", 1_000_000_000, "camera") for seed in range(4)]
    info = messages.camera_info_message(types, camera, 1_000_000_000, "camera")
    ranges = 5.0 + 40.0 * rng.random(points)
    azimuth = np.linspace(0, 128 * np.pi, points)
    xyz = np.stack([ranges * np.cos(azimuth), ranges * np.sin(azimuth), rng.normal(0, 1, points)], 1).astype(np.float32)
    cloud = PointCloud2(height=1, width=points, point_step=16, row_step=16 * points)
    cloud.data = array.array("B", np.concatenate([xyz, rng.random((points, 1), np.float32)], 1).tobytes())
    return {
        "left/image": images, "right/image": images, "left/camera_info": [info], "right/camera_info": [info],
        "lidar/points": [cloud], "odom": [Odometry()],
    }  # fmt: skip


def node_command(name: str, parameters: list[str], *remaps: str) -> list[str]:
    words = [word for parameter in parameters for word in ("-p", parameter)]
    words += [word for remap in remaps for word in ("-r", remap)]
    return [sys.executable, "-m", f"depth_perception.nodes.{name}", "--ros-args", *words]


def measure(recorder: subprocess.Popen, robot: subprocess.Popen) -> tuple[float, list[float], str]:
    """(CPU share of the recorder, its memory over time in MB, the robot's last words)."""
    assert robot.stdout is not None and robot.stdout.readline() == "go\n"
    time.sleep(WARM_UP_S)
    start, before, memory = time.monotonic(), cpu_s(recorder.pid), [memory_mb(recorder.pid)]
    while robot.poll() is None:
        try:
            robot.wait(SAMPLE_S)
        except subprocess.TimeoutExpired:
            memory.append(memory_mb(recorder.pid))
            elapsed, used = time.monotonic() - start, cpu_s(recorder.pid) - before
    return used / elapsed, memory, robot.stdout.readline()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--depth", action="store_true", help="run the depth node too")
    parser.add_argument("--points", type=int, default=LIDAR_POINTS, help="of a turn of the LiDAR")
    parser.add_argument("--directory", default=None, help="where the recording goes, and stays (a temporary folder)")
    parser.add_argument("-p", action="append", default=[], metavar="NAME:=VALUE", help="parameter of the recorder")
    parser.add_argument("--publish", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        publish(options.seconds, options.points)
        return
    with tempfile.TemporaryDirectory() as folder:
        directory = options.directory or folder
        parameters = [f"directory:={directory}", "roles:=camera stereo lidar odometry quality", *options.p]
        recorder = subprocess.Popen(node_command("recorder", parameters, "image:=left/image"))
        nodes = [recorder]
        if options.depth:
            remaps = ("image:=left/image", "camera_info:=left/camera_info")
            nodes.append(subprocess.Popen(node_command("depth_node", [], *remaps)))
        robot = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.recorder", "--publish", "--seconds", str(options.seconds), "--points",
             str(options.points)], stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        share, memory, words = measure(recorder, robot)
        for node in nodes:
            node.send_signal(signal.SIGINT)
            node.wait()
        late, *counts = words.split()
        newest = max(Path(directory).iterdir(), key=lambda path: path.stat().st_mtime)
        size = sum(file.stat().st_size for file in newest.iterdir())
        with open_bag(newest) as bag:
            recorded = {name: topic.count for name, topic in bag.topics.items()}
    print("| topic | sent | in the file | missing |\n|---|---|---|---|")
    for count in counts:
        topic, number = count.split("=")
        found = recorded.get(f"/{topic}", 0)
        print(f"| {topic} | {number} | {found} | {max(int(number) - found, 0)} |")  # each file repeats the calibrations
    if options.depth:
        print(f"| depth/quality | | {recorded.get('/depth/quality', 0)} | |")
    print(f"\nrecorder: {share * 100:.1f} % of one core, {size / options.seconds / 1e6:.1f} MB/s to the disk")
    print(f"memory every {SAMPLE_S:.0f} s: {' '.join(f'{value:.0f}' for value in memory)} MB")
    print(f"the publisher was {late} s late at its end")


if __name__ == "__main__":
    main()
