"""The way that a pose network makes of a dataset's images, against the odometry that the dataset holds.

    python -m training.evaluation.trajectory WEIGHTS.safetensors DATASET [--split test] [--scale] [--lengths 5,10,20]

Each sequence's longest unbroken stretch is driven by motions from frame to frame, chained (paper 1's t_rel and r_rel).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from depth_perception.errors import ConfigError, DepthPerceptionError, ModelError
from depth_perception.pipeline import shrink
from training.dataset_folder import SPLITS, Sample, sequences
from training.dataset_folder import Sequence as Recording
from training.evaluation.cases import ALL
from training.evaluation.odometry import HEAD, Float64, add_arguments, chained, row, write_poses
from training.geometry.rigid import transform_from_vector
from training.loop.run_folder import load_networks
from training.networks.exported import unit_image
from training.networks.pose import PoseNet


def longest_stretch(samples: Iterable[Sample]) -> tuple[list[int], Float64]:
    """Frames of which each is the next of the one before, and T_odom_left (N, 4, 4) of each; ([], …) without any.

    A frame whose pose nobody knows ends a stretch.
    """
    following: dict[int, int] = {}
    poses: dict[int, Float64] = {}
    for sample in samples:
        before, after = sample.context
        known = zip((before, sample.index, after), sample.T_odom_left, strict=True)
        poses |= {n: T for n, T in known if n is not None and T is not None}
        following |= {} if before is None else {before: sample.index}
        following |= {} if after is None else {sample.index: after}
    links = {n: m for n, m in following.items() if n in poses and m in poses}
    best: list[int] = []
    for start in sorted(links.keys() - set(links.values())):
        stretch = [start]
        while stretch[-1] in links:
            stretch.append(links[stretch[-1]])
        best = stretch if len(stretch) > len(best) else best
    return best, np.array([poses[n] for n in best]).reshape(-1, 4, 4)


@torch.no_grad()
def estimated(pose: PoseNet, recording: Recording, frames: Sequence[int], size: tuple[int, int]) -> Float64:
    """T_first_camera (N, 4, 4) of the frames, each motion as the network sees it at `size`.

    Convention: source is the previous frame, target the current one, and the network gives T_source_target.
    """
    motions = []
    previous = None
    for n in frames:
        current = unit_image(torch.from_numpy(shrink(recording.image(n), *size)[None]))
        if previous is not None:
            motions.append(transform_from_vector(pose(current, previous).double())[0].numpy())
        previous = current
    return chained(np.array(motions).reshape(-1, 4, 4))


def main(arguments: Sequence[str] | None = None) -> int:
    """Console entry: 1 and the reason on an error that a user can act on."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluation.trajectory", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("weights", type=Path, help="best.safetensors or weights.safetensors of training.train")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", choices=(*SPLITS, ALL), default="test", help="[%(default)s]")
    parser.add_argument(
        "--out", type=Path, help="write <sequence>_truth.txt and <sequence>_estimate.txt there (KITTI's)"
    )
    add_arguments(parser)
    given = parser.parse_args(arguments)
    try:
        for line in table(given):
            print(line, flush=True)
    except (DepthPerceptionError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def table(given: argparse.Namespace) -> Iterable[str]:
    """Lines, a sequence each.

    Raises:
        ModelError: no weights, or without a pose network. ConfigError: no dataset, or no odometry in it.
    """
    networks, config = load_networks(given.weights)
    if not isinstance(networks.pose, PoseNet):
        raise ModelError(f"{str(given.weights)!r} has no pose network: its training took the motion from elsewhere")
    rows = []
    for recording in sequences(given.dataset):
        frames, truth = longest_stretch(recording.samples(None if given.split == ALL else given.split))
        if len(frames) < 2:
            continue
        estimate = estimated(networks.pose, recording, frames, (config.data.height, config.data.width))
        rows.append(row(recording.name, truth, estimate, given.lengths, given.scale))
        if given.out:
            given.out.mkdir(parents=True, exist_ok=True)
            write_poses(given.out / f"{recording.name}_truth.txt", truth)
            write_poses(given.out / f"{recording.name}_estimate.txt", estimate)
    if not rows:
        raise ConfigError(
            f"{str(given.dataset)!r}, split {given.split!r}, has no two neighbouring frames with odometry"
        )
    return [HEAD, *rows]


if __name__ == "__main__":
    sys.exit(main())
