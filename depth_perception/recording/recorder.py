"""The recorder: takes serialised messages from any thread, and writes them on its own."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from depth_perception.bags.transforms import TF_STATIC
from depth_perception.config import to_flat
from depth_perception.errors import BagError
from depth_perception.recording.config import RecorderConfig
from depth_perception.recording.geometry import Geometry
from depth_perception.recording.hard_examples import HardExamples
from depth_perception.recording.inbox import Inbox
from depth_perception.recording.records import Message
from depth_perception.recording.repeated import Repeated
from depth_perception.recording.ring import Ring
from depth_perception.recording.rolling_bag import Closed, Layout, RollingBag
from depth_perception.recording.snapshots import SnapshotWriter
from depth_perception.recording.statistics import Statistics

log = logging.getLogger(__name__)
PERIOD_S = 0.05  # the writing thread looks this often: taking messages in batches costs less than one by one
SPACE_PERIOD_S = 1.0


def _now() -> str:
    """As `ros2 bag record` has it in its names."""
    return time.strftime("%Y_%m_%d-%H_%M_%S")


class Recorder:
    """One recording at a time, and the last seconds in memory if they are wanted."""

    def __init__(
        self,
        config: RecorderConfig,
        clock: Callable[[], float] = time.monotonic,
        stamp: Callable[[], str] = _now,
    ) -> None:
        """`clock` in seconds; `stamp` gives the part of a recording's name that says when.

        Raises:
            ConfigError: a mounting is no transform.
            BagError: the directory can't be made.
        """
        self.config = config
        self._clock = clock
        self._stamp = stamp
        self._directory = Path(config.directory)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BagError(f"directory {config.directory!r} can't be made: {error}; choose another") from error
        self.statistics = Statistics()
        self.inbox = Inbox(round(config.queue_mb * 1e6))
        self.ring = Ring(config.snapshot.seconds, round(config.snapshot.max_mb * 1e6))
        self._repeated = Repeated()
        self._geometry = Geometry(to_flat(config))
        self._hard = HardExamples()
        self._snapshots = SnapshotWriter(_layout(config, split=False), self._snapshot_done)
        self._lock = threading.RLock()  # everything below, and the writing itself
        self._bag: RollingBag | None = None
        self._heard_tf = False
        self.recording = False
        self.problem = ""  # why recording stopped
        self.said: dict[str, str] = {}  # about snapshots: "last", "problem"
        self.closed: list[Closed] = []  # recordings that are finished
        self._state: dict[str, str] = {}
        self._space_at = -SPACE_PERIOD_S
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def put(self, message: Message, arrived_ns: int | None = None) -> None:
        """Take a message; one thread. Never waits for the disk.

        `arrived_ns` is the system's time of receipt, for rates and gaps, where the log time is a simulated clock's.
        """
        at_ns = message.log_time_ns if arrived_ns is None else arrived_ns
        self.statistics.add(message.topic.name, at_ns, len(message.data))
        if self.recording or self.config.snapshot.enabled or message.topic.is_repeated:
            self.inbox.put(message)

    def start(self) -> str:
        """Begin a recording; what is said of it. Raises BagError: it runs already, or the disk is full."""
        with self._lock:
            if self.recording:
                raise BagError("recording already")
            if shortage := self._shortage():
                raise BagError(shortage)
            self._drain()
            self.recording, self.problem = True, ""
            return f"recording to {self._directory}"

    def stop(self) -> str:
        """End the recording; what is said of it. Raises BagError: nothing is being recorded."""
        with self._lock:
            if not self.recording:
                raise BagError(self.problem or "not recording")
            self._drain()
            closed = self._finish()
            if closed is None:
                return "nothing came: no recording was made"
            return f"{closed.path}: {closed.messages} messages in {closed.files} files"

    def snapshot(self, reason: str) -> str:
        """Write the last seconds away; where to. Raises BagError: they aren't kept, there are none, or no space."""
        with self._lock:
            if not self.config.snapshot.enabled:
                raise BagError("no seconds are kept in memory: set snapshot.enabled")
            self._drain()
            return self._take_snapshot(reason)

    def close(self) -> None:
        """Write everything that waits, end every file, end the thread."""
        self._ending.set()
        self._thread.join()
        with self._lock:
            self._drain()
            self._finish()
        self._snapshots.wait()

    @property
    def dropped(self) -> Counter[str]:
        """Topic → messages that came but weren't written."""
        return self.inbox.dropped + self.statistics.dropped

    def state(self) -> dict[str, str]:
        """What is being written, for people: as of a moment ago, since asking must not wait for the disk."""
        return dict(self._state)

    def _run(self) -> None:
        while not self._ending.wait(PERIOD_S):
            self._step()

    def _step(self) -> None:
        """What the writing thread does, again and again."""
        with self._lock:
            try:
                self._drain()
                self._tick()
                self._state = self._described()
            except Exception as error:  # the thread's end would be the recording's, and nobody would know
                log.exception("internal error")
                self._fail(f"internal error: {error!r}")

    def _described(self) -> dict[str, str]:
        values = {"directory": str(self._directory)}
        if self._bag is not None:
            size = f"{self._bag.bytes / 1e6:.1f} MB"
            values |= {"file": f"{self._bag.path.name}/{self._bag.file_name}", "written": size}
        values["waiting"] = f"{self.inbox.waiting_bytes / 1e6:.1f} of {self.inbox.max_bytes / 1e6:.0f} MB"
        if self.config.snapshot.enabled:
            values["in memory"] = f"{self.ring.span_s:.1f} s, {self.ring.size / 1e6:.1f} MB"
            values["memory is full"] = str(self.ring.is_short).lower()
        if frameless := self._geometry.waiting():
            values["mountings without frames yet"] = ", ".join(frameless)
        return values

    def _drain(self) -> None:
        for message in self.inbox.take():
            self._take(message)

    def _take(self, message: Message) -> None:
        self._heard_tf = self._heard_tf or message.topic.name == TF_STATIC
        mounted = self._geometry.see(message)
        if mounted is not None and not self._heard_tf:
            self._store(mounted)
        self._store(message)
        if why := self._hard.see(message, self.config.hard):
            try:
                log.info("hard example: %s -> %s", why, self._take_snapshot(why))
            except BagError as error:
                self.said["problem"] = f"a hard example ({why}) was not kept: {error}"

    def _store(self, message: Message) -> None:
        if self.config.snapshot.enabled:
            self.ring.add(message)
        if self.recording:
            try:
                self._write(message)
            except OSError as error:
                self._fail(f"the disk doesn't take more: {error}")
        self._repeated.add(message)

    def _write(self, message: Message) -> None:
        if self._bag is not None and not self._bag.takes(message.topic):
            log.warning("%s is %s now: a new recording begins", message.topic.name, message.topic.type)
            self._repeated.forget(message.topic.name)
            self._close_bag()
        if self._bag is None:
            self._bag = RollingBag(self._new_path(""), _layout(self.config, True), self._repeated.at, self._clock)
        self._bag.write(message)

    def _tick(self) -> None:
        if self._bag is not None:
            try:
                self._bag.tick()
            except OSError as error:
                self._fail(f"the disk doesn't take more: {error}")
        if self.recording and self._clock() - self._space_at >= SPACE_PERIOD_S:
            self._space_at = self._clock()
            if shortage := self._shortage():
                self._fail(shortage)

    def _fail(self, problem: str) -> None:
        self._finish()
        self.problem = f"recording stopped: {problem}"
        log.error("%s", self.problem)

    def _finish(self) -> Closed | None:
        self.recording = False
        return self._close_bag()

    def _close_bag(self) -> Closed | None:
        if self._bag is None:
            return None
        closed, self._bag = self._bag.close(), None
        self.statistics.dropped.update(closed.lost)
        if closed.problem:
            log.error("%s", closed.problem)
        self.closed.append(closed)
        return closed

    def _take_snapshot(self, reason: str) -> str:
        if self._snapshots.busy:
            raise BagError("a snapshot is being written: try again when it is done")
        if not len(self.ring):
            raise BagError("nothing is in memory: no message came, or all is in a snapshot already")
        if shortage := self._shortage():
            raise BagError(shortage)
        path, said = self._new_path("snapshot_"), f"{self.ring.span_s:.1f} s, {len(self.ring)} messages"
        self._snapshots.write(self.ring, path, reason)
        return f"{path}: {said}"

    def _snapshot_done(self, said: str, problem: str) -> None:
        self.said = {"last": said, "problem": problem}
        log.log(logging.ERROR if problem else logging.INFO, "snapshot %s %s", said, problem)

    def _new_path(self, kind: str) -> Path:
        base = self._directory / f"{self.config.name}_{kind}{self._stamp()}"
        path, number = base, 2
        while path.exists():
            path, number = base.with_name(f"{base.name}-{number}"), number + 1
        return path

    def _shortage(self) -> str:
        """Why there is no room, or ""."""
        try:
            free = shutil.disk_usage(self._directory).free
        except OSError as error:
            return f"{str(self._directory)!r} can't be used: {error}"
        if free >= self.config.min_free_mb * 1e6:
            return ""
        return (
            f"{free / 1e6:.0f} MB are free in {str(self._directory)!r}, less than min_free_mb = "
            f"{self.config.min_free_mb:g}: make room, then call ~/start"
        )


def _layout(config: RecorderConfig, split: bool) -> Layout:
    return Layout(
        config.compression, config.zstd_level, round(config.chunk_mb * 1e6), config.chunk_s,
        max_bytes=round(config.split.max_mb * 1e6) if split else 0, max_s=config.split.max_s if split else 0.0,
        keep_files=config.split.keep_files if split else 0,
    )  # fmt: skip
