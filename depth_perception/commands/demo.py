"""`depth-perception demo`: a simulated robot and the depth node as real ROS 2 processes, a minute at most."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="watch depth flow over real ROS 2 on a simulated robot",
        description="Start a simulated robot and the depth node as ROS 2 processes, record everything, and leave a "
        "picture (camera, predicted depth, true depth), a recording and a summary of accuracy.",
    )
    parser.add_argument("--out", default="demo", help="folder for the results (default: demo)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long depth flows (default: 20)")
    parser.add_argument("--seed", type=int, default=7, help="which world (default: 7)")
    parser.add_argument("--kind", default="room", help="room, corridor, yard or street (default: room)")
    parser.add_argument("--backend", default="auto", help="inference backend (default: auto)")
    parser.set_defaults(func=demo)


def demo(args: argparse.Namespace) -> int:
    """Run it; 0 if depth arrived."""
    from depth_perception.errors import DepthPerceptionError

    try:
        import rclpy  # noqa: F401
    except ImportError as error:
        raise DepthPerceptionError(
            f"the demo needs ROS 2 ({error}): pip install 'depth_perception[ros,sim]' or source a ROS installation"
        ) from error
    from depth_perception.nodes.demo import run_demo

    return run_demo(args, sys.stdout)
