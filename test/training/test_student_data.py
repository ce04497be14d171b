"""Augmentations of one photograph, their known warp, and the split."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from depth_perception.errors import ConfigError
from training.student_config import StudentConfig
from training.student_data import augment, make_data, split, warp_nearest

STILL = {"rotation_deg": 0.0, "jitter": 0.0, "hue_deg": 0.0}


def photo(height: int = 90, width: int = 120) -> np.ndarray:
    """A smooth picture that is different everywhere."""
    noise = np.random.default_rng(0).uniform(0, 255, (height // 15, width // 15, 3)).astype(np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


class TestAugment:
    def test_without_turn_and_colour_it_is_the_photograph_or_its_mirror_image(self) -> None:
        config = StudentConfig(size=32, **STILL)
        plain = cv2.resize(photo(), (32, 32), interpolation=cv2.INTER_AREA)
        views = [augment(photo(), index, config) for index in range(40)]
        flipped = [view.matrix[0, 0] < 0 for view in views]
        assert 10 < sum(flipped) < 30
        for view, flip in zip(views, flipped, strict=True):
            expected = plain[:, ::-1] if flip else plain
            assert np.abs(view.image.astype(int) - expected).max() <= 1  # rounding of the colour space
            assert view.inside.all()

    def test_the_same_index_gives_the_same_view_and_another_one_another(self) -> None:
        config = StudentConfig(size=32)
        first, again, other = (augment(photo(), index, config) for index in (3, 3, 4))
        assert (first.image == again.image).all() and (first.matrix == again.matrix).all()
        assert (first.matrix != other.matrix).any() and (first.image != other.image).any()
        assert (augment(photo(), 3, StudentConfig(size=32, seed=1)).matrix != first.matrix).any()

    @pytest.mark.parametrize("index", range(6))
    def test_the_matrix_says_where_a_point_went(self, index: int) -> None:
        picture = np.zeros((90, 120, 3), np.uint8)
        cv2.circle(picture, (80, 30), 4, (255, 255, 255), -1)
        view = augment(picture, index, StudentConfig(size=64, rotation_deg=25.0))
        v, u = np.mgrid[:64, :64]
        weight = view.image.sum(axis=2).astype(float)
        centre = np.array([(u * weight).sum(), (v * weight).sum()]) / weight.sum()
        # scaling without the half-pixel term would be off by 0.23 and 0.14 px
        assert centre == pytest.approx((view.matrix @ [80, 30, 1])[:2], abs=0.08)

    def test_corners_that_show_no_photograph_are_known(self) -> None:
        view = next(
            view
            for view in (augment(photo(), i, StudentConfig(size=64, rotation_deg=20.0)) for i in range(50))
            if abs(np.degrees(np.arcsin(view.matrix[1, 0] / (64 / 90)))) > 15
        )
        assert not view.inside[0, 0] or not view.inside[0, -1]
        assert view.inside[16:48, 16:48].all()
        assert 0.8 < view.inside.mean() < 0.99

    def test_colour_moves_and_geometry_does_not(self) -> None:
        views = [augment(photo(), i, StudentConfig(size=32, rotation_deg=0.0)) for i in range(20)]
        means = np.array([view.image.mean(axis=(0, 1)) for view in views])
        assert np.ptp(means.mean(axis=1)) > 15  # brightness within +-20 %
        assert all((np.abs(view.matrix[1]) == np.abs(views[0].matrix[1])).all() for view in views)


class TestExactLabels:
    def test_depth_goes_where_the_picture_goes(self) -> None:
        value = np.add.outer(np.zeros(90), np.arange(120)).astype(np.float32)  # its own column
        view = augment(photo(), 1, StudentConfig(size=40, rotation_deg=15.0))
        warped = warp_nearest(value, view)
        v, u = np.mgrid[:40, :40]
        columns = (np.linalg.inv(view.matrix) @ np.stack([u.ravel(), v.ravel(), np.ones(1600)]))[0].reshape(40, 40)
        assert (np.isnan(warped) == ~view.inside).all()
        assert np.abs(warped - columns)[view.inside].max() <= 0.55

    def test_two_surfaces_are_never_mixed(self) -> None:
        depth = np.full((90, 120), 1.0, np.float32)
        depth[:, 60:] = 5.0
        warped = warp_nearest(depth, augment(photo(), 2, StudentConfig(size=40)))
        assert set(np.unique(warped[np.isfinite(warped)])) == {1.0, 5.0}


class TestSplit:
    def test_disjoint_complete_and_80_to_20(self) -> None:
        train, validation = split(300, 0.2, seed=0)
        assert (len(train), len(validation)) == (240, 60)
        assert sorted([*train, *validation]) == list(range(300))

    def test_seeded(self) -> None:
        assert (split(300, 0.2, seed=5)[1] == split(300, 0.2, seed=5)[1]).all()
        assert (split(300, 0.2, seed=5)[1] != split(300, 0.2, seed=6)[1]).any()

    def test_neither_part_is_empty(self) -> None:
        assert [len(part) for part in split(2, 0.01, seed=0)] == [1, 1]
        assert [len(part) for part in split(3, 0.9, seed=0)] == [1, 2]


class TestMakeData:
    def test_no_view_is_in_both_parts(self) -> None:
        data = make_data(photo(), lambda view: np.ones((16, 16), np.float32), StudentConfig(size=16, augmentations=60))
        seen = [{data.images[index].tobytes() for index in part} for part in (data.train, data.validation)]
        assert len(seen[0]) == 48 and len(seen[1]) == 12 and not seen[0] & seen[1]

    def test_labels_are_scaled_and_unknown_off_the_photograph(self) -> None:
        config = StudentConfig(size=32, augmentations=8, label_scale=1000.0)
        data = make_data(photo(), lambda view: np.full((32, 32), 0.5, np.float32), config)
        assert data.labels.shape == (8, 32, 32) and data.labels.dtype == np.float32
        assert (data.labels[data.inside] == 500.0).all() and np.isnan(data.labels[~data.inside]).all()
        assert not data.inside.all()

    def test_the_labeller_sees_the_augmented_view(self) -> None:
        config = StudentConfig(size=16, augmentations=5)
        data = make_data(photo(), lambda view: view.image[..., 0].astype(np.float32), config)
        for image, label, inside in zip(data.images, data.labels, data.inside, strict=True):
            assert (label[inside] == 1000.0 * image[..., 0][inside]).all()

    def test_a_teacher_that_says_nothing_is_refused(self) -> None:
        nothing = np.full((16, 16), np.nan, np.float32)
        with pytest.raises(ConfigError, match="labels no pixel"):
            make_data(photo(), lambda view: nothing, StudentConfig(size=16, augmentations=2))
