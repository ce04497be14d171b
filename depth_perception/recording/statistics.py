"""What came, what was lost, and where a topic paused."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from depth_perception.health import rate

GAP_FACTOR = 3.0  # an interval so many times the usual one is a gap
GAP_MIN_S = 0.1
USUAL_AFTER = 10  # messages until there is a usual interval
SMOOTHING = 0.05  # of the usual interval


@dataclass
class TopicStatistics:
    """Of one topic, since the recorder became active."""

    messages: int = 0  # received
    bytes: int = 0
    lost: int = 0  # published, but never received (the publishers' own numbers have holes)
    gaps: int = 0
    longest_gap_s: float = 0.0
    _last_ns: int = 0
    _usual_s: float = 0.0
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=300))

    def add(self, arrived_ns: int, size: int) -> None:
        """A message came."""
        if self.messages:
            self._interval((arrived_ns - self._last_ns) * 1e-9)
        self._last_ns = arrived_ns
        self.messages += 1
        self.bytes += size
        self._recent.append(arrived_ns * 1e-9)

    def _interval(self, seconds: float) -> None:
        if self.messages >= USUAL_AFTER and seconds > max(GAP_FACTOR * self._usual_s, GAP_MIN_S):
            self.gaps += 1
            self.longest_gap_s = max(self.longest_gap_s, seconds)
            return
        share = max(SMOOTHING, 1.0 / self.messages)
        self._usual_s += share * (max(seconds, 0.0) - self._usual_s)

    def rate_hz(self, now_ns: int) -> float:
        """Messages a second in the last five."""
        return rate(self._recent, now_ns * 1e-9)


class Statistics:
    """Of every topic, by name."""

    def __init__(self) -> None:
        self.topics: dict[str, TopicStatistics] = {}
        self.dropped: Counter[str] = Counter()  # received, but not written: the queue was full, or the disk
        self._sequence: dict[tuple[str, bytes], int] = {}  # (topic, publisher) → last number

    def add(self, name: str, arrived_ns: int, size: int) -> None:
        """A message came."""
        self.of(name).add(arrived_ns, size)

    def numbered(self, name: str, publisher: bytes, number: int) -> None:
        """The publisher's own number of a message, from 1: holes are messages that never reached us."""
        before = self._sequence.get((name, publisher))
        if before is not None and number > before + 1:
            self.of(name).lost += number - before - 1
        self._sequence[name, publisher] = number

    def subscribed_anew(self, name: str) -> None:
        """What was published meanwhile isn't counted as lost."""
        for key in [key for key in self._sequence if key[0] == name]:
            del self._sequence[key]

    def of(self, name: str) -> TopicStatistics:
        """Of one topic; made if it is new."""
        return self.topics.setdefault(name, TopicStatistics())

    def lines(self, now_ns: int, dropped: Counter[str]) -> dict[str, str]:
        """Topic → '123 messages, 4.5 MB, 30.0 Hz, 0 dropped, 0 lost, 0 gaps'. `dropped` is added to our own."""
        said = {}
        for name, topic in sorted(self.topics.items()):
            gaps = f"{topic.gaps} gaps" + (f" (longest {topic.longest_gap_s:.2f} s)" if topic.gaps else "")
            said[name] = (
                f"{topic.messages} messages, {topic.bytes / 1e6:.1f} MB, {topic.rate_hz(now_ns):.1f} Hz, "
                f"{dropped[name] + self.dropped[name]} dropped, {topic.lost} lost, {gaps}"
            )
        return said
