"""How many training samples one core reads, and where its time goes.

    python -m benchmarks.dataset_loader [DATASET]

A sample is a target at 640x192 with two sources and sparse depth; without DATASET a folder is written for the purpose:
JPEGs about as large as KITTI's at that size, depth of a 64-beam LiDAR. Process time of one thread, batches of 4, of
each call the shortest of several rounds over the same files, which the page cache holds. Wanted: 150 such samples a
second from images stored at that size.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
import torch

from depth_perception.camera import CameraModel
from depth_perception.records import DepthKind
from training.colour_change import random_change
from training.dataset import DECODE, Augmentation, DatasetConfig, Draw, FrameDataset, keep_freed_memory
from training.dataset_folder import Sample, SequenceCalibration
from training.dataset_writer import SequenceWriter
from training.teacher_labels import TeacherLabel, read_label, write_label
from training.window import random_window

FRAMES, BATCH, ROUNDS, WANTED = 26, 4, 8, 150.0
OUT = 192, 640
FALL = 1.4  # of amplitude with frequency; makes JPEGs about as large as KITTI's
SIZES = (192, 640), (375, 1242)


def photograph(size: tuple[int, int], seed: int) -> np.ndarray:
    """(H, W, 3) whose spectrum falls as a photograph's, and some noise."""
    rng = np.random.default_rng(seed)
    v, u = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None]
    fall = np.maximum(np.hypot(u, v), 1.0 / max(size)) ** -FALL
    grey = np.fft.irfft2(np.fft.rfft2(rng.normal(size=size)) * fall, size)
    grey = grey / grey.std() * 40 + 110
    tint = cv2.resize(rng.normal(0, 15, (6, 20, 3)).astype(np.float32), size[::-1])
    return np.clip(grey[..., None] + tint + rng.normal(0, 1, (*size, 1)), 0, 255).astype(np.uint8)


def sweep(size: tuple[int, int]) -> np.ndarray:
    """(H, W) metres on 64 beams over the lower two thirds, NaN elsewhere."""
    depth = np.full(size, np.nan, np.float32)
    rows = np.linspace(size[0] / 3, size[0] - 1, 64).astype(int)
    columns = np.linspace(0, size[1] - 1, 320).astype(int)
    depth[rows[:, None], columns] = np.linspace(60, 4, 64)[:, None] + np.random.default_rng(0).normal(size=320)
    return depth


def write(out: Path, size: tuple[int, int]) -> None:
    """A drive of one camera and its partner, each frame with depth and a teacher's label."""
    camera = CameraModel.pinhole(*size, 80.0)
    T = np.eye(4)
    T[0, 3] = 0.54
    images = [photograph(size, seed) for seed in range(8)]
    with SequenceWriter(out, "drive", "jpg") as writer:
        for n in range(FRAMES):
            for name in ("left", "right"):
                writer.image(name, n, images[n % len(images)])
                writer.depth(name, n, sweep(size))
        samples = [
            Sample(n, n, (n - 1, n + 1), True, {"left": 64 * 320, "right": 64 * 320}, split="train")
            for n in range(1, FRAMES - 1)
        ]
        calibration = SequenceCalibration({"left": camera, "right": camera}, "jpg", T_left_right=T)
        writer.finish(calibration, samples, {})
        folder = writer.publish()
    smooth = cv2.GaussianBlur(images[0][..., 0].astype(np.float32) / 255, (0, 0), 8).astype(np.float16)
    label = TeacherLabel(smooth, (smooth * 255).astype(np.uint8), DepthKind.RELATIVE_INVERSE, "", "")
    for n in range(FRAMES):
        write_label(folder / "teacher" / "left" / f"{n:08d}.npz", label)


def shortest_ms(call: Callable[[int], Any], items: int) -> float:
    """Process time of `call`, mean over the items of each one's shortest of several rounds: longer is disturbed."""
    rounds = np.empty((ROUNDS, items))
    for times in rounds:
        for item in range(items):
            start = time.process_time_ns()
            call(item)
            times[item] = time.process_time_ns() - start
    return float(rounds.min(axis=0).mean()) / 1e6


def sample_ms(folder: Path, config: DatasetConfig, how: Augmentation | None) -> float:
    """Process time of a sample, in batches."""
    data = FrameDataset(folder, config, how)
    batches = min(len(data), FRAMES) // BATCH

    def batch(number: int) -> None:
        items = range(number * BATCH, (number + 1) * BATCH)
        data.collate([data[Draw(item, (item,)) if how else item] for item in items])

    return shortest_ms(batch, batches) / BATCH


def steps(folder: Path, how: Augmentation) -> list[tuple[str, float]]:
    """Milliseconds a sample of three images, each step on its own."""
    data = FrameDataset(folder, DatasetConfig(*OUT), how)
    recording, items = data.recordings[0], min(len(data), FRAMES)
    model, jpg = recording.calibration.cameras["left"], recording.calibration.image_format == "jpg"
    samples = recording.samples("train")[:items]
    paths = [recording.image_path(sample.index) for sample in samples]
    encoded = [np.frombuffer(path.read_bytes(), np.uint8) for path in paths]
    windows = [
        random_window((model.height, model.width), OUT, how.narrowest, jpg, bool(n % 2), np.random.default_rng(n))
        for n in range(items)
    ]
    flags = [DECODE[window.reduction] for window in windows]
    decoded = [cv2.imdecode(data, flag) for data, flag in zip(encoded, flags, strict=True)]
    views = [window.image(image) for window, image in zip(windows, decoded, strict=True)]
    made = [data[Draw(n, (n,))] for n in range(items)]
    change = random_change(views[0], how.ranges, np.random.default_rng(0))
    depth = [np.frombuffer(recording.depth_path(sample.index).read_bytes(), np.uint8) for sample in samples]
    codes = [cv2.imdecode(data, cv2.IMREAD_UNCHANGED) for data in depth]
    found = [
        ("read 3 images", 3 * shortest_ms(lambda n: paths[n].read_bytes(), items)),
        ("decode 3 images", 3 * shortest_ms(lambda n: cv2.imdecode(encoded[n], flags[n]), items)),
        ("BGR to RGB", 3 * shortest_ms(lambda n: cv2.cvtColor(decoded[n], cv2.COLOR_BGR2RGB), items)),
        ("crop, resize, mirror", 3 * shortest_ms(lambda n: windows[n].image(decoded[n]), items)),
        ("colours (where drawn)", 3 * how.colour * shortest_ms(lambda n: change(views[n]), items)),
        ("decode depth", shortest_ms(lambda n: cv2.imdecode(depth[n], cv2.IMREAD_UNCHANGED), items)),
        ("scatter depth", shortest_ms(lambda n: windows[n].sparse(codes[n]), items)),
        ("collate", shortest_ms(lambda n: data.collate(made[n : n + BATCH]), items - BATCH) / BATCH),
    ]
    batch = data.collate(made[:BATCH])
    found.append(("(to float, where it trains)", shortest_ms(lambda _: batch.floats(), 8) / BATCH))
    if recording.teacher_path(samples[0].index).is_file():
        labels = [recording.teacher_path(sample.index) for sample in samples]
        found.append(("(read a teacher's label)", shortest_ms(lambda n: read_label(labels[n]), items)))
    return found


def report(folder: Path, stored: str) -> None:
    """Both tables of a dataset."""
    plain, both = DatasetConfig(*OUT), Augmentation(colour=1.0)
    cases: list[tuple[str, DatasetConfig, Augmentation | None]] = [
        ("as stored", plain, None),
        ("flip 50 %, colours 50 %", plain, Augmentation()),
        ("flip 50 %, colours 100 %", plain, both),
        ("flip, colours 50 %, crop 70-100 %", plain, Augmentation(narrowest=0.7)),
    ]
    if "right" in FrameDataset(folder, plain).recordings[0].calibration.cameras:
        cases.append(
            ("the same, with the partner and its depth", replace(plain, stereo=True), Augmentation(narrowest=0.7))
        )
        cases.append(("and a teacher's label", replace(plain, stereo=True, teacher=True), Augmentation(narrowest=0.7)))
    print(f"\n## stored {stored}\n\n| samples at 640x192 | ms | samples/s/core |\n|---|---|---|")
    camera = FrameDataset(folder, plain).recordings[0].calibration.cameras["left"]
    for name, config, how in cases:
        ms = sample_ms(folder, config, how)
        judged = config is plain and (camera.height, camera.width) == OUT  # what the aim is about
        print(f"| {name} | {ms:.2f} | {1e3 / ms:.0f}{' MISSED' if judged and 1e3 / ms < WANTED else ''} |", flush=True)
    print("\n| step (crop 70-100 %) | ms |\n|---|---|")
    cropped = Augmentation(narrowest=0.7)
    found = steps(folder, cropped)
    rest = sample_ms(folder, plain, cropped) - sum(ms for name, ms in found if not name.startswith("("))
    for name, ms in [*found, ("the rest: paths, random numbers, K, colder caches than above", rest)]:
        print(f"| {name} | {ms:.2f} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", nargs="?", type=Path, help="a dataset folder; without it some are made")
    given = parser.parse_args().dataset
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    keep_freed_memory()  # as the loader's workers do
    print(
        f"process time of one thread, batches of {BATCH}, each call's shortest of {ROUNDS}; wanted {WANTED:g} samples/s"
    )
    if given is not None:
        report(given, f"in {given.name}")
        return
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), size)
            kilobytes = next(Path(folder).glob("*/images/left/*")).stat().st_size / 1000
            report(Path(folder), f"at {size[1]}x{size[0]} ({kilobytes:.0f} kB a JPEG)")


if __name__ == "__main__":
    main()
