"""The fit over time: noise is averaged, real change is followed, a jump must prove itself."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from depth_perception.alignment.fit import Fit

Float64 = NDArray[np.float64]

PROOFS = 3  # fits in a row that agree make a jump believable
FOLLOWED = 4.0  # innovations beyond so many variances are change, not noise


class FitFilter:
    """A Kalman filter on (log scale) or (scale, shift) with random-walk process noise.

    The process noise is chosen so that, at a steady rate, the gain is dt / `time_constant_s`; an innovation larger than
    two standard deviations widens the state until it explains the innovation, so that real change is followed at once.
    A fit whose scale is more than `max_jump` away is refused until `PROOFS` fits in a row went the same way, each
    within half of that of the one before: a scale that ramps proves itself, too.
    """

    def __init__(self) -> None:
        self.theta: Float64 | None = None
        self._covariance: Float64 = np.zeros((0, 0))
        self.stamp_ns = 0
        self._candidates: list[Float64] = []

    def reset(self) -> None:
        """Forget everything: the clock was reset, or the fit is too old."""
        self.theta, self._candidates = None, []

    def update(self, fit: Fit, stamp_ns: int, time_constant_s: float, max_jump: float) -> bool:
        """Take a fit; False if it was refused as a jump."""
        if self.theta is None or len(self.theta) != len(fit.theta):
            self._start(fit, stamp_ns)
            return True
        if jump(self.theta, fit.theta) > max_jump:
            if self._candidates and jump(self._candidates[-1], fit.theta) > 0.5 * max_jump:
                self._candidates = []
            self._candidates = [*self._candidates, fit.theta]  # a new list: copies of the filter stay as they are
            if len(self._candidates) < PROOFS:
                return False
            self._start(fit, stamp_ns)
            return True
        self._candidates = []
        self._blend(fit, max(stamp_ns - self.stamp_ns, 0) * 1e-9, time_constant_s)
        self.stamp_ns = stamp_ns
        return True

    def _start(self, fit: Fit, stamp_ns: int) -> None:
        self.theta, self._covariance, self.stamp_ns = fit.theta.copy(), fit.covariance.copy(), stamp_ns
        self._candidates = []

    def _blend(self, fit: Fit, dt_s: float, time_constant_s: float) -> None:
        assert self.theta is not None
        share = 1.0 if time_constant_s <= 0.0 else min(dt_s / time_constant_s, 1.0)
        R = fit.covariance
        P = self._covariance + R * share**2 / max(1.0 - share, 1e-3)
        innovation = fit.theta - self.theta
        distance = float(innovation @ np.linalg.solve(P + R, innovation)) / len(innovation)
        if distance > FOLLOWED:
            P = P + np.outer(innovation, innovation) * (1.0 / FOLLOWED - 1.0 / distance) / len(innovation)
        gain = np.linalg.solve(P + R, P).T if share < 1.0 else np.eye(len(R))
        self.theta = self.theta + gain @ innovation
        self._covariance = P - gain @ P if share < 1.0 else R.copy()


def jump(before: Float64, now: Float64) -> float:
    """Relative change of the scale, symmetric: 0.3 means 30 % more, or as much less."""
    change = now[0] - before[0] if len(now) == 1 else math.log(max(now[0], 1e-12) / max(before[0], 1e-12))
    return math.expm1(abs(float(change)))
