"""What the whole path costs on top of the network, stage by stage, at 640x480 on one core.

    python -m benchmarks.pipeline [--frames 200]

Message in (a live sensor_msgs/Image) to messages out (filled, not yet sent), compared in the same run with the bare
engine call. CPU time of this thread, so that other programs on the machine disturb it less.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from depth_perception import messages
from depth_perception.camera import CameraModel
from depth_perception.config import DepthConfig, EngineConfig, ScanConfig
from depth_perception.outputs import OutputBuilder
from depth_perception.pipeline import Pipeline, shrink
from depth_perception.records import Frame

ONE_CORE = EngineConfig(backend="onnxruntime", threads=1)


def picture(seed: int) -> np.ndarray:
    """A room-like image: smooth shading, blocks and noise."""
    rng = np.random.default_rng(seed)
    blocks = cv2.resize(rng.integers(0, 255, (6, 8, 3)).astype(np.uint8), (640, 480), interpolation=cv2.INTER_NEAREST)
    return cv2.add(cv2.GaussianBlur(blocks, (0, 0), 2), rng.integers(0, 20, (480, 640, 3)).astype(np.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=200)
    frames = parser.parse_args().frames
    cv2.setNumThreads(1)
    config = DepthConfig(engine=ONE_CORE, scan=ScanConfig(camera_height=0.5))
    pipeline, build, types = Pipeline(config), OutputBuilder(), messages.live()
    camera = CameraModel.pinhole(480, 640, 69.0)
    incoming = [messages.image_message(types, picture(i), "rgb8", i, "lens") for i in range(8)]
    stages: dict[str, list[float]] = defaultdict(list)
    totals: dict[str, list[float]] = defaultdict(list)
    contract = pipeline.model.contract
    small = shrink(picture(0), contract.height, contract.width)
    for wanted in (("depth/image", "depth/camera_info"), ("depth/image", "depth/camera_info", "depth/scan"),
                   ("depth/points",), ("depth/preview",)):  # fmt: skip
        for i in range(frames):
            started = time.perf_counter()
            pipeline.choice.engine.infer(small)
            bare = time.perf_counter() - started
            started = time.perf_counter()
            image = messages.decode_rgb(incoming[i % 8])
            stages["decode"].append(time.perf_counter() - started)
            out = pipeline.process(Frame(image, i, "lens", camera))
            built = [message for _, message in build(out, config, wanted)]
            totals[" + ".join(wanted)].append(time.perf_counter() - started - out.stages_ms["infer"] * 1e-3)
            totals["bare engine call"].append(bare)
            assert len(built) == len(wanted)
            for name, ms in out.stages_ms.items():
                stages[name].append(ms * 1e-3)
    print(f"{pipeline.model.path.name}, {pipeline.choice.engine.name}, 1 thread, 640x480, medians of {frames} frames")
    print("| stage | ms |\n|---|---|")
    for name, values in stages.items():
        print(f"| {name} | {np.median(values) * 1e3:.2f} |")
    bare_ms = float(np.median(totals.pop("bare engine call"))) * 1e3
    print(f"\n| whole path without the engine call | ms | share of the bare engine call ({bare_ms:.1f} ms) |")
    print("|---|---|---|")
    for name, values in totals.items():
        ms = float(np.median(values)) * 1e3
        print(f"| {name} | {ms:.2f} | {ms / bare_ms:.2f} |")


if __name__ == "__main__":
    main()
