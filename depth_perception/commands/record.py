"""`depth-perception record`: the recorder in the foreground, on a machine without `launch` too."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from depth_perception.recording.bringup import ARGUMENTS, parameters, remappings

LAUNCH_ONLY = ("use_respawn",)  # `record` ends when the node ends
FINISH_S = 60.0  # a slow disk takes that long for a full queue; killed, the file would need `recover`


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "record",
        help="record the robot's topics as a rosbag2 (MCAP)",
        description="Record camera, stereo pair, LiDAR, odometry, transforms and depth quality as they come, without "
        "decoding them, until Ctrl-C; topics that appear later are recorded from then on. What a power cut or a kill "
        "leaves is made whole at the next start. Services: ~/start, ~/stop, ~/snapshot (std_srvs/Trigger). All "
        "parameters: config/recorder.yaml.",
    )
    for argument in ARGUMENTS:
        if argument.name not in LAUNCH_ONLY:
            choices = [choice for choice in argument.choices if choice] or None
            parser.add_argument(
                f"--{argument.name.replace('_', '-')}", default=argument.default, choices=choices,
                metavar=None if choices else argument.name.upper(), help=argument.description,
            )  # fmt: skip
    parser.set_defaults(func=record)


def record(args: argparse.Namespace) -> int:
    """Start the node and wait for it."""
    from depth_perception.bringup import middleware_environment
    from depth_perception.processes import run_together

    arguments = {argument.name: str(getattr(args, argument.name, "")) for argument in ARGUMENTS}
    return run_together({"recorder": recorder_command(arguments)}, middleware_environment(), FINISH_S)


def recorder_command(arguments: Mapping[str, str]) -> list[str]:
    """The node's command line. Raises ConfigError for an argument that can't be taken."""
    ros: list[str] = []
    if params_file := arguments.get("params_file", ""):
        ros += ["--params-file", params_file]
    for name, value in parameters(arguments).items():
        ros += ["-p", f"{name}:={json.dumps(value)}"]  # JSON, so that the text "1" doesn't become a number
    for name, topic in remappings(arguments):
        ros += ["-r", f"{name}:={topic}"]
    if namespace := arguments.get("namespace", ""):
        ros += ["-r", f"__ns:=/{namespace.strip('/')}"]
    if log_level := arguments.get("log_level", ""):
        ros += ["--log-level", log_level]
    return [sys.executable, "-m", "depth_perception.nodes.recorder", "--ros-args", *ros]
