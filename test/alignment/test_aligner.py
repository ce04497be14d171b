"""A network's depth and anchors, end to end, on a scene in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from alignment_scene import (
    FARTHEST,
    HEIGHT,
    NOW,
    SECOND,
    WIDTH,
    abs_rel,
    beams,
    picture,
    smooth_error,
    true_depth,
    view,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from depth_perception.alignment import Aligner, Alignment, Unscaled
from depth_perception.config import ScaleConfig
from depth_perception.records import Anchors, Use

CONFIG = ScaleConfig()
KINDS = ["metric", "scaled", "inverse"]
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def once(what: Unscaled, sources: list[Anchors], config: ScaleConfig = CONFIG, expected: bool = True) -> Alignment:
    return Aligner()(what, sources, NOW, config, expected)


# ------------------------------------------------------------------------------------------------ metres come out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("residual_field", [True, False])
def test_depth_is_metric(kind: str, residual_field: bool) -> None:
    out = once(view(kind), [beams()], ScaleConfig(residual_field=residual_field))
    assert out.depth is not None and out.std is not None and out.depth.dtype == out.std.dtype == np.float32
    assert abs_rel(out.depth) < 0.01
    quality = out.quality
    assert (quality.source, quality.held, quality.reason, quality.warnings) == ("lidar", False, "", ())
    expected = (3.0, 0.02) if kind == "inverse" else (1.7, 0.0)
    assert quality.scale == pytest.approx(expected[0], rel=0.01) and quality.shift == pytest.approx(
        expected[1], abs=2e-3
    )
    assert quality.count == 360 and quality.inlier_share > 0.97
    assert quality.held_out == 90 and quality.abs_rel < 0.015 and quality.delta1 == 1.0 and quality.rmse < 0.15
    assert np.isfinite(out.std).all() and (out.std > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_40_percent_outliers_change_abs_rel_by_less_than_a_hundredth(kind: str) -> None:
    what = view(kind, smooth_error(3, 0.05, 12.0))
    clean = abs_rel(once(what, [beams()]).depth)
    for seed in range(4):
        out = once(what, [beams(outliers=0.4, seed=seed)])
        assert abs(abs_rel(out.depth) - clean) < 0.01
        assert 0.55 < out.quality.inlier_share < 0.75
        assert out.quality.abs_rel < 0.06, "quality judges the depth, not the outliers"


def test_the_field_pulls_the_map_onto_the_anchors() -> None:
    """Where the network is 20 % off in one half, one scale can't be right; the field takes most of it away."""
    error = np.zeros((HEIGHT, WIDTH), np.float32)
    error[:, : WIDTH // 2] = 0.2
    with_field, without = (
        once(view("metric", error), [beams()], ScaleConfig(residual_field=on)) for on in (True, False)
    )
    assert abs_rel(without.depth) > 0.08 and abs_rel(with_field.depth) < 0.03


@pytest.mark.parametrize("seed", range(3))
def test_two_thirds_of_the_pixels_lie_within_one_std(seed: int) -> None:
    """Away from the anchors, after a few frames of calibration on anchors left out."""
    aligner, inside = Aligner(), []
    for frame in range(24):
        what = view("metric", smooth_error(100 * seed + frame, 0.12, 10.0))
        out = aligner(what, [beams(stamp_ns=NOW, seed=frame)], NOW + frame * SECOND // 10, CONFIG, True)
        assert out.depth is not None and out.std is not None
        rows = [r for r in range(HEIGHT) if min(abs(r - b) for b in (15, 45, 75, 105)) > 3]
        inside.append(np.mean((np.abs(out.depth - true_depth()) < out.std)[rows]))
    assert 0.55 < np.mean(inside[8:]) < 0.80


def test_std_grows_with_distance_and_follows_depth() -> None:
    out = once(view("metric", smooth_error(1, 0.12, 10.0)), [beams(rows=(60,), source="scan")])
    assert out.depth is not None and out.std is not None
    relative = (out.std / out.depth)[:, 60]
    assert (np.diff(relative[61:]) >= 0).all() and (np.diff(relative[:61]) <= 0).all()
    assert relative[0] > 1.5 * relative[60]


def test_an_error_common_to_all_ground_stays_in_std_and_covariance() -> None:
    """Its sigma is 8 % of depth in all anchors alike; 2000 of them don't make the scale any surer than that."""
    anchors = beams(tuple(range(60, 120)), 40, "ground")
    anchors = replace(anchors, sigma=0.08 * anchors.depth)
    out = once(view("metric"), [anchors])
    assert out.quality.relative_std > 0.08
    assert once(view("metric"), [replace(anchors, source="lidar")]).quality.relative_std < 0.06


# ------------------------------------------------------------------------------------------------ when anchors vanish


def test_a_fit_is_held_then_lost() -> None:
    aligner, nothing = Aligner(), []
    aligner(view("metric"), [beams()], NOW, CONFIG, True)
    relative = []
    for tenths in (1, 5, 19):
        out = aligner(view("metric"), nothing, NOW + tenths * SECOND // 10, CONFIG, True)
        assert out.quality.held and out.quality.source == "lidar" and out.quality.age_s == pytest.approx(tenths / 10)
        assert abs_rel(out.depth) < 0.01 and out.std is not None and out.depth is not None
        np.testing.assert_allclose(out.std / out.depth, out.quality.relative_std, rtol=1e-5)
        relative.append(out.quality.relative_std)
        assert out.quality.warnings == () and out.anchors == (), "who should have measured says why"
    for tenths, value in zip((1, 5, 19), relative, strict=True):  # in variances 5 % a second are added
        assert value**2 - relative[0] ** 2 == pytest.approx((0.005 * tenths) ** 2 - 0.005**2, abs=1e-6)
    out = aligner(view("metric"), nothing, NOW + 21 * SECOND // 10, CONFIG, True)
    assert out.depth is None and out.std is None and out.quality.source == "none"
    assert out.quality.reason == "" and out.anchors == ()


def test_a_held_fit_is_as_unsure_as_depth_far_from_anchors() -> None:
    """One beam sees little of the image: held, without the field's pull, all of it is as doubtful as its far pixels."""
    aligner, what = Aligner(), view("metric", smooth_error(1, 0.12, 10.0))
    fresh = aligner(what, [beams((60,), source="scan")], NOW, CONFIG, True)
    held = aligner(what, [], NOW + 1000, CONFIG, True)
    assert fresh.depth is not None and fresh.std is not None
    assert held.quality.relative_std >= 0.99 * (fresh.std / fresh.depth).max()


def test_a_held_fit_gets_old_by_the_images_clock_and_is_renewed() -> None:
    aligner = Aligner()
    for tenths in (0, 15, 30):
        held = aligner(view("inverse"), [], NOW + tenths * SECOND // 10, CONFIG, True)
        fresh = aligner(view("inverse"), [beams()], NOW + tenths * SECOND // 10, CONFIG, True)
        assert not fresh.quality.held and (held.depth is None) == (tenths == 0)


def test_the_models_own_metres_when_lost_if_asked_for() -> None:
    config, what = ScaleConfig(when_lost="prior"), view("metric")
    out = once(what, [beams(each=1)], config)
    assert out.depth is what.values and out.quality.source == "prior" and out.quality.relative_std == 0.2
    assert "4 usable anchors" in out.quality.warnings[0] and (out.anchors[0].use == Use.REFUSED).all()
    assert once(view("scaled"), [], config).depth is None, "a model without metres has none to fall back to"


def test_metres_that_nobody_measures_are_the_models_own_bit_for_bit() -> None:
    what = view("metric")
    out = once(what, [], expected=False)
    assert out.depth is what.values and out.quality == replace(out.quality, source="prior", warnings=(), held=False)
    np.testing.assert_array_equal(out.std, what.values * np.float32(0.2))
    assert once(view("metric", prior_std=float("nan")), [], expected=False).std is None
    assert once(view("scaled"), [], expected=False).depth is None


def test_ages_are_those_of_the_measurements() -> None:
    out = once(view("metric"), [beams(stamp_ns=NOW - SECOND // 20)])
    assert out.quality.age_s == pytest.approx(0.05)
    early = once(view("metric"), [beams(stamp_ns=NOW + SECOND // 20)])
    assert early.quality.age_s == pytest.approx(0.05)


def test_a_source_without_usable_anchors_has_no_age() -> None:
    empty = replace(beams((), 1, "stereo"), stamp_ns=NOW - 9 * SECOND, note="one eye is dark")
    out = once(view("metric"), [beams(), empty])
    assert out.quality.age_s == 0.0 and out.quality.source == "lidar"
    assert out.quality.warnings == ("stereo: one eye is dark",)


def test_a_clock_that_jumps_back_starts_anew() -> None:
    """A bag that loops onto another scale: without the reset this is a jump to be proved, and old metres are held."""
    aligner = Aligner()
    aligner(view("metric"), [beams()], NOW, CONFIG, True)
    out = aligner(view("metric"), [beams(factor=2.0, stamp_ns=NOW - 9 * SECOND)], NOW - 9 * SECOND, CONFIG, True)
    assert not out.quality.held and out.quality.scale == pytest.approx(3.4, rel=0.01)
    assert aligner(view("metric"), [], NOW - 20 * SECOND, CONFIG, True).depth is None


# ------------------------------------------------------------------------------------------------ what isn't believed


def complaint(out: Alignment) -> str:
    assert out.depth is None and out.std is None and out.quality.source == "none"
    assert len(out.anchors) == 1 and (out.anchors[0].use == Use.REFUSED).all(), "what was refused can be seen"
    return out.quality.reason


def test_too_few_anchors() -> None:
    assert "11 usable anchors, scale.min_anchors is 12" in complaint(once(view("metric"), [beams((60,), 11)]))
    assert once(view("metric"), [beams((60,), 12)]).depth is not None


def test_a_negative_scale() -> None:
    """Depth where the model promised inverse depth."""
    wrong = replace(view("inverse"), values=true_depth())
    assert "near and far are exchanged" in complaint(once(wrong, [beams()]))


@pytest.mark.parametrize("factor", [20.0, 1 / 20.0])
def test_an_implausible_scale(factor: float) -> None:
    assert "implausible" in complaint(once(view("metric"), [beams(factor=factor / 1.7)]))
    assert once(view("scaled"), [beams(factor=factor)]).depth is not None, "without metres of its own any scale goes"


@pytest.mark.parametrize("residual_field", [True, False])
def test_anchors_that_contradict_each_other(residual_field: bool) -> None:
    """Anchors of some other place: as far apart as the model's depth is, but in another order."""
    anchors, rng = beams(each=200), np.random.default_rng(0)
    depth, config = np.exp(rng.normal(1.5, 0.8, len(anchors))), ScaleConfig(residual_field=residual_field)
    assert "agree with each other" in complaint(
        once(view("metric"), [replace(anchors, depth=depth.astype(np.float32))], config)
    )


def test_a_jump_must_prove_itself() -> None:
    aligner = Aligner()
    for frame in range(3):
        aligner(view("metric"), [beams()], NOW + frame * SECOND // 10, CONFIG, True)
    doubted = [aligner(view("metric"), [beams(factor=3.0)], NOW + i * SECOND // 10, CONFIG, True) for i in (3, 4)]
    for out in doubted:
        assert out.quality.held and out.quality.scale == pytest.approx(1.7, rel=0.01)
        assert any("jumped" in warning for warning in out.quality.warnings)
        assert len(out.anchors[0].use) == 360 and (out.anchors[0].use == Use.REFUSED).all()
    taken = aligner(view("metric"), [beams(factor=3.0)], NOW + 5 * SECOND // 10, CONFIG, True)
    assert not taken.quality.held and taken.quality.scale == pytest.approx(5.1, rel=0.01)


def test_a_contradicting_source_is_named_and_left_out() -> None:
    stereo = beams(source="stereo", factor=1.3, seed=1)
    out = once(view("metric"), [stereo, beams()])
    assert out.quality.source == "lidar" and out.quality.scale == pytest.approx(1.7, rel=0.01)
    assert any("stereo is +30 % off" in warning for warning in out.quality.warnings)
    uses = {used.anchors.source: used.use for used in out.anchors}
    assert (uses["stereo"] == Use.REFUSED).all() and (uses["lidar"] != Use.REFUSED).mean() > 0.97


# ------------------------------------------------------------------------------------------------ only checked


def test_a_model_that_isnt_to_be_corrected_is_scored() -> None:
    config, what = ScaleConfig(correct_metric=False), view("metric")
    aligner = Aligner()
    for sources in ([beams()], [beams(outliers=0.4)], []):
        out = aligner(what, sources, NOW, config, True)
        assert out.depth is what.values and out.quality.source == "prior" and not out.quality.held
        if sources:
            assert out.quality.abs_rel == pytest.approx(1 - 1 / 1.7, abs=0.01)
            assert out.quality.held_out > 0.55 * out.quality.count
            assert out.quality.scale == 1.0 and {*out.anchors[0].use} <= {Use.HELD_OUT, Use.REFUSED}
    assert math.isnan(out.quality.abs_rel)


# ------------------------------------------------------------------------------------------------ what was left out


def test_every_beam_has_its_turn_to_judge() -> None:
    aligner, judges = Aligner(), set()
    for frame in range(8):
        out = aligner(view("metric"), [beams()], NOW + frame * SECOND // 10, CONFIG, True)
        use = out.anchors[0].use.reshape(4, 90)
        left_out = [beam for beam in range(4) if (use[beam] == Use.HELD_OUT).any()]
        assert len(left_out) == 1 and not (use[left_out[0]] == Use.FITTED).any(), "a beam goes as a whole"
        judges.add(left_out[0])
    assert judges == {0, 1, 2, 3}


def test_the_score_sees_what_the_fit_has_not() -> None:
    """The network is wrong along one beam only. Judged by that beam it is 15 % wrong; once fitted, it isn't."""
    error = np.zeros((HEIGHT, WIDTH), np.float32)
    error[70:81] = 0.15
    aligner, scores = Aligner(), {}
    for frame in range(4):
        out = aligner(view("metric", error), [beams()], NOW + frame, CONFIG, True)
        scores[int(np.flatnonzero((out.anchors[0].use.reshape(4, 90) == Use.HELD_OUT).any(axis=1))[0])] = (
            out.quality.abs_rel
        )
    assert scores[2] == pytest.approx(0.15, abs=0.04) and scores[0] < 0.03


def test_two_beams_leave_nothing_to_judge_with() -> None:
    out = once(view("metric"), [beams((30, 90))])
    assert out.depth is not None and out.quality.held_out == 0 and math.isnan(out.quality.abs_rel)
    assert once(view("metric"), [beams()], ScaleConfig(held_out_share=0.0)).quality.held_out == 0


def test_a_judge_whose_anchors_are_all_refused_says_nothing() -> None:
    """One whole beam is nonsense: when it is its turn there is no score, and depth is right all the same."""
    anchors, aligner = beams(), Aligner()
    wild = np.where(np.arange(len(anchors)) % 2, 8.0, 1 / 8.0)
    depth = np.where(anchors.group == 1, anchors.depth * wild, anchors.depth).astype(np.float32)
    outs = [aligner(view("metric"), [replace(anchors, depth=depth)], NOW + i, CONFIG, True) for i in range(4)]
    silent = [math.isnan(out.quality.abs_rel) for out in outs]
    assert silent.count(True) == 1 and [out.quality.held_out == 0 for out in outs] == silent
    assert max(abs_rel(out.depth) for out in outs) < 0.01


# ------------------------------------------------------------------------------------------------ bad numbers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_pixels_without_a_number_stay_without_and_spoil_nothing(kind: str, bad: float) -> None:
    what = view(kind)
    what.values[20:60, 20:90] = bad
    aligner = Aligner()
    for frame in range(3):
        out = aligner(what, [beams()], NOW + frame, CONFIG, True)
        assert out.depth is not None and out.std is not None
        good = np.ones((HEIGHT, WIDTH), bool)
        good[20:60, 20:90] = False
        assert np.abs(out.depth / true_depth() - 1.0)[good].mean() < 0.01
        assert np.isfinite(out.std[good]).all() and np.isfinite(out.quality.relative_std)
        assert np.isfinite(out.quality.abs_rel)


@pytest.mark.parametrize("kind", KINDS)
def test_a_prediction_of_nothing(kind: str) -> None:
    what = replace(view(kind), values=np.full((HEIGHT, WIDTH), np.nan, np.float32))
    assert "0 usable anchors" in complaint(once(what, [beams()]))


@pytest.mark.parametrize("kind", KINDS)
def test_anchors_of_one_depth_in_one_place(kind: str) -> None:
    """Nothing to fit a shift with; whatever comes out is finite or None."""
    anchors = beams((60,), 40)
    same = replace(anchors, uv=np.full_like(anchors.uv, 100.0), depth=np.full_like(anchors.depth, 6.0))
    out = once(view(kind), [same])
    assert out.depth is None or (np.isfinite(out.depth).all() and out.std is not None and np.isfinite(out.std).all())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [1e-30, 1e30])
def test_absurd_anchors(kind: str, depth: float) -> None:
    anchors = beams()
    out = once(view(kind), [replace(anchors, depth=np.full_like(anchors.depth, depth))])
    assert out.depth is None or kind != "metric"


def test_what_the_shift_makes_infinitely_far_stays_so_under_the_field() -> None:
    what = view("inverse", smooth_error(0, 0.1, 12.0))
    what.values[:10] = -0.05  # behind infinity
    out = once(what, [beams()])
    assert out.depth is not None and (out.depth[:10] == FARTHEST).all()


def test_the_correction_stays_within_what_the_anchors_say() -> None:
    """Anchors in one place that say a third of the depth (something that the network misses) may be followed there:
    never further, and not elsewhere."""
    anchors = beams()
    near = (anchors.uv[:, 0] < 60) & (anchors.group == 2)
    out = once(view("metric"), [replace(anchors, depth=np.where(near, anchors.depth / 3, anchors.depth))])
    assert out.depth is not None
    change = np.log(out.depth / true_depth())
    assert change.min() > -1.1 * np.log(3) and change.max() < 0.15
    assert np.abs(change[:, WIDTH // 2 :]).max() < 0.05


def test_sizes_may_change_between_frames() -> None:
    aligner = Aligner()
    aligner(view("metric"), [beams()], NOW, CONFIG, True)
    what = view("metric")
    small = replace(what, values=np.ascontiguousarray(what.values[::2, ::2]), image=picture())
    out = aligner(small, [beams()], NOW + 1, CONFIG, True)
    assert out.depth is not None and out.depth.shape == (HEIGHT // 2, WIDTH // 2)
    assert np.median(np.abs(out.depth / true_depth()[::2, ::2] - 1)) < 0.02


def test_a_tiny_prediction_without_a_field() -> None:
    what = replace(view("metric"), values=np.full((3, 3), 2.0, np.float32))
    out = once(what, [replace(beams(), depth=np.full(360, 4.0, np.float32))], ScaleConfig(residual_field=False))
    assert out.depth is not None
    np.testing.assert_allclose(out.depth, 4.0, rtol=1e-4)


ANY = st.one_of(st.floats(width=32), st.floats(0.5, 50.0, width=32))


@given(
    st.lists(st.tuples(st.floats(-9, 330), st.floats(-9, 200), ANY, ANY, st.integers(-1, 9)), min_size=12, max_size=60),
    st.sampled_from(KINDS), st.sampled_from(["lidar", "ground"]), st.booleans(), st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_no_anchors_and_no_prediction_stop_it(
    rows: list[tuple[float, ...]], kind: str, source: str, residual_field: bool, seed: int
) -> None:
    """Whatever comes, depth is positive where the prediction is, std is with it, and nothing is raised."""
    table, rng = np.array(rows, np.float64), np.random.default_rng(seed)
    what = view(kind, rng.normal(0.0, 0.3, (HEIGHT, WIDTH)))
    what.values[rng.random((HEIGHT, WIDTH)) < 0.3] = rng.choice([np.nan, np.inf, 0.0, -1.0])
    arrays = [table[:, :2].astype(np.float32), *table[:, 2:4].T.astype(np.float32), table[:, 4].astype(np.int32)]
    aligner, config = Aligner(), ScaleConfig(min_anchors=3, residual_field=residual_field, min_inlier_share=0.1)
    for i in range(3):
        out = aligner(what, [Anchors(*arrays, source, NOW)], NOW + i, config, True)
        if out.depth is not None:
            assert out.std is not None and out.depth.shape == out.std.shape == (HEIGHT, WIDTH)
            good = np.isfinite(what.values) & (what.values > 0)
            assert np.isfinite(out.depth[good]).all() and (out.depth[good] > 0).all()
            assert np.isfinite(out.std[good]).all() and (out.std[good] > 0).all()
            assert np.isfinite(out.quality.scale) and np.isfinite(out.quality.relative_std)
