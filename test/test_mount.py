"""The camera's tilt: signs, and the way back from gravity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depth_perception.mount import Mount, level_rotation, tilt_of

angle = st.floats(-1.5, 1.5)


def test_pitch_and_roll_signs() -> None:
    down = level_rotation(0.1, 0.0) @ [0, 0, 1]
    assert down[2] == pytest.approx(-np.sin(0.1)), "positive pitch looks down"
    right = level_rotation(0.0, 0.1) @ [1, 0, 0]
    assert right[2] == pytest.approx(-np.sin(0.1)), "positive roll lowers the right side"


def test_pitch_comes_after_roll() -> None:
    """R_y(pitch) @ R_x(roll): the optical axis doesn't move by roll; the other order would turn it sideways."""
    np.testing.assert_allclose(level_rotation(0.3, 0.4) @ [0, 0, 1], [np.cos(0.3), 0, -np.sin(0.3)], atol=1e-12)


@given(angle, st.floats(-3.1, 3.1), st.floats(0.1, 20.0))
def test_tilt_is_the_inverse_of_the_rotation(pitch: float, roll: float, length: float) -> None:
    up = length * level_rotation(pitch, roll)[2]
    np.testing.assert_allclose(tilt_of(up), (pitch, roll), atol=1e-9)


def test_mount_gives_its_rotation() -> None:
    np.testing.assert_array_equal(Mount(0.5, 0.1, 0.2).R_level_optical, level_rotation(0.1, 0.2))
