"""One line of the doctor's report."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.Enum):
    """How a finding bears on the robot; the value is the word printed."""

    OK = "ok"
    ABSENT = "-"  # not there, and only a part of us needs it
    BAD = "BAD"  # there but broken, or not there and needed


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was seen, and what to do about it (empty: nothing)."""

    name: str
    level: Level
    text: str
    remedy: str = ""
