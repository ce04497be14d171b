"""Child processes that live and die together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import FrameType

POLL_S = 0.1
PATIENCE_S = 5.0  # between asking and insisting
ENDING = (signal.SIGINT, signal.SIGTERM)


def run_together(
    commands: Mapping[str, Sequence[str]], environment: Mapping[str, str], patience_s: float = PATIENCE_S
) -> int:
    """Run the commands until one ends or SIGINT or SIGTERM comes, then end the others the same way.

    `environment` is added to ours. Commands start with both signals blocked and unblock them when they can end cleanly,
    as `nodes.spin` does: one that comes while a node still imports waits until then. After `patience_s` they are asked
    again, after as long again killed.

    Returns the exit code of the one that ended first, or, after a signal to us, the first that isn't zero. A process
    that a signal killed counts as 128 + signal, as in a shell.
    """
    received: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    previous = {number: signal.signal(number, on_signal) for number in ENDING}
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            children[name] = _start(command, {**os.environ, **environment})
        while not received and all(child.poll() is None for child in children.values()):
            time.sleep(POLL_S)
        ended = {name: child.returncode for name, child in children.items() if child.returncode is not None}
        for name, code in ended.items():
            print(f"{name} ended with exit code {_shell_code(code)}; stopping the rest", file=sys.stderr, flush=True)
    finally:
        _stop(list(children.values()), received[0] if received else signal.SIGINT, patience_s)
        for number, handler in previous.items():
            signal.signal(number, handler)
    codes = [_shell_code(code) for code in (ended or {name: c.returncode for name, c in children.items()}).values()]
    return next((code for code in codes if code), 0)


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A child inherits what is blocked; what came to us in the meantime comes when it is unblocked."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        return subprocess.Popen(command, env=environment)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stop(children: list[subprocess.Popen[bytes]], first: int, patience_s: float) -> None:
    for number in (first, signal.SIGTERM, signal.SIGKILL):
        running = [child for child in children if child.poll() is None]
        for child in running:
            child.send_signal(number)
        until = time.monotonic() + patience_s
        while any(child.poll() is None for child in running) and time.monotonic() < until:
            time.sleep(POLL_S)


def _shell_code(code: int) -> int:
    return code if code >= 0 else 128 - code
