"""Beams are counted from the top and picked evenly; points are drawn in exact shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depth_perception.errors import ConfigError
from training.preparation.beam_thinning import BeamNumbers, kept_points, picked_beams, random_share


def turn(beams: int = 16, columns: int = 90, upwards: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Points 10 m away (N, 3), and the ring that a driver writes: from below (Velodyne) or from above (Ouster)."""
    elevation = np.deg2rad(np.linspace(-15, 15, beams))
    azimuth = np.deg2rad(np.linspace(-180, 180, columns, endpoint=False))
    a, e = (m.ravel() for m in np.meshgrid(azimuth, elevation, indexing="ij"))
    xyz = 10 * np.column_stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    ring = np.tile(np.arange(beams), columns)
    return xyz.astype(np.float32), (ring if upwards else beams - 1 - ring).astype(np.int32)


def test_picked_by_hand() -> None:
    assert picked_beams(64, 64, 0) == tuple(range(64))
    assert picked_beams(64, 32, 0)[:3] == (0, 2, 4) and picked_beams(64, 32, 1)[:3] == (1, 3, 5)
    assert picked_beams(64, 4, 0) == (0, 16, 32, 48)
    assert picked_beams(64, 4, 15) == (15, 31, 47, 63)
    assert picked_beams(64, 2, 7) == (7, 39)
    assert picked_beams(64, 1, 63) == (63,)
    assert picked_beams(40, 16, 1) == (1, 3, 6, 8, 11, 13, 16, 18, 21, 23, 26, 28, 31, 33, 36, 38)  # no power of two


@given(st.sampled_from([16, 32, 40, 64, 128]), st.sampled_from([1, 2, 4, 8, 16]), st.data())
def test_picked_are_so_many_distinct_and_in_range(total: int, keep: int, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, total // keep - 1))
    picked = picked_beams(total, keep, offset)
    assert len(set(picked)) == keep and picked[0] == offset and min(picked) >= 0 and max(picked) < total
    assert np.ptp(np.diff(picked)) <= 1 if keep > 1 else True


def test_offsets_cover_each_beam_once() -> None:
    assert sorted(beam for offset in range(16) for beam in picked_beams(64, 4, offset)) == list(range(64))


@pytest.mark.parametrize(("total", "keep", "offset"), [(16, 32, 0), (64, 4, 16), (64, 4, -1), (16, 16, 1)])
def test_refuses_what_the_lidar_has_not(total: int, keep: int, offset: int) -> None:
    with pytest.raises(ConfigError, match=str(total)):
        picked_beams(total, keep, offset)


@pytest.mark.parametrize("upwards", [True, False])
def test_zero_is_the_topmost_whatever_the_driver_counts(upwards: bool) -> None:
    xyz, ring = turn(upwards=upwards)
    numbers = BeamNumbers()
    numbers.learn(xyz, ring)
    number = numbers(xyz, ring)
    assert numbers.total == 16
    assert np.rad2deg(np.arcsin(xyz[number == 0, 2] / 10)).round(3).tolist() == [15.0] * 90
    assert np.rad2deg(np.arcsin(xyz[number == 15, 2] / 10)).round(3).tolist() == [-15.0] * 90


def test_a_turn_without_the_upper_beams_keeps_its_numbers() -> None:
    """Under an open sky the top beams return nothing; with rings counted from below, 15 is still the topmost."""
    xyz, ring = turn()
    numbers = BeamNumbers()
    numbers.learn(xyz[ring < 13], ring[ring < 13])  # 13 is rounded up to a LiDAR that is built
    assert numbers.total == 16
    assert set(numbers(xyz[ring < 13], ring[ring < 13]).tolist()) == set(range(3, 16))


def test_without_beams_elevation_is_cut_evenly() -> None:
    xyz, ring = turn(beams=64, columns=200)
    unknown = np.full(len(xyz), -1, np.int32)
    numbers = BeamNumbers(64)
    numbers.learn(xyz, unknown)
    assert (numbers(xyz, unknown) == 63 - ring).mean() > 0.99
    xyz[0] = np.nan
    assert numbers(xyz, unknown)[0] == -1


def test_a_beam_beyond_the_total_is_none_of_them() -> None:
    xyz, ring = turn(upwards=False)
    numbers = BeamNumbers(8)
    numbers.learn(xyz, ring)
    number = numbers(xyz, ring)
    assert set(number.tolist()) == {-1, *range(8)}
    assert not kept_points(number, (0, 4), 8)[number == -1].any()
    assert kept_points(number, (0, 4), 8).sum() == 180


@given(st.integers(0, 2000), st.floats(0.001, 0.999), st.integers(0, 5))
def test_share_is_exact_seeded_and_without_repetition(count: int, share: float, seed: int) -> None:
    index = random_share(count, share, [seed, 3])
    assert len(index) == round(share * count) == len(set(index.tolist()))
    assert (np.diff(index) > 0).all() and (len(index) == 0 or (index[0] >= 0 and index[-1] < count))
    assert np.array_equal(index, random_share(count, share, [seed, 3]))


def test_other_seeds_draw_other_points() -> None:
    assert not np.array_equal(random_share(1000, 0.5, [1, 2, 3]), random_share(1000, 0.5, [1, 2, 4]))
