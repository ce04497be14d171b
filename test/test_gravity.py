"""Gravity → pitch and roll: signs, steps with hysteresis, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from depth_perception.gravity import GRAVITY, GravityFilter
from depth_perception.mount import level_rotation

STEP = math.radians(0.5)


def sample(pitch_deg: float, roll_deg: float = 0.0) -> np.ndarray:
    """What an accelerometer at rest measures in the optical frame."""
    return GRAVITY * level_rotation(math.radians(pitch_deg), math.radians(roll_deg))[2]


def feed(tilt: GravityFilter, acceleration: np.ndarray, start_s: float, seconds: float, rate: int = 100) -> int:
    """Number of changes."""
    return sum(tilt.add(acceleration, round((start_s + i / rate) * 1e9)) for i in range(int(seconds * rate)))


def degrees(tilt: GravityFilter) -> tuple[float, float]:
    assert tilt.tilt is not None
    return math.degrees(tilt.tilt[0]), math.degrees(tilt.tilt[1])


def test_a_level_camera_measures_gravity_against_y() -> None:
    """Specific force points up, optical y down; the reading 'acceleration is along gravity' would give roll 180°."""
    tilt = GravityFilter()
    assert tilt.tilt is None
    assert tilt.add(np.array([0.0, -9.81, 0.0]), 0)
    assert tilt.tilt == (0.0, 0.0)


def test_pitch_and_roll_come_out_in_steps() -> None:
    tilt = GravityFilter()
    feed(tilt, sample(10.1, -4.8), 0.0, 0.5)
    assert degrees(tilt) == pytest.approx((10.0, -5.0))


def test_noise_around_a_step_does_not_make_it_flicker() -> None:
    """Between two steps the nearest one changes with each sample; the hysteresis holds."""
    rng, tilt, changes = np.random.default_rng(0), GravityFilter(time_constant_s=0.05), 0
    for i in range(1000):
        changes += tilt.add(sample(0.25) + 0.02 * rng.standard_normal(3), i * 10_000_000)
    assert changes == 1


def test_it_follows_a_real_change_within_a_few_time_constants() -> None:
    tilt = GravityFilter(time_constant_s=0.5)
    feed(tilt, sample(0.0), 0.0, 1.0)
    feed(tilt, sample(6.0), 1.0, 0.5)
    assert degrees(tilt)[0] == pytest.approx(6.0 * (1 - math.exp(-1)), abs=0.5)
    feed(tilt, sample(6.0), 1.5, 2.5)
    assert degrees(tilt)[0] == pytest.approx(6.0, abs=0.4)


def test_bumps_and_nan_are_refused() -> None:
    tilt = GravityFilter()
    tilt.add(sample(2.0), 0)
    for i, bad in enumerate(([0.0, -14.0, 0.0], [0.0, -5.0, 0.0], [np.nan, -9.81, 0.0], [0.0, 0.0, 0.0])):
        assert not tilt.add(np.array(bad), (i + 1) * 10_000_000_000)
    assert degrees(tilt)[0] == pytest.approx(2.0)
    assert tilt.refused == 4
    tilt.add(sample(2.0), 60_000_000_000)
    assert tilt.refused == 0


def test_time_that_jumps_back_starts_anew() -> None:
    tilt = GravityFilter()
    feed(tilt, sample(0.0), 100.0, 5.0)
    tilt.add(sample(8.0), 1)
    assert degrees(tilt)[0] == pytest.approx(8.0)


def test_the_first_samples_are_averaged() -> None:
    """Without that, the first sample would weigh as much as a whole time constant."""
    tilt = GravityFilter(time_constant_s=100.0)
    tilt.add(sample(10.0), 0)
    for i in range(1, 10):
        tilt.add(sample(0.0), i * 10_000_000)
    assert degrees(tilt)[0] == pytest.approx(1.0, abs=0.26)
