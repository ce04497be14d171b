"""What turning anchors into metres costs on one core, step by step.

    python -m benchmarks.alignment

A slanted plane at 640x480, 16 LiDAR-like beams of 3000 anchors together, a tenth of them wrong. Process time of one
thread, the shortest of several runs. Wanted: either fit of 2000 anchors within 2 ms, the field within 5 ms.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np

from depth_perception.alignment import Aligner, Unscaled
from depth_perception.alignment.field import ResidualField
from depth_perception.alignment.fit import fit_affine, fit_scale
from depth_perception.alignment.sources import gather, settle
from depth_perception.config import ScaleConfig
from depth_perception.records import Anchors

HEIGHT, WIDTH, BEAMS, ANCHORS, FITTED, REPEATS = 480, 640, 16, 3000, 2000, 40
FIT_MS, FIELD_MS = 2.0, 5.0


def world() -> tuple[np.ndarray, np.ndarray, Anchors]:
    """Depth of a plane, an image with edges, and what the LiDAR says."""
    rng = np.random.default_rng(0)
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    depth = (1.0 / (0.05 + 0.3 * v / HEIGHT + 0.05 * u / WIDTH)).astype(np.float32)
    blocks = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    image = cv2.resize(blocks, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    row = np.linspace(20, HEIGHT - 20, BEAMS).astype(int).repeat(-(-ANCHORS // BEAMS))[:ANCHORS]
    column = rng.integers(0, WIDTH, ANCHORS)
    measured = depth[row, column] * np.exp(rng.normal(0.0, 0.02, ANCHORS))
    measured[::10] *= 3.0
    group = np.unique(row, return_inverse=True)[1].astype(np.int32)
    uv = np.stack([column, row], axis=1).astype(np.float32)
    sigma = (0.01 * measured).astype(np.float32)
    return depth, image, Anchors(uv, measured.astype(np.float32), sigma, group, "lidar", 0)


def best_ms(call: Callable[[], Any]) -> float:
    """Shortest process time of several runs: what is longer was disturbed by something else."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        times.append(1e3 * (time.process_time() - start))
    return min(times)


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    depth, image, anchors = world()
    near = (depth / np.float32(1.7)).astype(np.float32)
    inverse = ((1.0 / depth - 0.02) / 3.0).astype(np.float32)
    size = (HEIGHT, WIDTH)
    gathered = gather([anchors], near, size)
    few = gathered.only(np.arange(len(gathered)) < FITTED)
    few_inverse = gather([anchors], inverse, size).only(np.arange(len(gathered)) < FITTED)
    field = ResidualField(*size, ScaleConfig().field_reach)
    links = field.links(image)
    residual = np.log(gathered.depth / gathered.prediction) - np.float32(np.log(1.7))
    made = field.fit(gathered.uv, residual, gathered.weight, links)
    rows: list[tuple[str, float, float | None]] = [
        ("gather", best_ms(lambda: gather([anchors], near, size)), None),
        ("settle", best_ms(lambda: settle(gathered, size, False)), None),
    ]
    for name, fit, chosen in (("scale", fit_scale, few), ("scale and shift", fit_affine, few_inverse)):
        arguments = chosen.prediction, chosen.depth, chosen.weight, chosen.block
        rows.append((f"fit of {name}, {FITTED} anchors", best_ms(lambda f=fit, a=arguments: f(*a)), FIT_MS))
    links_ms = best_ms(lambda: field.links(image))
    fit_ms = best_ms(lambda: field.fit(gathered.uv, residual, gathered.weight, links))
    size_ms = best_ms(lambda: made.at_size(*size))
    rows += [("field: links", links_ms, None), ("field: fit", fit_ms, None), ("field: at 640x480", size_ms, None)]
    rows.append((f"field, {len(gathered)} anchors", links_ms + fit_ms + size_ms, FIELD_MS))
    for name, values, config in (
        ("scale", near, ScaleConfig()),
        ("scale and shift", inverse, ScaleConfig()),
        ("scale, no field", near, ScaleConfig(residual_field=False)),
        ("scale, none left out", near, ScaleConfig(held_out_share=0.0)),
    ):
        view, align = Unscaled(values, values is inverse, None, image, 80.0), Aligner()
        rows.append((f"all: {name}", best_ms(lambda a=align, v=view, c=config: a(v, [anchors], 0, c, True)), None))
    print(f"process time of one thread, ms, shortest of {REPEATS} runs; {ANCHORS} anchors on {BEAMS} beams, 640x480\n")
    print("| step | ms | limit |\n|---|---|---|")
    for name, ms, limit in rows:
        print(f"| {name} | {ms:.2f} | {'' if limit is None else f'{limit:g}' + ('' if ms <= limit else ' MISSED')} |")


if __name__ == "__main__":
    main()
