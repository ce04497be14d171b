"""Frames rendered before they are needed, played at any pace and for as long as one likes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from depth_perception.sim.frames import SimFrame, frames
from depth_perception.sim.lidar import LidarSample, ScanSample
from depth_perception.sim.odometry import OdometrySample
from depth_perception.sim.setup import SimConfig

Sample = TypeVar("Sample", LidarSample, ScanSample, OdometrySample)


@dataclass(frozen=True)
class Recording:
    """A drive in memory; a VGA stereo frame with depth takes 3 MB."""

    config: SimConfig
    frames: tuple[SimFrame, ...]

    @property
    def _turn_s(self) -> float:
        return 1.0 / self.config.lidar.rate_hz if self.config.lidar else 0.0

    def replay(self, passes: int | None = None) -> Iterator[SimFrame]:
        """Play forwards, then backwards, and so on: nothing jumps at the turn and stamps only grow.

        `passes` None plays for ever. Going back, the robot reverses: speeds change sign.
        """
        if len(self.frames) < 2:
            raise ValueError(f"a recording of {len(self.frames)} frames can't be replayed; record at least 2")
        first, last = self.frames[0].stamp_ns, self.frames[-1].stamp_ns
        span, index = last - first, 0
        yield self.frames[0]
        while passes is None or index < passes:
            if index % 2 == 0:
                for frame in self.frames[1:]:
                    yield _shifted(frame, index * span)
            else:
                for later, frame in zip(self.frames[:0:-1], self.frames[-2::-1], strict=True):
                    yield _mirrored(frame, later, index * span + first + last, self._turn_s)
            index += 1


def record_drive(config: SimConfig, progress: Callable[[int, int], None] | None = None) -> Recording:
    """Render a whole drive; `progress(done, of)` is called after each frame."""
    assert config.camera is not None
    total, done = int(config.duration_s * config.camera.rate_hz + 1e-6), []
    for frame in frames(config):
        done.append(frame)
        if progress is not None:
            progress(len(done), total)
    return Recording(config, tuple(done))


def _shifted(frame: SimFrame, by_ns: int) -> SimFrame:
    if by_ns == 0:
        return frame
    return replace(
        frame,
        stamp_ns=frame.stamp_ns + by_ns,
        lidar=_restamped(frame.lidar, by_ns),
        scans=_restamped(frame.scans, by_ns),
        odometry=_restamped(frame.odometry, by_ns),
    )


def _restamped(samples: tuple[Sample, ...], by_ns: int) -> tuple[Sample, ...]:
    return tuple(replace(sample, stamp_ns=sample.stamp_ns + by_ns) for sample in samples)


def _between(own: tuple[Sample, ...], own_ns: int, later: tuple[Sample, ...], later_ns: int) -> list[Sample]:
    """Samples from one frame on until before the later one: going back, the later end was played already."""
    return [s for s in own if s.stamp_ns == own_ns] + [s for s in later if s.stamp_ns < later_ns]


def _turned_back(sample: LidarSample, mirror_ns: int, turn_s: float) -> LidarSample:
    """A LiDAR's turn run backwards: it begins where it ended."""
    points = sample.points.copy()
    points[:, 5] = turn_s - points[:, 5]
    return LidarSample(mirror_ns - sample.stamp_ns - round(turn_s * 1e9), points)


def _mirrored(frame: SimFrame, later: SimFrame, mirror_ns: int, turn_s: float) -> SimFrame:
    """`frame` on the way back: time t becomes mirror - t. Its samples are those between it and `later`."""
    lidar = [_turned_back(s, mirror_ns, turn_s) for s in later.lidar]
    ends = frame.stamp_ns, later.stamp_ns
    between = _between(frame.scans, ends[0], later.scans, ends[1])
    scans = [replace(s, stamp_ns=mirror_ns - s.stamp_ns) for s in between]
    odometry = [
        replace(s, stamp_ns=mirror_ns - s.stamp_ns, forward_mps=-s.forward_mps, turning_rps=-s.turning_rps)
        for s in _between(frame.odometry, ends[0], later.odometry, ends[1])
    ]
    stamp = mirror_ns - frame.stamp_ns
    return replace(
        frame, stamp_ns=stamp, lidar=tuple(lidar[::-1]), scans=tuple(scans[::-1]), odometry=tuple(odometry[::-1])
    )
