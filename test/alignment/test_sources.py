"""Anchors of several sources at the prediction's pixels, their weights, and whether they agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth_perception.alignment.sources import BLOCK_WEIGHT, MODEL_SIGMA, SYSTEMATIC, Gathered, gather, settle
from depth_perception.records import Anchors

H, W = 60, 100  # of the prediction
IMAGE = (96, 320)  # the camera's: 1.6 times the rows, 3.2 times the columns


def anchors_at(
    uv: np.ndarray, depth: np.ndarray | float = 5.0, sigma: np.ndarray | float = 0.05, source: str = "lidar",
    group: np.ndarray | int = 0,
) -> Anchors:  # fmt: skip
    n = len(uv)
    full = (np.broadcast_to(np.asarray(x, np.float32), n).copy() for x in (depth, sigma))
    return Anchors(uv.astype(np.float32), *full, np.broadcast_to(np.int32(group), n).copy(), source, 0)


def spread_over(n: int, seed: int, size: tuple[int, int] = IMAGE) -> np.ndarray:
    return np.random.default_rng(seed).uniform([0, 0], [size[1] - 1, size[0] - 1], (n, 2))


def seen(*sources: Anchors, prediction: np.ndarray | None = None, size: tuple[int, int] = IMAGE) -> Gathered:
    return gather(sources, np.full((H, W), 2.0, np.float32) if prediction is None else prediction, size)


# ------------------------------------------------------------------------------------------------ gather


def test_pixels_are_those_of_the_prediction() -> None:
    """u' = (u + 0.5) w / W - 0.5: 160 → 49.65625, where plain scaling says 50; 0 → -0.34375, still the first pixel."""
    prediction = np.arange(1, H * W + 1, dtype=np.float32).reshape(H, W)
    out = seen(anchors_at(np.array([[160.0, 48.0], [0.0, 0.0], [319.0, 95.0]])), prediction=prediction)
    np.testing.assert_allclose(out.uv, [[49.65625, 29.8125], [-0.34375, -0.1875], [99.34375, 59.1875]])
    np.testing.assert_array_equal(out.prediction, prediction[[30, 0, 59], [50, 0, 99]])


def test_the_images_rim_is_inside_and_beyond_is_not() -> None:
    uv = np.array([[-0.5, 40], [319.5, 40], [9, -0.5], [9, 95.5], [-0.6, 40], [319.7, 40], [9, -0.6], [9, 95.7]])
    np.testing.assert_array_equal(seen(anchors_at(uv)).index, [0, 1, 2, 3])


def test_bad_anchors_are_dropped() -> None:
    nan, inf = np.nan, np.inf
    uv = np.array([[9, 9]] * 9 + [[nan, 9], [9, inf], [-inf, 9]])
    depth = np.array([5, nan, inf, 0, -1, 5, 5, 5, 5, 5, 5, 5.0])
    sigma = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0, -1, nan, inf, 0.1, 0.1, 0.1])
    out = seen(anchors_at(uv, depth, sigma))
    np.testing.assert_array_equal(out.index, [0])


def test_a_sigma_as_large_as_depth_says_nothing() -> None:
    out = seen(anchors_at(np.array([[9, 9]] * 3), 5.0, np.array([4.9, 5.0, 1e30])))
    np.testing.assert_array_equal(out.index, [0])
    assert out.weight[0] > 0.0


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, -np.inf])
def test_anchors_where_the_network_says_nothing_are_dropped(bad: float) -> None:
    prediction = np.full((H, W), 2.0, np.float32)
    prediction[:, 50:] = bad
    out = seen(anchors_at(np.array([[100.0, 40.0], [200.0, 40.0]])), prediction=prediction)
    np.testing.assert_array_equal(out.index, [0])


def test_groups_of_two_sources_never_collide() -> None:
    first = anchors_at(spread_over(90, 0), group=np.arange(90, dtype=np.int32) % 7 - 3)
    second = anchors_at(spread_over(60, 1), source="stereo", group=np.arange(60, dtype=np.int32) % 5)
    empty = anchors_at(np.zeros((0, 2)), source="scan")
    out = seen(first, empty, second)
    of = [set(out.group[out.source == i]) for i in range(3)]
    assert [len(g) for g in of] == [7, 0, 5] and not of[0] & of[2]
    assert out.names == "lidar+stereo" and len(out) == 150
    for i, source in enumerate((first, empty, second)):
        np.testing.assert_array_equal(out.depth[out.source == i], source.depth[out.index[out.source == i]])


def test_weights_by_hand() -> None:
    """Sigma of 5 % of depth, as large as the model's own: 1/2. A crowd in one block counts for so many."""
    lone = seen(anchors_at(np.array([[9.0, 9.0]]), 4.0, 4.0 * MODEL_SIGMA))
    assert lone.weight == pytest.approx(0.5)
    n = round(2.5 * BLOCK_WEIGHT)
    crowd = seen(anchors_at(np.tile([[9.0, 9.0]], (n, 1)), 4.0, 1e-4))
    np.testing.assert_allclose(crowd.weight, BLOCK_WEIGHT / n, rtol=1e-4)
    two = seen(*[anchors_at(np.tile([[9.0, 9.0]], (n, 1)), 4.0, 1e-4, s) for s in ("lidar", "stereo")])
    np.testing.assert_allclose(two.weight, BLOCK_WEIGHT / n, rtol=1e-4)  # each source has its own crowd


def test_blocks_are_eighths_and_sixths_of_the_image() -> None:
    """Columns 12.5 px wide, rows 10 px high."""
    prediction_pixels = np.array([[0, 0], [12, 9], [13, 9], [12, 10], [99, 59]])
    out = seen(anchors_at(prediction_pixels), size=(H, W))
    np.testing.assert_array_equal(out.block, [0, 0, 1, 8, 47])


def test_nothing_is_nothing() -> None:
    for out in (seen(), seen(anchors_at(np.zeros((0, 2)))), seen(anchors_at(spread_over(9, 0), np.nan))):
        assert len(out) == 0 and out.names == "" and out.systematic == SYSTEMATIC
        assert settle(out, (H, W), False) == (out, ())


@given(st.lists(st.tuples(*[st.floats(width=32)] * 4), max_size=30))
@settings(max_examples=60, deadline=None)
def test_any_numbers_give_usable_ones(rows: list[tuple[float, float, float, float]]) -> None:
    table = np.array(rows, np.float32).reshape(-1, 4)
    with np.errstate(all="ignore"):
        out = seen(anchors_at(table[:, :2], table[:, 2], table[:, 3]))
    for values in (out.uv, out.depth, out.prediction, out.weight):
        assert np.isfinite(values).all()
    assert (out.depth > 0).all() and (out.weight > 0).all() and (out.weight <= 1).all()
    assert (out.block >= 0).all() and (out.block < 48).all()


def test_what_is_wrong_in_all_ground_alike() -> None:
    """Ground at 8 % of depth alone: √(0.08² + 0.005²). Beside a LiDAR only as far as it has a say."""
    ground = anchors_at(spread_over(300, 0), 5.0, 0.4, "ground")
    lidar = anchors_at(spread_over(300, 1), 5.0, 0.01)
    assert seen(ground).systematic == pytest.approx(np.hypot(0.08, 0.005))
    assert seen(lidar).systematic == 0.005
    share = 0.05**2 / (0.05**2 + 0.08**2)
    both = share / (share + 0.05**2 / (0.05**2 + 0.002**2)) * 0.08
    assert seen(ground, lidar).systematic == pytest.approx(np.hypot(both, 0.005), rel=1e-4)


# ------------------------------------------------------------------------------------------------ settle


def sources(
    factor: float, is_inverse: bool, names: tuple[str, str] = ("lidar", "stereo")
) -> tuple[Gathered, np.ndarray]:
    """Two sources at different pixels of a slanted plane; the second says `factor` times the depth."""
    v, u = np.mgrid[0:H, 0:W]
    depth = (1.0 / (0.08 + 0.004 * v + 0.001 * u)).astype(np.float32)
    made = []
    for i, name in enumerate(names):
        uv = np.floor(spread_over(900, i, (H, W)))
        at = depth[uv[:, 1].astype(int), uv[:, 0].astype(int)] * (factor if i else 1.0)
        made.append(anchors_at(uv, at, 0.01 * at, name))
    return seen(*made, prediction=1.0 / depth if is_inverse else depth / 1.7, size=(H, W)), depth


@pytest.mark.parametrize("is_inverse", [False, True])
@pytest.mark.parametrize(("factor", "said"), [(1.3, "+30 %"), (1 / 1.3, "-23 %")])
def test_a_contradiction_costs_the_less_trusted_source(is_inverse: bool, factor: float, said: str) -> None:
    for names in (("lidar", "stereo"), ("scan", "ground"), ("stereo", "ground")):
        gathered, _ = sources(factor, is_inverse, names)
        kept, warnings = settle(gathered, (H, W), is_inverse)
        assert kept.names == names[0] and len(warnings) == 1
        assert names[1] in warnings[0] and said in warnings[0]


def test_the_order_in_which_sources_come_doesnt_matter() -> None:
    gathered, _ = sources(1.3, False, ("stereo", "lidar"))
    kept, warnings = settle(gathered, (H, W), False)
    assert kept.names == "lidar" and "stereo is -23 %" in warnings[0]


@pytest.mark.parametrize("is_inverse", [False, True])
@pytest.mark.parametrize("factor", [1.0, 1.05, 0.95])
def test_sources_that_agree_are_kept(is_inverse: bool, factor: float) -> None:
    gathered, _ = sources(factor, is_inverse)
    assert settle(gathered, (H, W), is_inverse) == (gathered, ())


def test_sources_that_hardly_meet_are_kept() -> None:
    left = anchors_at(spread_over(300, 0, (96, 150)))
    right = anchors_at(spread_over(300, 1, (96, 150)) + np.array([165, 0]), 10.0, source="stereo")
    gathered = seen(left, right)
    assert settle(gathered, (H, W), False) == (gathered, ())


def test_one_who_is_left_out_accuses_nobody() -> None:
    """Stereo disagrees with LiDAR; ground agrees with LiDAR and so disagrees with stereo: it is kept."""
    uv = [spread_over(900, i) for i in range(3)]
    gathered = seen(anchors_at(uv[0]), anchors_at(uv[1], 6.5, source="stereo"), anchors_at(uv[2], source="ground"))
    kept, warnings = settle(gathered, (H, W), False)
    assert kept.names == "lidar+ground" and len(warnings) == 1
    assert set(kept.source) == {0, 2}
