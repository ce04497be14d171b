"""`depth-perception up`: the nodes of `depth.launch.py` and `sim.launch.py` on a machine without `launch`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from depth_perception.bringup import (
    ARGUMENTS,
    SIMULATED,
    installed_file,
    middleware_environment,
    parameters,
    remappings,
)

LAUNCH_ONLY = ("use_respawn",)  # `up` ends when a node ends, so that a service manager sees it


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "up",
        help="start the depth node (and the simulator) as ROS processes",
        description="Start the depth node, and with --sim the simulated robot, as real ROS 2 processes; end with them.",
    )
    parser.add_argument("--sim", action="store_true", help="also start the simulated robot and follow its clock")
    parser.add_argument("--sim-params-file", default="", metavar="FILE", help="default: config/simulator.yaml")
    for argument in ARGUMENTS:
        if argument.name not in LAUNCH_ONLY:
            choices = [choice for choice in argument.choices if choice] or None
            flag = f"--{argument.name.replace('_', '-')}"
            metavar = None if choices else argument.name.upper()
            parser.add_argument(
                flag, default=argument.default, choices=choices, metavar=metavar, help=argument.description
            )
    parser.set_defaults(func=up)


def up(args: argparse.Namespace) -> int:
    """Start the processes and wait for them."""
    from depth_perception.processes import run_together

    arguments = {a.name: str(getattr(args, a.name, "")) for a in ARGUMENTS}
    if args.sim:
        simulated = SIMULATED | {"params_file": str(installed_file(SIMULATED["params_file"]))}
        arguments |= {name: arguments[name] or value for name, value in simulated.items()}
    processes = {"depth_node": depth_command(arguments)}
    if args.sim:
        processes["simulator_node"] = simulator_command(arguments, args.sim_params_file)
    return run_together(processes, middleware_environment())


def depth_command(arguments: Mapping[str, str]) -> list[str]:
    """The depth node's command line for the launch arguments.

    Raises:
        ConfigError: an argument that can't be taken.
    """
    params_file = arguments.get("params_file") or str(installed_file("config/depth.yaml"))
    ros = ["--params-file", params_file]
    for name, value in parameters(arguments).items():
        ros += ["-p", f"{name}:={json.dumps(value)}"]  # JSON, so that the text "1" doesn't become a number
    for name, topic in remappings(arguments):
        ros += ["-r", f"{name}:={topic}"]
    return _node_command("depth_node", ros, arguments)


def simulator_command(arguments: Mapping[str, str], params_file: str) -> list[str]:
    """The simulator's command line; it lives in the depth node's namespace."""
    ros = ["--params-file", params_file or str(installed_file("config/simulator.yaml"))]
    return _node_command("simulator_node", ros, arguments)


def _node_command(node: str, ros: list[str], arguments: Mapping[str, str]) -> list[str]:
    if namespace := arguments.get("namespace", ""):
        ros = [*ros, "-r", f"__ns:=/{namespace.strip('/')}"]
    if log_level := arguments.get("log_level", ""):
        ros = [*ros, "--log-level", log_level]
    return [sys.executable, "-m", f"depth_perception.nodes.{node}", "--ros-args", *ros]
