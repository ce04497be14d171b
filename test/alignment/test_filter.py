"""The fit over time: closed forms of the gain, change followed, jumps proved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth_perception.alignment.filter import FitFilter, jump
from depth_perception.alignment.fit import Fit

SECOND = 1_000_000_000
DT = SECOND // 10


def scale_fit(scale: float, std: float = 0.01) -> Fit:
    return Fit(np.log([scale]), np.array([[std**2]]), 0.05, 0.9)


def affine_fit(scale: float, shift: float, std: float = 0.01) -> Fit:
    return Fit(np.array([scale, shift]), np.eye(2) * std**2, 0.05, 0.9)


def run(fits: list[Fit], time_constant_s: float = 0.5, max_jump: float = 0.3) -> tuple[FitFilter, list[bool]]:
    subject = FitFilter()
    return subject, [subject.update(fit, i * DT, time_constant_s, max_jump) for i, fit in enumerate(fits)]


def scale_of(subject: FitFilter) -> float:
    assert subject.theta is not None
    return float(np.exp(subject.theta[0]))


@pytest.mark.parametrize("time_constant_s", [0.2, 0.5, 2.0])
def test_the_steady_gain_is_dt_over_the_time_constant(time_constant_s: float) -> None:
    """After many equal fits, one that differs by half a standard deviation moves the state by that share of it."""
    subject, _ = run([scale_fit(1.0)] * 200, time_constant_s)
    subject.update(scale_fit(np.exp(0.005)), 200 * DT, time_constant_s, 0.3)
    assert subject.theta is not None
    assert subject.theta[0] / 0.005 == pytest.approx(0.1 / time_constant_s, rel=1e-3)


def test_noise_is_averaged() -> None:
    """Exponential smoothing with gain g leaves g / (2 - g) of the variance: with 0.1 s of 1 s, 0.053."""
    noise = np.random.default_rng(0).normal(0.0, 0.01, 4000)
    subject, states = FitFilter(), []
    for i, value in enumerate(noise):
        subject.update(scale_fit(float(np.exp(value)), 0.01), i * DT, 1.0, 0.3)
        states.append(subject.theta[0])  # type: ignore[index]
    ratio = np.var(states[100:]) / np.var(noise)
    assert 0.053 * 0.7 < ratio < 0.053 * 2.5  # one in 20 is beyond two deviations and is followed


def test_a_change_beyond_the_noise_is_followed_within_two_fits() -> None:
    subject, taken = run([scale_fit(1.0)] * 50 + [scale_fit(1.2)])
    assert all(taken) and scale_of(subject) == pytest.approx(1.2, rel=0.02)
    subject.update(scale_fit(1.2), 51 * DT, 0.5, 0.3)
    assert scale_of(subject) == pytest.approx(1.2, rel=0.005)


def test_an_innovation_widens_the_state_until_it_is_two_deviations() -> None:
    """One parameter: P' + R = i² / 4, so the gain is 1 - 4 R / i². Two: iᵀ(P' + R)⁻¹i = 2 · 4."""
    subject, _ = run([scale_fit(1.0, 0.02)] * 100)
    subject.update(scale_fit(np.exp(0.1), 0.02), 100 * DT, 0.5, 0.3)
    assert subject.theta is not None and subject.theta[0] == pytest.approx(0.1 * (1 - 4 * 0.02**2 / 0.1**2), rel=1e-6)
    pair, _ = run([affine_fit(1.0, 0.5, 0.02)] * 100)
    pair.update(affine_fit(1.0, 0.6, 0.02), 100 * DT, 0.5, 0.3)
    assert pair.theta is not None and pair.theta[1] - 0.5 == pytest.approx(0.1 * (1 - 8 * 0.02**2 / 0.1**2), rel=1e-6)
    assert pair.theta[0] == pytest.approx(1.0)


def test_scale_and_shift_settle_too() -> None:
    subject, taken = run([affine_fit(1.0, 0.1)] * 20 + [affine_fit(1.1, 0.15)] * 5)
    assert all(taken)
    np.testing.assert_allclose(subject.theta, (1.1, 0.15), rtol=0.005)


@pytest.mark.parametrize("to", [3.0, 1 / 3.0])
def test_a_jump_is_taken_when_three_fits_agree(to: float) -> None:
    subject, taken = run([scale_fit(1.0)] * 5 + [scale_fit(to), scale_fit(to * 1.02)])
    assert taken[5:] == [False, False] and scale_of(subject) == pytest.approx(1.0)
    assert subject.update(scale_fit(to * 0.99), 7 * DT, 0.5, 0.3)
    assert scale_of(subject) == pytest.approx(to * 0.99)


def test_jumps_that_disagree_prove_nothing() -> None:
    subject, taken = run([scale_fit(1.0)] * 5 + [scale_fit(s) for s in (3.0, 0.3, 3.0, 0.3, 9.0, 0.1, 3.0)])
    assert not any(taken[5:]) and scale_of(subject) == pytest.approx(1.0)


def test_a_scale_that_ramps_proves_itself() -> None:
    """Each fit within half of `max_jump` of the one before: 1.4, 1.55, 1.7."""
    subject, taken = run([scale_fit(1.0)] * 5 + [scale_fit(s) for s in (1.4, 1.55, 1.7)])
    assert taken[5:] == [False, False, True] and scale_of(subject) == pytest.approx(1.7)


def test_a_good_fit_in_between_starts_the_proof_again() -> None:
    subject, taken = run([scale_fit(1.0)] * 5 + [scale_fit(s) for s in (3.0, 3.0, 1.0, 3.0, 3.0)])
    assert taken[5:] == [False, False, True, False, False] and scale_of(subject) == pytest.approx(1.0)


@given(st.floats(1.35, 1e6), st.booleans())
@settings(max_examples=30, deadline=None)
def test_one_wild_fit_never_moves_it(factor: float, less: bool) -> None:
    subject, taken = run([scale_fit(2.0)] * 5 + [scale_fit(2.0 / factor if less else 2.0 * factor)])
    assert not taken[-1] and scale_of(subject) == pytest.approx(2.0)


def test_no_filter_at_time_constant_zero() -> None:
    subject, _ = run([scale_fit(1.0), scale_fit(1.05)], time_constant_s=0.0)
    assert scale_of(subject) == pytest.approx(1.05)


@pytest.mark.parametrize("step_ns", [0, -DT, 100 * SECOND])
def test_repeated_late_and_rare_stamps(step_ns: int) -> None:
    subject, _ = run([scale_fit(1.0)] * 5)
    assert subject.update(scale_fit(1.05), 4 * DT + step_ns, 0.5, 0.3)
    assert 1.0 < scale_of(subject) <= 1.05 + 1e-12


def test_reset_forgets_everything() -> None:
    subject, _ = run([scale_fit(1.0)] * 5 + [scale_fit(3.0)] * 2)
    subject.reset()
    assert subject.theta is None
    assert subject.update(scale_fit(50.0), 8 * DT, 0.5, 0.3) and scale_of(subject) == pytest.approx(50.0)
    assert not subject.update(scale_fit(3.0), 9 * DT, 0.5, 0.3)


def test_another_kind_of_model_starts_anew() -> None:
    subject, _ = run([scale_fit(1.0)] * 5)
    assert subject.update(affine_fit(30.0, 0.1), 5 * DT, 0.5, 0.3)
    np.testing.assert_array_equal(subject.theta, (30.0, 0.1))


def test_jump_by_hand() -> None:
    """1.3 times as much, or as little, is 0.3; of scale and shift only the scale counts."""
    assert jump(np.log([2.0]), np.log([2.6])) == pytest.approx(0.3)
    assert jump(np.log([2.6]), np.log([2.0])) == pytest.approx(0.3)
    assert jump(np.array([2.0, 0.0]), np.array([2.6, 5.0])) == pytest.approx(0.3)
