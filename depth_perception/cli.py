"""The command line: `depth-perception SUBCOMMAND …`."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence

from depth_perception import __version__, commands
from depth_perception.errors import DepthPerceptionError

INTERRUPTED = 130  # what a shell reports of a process that SIGINT ended


def build_parser() -> argparse.ArgumentParser:
    """The parser with every subcommand in `commands/`."""
    parser = argparse.ArgumentParser(
        prog="depth-perception", description="Metric depth for any ROS 2 robot that has a camera."
    )
    parser.add_argument("--version", action="version", version=f"depth-perception {__version__}")
    subparsers = parser.add_subparsers(metavar="SUBCOMMAND", required=True)
    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"{commands.__name__}.{module.name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the process's exit code; errors of ours become one line on stderr."""
    args = build_parser().parse_args(argv)
    try:
        return int(args.func(args))
    except DepthPerceptionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
