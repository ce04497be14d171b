"""Rendered worlds → batches: which worlds count, what the target is, and that nothing depends on when it is asked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from rendered_worlds import FRAMES, write_world

from depth_perception.errors import ConfigError
from training.default_config import DefaultTraining, from_dict, read_recipe, to_dict
from training.sim_augmentation import Sample
from training.sim_dataset import SimBatches, canonical_target, complete_worlds, split_worlds

CONFIG = DefaultTraining(
    small_sizes=((32, 64), (64, 64)), final_sizes=((64, 96),), small_until=0.5, steps=8,
    batch_pixels=8192, batches_per_scan=2, validation_every=5,
)  # fmt: skip


def test_only_complete_worlds_count_and_the_split_is_by_seed(tmp_path: Path) -> None:
    for seed in (3, 5, 10, 11):
        write_world(tmp_path, seed, "street")
    write_world(tmp_path, 12, complete=False)
    worlds = complete_worlds(tmp_path)
    expected = [(seed, "street", FRAMES) for seed in (3, 5, 10, 11)]
    assert [(world.seed, world.kind, world.frames) for world in worlds] == expected
    training, validation = split_worlds(worlds, 5)
    assert [world.seed for world in training] == [3, 11]
    assert [world.seed for world in validation] == [5, 10]


def test_target_by_hand() -> None:
    depth = np.array([[2.0, np.inf, np.nan, 1000.0]], np.float32)
    sample = Sample(np.zeros((1, 4, 3), np.uint8), depth, np.diag([125.0, 400.0, 1.0]))  # fx counts, not fy
    log_depth, weight = canonical_target(sample, DefaultTraining(canonical_focal=250.0, sky_weight=0.2))
    np.testing.assert_allclose(np.exp(log_depth[0, [0, 1, 3]]), [4.0, 200.0, 200.0], rtol=1e-5)
    np.testing.assert_allclose(weight[0], [1.0, 0.2, 0.0, 1.0])


def test_batches_follow_from_their_number_and_find_new_worlds(tmp_path: Path) -> None:
    write_world(tmp_path, 1)
    data = SimBatches(tmp_path, CONFIG)
    first, second = data[0], data[1]
    assert first.image.shape == (4, 32, 64, 3)
    assert second.image.shape == (2, 64, 64, 3)
    assert second.log_depth.shape == second.weight.shape == (2, 64, 64)
    assert data[3].image.shape == (2, 64, 64, 3)
    assert data[4].image.shape == (2, 64, 96, 3)  # half of 8 steps
    np.testing.assert_array_equal(SimBatches(tmp_path, CONFIG)[1].image, second.image)
    data[1]
    write_world(tmp_path, 2)
    np.testing.assert_array_equal(data[1].image, second.image)  # not before the next look
    data[2]
    assert {world.seed for world in data._worlds} == {1, 2}


def test_no_world_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"render_sim"):
        SimBatches(tmp_path, CONFIG)[0]


def test_a_test_world_among_the_training_worlds_is_refused(tmp_path: Path) -> None:
    write_world(tmp_path, 900001)
    with pytest.raises(ConfigError, match="900001"):
        SimBatches(tmp_path, CONFIG)[0]


def test_recipe_round_trip_and_unknown_setting(tmp_path: Path) -> None:
    assert from_dict(to_dict(CONFIG)) == CONFIG
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("seed: 7\nsteps: 10\n")
    assert read_recipe(recipe, steps=20, minutes=None) == dataclasses.replace(DefaultTraining(), seed=7, steps=20)
    recipe.write_text("sed: 7\n")
    with pytest.raises(ConfigError, match="'sed'"):
        read_recipe(recipe)
