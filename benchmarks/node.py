"""The live node at camera rate: a 640x480 camera at 30 Hz over DDS, image, camera_info and scan subscribed.

    python -m benchmarks.node [--seconds 60] [--backend auto] [--lidar]

With --lidar also a 64-beam LiDAR (115 200 points, 2.1 MB) at 10 Hz, from which every image's scale is fitted.
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
from collections import Counter, deque
from pathlib import Path

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", "93")

from depth_perception.bringup import middleware_environment

os.environ.update(middleware_environment())

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2

from benchmarks.pipeline import picture
from depth_perception import messages
from depth_perception.camera import CameraModel

RATE_HZ = 30.0
LIDAR = {  # no fit is refused: the model knows nothing about the round room
    "lidar.enabled": True,
    "lidar.T_cam_lidar": "'0 -0.2 0 0.5 -0.5 0.5 0.5'",
    "scale.min_inlier_share": 0.1,
    "scale.max_jump": 10.0,
}
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
    parser.add_argument("--lidar", action="store_true")
    options = parser.parse_args()
    command = [sys.executable, "-m", "depth_perception.nodes.depth_node", "--ros-args"]
    settings = {"engine.backend": options.backend} | (LIDAR if options.lidar else {})
    node = subprocess.Popen(
        [*command, *(word for name, value in settings.items() for word in ("-p", f"{name}:={value}"))]
    )
    try:
        run(node.pid, options.seconds, options.lidar)
    finally:
        node.terminate()
        node.wait(20)


def drum() -> np.ndarray:
    """(N,) points of a 64-beam LiDAR in the middle of a round room of 6 m, with their rings."""
    elevation, azimuth = np.meshgrid(np.deg2rad(np.linspace(-25, 15, 64)), np.linspace(-np.pi, np.pi, 1800))
    points = np.zeros(azimuth.size, [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("intensity", "<f4"), ("ring", "<u2")])
    points["x"], points["y"] = 6.0 * np.cos(azimuth).ravel(), 6.0 * np.sin(azimuth).ravel()
    points["z"], points["ring"] = 6.0 * np.tan(elevation).ravel(), np.tile(np.arange(64), 1800)
    return points


def run(pid: int, seconds: float, with_lidar: bool) -> None:
    rclpy.init()
    robot, executor, types = rclpy.create_node("benchmark"), SingleThreadedExecutor(), messages.live()
    executor.add_node(robot)
    images = [messages.image_message(types, picture(i), "rgb8", 0, "lens") for i in range(8)]
    info = messages.camera_info_message(types, CameraModel.pinhole(480, 640, 69.0), 0, "lens")
    camera = robot.create_publisher(Image, "image", 5)
    infos = robot.create_publisher(CameraInfo, "camera_info", 5)
    lidar = robot.create_publisher(PointCloud2, "lidar/points", 5)
    cloud = messages.points_message(types, drum(), 0, "lidar") if with_lidar else None
    sources: Counter[str] = Counter()
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
    if with_lidar:
        robot.create_subscription(DiagnosticArray, "depth/quality", lambda m: sources.update([m.status[0].message]), 5)
    start, count, measuring, before, memory = time.monotonic(), 0, 0.0, 0.0, 0.0
    while not measuring or time.monotonic() - measuring < seconds:
        due = start + count / RATE_HZ
        while time.monotonic() < due:
            executor.spin_once(timeout_sec=0.002)
        stamp = robot.get_clock().now().nanoseconds
        turn = [(cloud, lidar)] if cloud is not None and count % 3 == 0 else []
        for message, publisher in (*turn, (info, infos), (images[count % 8], camera)):
            message.header.stamp.sec, message.header.stamp.nanosec = messages.to_stamp(stamp)
            publisher.publish(message)
        sent[stamp] = time.monotonic()
        count += 1
        if not measuring and len(arrivals) > 90:  # warmed up
            measuring, before, memory = time.monotonic(), cpu_s(pid), memory_mb(pid)
            arrivals.clear()
            latency.clear()
            sources.clear()
            first = count
    elapsed = time.monotonic() - measuring
    p50, p95, p99 = np.percentile(np.array(latency) * 1e3, [50, 95, 99])
    print("| what | value |\n|---|---|")
    print(f"| camera | {(count - first) / elapsed:.1f} Hz for {elapsed:.0f} s |")
    print(f"| depth/image | {len(arrivals) / elapsed:.1f} Hz |")
    print(f"| image published to depth received, p50 / p95 / p99 | {p50:.1f} / {p95:.1f} / {p99:.1f} ms |")
    if with_lidar:
        print(f"| scale | {'; '.join(f'{text}: {times}' for text, times in sources.most_common(3))} |")
    print(f"| node CPU | {(cpu_s(pid) - before) / elapsed * 100:.0f} % of one core |")
    print(f"| node memory (RSS), start → end | {memory:.0f} → {memory_mb(pid):.0f} MB |")
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
