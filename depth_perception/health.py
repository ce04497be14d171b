"""What the node knows about itself, as diagnostics: rates, drops, latency, backend, scale, and why nothing comes."""

from __future__ import annotations

import enum
import threading
from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np

from depth_perception.config import WatchConfig
from depth_perception.records import DepthFrame, Quality

WINDOW = 300  # frames that latency percentiles and rates look back on


class Level(enum.IntEnum):
    """`diagnostic_msgs/DiagnosticStatus` levels."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Status:
    """One `diagnostic_msgs/DiagnosticStatus`, without ROS."""

    name: str
    level: Level
    message: str
    values: dict[str, str] = field(default_factory=dict)


class Health:
    """Counts what happens; any thread may call it. Times are seconds of one monotonic clock."""

    def __init__(self, started_s: float) -> None:
        self._lock = threading.Lock()
        self._started_s = started_s
        self._arrivals: dict[str, deque[float]] = {}
        self._totals: Counter[str] = Counter()
        self._drops: Counter[str] = Counter()
        self._notes: dict[str, str] = {}
        self._latency_ms: deque[float] = deque(maxlen=WINDOW)
        self._stages_ms: dict[str, float] = {}
        self._published: deque[float] = deque(maxlen=WINDOW)
        self._complaint, self._complaint_s = "", -np.inf
        self._last: DepthFrame | None = None
        self.backend = ""

    def arrived(self, source: str, now_s: float) -> None:
        """A message of `source` ('image', 'camera_info', …) came in."""
        with self._lock:
            self._arrivals.setdefault(source, deque(maxlen=WINDOW)).append(now_s)
            self._totals[source] += 1

    def dropped(self, reason: str, now_s: float, detail: str = "") -> None:
        """A frame was lost. `reason` is short and counted; `detail` is what a person needs to mend it."""
        with self._lock:
            self._drops[reason] += 1
            if detail:
                self._complaint, self._complaint_s = detail, now_s

    def complain(self, detail: str, now_s: float) -> None:
        """Something a person should know although the frame wasn't lost."""
        with self._lock:
            self._complaint, self._complaint_s = detail, now_s

    def restart(self, now_s: float) -> None:
        """Waiting for input begins now."""
        with self._lock:
            self._started_s = now_s
            self._arrivals.clear()

    def note(self, key: str, value: str) -> None:
        """A standing fact, such as a QoS mismatch; an empty value takes it back."""
        with self._lock:
            self._notes[key] = value

    def published(self, frame: DepthFrame, arrival_s: float, now_s: float) -> None:
        """A frame went out."""
        with self._lock:
            self._published.append(now_s)
            self._latency_ms.append((now_s - arrival_s) * 1e3)
            self._stages_ms = dict(frame.stages_ms)
            self._last = frame

    def report(self, now_s: float, watch: WatchConfig, wanted: bool, dropped_stale: int) -> list[Status]:
        """All statuses. `wanted` is False while nobody subscribes (idle on purpose)."""
        with self._lock:
            engine = Status("engine", Level.OK if self.backend else Level.WARN, self.backend or "no model loaded")
            output = self._output(now_s, watch, wanted, dropped_stale)
            return [self._input(now_s, watch), output, self._scale(), engine]

    def _age_s(self, source: str, now_s: float) -> float:
        times = self._arrivals.get(source)
        return now_s - times[-1] if times else now_s - self._started_s

    def _input(self, now_s: float, watch: WatchConfig) -> Status:
        values = {f"{name} rate (Hz)": f"{rate(times, now_s):.1f}" for name, times in self._arrivals.items()}
        values |= {f"{name} age (s)": f"{self._age_s(name, now_s):.2f}" for name in self._arrivals}
        values |= {f"{name} messages": str(count) for name, count in self._totals.items()}
        values |= {key: value for key, value in self._notes.items() if value}
        problems = [f"{key}: {value}" for key, value in self._notes.items() if value]
        if self._age_s("image", now_s) > watch.stale_after_s:
            since = self._age_s("image", now_s)
            seen = "since" if self._totals["image"] else "yet, after"
            return Status(
                "input",
                Level.ERROR,
                "; ".join([f"no image {seen} {since:.1f} s: is the topic remapped right?", *problems]),
                values,
            )
        if not self._totals["camera_info"] and now_s - self._started_s > watch.info_timeout_s:
            problems.insert(0, "no camera_info: no metres, cloud or scan without it")
        return Status("input", Level.WARN if problems else Level.OK, "; ".join(problems) or "images arrive", values)

    def _output(self, now_s: float, watch: WatchConfig, wanted: bool, dropped_stale: int) -> Status:
        values = {
            "published rate (Hz)": f"{rate(self._published, now_s):.1f}",
            "dropped: newer image came": str(dropped_stale),
        }
        values |= {f"dropped: {reason}": str(count) for reason, count in sorted(self._drops.items())}
        if self._latency_ms:
            p50, p95, p99 = np.percentile(self._latency_ms, [50, 95, 99])
            values |= {
                "latency p50 (ms)": f"{p50:.1f}",
                "latency p95 (ms)": f"{p95:.1f}",
                "latency p99 (ms)": f"{p99:.1f}",
            }
        values |= {f"stage {name} (ms)": f"{ms:.2f}" for name, ms in self._stages_ms.items()}
        recent = now_s - self._complaint_s < watch.stale_after_s
        flowing = bool(self._published) and now_s - self._published[-1] < watch.stale_after_s
        if flowing and self._last is not None and self._last.depth is None:
            level, message = Level.ERROR, f"preview only: {self._last.quality.reason}"
        elif flowing and self._last is not None and self._last.quality.source == "none":
            level, message = Level.ERROR, f"depth is unknown everywhere: {self._last.quality.reason}"
        elif flowing:
            level, message = (Level.WARN, self._complaint) if recent else (Level.OK, "depth is published")
        elif not wanted:
            level, message = Level.OK, "idle: nobody subscribes"
        else:
            level, message = Level.ERROR, (self._complaint if recent else "no depth: no usable image came")
        return Status("output", level, message, values)

    def _scale(self) -> Status:
        if self._last is None:
            return Status("scale", Level.STALE, "no frame yet")
        quality = self._last.quality
        values = {
            "source": quality.source,
            "relative std": f"{quality.relative_std:.3f}",
            "valid share": f"{quality.valid_share:.3f}",
            "model output": self._last.kind.value,
        }
        if quality.count:
            values |= {
                "anchors": str(quality.count),
                "inlier share": f"{quality.inlier_share:.3f}",
                "scale": f"{quality.scale:.4g}",
                "shift (1/m)": f"{quality.shift:.4g}",
                "age (s)": f"{quality.age_s:.3f}",
                "AbsRel on left-out anchors": f"{quality.abs_rel:.3f} ({quality.held_out})",
            }
        level, message = _scale_message(quality)
        return Status("scale", level, message, values)


def _scale_message(quality: Quality) -> tuple[Level, str]:
    """ERROR without a scale, WARN while an old one is held or a sensor is in trouble."""
    warnings = "; ".join(quality.warnings)
    if quality.source == "none":
        return Level.ERROR, quality.reason
    if quality.held:
        held = f"scale from {quality.source}, held for {quality.age_s:.1f} s: nothing measures it now"
        return Level.WARN, f"{held}: {warnings}" if warnings else held
    if quality.source == "prior":
        said = "scale from the model alone (prior): not measured by a sensor"
        return (Level.WARN, f"{said}: {warnings}") if warnings else (Level.OK, said)
    said = f"scale from {quality.source}"
    return (Level.WARN, f"{said}, but {warnings}") if warnings else (Level.OK, said)


def rate(times: deque[float], now_s: float, window_s: float = 5.0) -> float:
    """Events a second over the last `window_s`."""
    recent = [t for t in times if now_s - t <= window_s]
    if len(recent) < 2:
        return 0.0
    return (len(recent) - 1) / max(now_s - recent[0], 1e-9)
