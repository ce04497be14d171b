"""`depth-perception doctor`: what is here, what works and how fast, and what to do about the rest."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

from depth_perception import __version__
from depth_perception.doctor import Finding, Level

WIDTH = 110


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="what is installed, which backends work and how fast, what to do about the rest",
        description="Looks at software, ROS 2, the machine and the inference backends. "
        "Exit code 1 only if no backend can run.",
    )
    parser.add_argument(
        "--model", default="default", metavar="FILE", help="the model to time (default: the one that ships)"
    )
    parser.add_argument("--runs", type=_positive, default=20, metavar="N", help="timed runs a backend (default: 20)")
    parser.set_defaults(func=doctor)


def doctor(args: argparse.Namespace) -> int:
    """Look at everything, print it, and say what to do."""
    from depth_perception.doctor import backends, machine, ros, software

    print(f"depth-perception {__version__}")
    everything: list[Finding] = []
    for title, look in (("Software", software.look), ("ROS 2", ros.look), ("Machine", machine.look)):
        everything += _print_section(title, look())
    inference = _print_section("Inference", backends.look(args.model, args.runs))
    _print_remedies(everything + inference)
    if backends.can_infer(inference):
        return 0
    print("\nNo inference backend works here: pip install onnxruntime")
    return 1


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be at least 1")
    return value


def _print_section(title: str, findings: list[Finding]) -> list[Finding]:
    print(f"\n{title}", flush=True)
    for finding in findings:
        head = f"  {finding.level.value:<4}{finding.name:<30} "
        print(textwrap.fill(finding.text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)), flush=True)
    return findings


def _print_remedies(findings: list[Finding]) -> None:
    named: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.remedy:
            named.setdefault(finding.remedy, []).append(finding)
    if named:
        print("\nWhat to do (BAD first; the rest only where you need it)")
    for remedy, group in sorted(named.items(), key=lambda item: item[1][0].level is not Level.BAD):
        print(f"  {group[0].level.value:<4}{', '.join(finding.name for finding in group)}: {remedy}")
