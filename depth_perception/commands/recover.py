"""`depth-perception recover`: a recording that was cut off becomes one that every tool opens."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "recover",
        help="make an MCAP recording whole that was killed, or lost power",
        description="Keep every whole chunk of an MCAP file that has lost its end, and give it index and summary, so "
        "that ros2 bag, Foxglove and the mcap and rosbags libraries open it. drive_3.mcap.active becomes drive_3.mcap, "
        "another torn file x.mcap becomes x_recovered.mcap; a folder also gets its metadata.yaml. Originals are kept.",
    )
    parser.add_argument("path", metavar="FILE|FOLDER", type=Path, help=".mcap, .mcap.active, or a recording's folder")
    parser.add_argument(
        "--replace", action="store_true", help="in the original's place; needs no space for a copy where only the end "
        "is torn",
    )  # fmt: skip
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """0 if everything is whole now, 1 if a file could not be saved."""
    from depth_perception.errors import BagError
    from depth_perception.recording.recovery import recover

    try:
        outcomes = recover(args.path, args.replace)
    except OSError as error:
        raise BagError(f"{str(args.path)!r} can't be recovered: {error}") from error
    for outcome in outcomes:
        print(f"{outcome.source} -> {outcome.out}: {outcome.messages} messages; {outcome.problem}")
    if not outcomes:
        print(f"{args.path} is whole: nothing to do")
    return 0 if all(outcome.messages for outcome in outcomes) else 1
