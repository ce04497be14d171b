"""How fast `convert` is beside the network alone, on the same images in the same run.

    python -m benchmarks.convert [BAG] [--rounds 5] [--model FILE] [--backend B] [--threads N]

Rounds alternate between the bare engine call and the whole conversion (read, decode, infer, build, write), so that
other programs disturb both alike; the table gives medians. Without BAG a camera of 640x480 is recorded first.
The target is 0.8 of the engine's own rate. The model that suits the camera is loaded before either clock starts.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from depth_perception import messages
from depth_perception.bags import BagWriter, open_bag
from depth_perception.bags.camera_topics import find_camera
from depth_perception.bags.types import jazzy
from depth_perception.camera import CameraModel
from depth_perception.config import DepthConfig, EngineConfig, ModelConfig
from depth_perception.convert import convert
from depth_perception.pipeline import Pipeline, shrink
from depth_perception.recorded_frames import RecordedFrame, RecordedFrames

TARGET = 0.8


def record_camera(path: Path, count: int) -> None:
    """A 640x480 rgb8 camera at 30 Hz with camera_info: blocks, smooth shading and noise that move."""
    rng = np.random.default_rng(0)
    types, camera = messages.recorded(jazzy()), CameraModel.pinhole(480, 640, 69.0)
    blocks = rng.integers(0, 255, (12, 24, 3)).astype(np.uint8)
    scene = cv2.GaussianBlur(cv2.resize(blocks, (1920, 480), interpolation=cv2.INTER_NEAREST), (0, 0), 2)
    with BagWriter(path) as writer:
        for i in range(count):
            stamp = i * 33_333_333
            view = np.ascontiguousarray(scene[:, 4 * i % 1280 :][:, :640])
            image = cv2.add(view, rng.integers(0, 12, view.shape).astype(np.uint8))
            writer.write("/camera/image", stamp, messages.image_message(types, image, "rgb8", stamp, "lens"))
            info = messages.camera_info_message(types, camera, stamp, "lens")
            writer.write("/camera/camera_info", stamp, info)


class BareEngine:
    """The engine that `convert` would use on this bag, and some of its images, decoded and of the model's size."""

    def __init__(self, bag_path: Path, config: DepthConfig) -> None:
        self.inputs: list[np.ndarray] = []
        with open_bag(bag_path) as bag:
            topics = find_camera(bag)
            self.pipeline = Pipeline(config, topics.image)
            for item in RecordedFrames(bag, topics, config):
                if isinstance(item, RecordedFrame) and item.frame is not None:
                    self.pipeline.process(item.frame)  # also chooses the shape for this camera, and warms up
                    contract = self.pipeline.model.contract
                    self.inputs.append(shrink(item.frame.image, contract.height, contract.width))
                if len(self.inputs) == 8:
                    break

    def seconds(self, count: int) -> float:
        """Time of `count` calls."""
        started = time.perf_counter()
        for i in range(count):
            self.pipeline.choice.engine.infer(self.inputs[i % len(self.inputs)])
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bag", nargs="?", type=Path, metavar="BAG")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=150, help="of the recorded camera, without BAG")
    parser.add_argument("--model", default="default")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    config = DepthConfig(model=ModelConfig(args.model), engine=EngineConfig(args.backend, threads=args.threads))
    with tempfile.TemporaryDirectory() as scratch:
        bag = args.bag or Path(scratch) / "camera"
        if args.bag is None:
            record_camera(bag, args.frames)
        bare = BareEngine(bag, config)
        model = bare.pipeline.model.path
        config = replace(config, model=ModelConfig(str(model)))
        engine, whole, images = [], [], 0
        for _ in range(args.rounds):
            summary = convert(bag, Path(scratch) / "out", config=config)
            shutil.rmtree(summary.out)
            images = summary.images
            whole.append(summary.seconds / images)
            engine.append(bare.seconds(images) / images)
    report(f"{bag.name}: {images} images, {model.name}, {bare.pipeline.choice.label}", engine, whole)


def report(title: str, engine: list[float], whole: list[float]) -> None:
    """A table of medians, and the ratio of each round."""
    ratios = [e / w for e, w in zip(engine, whole, strict=True)]
    print(f"{title}, medians of {len(engine)} rounds\n\n| | ms an image | images/s |\n|---|---|---|")
    for name, seconds in (("engine alone", engine), ("convert", whole)):
        median = statistics.median(seconds)
        print(f"| {name} | {median * 1e3:.1f} | {1 / median:.1f} |")
    listed = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"\nconvert / engine: {statistics.median(ratios):.2f} (rounds: {listed}); target {TARGET}")


if __name__ == "__main__":
    main()
