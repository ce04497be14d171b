"""Crops, caps, alignment, bands and coverage against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depth_perception.errors import ConfigError
from depth_perception.records import DepthKind
from training.evaluation.alignment import Alignment, check, fit
from training.evaluation.coverage import distance_px, groups, reached_rows
from training.evaluation.protocol import Cap, Protocol, crop_window, parse_cap
from training.evaluation.scores import METRICS, mean_score, score, score_image
from training.metrics import inverse_metrics

NAN = np.float32(np.nan)
WIDE = Cap(1e-3, 80.0)
TARGET = np.array([[1.0, 2.0, 4.0, 8.0], [3.0, 5.0, 10.0, 20.0]], np.float32)


def flat(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


class TestCrop:
    def test_published_ranges_at_kittis_size(self) -> None:
        assert crop_window("eigen", 375, 1242) == (124, 342, 44, 1197)
        assert crop_window("garg", 375, 1242) == (153, 371, 44, 1197)
        assert crop_window("none", 375, 1242) == (0, 375, 0, 1242)

    @pytest.mark.parametrize("crop", ["eigen", "garg"])
    def test_counts_at_kittis_size(self, crop: str) -> None:
        counted = Protocol(crop).counted(np.full((375, 1242), 10.0, np.float32))
        assert counted.sum() == 218 * 1153 == 251354
        top, bottom, left, right = crop_window(crop, 375, 1242)
        assert counted[top, left] and counted[bottom - 1, right - 1]
        assert not counted[top - 1].any() and not counted[bottom:].any() and not counted[:, right:].any()

    def test_another_size_is_cut_to_whole_pixels(self) -> None:
        # 192 rows: 63.8, 175.4 and 78.4, 190.4; 640 columns: 23.0 and 617.0 (23.007, 616.99)
        assert crop_window("eigen", 192, 640) == (63, 175, 23, 616)
        assert crop_window("garg", 192, 640) == (78, 190, 23, 616)

    def test_an_unknown_one_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="'square' isn't known"):
            Protocol("square")


class TestCap:
    def test_references_lie_strictly_within(self) -> None:
        target = flat(0.0005, 0.001, 1.0, 79.9, 80.0, 90.0, np.nan, np.inf, 0.0)[None]
        assert Protocol().counted(target).tolist() == [[False, False, True, True, False, False, False, False, False]]
        garg = Protocol(cap=parse_cap("1-50"))
        assert garg.counted(flat(1.0, 1.01, 49.9, 50.0)[None]).tolist() == [[False, True, True, False]]
        assert Protocol(cap=None).counted(flat(0.0005, 1000.0, np.inf)[None]).tolist() == [[True, True, False]]

    def test_the_minimum_is_of_references_only(self) -> None:
        protocol = Protocol(cap=None, min_depth=5.0)
        target = flat(4.99, 5.0, 6.0)[None]
        assert protocol.counted(target).tolist() == [[False, True, True]]
        prediction = flat(9.0, 2.5, 6.0)[None]  # 2.5 m stays 2.5 m: |2.5 - 5| / 5 = 0.5
        found = score_image("", prediction, target, False, protocol, Cap(0.1, 100.0))
        assert found is not None and found.overall["none"].depth.abs_rel == pytest.approx(0.25)

    def test_predictions_are_limited(self) -> None:
        found = score_image(
            "", flat(200.0, 0.1)[None], flat(40.0, 2.0)[None], False, Protocol(cap=Cap(1, 50)), Cap(1, 50)
        )
        assert found is not None
        assert found.overall["none"].depth.abs_rel == pytest.approx((10 / 40 + 1 / 2) / 2)  # 200 -> 50, 0.1 -> 1

    def test_texts(self) -> None:
        assert parse_cap("80") == Cap(1e-3, 80.0) and parse_cap("1-50") == Cap(1.0, 50.0) and parse_cap("none") is None
        for wrong in ("50-1", "far", "-5", "1-2-3", "0-80", "1-inf", ""):
            with pytest.raises(ConfigError, match="--cap"):
                parse_cap(wrong)
        with pytest.raises(ConfigError, match=r"min-depth 80\.0 leaves no depth"):
            Protocol(min_depth=80.0)


class TestAlignment:
    def test_median_by_hand(self) -> None:
        found = fit("median", flat(1, 2, 9), flat(4, 6, 100), False, WIDE)
        assert (found.space, found.scale, found.shift) == ("depth", 3.0, 0.0)
        assert found(flat(1, 2, 9), False).tolist() == [3.0, 6.0, 27.0]

    def test_the_median_is_taken_before_limits(self) -> None:
        assert fit("median", flat(100, 200, 900), flat(4, 6, 100), False, WIDE).scale == pytest.approx(0.03)

    @pytest.mark.parametrize("is_inverse", [False, True])
    def test_affine_by_hand(self, is_inverse: bool) -> None:
        inverse = flat(0.5, 0.25, 0.125)  # 1 / target = 2 * inverse + 0.1
        target = 1.0 / (2.0 * inverse + 0.1)
        prediction = inverse if is_inverse else 1.0 / inverse
        found = fit("affine", prediction, target.astype(np.float32), is_inverse, WIDE)
        assert found.space == "inverse_depth"
        assert (found.scale, found.shift) == pytest.approx((2.0, 0.1), abs=1e-5)
        assert found(prediction, is_inverse) == pytest.approx(target, rel=1e-5)

    def test_inverse_depth_of_nothing_is_the_farthest(self) -> None:
        aligned = Alignment("inverse_depth", 1.0, -0.5, WIDE)
        assert aligned(flat(0.1, 0.5, 1.5, 1e6), True) == pytest.approx([80.0, 80.0, 1.0, 1e-3])

    @given(st.floats(0.02, 50.0))
    def test_the_median_makes_scale_irrelevant(self, scale: float) -> None:
        prediction = np.array([[1.5, 2.0, 3.0, 9.0], [3.0, 4.0, 12.0, 20.0]], np.float32)
        protocol = Protocol(align="median")
        one = score_image("", prediction, TARGET, False, protocol, WIDE)
        other = score_image("", prediction * np.float32(scale), TARGET, False, protocol, WIDE)
        assert one is not None and other is not None
        for align in ("median", "affine"):
            for metric in METRICS:
                expected = one.overall[align].value(metric)
                assert other.overall[align].value(metric) == pytest.approx(expected, rel=1e-4, abs=1e-4)

    @given(st.floats(0.1, 10.0), st.floats(-3.0, 3.0))
    def test_affine_makes_scale_and_shift_irrelevant(self, scale: float, shift: float) -> None:
        inverse = (1.0 / TARGET + np.float32(0.01) * TARGET).astype(np.float32)
        protocol = Protocol(align="affine")
        one = score_image("", inverse, TARGET, True, protocol, WIDE, ("affine",))
        other = score_image(
            "", np.float32(scale) * inverse + np.float32(shift), TARGET, True, protocol, WIDE, ("affine",)
        )
        assert one is not None and other is not None
        assert other.overall["affine"].depth.abs_rel == pytest.approx(one.overall["affine"].depth.abs_rel, rel=2e-3)

    def test_kinds_that_need_one(self) -> None:
        for align in ("none", "median"):
            with pytest.raises(ConfigError, match=r"relative_inverse_depth.*say --align affine"):
                check(DepthKind.RELATIVE_INVERSE, align)
        with pytest.raises(ConfigError, match=r"scaled_depth.*say --align median"):
            check(DepthKind.SCALED, "none")
        check(DepthKind.SCALED, "median")
        check(DepthKind.RELATIVE_INVERSE, "affine")
        check(DepthKind.METRIC, "none")
        with pytest.raises(ConfigError, match="'mean' isn't known"):
            Protocol(align="mean")


class TestScores:
    def test_every_metric_by_hand(self) -> None:
        found = score(flat(2.0, 6.0), flat(1.0, 4.0))  # relative 1 and 0.5, squared 1 and 4
        logs = math.log(2.0), math.log(1.5)
        expected = {
            "abs_rel": 0.75, "sq_rel": 1.0, "rmse": math.sqrt(2.5), "mae": 1.5,
            "rmse_log": math.sqrt((logs[0] ** 2 + logs[1] ** 2) / 2), "silog": 50 * (logs[0] - logs[1]),
            "irmse": 1000 * math.sqrt((0.5**2 + (1 / 12) ** 2) / 2), "imae": 1000 * (0.5 + 1 / 12) / 2,
            "delta1": 0.0, "delta2": 0.5, "delta3": 0.5,
        }  # fmt: skip
        assert {name: found.value(name) for name in METRICS} == pytest.approx(expected, rel=1e-6)

    def test_inverse_metrics_count_only_what_is_known(self) -> None:
        found = inverse_metrics(flat(2.0, 7.0, 7.0), flat(4.0, np.nan, 0.0))
        assert (found.irmse, found.imae) == pytest.approx((250.0, 250.0))
        assert math.isnan(inverse_metrics(flat(1.0), flat(np.nan)).irmse)
        with pytest.raises(ValueError, match="clamp"):
            inverse_metrics(flat(0.0), flat(1.0))

    def test_bands_hold_their_lower_edge(self) -> None:
        target, prediction = flat(1.0, 2.0, 4.9, 5.0)[None], flat(1.1, 2.4, 4.9, 10.0)[None]
        found = score_image("", prediction, target, False, Protocol(), WIDE, bands=(2.0, 5.0, 6.0, 7.0))
        assert found is not None
        assert {name: one.pixels for name, one in found.bands.items()} == {"2-5 m": 2, "5-6 m": 1, "6-7 m": 0}
        assert found.bands["2-5 m"].depth.abs_rel == pytest.approx(0.1)
        assert found.bands["5-6 m"].depth.abs_rel == pytest.approx(1.0)

    def test_bands_and_groups_are_of_the_chosen_alignment(self) -> None:
        masks = {"all": np.ones((2, 4), bool)}
        for align, error in (("none", 1.0), ("median", 0.0)):
            protocol = Protocol(align=align)
            found = score_image("", 2 * TARGET, TARGET, False, protocol, WIDE, bands=(0.0, 80.0), groups=masks)
            assert found is not None
            for part in (found.bands["0-80 m"], found.groups["all"]):
                assert part.depth.abs_rel == pytest.approx(error, abs=1e-6)

    def test_images_weigh_the_same_and_empty_ones_nothing(self) -> None:
        none = np.zeros(0, np.float32)
        found = mean_score([score(flat(1.1), flat(1.0)), score(flat(1.3, 1.3, 1.3), flat(1, 1, 1)), score(none, none)])
        assert (found.images, found.pixels) == (2, 4)
        assert found.value("abs_rel") == pytest.approx(0.2, rel=1e-5)
        assert found.value("imae") == pytest.approx(500 * (2 - 1 / 1.1 - 1 / 1.3), rel=1e-5)
        assert math.isnan(mean_score([]).value("irmse"))

    def test_nothing_counted_is_none(self) -> None:
        assert score_image("", flat(1.0)[None], flat(90.0)[None], False, Protocol(), WIDE) is None


class TestCoverage:
    MEASURED = np.full((7, 9), NAN)
    MEASURED[2, 3] = MEASURED[4, 8] = 5.0

    def test_rows_between_the_first_and_the_last_beam(self) -> None:
        assert reached_rows(self.MEASURED).all(axis=1).tolist() == [False, False, True, True, True, False, False]
        assert not reached_rows(np.full((3, 4), NAN)).any()

    def test_distance_is_to_the_nearest_pixels_centre(self) -> None:
        distance = distance_px(self.MEASURED)
        assert distance[2, 3] == 0 and distance[6, 0] == 5  # 3 and 4 pixels away from (3, 2)
        assert distance[6, 7] == pytest.approx(math.sqrt(5), abs=1e-5)
        assert np.isinf(distance_px(np.full((3, 4), NAN))).all()

    def test_groups_cover_every_pixel_once(self) -> None:
        measured = np.full((3, 100), NAN)
        measured[1, 0] = 2.0
        for given_map, counts in ((measured, (6, 18, 72, 204)), (np.full((3, 100), NAN), (0, 0, 0, 300))):
            found = groups(given_map)
            inside, outside, *near = found.values()
            assert (inside ^ outside).all() and (np.sum(near, axis=0) == 1).all()
            if counts[0]:  # distances from (0, 1): columns 0 and 1 are nearer than 2, and so on
                assert [int(mask.sum()) for mask in near] == list(counts)
                assert inside.sum() == 100

    def test_scores_of_groups_are_of_their_pixels(self) -> None:
        prediction = TARGET * np.array([[1.1], [1.5]], np.float32)
        masks = {"top": np.array([[True] * 4, [False] * 4]), "none": np.zeros((2, 4), bool)}
        found = score_image("", prediction, TARGET, False, Protocol(), WIDE, groups=masks)
        assert found is not None and found.groups["top"].pixels == 4 and found.groups["none"].pixels == 0
        assert found.groups["top"].depth.abs_rel == pytest.approx(0.1, rel=1e-5)
