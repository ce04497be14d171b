"""`depth-perception convert`: a recording in, a recording of its depth out."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from depth_perception.progress_line import ProgressLine
from depth_perception.recording_arguments import add_reading, configuration, given, wanted_sensors

if TYPE_CHECKING:
    from depth_perception.convert import ConvertSummary

OPTIONAL_OUTPUTS = {
    "preview": "also write depth/preview, coloured rgb8",
    "points": "also write depth/points (16 bytes a pixel: about 5 MB a frame at 640x480)",
    "depth-scan": "also write depth/scan, made of depth (--scan is for a laser scanner to read); say the camera's "
    "height with --camera-height",
    "std": "also write depth/std, one standard deviation of depth in metres",
    "anchors": "also write depth/anchors, the measured points and what became of them",
}


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "convert",
        help="run every frame of a recording through the pipeline",
        description="Run every frame of a rosbag (rosbag2 folder, .mcap, .db3 or ROS 1 .bag) through the same pipeline "
        "as the live node and write depth/image and depth/camera_info, with the transforms, as a rosbag2 (MCAP). "
        "Nothing is overwritten; an interrupted run leaves what it has in OUT.partial, readable.",
    )
    parser.add_argument("source", metavar="IN", help="recording")
    parser.add_argument("out", metavar="OUT", help="folder of the new rosbag2; must not exist")
    add_reading(parser)
    writing = parser.add_argument_group("what is written")
    for name, text in OPTIONAL_OUTPUTS.items():
        writing.add_argument(f"--{name}", action="store_true", help=text)
    writing.add_argument("--copy-inputs", action="store_true", help="copy all input topics, not only transforms")
    writing.add_argument(
        "--compression",
        choices=("none", "lz4", "zstd"),
        default="none",
        help="of the output; predicted depth shrinks by a third at most (default: none)",
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """0 if there is depth, 1 if there is none."""
    from depth_perception.convert import DEFAULT_OUTPUTS, convert

    config = configuration(args)
    sensors = wanted_sensors(args)
    wanted = [name for name in OPTIONAL_OUTPUTS if given(args, name)]
    outputs = [*DEFAULT_OUTPUTS, *("depth/" + name.removeprefix("depth-") for name in wanted)]
    if sensors or config.ground.enabled:
        outputs.append("depth/quality")
    if config.publish_mm:
        outputs.append("depth/image_mm")
    with ProgressLine() as progress:
        summary = convert(
            args.source, args.out, image=args.image, camera_info=args.camera_info, sensors=sensors, config=config,
            outputs=outputs,
            copy_inputs=args.copy_inputs, compression=args.compression, progress=progress,
        )  # fmt: skip
    print(report(summary))
    return 0 if summary.depth_images else 1


def report(summary: ConvertSummary) -> str:
    """What a person wants to know afterwards."""
    rate = summary.images / summary.seconds if summary.seconds else 0.0
    lines = [
        f"{summary.image_topic} with {summary.camera_info_topic or 'no camera_info'}: "
        f"{summary.depth_images} depth images of {summary.images} in {summary.seconds:.1f} s "
        f"({rate:.1f}/s, {summary.backend}) -> {summary.out}"
    ]
    lines += [scale] if (scale := summary.describe_scale()) else []
    lines += [f"warning: {loss.count} × {loss.example}" for loss in summary.warned.values()]
    lines += [f"note: {note}" for note in summary.notes]
    lines += [f"damaged: {problem}" for problem in summary.problems]
    lines += [f"without depth: {loss.count} × {reason}: {loss.example}" for reason, loss in summary.lost.items()]
    return "\n".join(lines)
