"""Look at a dataset folder: a contact sheet of each sequence and one page about all of them.

    python -m training.view DATASET [--out FOLDER]

Writes FOLDER/index.html, which holds its pictures and can be copied anywhere, and the same pictures as
FOLDER/<sequence>.png; FOLDER is DATASET/report unless given.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from depth_perception.errors import DepthPerceptionError
from training.dataset_folder import Sample, sequences
from training.report.numbers import count
from training.report.page import page
from training.report.pictures import sheet

SAMPLES = 6


def write_report(dataset: Path, out: Path, samples: int = SAMPLES, seed: int = 0) -> Path:
    """Write page and sheets; returns the page's path.

    Args:
        samples: how many of each sequence are drawn, at random.

    Raises:
        ConfigError: no dataset, or a file of it can't be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    parts = []
    for recording in sequences(dataset):
        numbers = count(recording)
        shown = choose(numbers.samples, samples, seed)
        picture = sheet(recording, shown) if shown else None
        if picture is not None:
            cv2.imwrite(str(out / f"{recording.name}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        parts.append((numbers, recording.calibration, picture))
    manifest = dataset / "manifest.json"
    content = json.loads(manifest.read_text()) if manifest.is_file() else {}
    path = out / "index.html"
    path.write_text(page(f"Dataset {dataset.resolve().name}", content, parts), encoding="utf-8")
    return path


def choose(samples: Sequence[Sample], count: int, seed: int) -> list[Sample]:
    """`count` of them at random, in order of time; of those with depth, if any has."""
    pool = [sample for sample in samples if any(sample.depth.values())] or list(samples)
    chosen = np.random.default_rng(seed).permutation(len(pool))[:count]
    return [pool[place] for place in sorted(chosen)]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.view", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path, help="a folder made by training.make_dataset")
    parser.add_argument("--out", type=Path, help="[DATASET/report]")
    parser.add_argument("--samples", type=_positive, default=SAMPLES, help="drawn of each sequence [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="which samples [%(default)s]")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be 1 or more")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Console entry: 1 and the reason on an error that a user can act on."""
    given = parse(arguments)
    try:
        print(write_report(given.dataset, given.out or given.dataset / "report", given.samples, given.seed))
    except DepthPerceptionError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
