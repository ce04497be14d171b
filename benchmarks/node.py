"""The live node at camera rate: a 640x480 camera at 30 Hz over DDS, image, camera_info and scan subscribed.

    python benchmarks/node.py [--seconds 60] [--backend auto]

Prints the rate that comes out, latency from image published to depth received, the node's CPU, and its
memory at the start and at the end. The camera and the listener run in this process, on the same cores.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", "93")

from depth_perception.bringup import middleware_environment

os.environ.update(middleware_environment())

import numpy as np
import rclpy
from pipeline import picture
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CameraInfo, Image, LaserScan

from depth_perception import messages
from depth_perception.camera import CameraModel

RATE_HZ = 30.0
PAGE_MB = resource.getpagesize() / 2**20
TICKS = os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Resident memory of a process, MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_MB


def cpu_s(pid: int) -> float:
    """User and system time of a process, s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--backend", default="auto")
    options = parser.parse_args()
    command = [sys.executable, "-m", "depth_perception.nodes.depth_node", "--ros-args"]
    node = subprocess.Popen([*command, "-p", f"engine.backend:={options.backend}"])
    try:
        run(node.pid, options.seconds)
    finally:
        node.terminate()
        node.wait(20)


def run(pid: int, seconds: float) -> None:
    rclpy.init()
    robot, executor, types = rclpy.create_node("benchmark"), SingleThreadedExecutor(), messages.live()
    executor.add_node(robot)
    images = [messages.image_message(types, picture(i), "rgb8", 0, "lens") for i in range(8)]
    info = messages.camera_info_message(types, CameraModel.pinhole(480, 640, 69.0), 0, "lens")
    camera = robot.create_publisher(Image, "image", 5)
    infos = robot.create_publisher(CameraInfo, "camera_info", 5)
    sent: dict[int, float] = {}
    arrivals: deque[float] = deque()
    latency: list[float] = []

    def on_depth(message: Image) -> None:
        now, stamp = time.monotonic(), messages.stamp_ns(message.header)
        arrivals.append(now)
        if stamp in sent:
            latency.append(now - sent.pop(stamp))

    robot.create_subscription(Image, "depth/image", on_depth, 5)
    robot.create_subscription(CameraInfo, "depth/camera_info", lambda _: None, 5)
    robot.create_subscription(LaserScan, "depth/scan", lambda _: None, 5)
    start, count, measuring, before, memory = time.monotonic(), 0, 0.0, 0.0, 0.0
    while not measuring or time.monotonic() - measuring < seconds:
        due = start + count / RATE_HZ
        while time.monotonic() < due:
            executor.spin_once(timeout_sec=0.002)
        stamp = robot.get_clock().now().nanoseconds
        for message, publisher in ((info, infos), (images[count % 8], camera)):
            message.header.stamp.sec, message.header.stamp.nanosec = messages.to_stamp(stamp)
            publisher.publish(message)
        sent[stamp] = time.monotonic()
        count += 1
        if not measuring and len(arrivals) > 90:  # warmed up
            measuring, before, memory = time.monotonic(), cpu_s(pid), memory_mb(pid)
            arrivals.clear()
            latency.clear()
            first = count
    elapsed = time.monotonic() - measuring
    p50, p95, p99 = np.percentile(np.array(latency) * 1e3, [50, 95, 99])
    print("| what | value |\n|---|---|")
    print(f"| camera | {(count - first) / elapsed:.1f} Hz for {elapsed:.0f} s |")
    print(f"| depth/image | {len(arrivals) / elapsed:.1f} Hz |")
    print(f"| image published to depth received, p50 / p95 / p99 | {p50:.1f} / {p95:.1f} / {p99:.1f} ms |")
    print(f"| node CPU | {(cpu_s(pid) - before) / elapsed * 100:.0f} % of one core |")
    print(f"| node memory (RSS), start → end | {memory:.0f} → {memory_mb(pid):.0f} MB |")
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
