"""How fast `make_dataset` is beside decoding, resizing and encoding alone, on the same bag in one run; and its memory.

    python -m benchmarks.make_dataset BAG... [--images 150] [--size 192x640] [--rounds 5] [--format jpg]
    python -m benchmarks.make_dataset --memory 150 600

"images alone" reads the bag, decodes its pictures, resizes and encodes them; "all alone" also reads its LiDAR and
encodes the depth maps that become of it. Neither opens the bag, pairs, rectifies, thins, projects, hashes or writes a
file. Each bag is first repeated until it has --images frames, since opening one costs as much as tens of them. Rounds
alternate, so that other programs disturb all alike, and the least of their seconds count: by the clock, and of the
processor (make_dataset hashes its input and writes pictures on threads of their own). The target is half of the rate of
"images alone". With --memory, recordings of so many frames (two VGA cameras at 15 Hz, LiDAR, odometry) are made first,
and the peak of resident memory of a process that makes them a dataset is printed: it mustn't grow with the recording,
nor pass 1 GB.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from depth_perception import messages
from depth_perception.bags import BagWriter, Channel, StaticTransform, open_bag, tf_static_message
from depth_perception.bags.camera_topics import COMPRESSED
from depth_perception.bags.transforms import TF_STATIC
from depth_perception.bags.types import jazzy
from depth_perception.camera import CameraModel
from depth_perception.sim.odometry import OdometrySample
from depth_perception.sim.sensor_messages import POINT, odometry_message
from training.dataset_folder import Sequence, sequences
from training.dataset_writer import JPEG_QUALITY, encoded_depth
from training.preparation.bag_source import BagSource
from training.preparation.jobs import Job, make_sequence
from training.preparation.options import DatasetOptions
from training.preparation.placement import place
from training.preparation.sources import Found

TARGET = 0.5


class Alone:
    """What can't be done without, on one bag."""

    def __init__(self, path: Path, options: DatasetOptions, made: Sequence) -> None:
        source = BagSource(path, options)
        self._views = place(source.rig, options).views
        self._bag, topics = source._bag, source._topics
        self._eyes = {topics.image: "left"}
        if topics.right and "right" in self._views:
            self._eyes[topics.right] = "right"
        self._lidar = {topics.lidar} if topics.lidar else set()
        self._depths = [made.depth(sample.index, eye) for sample in made.samples() for eye in sample.depth]
        jpg = options.image_format == "jpg"
        self._quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if jpg else [cv2.IMWRITE_PNG_COMPRESSION, 1]
        self._suffix = f".{options.image_format}"

    def __call__(self, depth: bool) -> int:
        """Read, decode, resize, encode; with `depth` also the LiDAR and its depth maps. Images done."""
        count = 0
        for raw in self._bag.raw({*self._eyes, *(self._lidar if depth else ())}):
            message = self._bag.decode(raw)
            if raw.channel.topic in self._lidar:
                messages.cloud_xyz(message)
                continue
            self._picture(raw.channel, message)
            count += 1
        for values in self._depths if depth else ():
            encoded_depth(values)
        return count

    def _picture(self, channel: Channel, message: Any) -> None:
        compressed = channel.type == COMPRESSED
        image = messages.decode_compressed(message) if compressed else messages.decode_rgb(message)
        view = self._views[self._eyes[channel.topic]]
        top, left, height, width = view.window
        window = image[top : top + height, left : left + width]
        small = cv2.resize(window, view.size[::-1], interpolation=cv2.INTER_AREA)
        cv2.imencode(self._suffix, cv2.cvtColor(small, cv2.COLOR_RGB2BGR), self._quality)


def repeated(source: Path, path: Path, times: int) -> None:
    """The recording over and over, with stamps that go on."""
    with open_bag(source) as bag, BagWriter(path) as writer:
        stamps = [raw.log_time_ns for raw in bag.raw()]
        span = max(stamps) - min(stamps) + 100_000_000
        for turn in range(times):
            for raw in bag.raw():
                message = bag.decode(raw)
                if raw.channel.topic == TF_STATIC:
                    if turn == 0:
                        writer.write(TF_STATIC, raw.log_time_ns, message)
                    continue
                stamp = messages.to_stamp(messages.stamp_ns(message.header) + turn * span)
                message.header.stamp.sec, message.header.stamp.nanosec = stamp
                writer.write(raw.channel.topic, raw.log_time_ns + turn * span, message)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of the processor in all threads."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def compare(source: Path, options: DatasetOptions, frames: int, rounds: int) -> str:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as scratch:
        bag, out = Path(scratch) / source.name, Path(scratch) / "out"
        with contextlib.closing(BagSource(source, options)) as once:
            times = -(-frames // once.total)
        repeated(source, bag, times)

        def make(name: str) -> None:
            outcome = make_sequence(Job(Found("bag", str(bag), name), str(out), options))
            if outcome.error:
                raise SystemExit(f"{bag}: {outcome.error}")

        make("warm")
        alone = Alone(bag, options, sequences(out)[0])
        images = alone(depth=False)
        best = np.full((3, 2), np.inf)
        for i in range(rounds):
            works = lambda: alone(False), lambda: alone(True), partial(make, f"round_{i}")
            best = np.minimum(best, [timed(work) for work in works])
    rates = (images / best[:, 0]).round().astype(int).tolist()
    shares = [f"{best[i, 0] / best[2, 0]:.2f} ({best[i, 1] / best[2, 1]:.2f})" for i in range(2)]
    return f"| {source.name} | {images} | {' | '.join(map(str, rates))} | {' | '.join(shares)} |"


def record(path: Path, frames: int) -> None:
    """A robot with two VGA cameras and a 16-beam LiDAR that drives past noise."""
    types, rng = messages.recorded(jazzy()), np.random.default_rng(0)
    left = CameraModel.pinhole(480, 640, 69.0)
    P = left.P.copy()
    P[0, 3] = -left.fx * 0.12
    right = CameraModel(480, 640, left.K, P=P)
    texture = rng.integers(0, 255, (480, 1280, 3), np.uint8)
    points = np.zeros(28_800, POINT)
    points["ring"] = np.tile(np.arange(16), 1800)
    azimuth, elevation = np.repeat(np.linspace(-np.pi, np.pi, 1800), 16), np.deg2rad(points["ring"] * 2.0 - 15.0)
    points["x"], points["y"], points["z"] = 8 * np.cos(azimuth), 8 * np.sin(azimuth), 8 * np.tan(elevation)
    points["time"] = np.repeat(np.linspace(0, 0.1, 1800), 16)
    optical = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    mounts = [StaticTransform("base_link", frame, optical) for frame in ("left", "right")]
    with BagWriter(path) as writer:
        writer.write("/tf_static", 0, tf_static_message([*mounts, StaticTransform("base_link", "lidar", np.eye(4))]))
        for i in range(frames):
            stamp = 10**9 + i * 66_666_667
            for k in range(3):
                T = np.eye(4)
                T[0, 3] = 0.05 * (i + k / 3)
                writer.write(
                    "/odom", stamp, odometry_message(types, OdometrySample(stamp + k * 22_222_222, T, 0.7, 0.0))
                )
            for eye, camera in (("left", left), ("right", right)):
                image = np.ascontiguousarray(texture[:, 4 * i % 640 :][:, :640])
                writer.write(f"/{eye}/image_rect", stamp, messages.image_message(types, image, "rgb8", stamp, eye))
                writer.write(f"/{eye}/camera_info", stamp, messages.camera_info_message(types, camera, stamp, eye))
            writer.write("/lidar/points", stamp, messages.points_message(types, points, stamp, "lidar"))


def peak_mb(bag: Path, options: list[str]) -> float:
    """Of a process of its own that makes a dataset of this bag."""
    with tempfile.TemporaryDirectory() as scratch:
        words = [sys.executable, "-m", "training.make_dataset", str(bag), scratch, *options]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bags", nargs="*", type=Path, metavar="BAG")
    parser.add_argument("--size", default="192x640")
    parser.add_argument("--images", type=int, default=150, help="frames that a bag has at least, by repetition")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--format", choices=("jpg", "png"), default="jpg")
    parser.add_argument("--memory", type=int, nargs="+", default=[], metavar="FRAMES", help="in growing order")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    options = DatasetOptions(size=args.size, image_format=args.format, keep_static=True)
    if args.bags:
        size = args.size or "as it comes"
        print(f"size {size}, {args.format}; images a second by the clock; shares in brackets: of the processor")
        print("| bag | images | images alone | all alone | make_dataset | of images alone | of all alone |")
        print("|---|---:|---:|---:|---:|---:|---:|")
    for bag in args.bags:
        print(compare(bag, options, args.images, args.rounds), flush=True)
    for frames in args.memory:
        with tempfile.TemporaryDirectory() as scratch:
            record(Path(scratch) / "bag", frames)
            size = sum(file.stat().st_size for file in (Path(scratch) / "bag").iterdir()) / 2**20
            peak = peak_mb(Path(scratch) / "bag", ["--size", "192x640"])
        print(f"{frames} frames, {size:.0f} MB: at most {peak:.0f} MB resident", flush=True)
    if args.bags:
        print(f"target: {TARGET} of images alone")


if __name__ == "__main__":
    main()
