"""A simulated drive as a source of frames, with exact depth beside the LiDAR's."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from depth_perception.anchors.deskew import OdometryTrack
from depth_perception.anchors.sweep import SensorPoints
from depth_perception.errors import ConfigError
from depth_perception.extrinsics import inverse
from depth_perception.sim import KINDS, LidarSample, LidarSetup, SimConfig, SimFrame
from depth_perception.stamp_buffer import StampBuffer
from training.preparation.moments import pose_at, turn_at
from training.preparation.options import DatasetOptions
from training.preparation.source_frame import Item, Rig, SourceFrame

PREFIX = "sim:"
_KEYS = {"seed": int, "kind": str, "seconds": float, "rate": float, "speed": float, "size": str, "beams": int}
_EXAMPLE = "sim:seed=3,kind=street,seconds=8,rate=10,speed=0.7,size=240x320,beams=16"


def simulation(text: str) -> SimConfig:
    """Of `sim:seed=3,kind=street,…`; what isn't said is the simulator's default. Raises ConfigError."""
    values: dict[str, Any] = {}
    for part in text.removeprefix(PREFIX).split(","):
        key, equals, value = part.partition("=")
        try:
            if not equals or key in values:
                raise ValueError(part)
            values[key] = _KEYS[key](value)
        except (KeyError, ValueError):
            raise ConfigError(f"{text!r}: {part!r} is none of {', '.join(_KEYS)}; write {_EXAMPLE}") from None
    if values.get("kind", KINDS[0]) not in KINDS:
        raise ConfigError(f"{text!r}: kind {values['kind']!r} must be one of {KINDS}")
    height, width = _size(text, values.get("size", "480x640"))
    config = SimConfig(seed=values.get("seed", 0), kind=values.get("kind"), scan=None)
    assert config.camera is not None
    camera = replace(config.camera, height=height, width=width, right_depth=True)
    camera = replace(camera, rate_hz=values.get("rate", camera.rate_hz))
    lidar = replace(LidarSetup(), beams=values.get("beams", LidarSetup.beams))
    duration_s, speed_mps = values.get("seconds", config.duration_s), values.get("speed", config.speed_mps)
    return replace(config, camera=camera, lidar=lidar, duration_s=duration_s, speed_mps=speed_mps)


class SimSource:
    """Renders as it is read. LiDAR and odometry are as noisy as the simulator has them; `truth` is exact."""

    def __init__(self, text: str, options: DatasetOptions) -> None:
        """Raises ConfigError."""
        config = simulation(text)
        assert config.camera is not None and config.lidar is not None
        self._config, self._options, self._text = config, options, text
        T_left_body = inverse(config.camera.T_body_camera())
        self.rig = Rig(
            config.camera.model(), config.camera.right_model(), True, None, T_left_body @ config.lidar.T_body_lidar(),
            T_left_body, {"left": "left_optical", "right": "right_optical", "lidar": "lidar", "body": "base_link"},
        )  # fmt: skip
        self.root = Path()
        self.inputs: list[Path] = []  # the text says it all
        self.total = int(config.duration_s * config.camera.rate_hz + 1e-6)
        self.notes: list[str] = []

    @property
    def problems(self) -> list[str]:
        """There are none."""
        return []

    def close(self) -> None:
        """The renderer closes with the iteration."""

    def __iter__(self) -> Iterator[Item]:
        from depth_perception.sim import frames

        turns: StampBuffer[LidarSample] = StampBuffer(8)
        track, newest_odom_ns = OdometryTrack(), -1
        held: deque[tuple[int, SimFrame]] = deque()
        for number, frame in enumerate(frames(self._config)):
            for turn in frame.lidar:
                turns.add(turn.stamp_ns, turn)
            for sample in frame.odometry:
                track.add(sample.stamp_ns, sample.T_odom_body)
                newest_odom_ns = sample.stamp_ns
            held.append((number, frame))
            while held and held[0][1].stamp_ns <= min(turns.newest_ns() or -1, newest_odom_ns):
                yield self._frame(*held.popleft(), turns, track)
        while held:
            yield self._frame(*held.popleft(), turns, track)

    def _frame(
        self, number: int, frame: SimFrame, turns: StampBuffer[LidarSample], track: OdometryTrack
    ) -> SourceFrame:
        stamp_ns, rig = frame.stamp_ns, self.rig
        values: dict[str, Any] = {"sync_ms": {"right": 0.0}, "missing": {}, "truth": {"left": _finite(frame.depth)}}
        if frame.right_depth is not None:
            values["truth"]["right"] = _finite(frame.right_depth)
        nearest = turns.nearest(stamp_ns)
        if nearest is not None and abs(nearest[0] - stamp_ns) <= self._options.lidar_tolerance_s * 1e9:
            points, turn_ns = _points(nearest[1]), nearest[0]
            assert rig.T_left_lidar is not None
            values["turn"] = turn_at(points, turn_ns, rig.T_left_lidar, rig.T_left_body, track, stamp_ns)
            values["sync_ms"]["lidar"] = (turn_ns - stamp_ns) * 1e-6
        else:
            values["missing"]["lidar"] = "no turn within --lidar-tolerance-s"
        return SourceFrame(
            number, stamp_ns, frame.image, frame.right_image, T_odom_body=pose_at(track, stamp_ns),
            origin={"file": self._text, "topic": "", "number": number}, **values,
        )  # fmt: skip


def _points(turn: LidarSample) -> SensorPoints:
    points = turn.points
    return SensorPoints(np.ascontiguousarray(points[:, :3]), points[:, 4].astype(np.int32), points[:, 5].copy())


def _finite(depth: np.ndarray) -> np.ndarray:
    """Sky is no depth in the folder's code."""
    return np.where(np.isfinite(depth), depth, np.float32(np.nan))


def _size(text: str, size: str) -> tuple[int, int]:
    try:
        height, width = (int(number) for number in size.split("x"))
    except ValueError:
        raise ConfigError(f"{text!r}: size {size!r} must be HEIGHTxWIDTH, such as 240x320") from None
    return height, width
