"""A LiDAR with fewer beams, or with fewer points, out of one with many: before projection, as the papers do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depth_perception.anchors.beams import sine_of_elevation
from depth_perception.errors import ConfigError
from depth_perception.records import Float32, Int32

_USUAL = (1, 2, 4, 8, 16, 32, 40, 64, 80, 128)  # beams of LiDARs that are built
_UNKNOWN = 64  # beams that elevation is cut into where nothing tells how many there are


def picked_beams(total: int, keep: int, offset: int) -> tuple[int, ...]:
    """Numbers from the top of `keep` equally spaced beams of `total`, the first of them number `offset`.

    Paper 1, §4.4 and appendix C: of 64 beams every second for 32, every fourth for 16, and so on; the offset moves the
    top beam and all others with it, and there are total / keep different ones.

    Raises:
        ConfigError: more beams wanted than there are, or an offset that repeats a smaller one.
    """
    if keep > total:
        raise ConfigError(f"--beams {keep} of a LiDAR that has {total}: keep {total} or fewer, or say --lidar-beams")
    if not 0 <= offset < total // keep:
        raise ConfigError(f"--beam-offset {offset!r} with {keep} of {total} beams must lie in 0 … {total // keep - 1}")
    return tuple(offset + i * total // keep for i in range(keep))


class BeamNumbers:
    """Numbers the beams of one LiDAR from the top (0), the same in every turn.

    By the beams that `anchors.beams.beams_of` found (a ring field, rows of an organised cloud, turns in the order of
    writing, clusters of elevation), turned so that 0 is the highest. Where it found none, elevation itself is cut into
    `total` equal steps between its 0.1 and 99.9 percentiles of the first turn.
    """

    def __init__(self, total: int = 0) -> None:
        """`total` beams; 0: as the first turn shows, rounded up to a LiDAR that is built."""
        self.total = total
        self._learnt = self._upwards = False  # upwards: the beams' own numbers grow so
        self._limits: tuple[float, float] = (0.0, 0.0)  # elevation, rad: lowest, highest

    def learn(self, xyz: Float32, beam: Int32) -> None:
        """See the first whole turn: points (N, 3) and their beams (N,). Later ones change nothing."""
        if self._learnt or len(xyz) == 0:
            return
        self._learnt = True
        sine = sine_of_elevation(xyz)
        if (beam >= 0).all():
            self._upwards = _grow_upwards(sine, beam)
            self.total = self.total or _rounded_up(int(beam.max()) + 1)
        known = np.isfinite(sine)
        if known.any():
            low, high = np.arcsin(np.percentile(sine[known], [0.1, 99.9]))
            self._limits = float(low), float(high)
        self.total = self.total or _UNKNOWN

    def __call__(self, xyz: Float32, beam: Int32) -> Int32:
        """Number (N,) from the top of each point (N, 3); -1 where a point has none, or one beyond `total`."""
        if len(beam) and int(beam.min()) < 0:
            number = self._by_elevation(xyz)
        else:
            number = np.int32(self.total - 1) - beam if self._upwards else beam
        return np.where((number >= 0) & (number < self.total), number, np.int32(-1))

    def _by_elevation(self, xyz: Float32) -> Int32:
        sine = sine_of_elevation(xyz)
        elevation = np.arcsin(np.where(np.isfinite(sine), sine, np.float32(-1.0)))
        low, high = self._limits
        step = (high - low) / max(self.total - 1, 1) or 1.0
        return np.rint((high - elevation) / step).astype(np.int32)


def kept_points(number: Int32, kept: tuple[int, ...], total: int) -> NDArray[np.bool_]:
    """True (N,) for points of these beams, numbered from -1 (unknown, never kept) to `total` - 1."""
    wanted = np.zeros(total + 1, bool)
    wanted[list(kept)] = True  # number -1 is the last place
    return wanted[number]


def random_share(count: int, share: float, seed: list[int]) -> NDArray[np.intp]:
    """Indices, in order, of round(share * count) points drawn without replacement (paper 2: 50 %, 1 %)."""
    drawn = np.random.default_rng(seed).choice(count, round(share * count), replace=False, shuffle=False)
    return np.sort(drawn)


def _grow_upwards(sine: Float32, beam: Int32) -> bool:
    known = np.isfinite(sine)
    if np.ptp(beam[known]) == 0 if known.any() else True:
        return False
    return float(np.corrcoef(sine[known], beam[known])[0, 1]) > 0.0


def _rounded_up(count: int) -> int:
    return next((usual for usual in _USUAL if usual >= count), count)
