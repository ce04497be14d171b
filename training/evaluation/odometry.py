"""Errors of a trajectory: t_rel and r_rel as KITTI's odometry benchmark defines them, and the absolute error (ATE).

    python -m training.evaluation.odometry TRUTH.txt ESTIMATE.txt [--scale] [--lengths 5,10,20]

Files are KITTI's: a line a frame, the twelve numbers of [R | t], row by row.

Convention: T_world_camera (N, 4, 4), p_world = T_world_camera[i] @ p_camera_i; the camera's optical frame, metres.
Which frame the world is doesn't matter to t_rel, r_rel and the aligned ATE.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import ConfigError, DepthPerceptionError

Float64 = NDArray[np.float64]
LENGTHS_M = (100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0)
STEP = 10  # a segment starts at every tenth frame: a second of KITTI
HEAD = "| trajectory | frames | way, m | scale | segments | t_rel, % | r_rel, deg/100 m | ATE, m |\n" + "|---" * 8 + "|"


@dataclass(frozen=True)
class SegmentErrors:
    """Means over all segments of all lengths; NaN without any."""

    t_rel: float  # % of the way
    r_rel: float  # degrees per 100 m
    segments: int


def segment_errors(
    truth: Float64, estimate: Float64, lengths: Sequence[float] = LENGTHS_M, step: int = STEP
) -> SegmentErrors:
    """t_rel and r_rel (Geiger et al. 2012; KITTI's odometry development kit, evaluate_odometry.cpp).

    A segment starts at every `step`-th frame and ends at the first frame whose way from there, along the truth, is
    longer than its length. Its error is that of the motion from its start to its end, T = inv(estimated) @ true: |t|
    and the angle of R, both divided by the length.

    Args:
        truth, estimate: T_world_camera (N, 4, 4) of the same frames.

    Raises:
        ConfigError: the trajectories don't belong together.
    """
    _check(truth, estimate)
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1))])
    moved, turned = [], []
    for length in lengths:
        first = np.arange(0, len(truth), step)
        last = np.searchsorted(way, way[first] + length, side="right")
        first, last = first[last < len(truth)], last[last < len(truth)]
        T = np.linalg.inv(_motion(estimate, first, last)) @ _motion(truth, first, last)
        moved.append(np.linalg.norm(T[:, :3, 3], axis=1) / length)
        turned.append(_angle(T) / length)
    t, r = np.concatenate(moved), np.concatenate(turned)
    if not t.size:
        return SegmentErrors(float("nan"), float("nan"), 0)
    return SegmentErrors(100.0 * float(t.mean()), 100.0 * float(np.rad2deg(r.mean())), int(t.size))


def absolute_error_m(truth: Float64, estimate: Float64, scale: bool = False) -> float:
    """sqrt(mean |p_truth - T(p_estimate)|^2) of positions, after the rigid motion T that makes it smallest.

    ATE as Sturm et al. 2012 define it; T by Umeyama 1991. `scale`: T may scale too, for a camera of unknown scale.

    Raises:
        ConfigError: as `segment_errors`.
    """
    _check(truth, estimate)
    p, q = estimate[:, :3, 3], truth[:, :3, 3]
    p, q = p - p.mean(axis=0), q - q.mean(axis=0)
    U, S, Vt = np.linalg.svd(q.T @ p / len(p))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(U) * np.linalg.det(Vt))])  # no mirror image
    spread = float((p**2).sum() / len(p))
    s = float((S * sign).sum()) / spread if scale and spread > 0 else 1.0
    return float(np.sqrt(np.mean(np.sum((q - s * p @ (U * sign @ Vt).T) ** 2, axis=1))))


def scale_of(truth: Float64, estimate: Float64) -> float:
    """argmin over s of sum |p_truth - s p_estimate|^2, positions seen from the first frame; NaN if it never moved.

    Negative where the estimate drives the other way.

    Raises:
        ConfigError: as `segment_errors`.
    """
    _check(truth, estimate)
    p, q = ((np.linalg.inv(T[0]) @ T)[:, :3, 3] for T in (estimate, truth))
    moved = float((p**2).sum())
    return float((p * q).sum()) / moved if moved > 0 else float("nan")


def scaled(trajectory: Float64, scale: float) -> Float64:
    """The same trajectory with its positions multiplied."""
    out = trajectory.copy()
    out[:, :3, 3] *= scale
    return out


def chained(T_previous_current: Float64) -> Float64:
    """(N, 4, 4) motions from frame to frame → T_first_camera (N + 1, 4, 4) of every frame, the first the identity.

    Convention: p_previous = T_previous_current @ p_current, so T_first_n = T_first_(n-1) @ T_(n-1)_n.
    """
    out = [np.eye(4)]
    for T in T_previous_current:
        out.append(out[-1] @ T)
    return np.stack(out)


def read_poses(path: str | Path) -> Float64:
    """(N, 4, 4) of a file of KITTI's.

    Raises:
        ConfigError: no such file, or not twelve numbers a line.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"trajectory {str(path)!r} isn't there")
    try:
        rows = np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise ConfigError(f"trajectory {str(path)!r} can't be read: {error}") from error
    if rows.shape[1:] != (12,) or not len(rows):
        raise ConfigError(f"trajectory {str(path)!r} has {rows.shape!r} numbers; KITTI's files have 12 a line")
    out = np.tile(np.eye(4), (len(rows), 1, 1))
    out[:, :3] = rows.reshape(-1, 3, 4)
    return out


def write_poses(path: Path, trajectory: Float64) -> None:
    """As `read_poses` reads them."""
    np.savetxt(path, trajectory[:, :3].reshape(-1, 12), "%.9e")


def row(name: str, truth: Float64, estimate: Float64, lengths: Sequence[float], fit_scale: bool) -> str:
    """Of the table that `HEAD` begins; `fit_scale`: after multiplying the estimate by `scale_of`."""
    factor = scale_of(truth, estimate) if fit_scale else 1.0
    estimate = scaled(estimate, factor)
    found = segment_errors(truth, estimate, lengths)
    way = float(np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1).sum())
    numbers = f"{found.segments} | {found.t_rel:.4f} | {found.r_rel:.4f} | {absolute_error_m(truth, estimate):.4f}"
    return f"| {name} | {len(truth)} | {way:.1f} | {factor:.4f} | {numbers} |"


def parse_lengths(text: str) -> tuple[float, ...]:
    """Metres, for argparse."""
    lengths = tuple(float(word) for word in text.split(","))
    if not min(lengths) > 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be metres above 0, such as 5,10,20")
    return lengths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What every table of trajectories can be asked for."""
    parser.add_argument(
        "--scale", action="store_true", help="multiply estimates by one factor first, fitted to the truth"
    )
    parser.add_argument(
        "--lengths", type=parse_lengths, default=LENGTHS_M, metavar="M,M,…",
        help="of segments; KITTI's are 100 to 800 m, a robot's drives need shorter ones [100,200,…,800]",
    )  # fmt: skip


def _motion(trajectory: Float64, first: NDArray[np.intp], last: NDArray[np.intp]) -> Float64:
    """T_first_last (M, 4, 4)."""
    return np.asarray(np.linalg.inv(trajectory[first]) @ trajectory[last])


def _angle(T: Float64) -> Float64:
    """Angle of each rotation, rad."""
    return np.arccos(np.clip((np.trace(T[:, :3, :3], axis1=1, axis2=2) - 1.0) / 2.0, -1.0, 1.0))


def _check(truth: Float64, estimate: Float64) -> None:
    if truth.shape != estimate.shape or truth.shape[1:] != (4, 4) or not len(truth):
        raise ConfigError(
            f"trajectories have shapes {truth.shape!r} and {estimate.shape!r}; both must be (N, 4, 4), frame by frame"
        )
    if not (np.isfinite(truth).all() and np.isfinite(estimate).all()):
        raise ConfigError("a trajectory holds NaN or Inf: leave out frames that have no pose, in both")


def main(arguments: Sequence[str] | None = None) -> int:
    """Console entry: 1 and the reason on an error that a user can act on."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluation.odometry", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("truth", type=Path)
    parser.add_argument("estimate", type=Path)
    add_arguments(parser)
    given = parser.parse_args(arguments)
    try:
        truth, estimate = read_poses(given.truth), read_poses(given.estimate)
        print(HEAD + "\n" + row(given.estimate.stem, truth, estimate, given.lengths, given.scale))
        if not segment_errors(truth, estimate, given.lengths).segments:
            print(f"no segment: the truth is shorter than {min(given.lengths):g} m", file=sys.stderr)
    except DepthPerceptionError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
