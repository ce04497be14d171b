"""`depth-perception view`: what the pipeline makes of a recording, as pictures."""

from __future__ import annotations

import argparse
from typing import Any

from depth_perception.progress_line import ProgressLine
from depth_perception.recording_arguments import add_reading, configuration, wanted_sensors


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "view",
        help="draw frames of a recording: image, anchors, depth, error, std, cloud",
        description="Run a rosbag (rosbag2 folder, .mcap, .db3 or ROS 1 .bag) through the same pipeline as the live "
        "node and draw some of its frames: the image with the anchors that were used, held out and refused, depth in "
        "metres, error, standard deviation, and the cloud from above and from the side. Writes a PNG a frame and one "
        "index.html that holds them all: copy it off the robot, any browser opens it. Needs matplotlib: "
        "pip install 'depth_perception[view]'.",
    )
    parser.add_argument("source", metavar="BAG", help="recording")
    parser.add_argument("--out", metavar="DIR", default="view", help="folder of the pictures, new or empty (view)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--frames", metavar="N", type=_positive, default=6, help="how many, evenly spread (6)")
    which.add_argument("--every", metavar="N", type=_positive, help="every so many images instead")
    parser.add_argument(
        "--truth", metavar="TOPIC",
        help="depth image (16UC1 mm or 32FC1 m) on the image's pixels to compare with; without it depth is compared "
        "with the anchors that were held out",
    )  # fmt: skip
    add_reading(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """0 if there are pictures."""
    from depth_perception.view.recording import view

    with ProgressLine() as progress:
        summary = view(
            args.source, args.out, image=args.image, camera_info=args.camera_info, sensors=wanted_sensors(args),
            truth=args.truth, frames=args.frames, every=args.every, config=configuration(args), progress=progress,
        )  # fmt: skip
    for sheet in summary.sheets:
        print(f"{sheet.png.name}: {sheet.text}", *(f"  warning: {warning}" for warning in sheet.warnings), sep="\n")
    for note in summary.notes:
        print(f"note: {note}")
    print(f"{len(summary.sheets)} of {summary.recorded} images of {summary.image_topic} -> {summary.page}")
    return 0


def _positive(text: str) -> int:
    """Argument type: a whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be 1 or more")
    return value
