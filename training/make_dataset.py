"""Recordings → a dataset folder that a person can look at and a network can be trained on.

    python -m training.make_dataset SOURCE... OUT --size 192x640 --beams 4 --jobs 2

A SOURCE is a bag (rosbag2 folder, .mcap, .db3, ROS 1 .bag), a folder of bags, a KITTI raw drive or a folder of them, a
KITTI odometry folder, or a simulated drive (sim:seed=3,kind=street,seconds=8). Each becomes OUT/<name>;
training/dataset_folder.py says what lies there. The command resumes: what is whole stays, what an earlier run left half
made is made anew. The same sources and options give the same bytes.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence as Items
from pathlib import Path
from typing import Any

from depth_perception.errors import DepthPerceptionError
from depth_perception.progress_line import ProgressLine
from training.dataset_folder import Sequence, sequences
from training.dataset_writer import write_json
from training.preparation.jobs import Job, Outcome, quiet, run_here, run_in_processes, run_on_ray
from training.preparation.manifest import write_dataset_manifest
from training.preparation.options import DatasetOptions, add_arguments, from_arguments
from training.preparation.sources import find_sources, open_source
from training.preparation.splits import draw_supervised


def make_dataset(
    sources: Items[str], out: str | Path, options: DatasetOptions | None = None, *, jobs: int = 1, cluster: str = "",
    address: str = "", supervised: str = "", supervised_seed: int = 0,
) -> list[Outcome]:  # fmt: skip
    """Make a dataset; one outcome a sequence, in the order of the sources.

    Raises:
        BagError, ConfigError: a source isn't there, or an option is wrong; nothing was written then.
    """
    out, options = Path(out), options or DatasetOptions()
    work = [Job(found, str(out), options) for found in find_sources(list(sources))]
    with _Counted(work) as progress:
        if cluster == "ray":
            outcomes = run_on_ray(work, address, progress)
        elif jobs > 1:
            outcomes = run_in_processes(work, jobs, progress)
        else:
            outcomes = run_here(work, progress)
    if any(not outcome.error for outcome in outcomes):
        marks = _mark_supervised(out, supervised, supervised_seed)
        write_dataset_manifest(out, marks, {outcome.name: outcome.error for outcome in outcomes if outcome.error})
    elif out.is_dir() and not any(out.iterdir()):
        out.rmdir()
    return outcomes


def _mark_supervised(out: Path, wanted: str, seed: int) -> dict[str, Any] | None:
    """Draw S over all training samples with depth, and write OUT/supervised.json."""
    if not wanted:
        (out / "supervised.json").unlink(missing_ok=True)
        return None
    candidates = [
        (sequence.name, sample.index)
        for sequence in sequences(out)
        for sample in sequence.samples("train")
        if sample.depth.get("left", 0) > 0
    ]
    samples = draw_supervised(candidates, wanted, seed)
    marks = {"count": sum(map(len, samples.values())), "wanted": wanted, "seed": seed, "samples": samples}
    write_json(out / "supervised.json", marks)
    return marks


class _Counted:
    """A progress line over the images of all sequences."""

    def __init__(self, jobs: list[Job]) -> None:
        self._total = sum(_images(job) for job in jobs)
        self._done = 0
        self._line = ProgressLine()

    def __call__(self, images: int) -> None:
        self._done += images
        self._line(min(self._done, self._total), self._total)

    def __enter__(self) -> _Counted:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.__exit__()


def _images(job: Job) -> int:
    """Of one source; 0 of one that can't be read, which its job will say."""
    try:
        source = open_source(job.found, job.options)
    except (DepthPerceptionError, OSError):
        return 0
    source.close()
    return source.total


def report(outcome: Outcome, out: Path) -> list[str]:
    """What a person wants to know of one sequence."""
    if outcome.error:
        return [f"{outcome.name}: NOT MADE: {outcome.error}"]
    sequence = Sequence(out / outcome.name)
    summary = sequence.summary()
    camera = sequence.calibration.cameras["left"]
    splits = ", ".join(f"{count} {name}" for name, count in summary["splits"].items())
    eyes = "stereo" if "right" in sequence.calibration.cameras else "mono"
    lines = [
        f"{outcome.name}: {summary['samples']} samples ({splits}) of {summary['frames']} images, "
        f"{camera.width}x{camera.height} {eyes}, {summary['with_depth']} with depth" + " (was there)" * outcome.there
    ]
    for eye, depth in summary["depth"].items():
        low, mean, high = (100 * depth["share"][key] for key in ("min", "mean", "max"))
        lines.append(f"  depth {eye}: {mean:.2f} % of the pixels ({low:.2f} to {high:.2f})")
    if error := summary["error_to_truth"]:
        metres, relative, half = (error[key]["mean"] for key in ("mae_m", "abs_rel", "median_rel"))
        lines.append(
            f"  against exact depth: {metres:.3f} m, {100 * relative:.2f} % on average; half within {100 * half:.2f} %"
        )
    for sensor, ms in summary["sync_ms"].items():
        lines.append(f"  {sensor}: {ms['min']:+.1f} to {ms['max']:+.1f} ms from the image")
    for word in ("rejected", "missing"):
        lines += [f"  {word}: {item['count']} × {name}: {item['example']}" for name, item in summary[word].items()]
    lines += [f"  note: {note}" for note in summary["notes"]]
    lines += [f"  damaged: {problem}" for problem in summary["problems"]]
    return lines


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", metavar="SOURCE", nargs="+")
    parser.add_argument("out", metavar="OUT", help="folder of the dataset")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="sequences made side by side (default: 1)")
    parser.add_argument("--cluster", choices=("ray",), help="make them on a Ray cluster; needs the extra [cluster]")
    parser.add_argument("--address", default="", help="of the Ray cluster; default: one on this machine")
    parser.add_argument(
        "--supervised",
        default="",
        metavar="N|P%",
        help="draw N training samples, or a share, as supervised (S); the rest are unlabelled (U)",
    )
    parser.add_argument("--supervised-seed", type=int, default=0, metavar="N", help="of that draw (default: 0)")
    add_arguments(parser.add_argument_group("what each sequence is made with"))  # type: ignore[arg-type]
    return parser


def _terminated(*_: object) -> None:
    raise SystemExit("stopped: the same command goes on where this one was")


def main(arguments: Items[str] | None = None) -> int:
    """0: every source gave samples. 1: one gave none, or couldn't be read. 2: nothing was tried."""
    args = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    start = time.monotonic()
    try:
        with quiet():
            outcomes = make_dataset(
                args.sources, args.out, from_arguments(args), jobs=args.jobs, cluster=args.cluster or "",
                address=args.address, supervised=args.supervised, supervised_seed=args.supervised_seed,
            )  # fmt: skip
    except DepthPerceptionError as error:
        print(f"make_dataset: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: the same command goes on where this one was", file=sys.stderr)
        return 130
    out, seconds = Path(args.out), time.monotonic() - start
    for outcome in outcomes:
        print("\n".join(report(outcome, out)))
    made = [outcome.summary for outcome in outcomes if outcome.summary]
    frames, samples = (sum(summary[key] for summary in made) for key in ("frames", "samples"))
    rate = frames / seconds if seconds else 0.0
    if any(not outcome.error for outcome in outcomes):
        print(f"{samples} new samples of {frames} images in {seconds:.1f} s ({rate:.0f} images/s) -> {out}")
    else:
        print("nothing was made")
    bare = [o for o in outcomes if o.error or (o.summary is not None and not o.summary["samples"])]
    return 1 if bare else 0


if __name__ == "__main__":
    sys.exit(main())
