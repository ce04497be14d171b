"""`depth-perception convert`: a recording in, a recording of its depth out."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from depth_perception.config import DepthConfig, Value, from_flat, read_parameters

if TYPE_CHECKING:
    from depth_perception.convert import ConvertSummary

OPTIONAL_OUTPUTS = {
    "preview": "also write depth/preview, coloured rgb8",
    "points": "also write depth/points (16 bytes a pixel: about 5 MB a frame at 640x480)",
    "depth-scan": "also write depth/scan; say the camera's height with --camera-height",
    "std": "also write depth/std, one standard deviation of depth in metres",
    "anchors": "also write depth/anchors, the measured points and what became of them",
}
SENSORS = {  # flag → the node's topic, and what it is
    "lidar": ("lidar/points", "a LiDAR (PointCloud2)"),
    "scan": ("lidar/scan", "a laser scanner (LaserScan)"),
    "left": ("left/image", "the left eye of a stereo pair; default: the image that depth is made for"),
    "right": ("right/image", "the right eye of a stereo pair"),
    "right-info": ("right/camera_info", "its calibration; default: the right image's neighbour"),
    "left-info": ("left/camera_info", "the left eye's calibration; default: the left image's neighbour"),
    "odom": ("odom", "odometry, to deskew the LiDAR"),
    "imu": ("imu", "an IMU, whose gravity tells the camera's pitch and roll"),
}
MOUNTINGS = {  # flag → the parameter that it sets
    "T-cam-lidar": "lidar.T_cam_lidar",
    "T-cam-laser": "laser.T_cam_laser",
    "T-left-right": "stereo.T_left_right",
    "T-cam-left": "stereo.T_cam_left",
    "T-cam-base": "odometry.T_cam_base",
    "T-cam-imu": "imu.T_cam_imu",
}
LINE_PERIOD_S = 5.0


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
    parser.add_argument("--image", metavar="TOPIC", help="image topic; default: the only one")
    parser.add_argument("--camera-info", metavar="TOPIC", help="calibration; default: the image's neighbour")
    parser.add_argument("--model", metavar="FILE", help="ONNX file that keeps the model contract, or 'default'")
    parser.add_argument("--backend", help="inference backend: auto, onnxruntime, openvino, …")
    parser.add_argument("--rectify", choices=("auto", "always", "never"), help="rectify the image before the network")
    parser.add_argument("--params-file", metavar="FILE", help="ROS parameter file of the depth node")
    measuring = parser.add_argument_group("what measures the scale")
    for flag, (_, text) in SENSORS.items():
        measuring.add_argument(f"--{flag}", metavar="TOPIC", help=text)
    measuring.add_argument(
        "--camera-height", metavar="M", type=float, help="height of the camera above the ground, m, which it then sees"
    )
    for flag, parameter in MOUNTINGS.items():
        measuring.add_argument(
            f"--{flag}", metavar="'X Y Z QX QY QZ QW'", help=f"{parameter}; default: as the recording's transforms say"
        )
    for name, text in OPTIONAL_OUTPUTS.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    parser.add_argument("--copy-inputs", action="store_true", help="copy all input topics, not only transforms")
    parser.add_argument(
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
    sensors = {topic: value for flag, (topic, _) in SENSORS.items() if (value := _given(args, flag))}
    wanted = [name for name in OPTIONAL_OUTPUTS if _given(args, name)]
    outputs = [*DEFAULT_OUTPUTS, *("depth/" + name.removeprefix("depth-") for name in wanted)]
    if sensors or config.ground.enabled:
        outputs.append("depth/quality")
    if config.publish_mm:
        outputs.append("depth/image_mm")
    with _ProgressLine() as progress:
        summary = convert(
            args.source, args.out, image=args.image, camera_info=args.camera_info, sensors=sensors, config=config,
            outputs=outputs,
            copy_inputs=args.copy_inputs, compression=args.compression, progress=progress,
        )  # fmt: skip
    print(report(summary))
    return 0 if summary.depth_images else 1


def configuration(args: argparse.Namespace) -> DepthConfig:
    """The parameter file, then the command line. Raises ConfigError."""
    values: dict[str, Value] = read_parameters(args.params_file) if args.params_file else {}
    given = {"model.path": args.model, "engine.backend": args.backend, "rectify": args.rectify}
    given |= {parameter: _given(args, flag) for flag, parameter in MOUNTINGS.items()}
    if args.camera_height is not None:
        given |= {"scan.camera_height": args.camera_height, "ground.enabled": True}
    values |= {name: value for name, value in given.items() if value is not None}
    return from_flat(values)  # type: ignore[no-any-return]


def _given(args: argparse.Namespace, flag: str) -> Any:
    return getattr(args, flag.replace("-", "_"))


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


class _ProgressLine:
    """A bar on a terminal, a line every few seconds elsewhere; on stderr."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._said_s = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            if self._bar is None:
                from tqdm import tqdm

                self._bar = tqdm(total=total, unit="image", file=sys.stderr)
            self._bar.update(done - self._bar.n)
        elif time.monotonic() - self._said_s >= LINE_PERIOD_S:
            self._said_s = time.monotonic()
            print(f"{done} of {total} images", file=sys.stderr, flush=True)

    def __enter__(self) -> _ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
