"""When depth is bad enough, for long enough, that its images are worth keeping for training."""

from __future__ import annotations

import math

from depth_perception.recording.config import HardConfig
from depth_perception.recording.peek import peek
from depth_perception.recording.records import Message
from depth_perception.recording.roles import QUALITY

DIAGNOSTICS = "diagnostic_msgs/msg/DiagnosticArray"


class HardExamples:
    """Reads depth/quality (quality_report.py). Times are receipt times of messages."""

    def __init__(self) -> None:
        self._bad_since_ns: int | None = None
        self._last_ns: int | None = None
        self.why = ""  # of the last message; "" = good

    def see(self, message: Message, config: HardConfig) -> str:
        """Why a snapshot is due now, or ""."""
        if message.topic.role != QUALITY or message.topic.type != DIAGNOSTICS or not config.enabled:
            return ""
        now_ns = message.log_time_ns
        self.why = _badness(message.data, config)
        if not self.why:
            self._bad_since_ns = None
            return ""
        if self._bad_since_ns is None:
            self._bad_since_ns = now_ns
        since_ns = config.cooldown_s * 1e9 if self._last_ns is None else now_ns - self._last_ns
        rested = since_ns >= config.cooldown_s * 1e9 or since_ns < 0  # the clock jumped back
        if now_ns - self._bad_since_ns < config.for_s * 1e9 or not rested:
            return ""
        self._last_ns = now_ns
        return self.why


def _badness(data: bytes, config: HardConfig) -> str:
    """What is beyond its limit; numbers that weren't measured (NaN) aren't."""
    array = peek(data, DIAGNOSTICS)
    if array is None:
        return ""
    values = {pair.key: pair.value for status in array.status for pair in status.values}
    numbers = {key: _number(values.get(key, "")) for key in ("abs_rel", "inlier_share", "valid_share")}
    if numbers["abs_rel"] > config.max_abs_rel:
        return f"abs_rel {numbers['abs_rel']:.3g} is more than {config.max_abs_rel:g}"
    for key, limit in (("inlier_share", config.min_inlier_share), ("valid_share", config.min_valid_share)):
        if numbers[key] < limit:
            return f"{key} {numbers[key]:.3g} is less than {limit:g}"
    return ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
