"""Try things in a process of their own: a broken library must not take the doctor along."""

from __future__ import annotations

import subprocess
import sys

TIMEOUT_S = 60.0


def run_python(code: str) -> tuple[bool, str]:
    """Run `code` in this environment's Python. Returns (True, its output) or (False, the last line of its error)."""
    return run([sys.executable, "-c", code])


def run(command: list[str]) -> tuple[bool, str]:
    """Run a command. Returns (True, its output) or (False, why it failed)."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return False, f"{command[0]} is not installed"
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    if done.returncode == 0:
        return True, done.stdout.strip()
    lines = done.stderr.strip().splitlines() or [f"ended with exit code {done.returncode}"]
    return False, lines[-1] if done.returncode > 0 else f"died of signal {-done.returncode}: {lines[-1]}"
