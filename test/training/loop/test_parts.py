"""Learning rate, average, a process' part of a batch, scores: by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from training.loop.average import copy_of, follow
from training.loop.configuration import OptimiserConfig, ValidationConfig
from training.loop.data import Part
from training.loop.schedule import make_optimiser, rate_at
from training.loop.validation import Frame, scores
from training.samplers import EpochBatches, HalfBatches


def test_the_rate_is_halved_every_so_many_epochs() -> None:
    config = OptimiserConfig(learning_rate=2e-4, schedule="halving", halve_every=40)
    assert [rate_at(config, epoch * 7, 7, 100) for epoch in (0, 39, 40, 80)] == [2e-4, 2e-4, 1e-4, 5e-5]
    assert rate_at(config, 40 * 7 - 1, 7, 100) == 2e-4


def test_the_rate_warms_up_and_follows_a_cosine() -> None:
    config = OptimiserConfig(learning_rate=1.0, schedule="cosine", warmup_steps=4)
    assert [rate_at(config, step, 6, 2) for step in (0, 1, 3, 4)] == pytest.approx([0.25, 0.5, 1.0, 1.0])
    assert rate_at(config, 8, 6, 2) == pytest.approx(0.5)  # the middle of steps 4 to 12
    assert rate_at(config, 12, 6, 2) == pytest.approx(0.0)
    assert rate_at(OptimiserConfig(learning_rate=0.3, schedule="constant"), 1000, 6, 2) == 0.3


def test_only_weights_decay() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    decayed, others = make_optimiser(module, OptimiserConfig(weight_decay=0.1)).param_groups
    assert [one.shape for one in decayed["params"]] == [(4, 3, 3, 3)] and decayed["weight_decay"] == 0.1
    assert len(others["params"]) == 3 and others["weight_decay"] == 0.0


def test_the_average_follows() -> None:
    module = nn.BatchNorm1d(1)
    average = copy_of(module)
    with torch.no_grad():
        module.weight += 1.0
    module.num_batches_tracked += 3
    follow(average, module, 0.8, step=10)  # min(0.8, 11 / 20)
    assert average.weight.item() == pytest.approx(1 + 9 / 20)
    assert average.num_batches_tracked == 3
    follow(average, module, 0.8, step=1000)
    assert average.weight.item() == pytest.approx(2 - 0.8 * 11 / 20)
    assert not average.training and not average.weight.requires_grad and module.training


def test_parts_of_processes_together_are_one_batch() -> None:
    whole = EpochBatches(22, 8, seed=3)
    parts = [Part(EpochBatches(22, 8, seed=3), rank, 4) for rank in range(4)]
    for part in parts:
        part.start_at(epoch=2, first=0)
    whole.set_epoch(2)
    drawn = [list(part) for part in parts]
    for place, draws in enumerate(whole):
        mine = [draw for part in drawn for draw in part[place]]
        assert sorted(mine) == sorted(draws[: len(draws) // 4 * 4])  # the last batch has 6: two are left out
    assert [len(part) for part in parts] == [3] * 4 == [len(one) for one in drawn]


def test_a_last_batch_that_is_too_small_for_all_is_left_out() -> None:
    part = Part(EpochBatches(9, 8, seed=3), 1, 2)
    assert len(part) == 1 == len(list(part))


def test_a_part_starts_where_a_run_stopped() -> None:
    part, whole = Part(EpochBatches(10, 3, 5)), EpochBatches(10, 3, 5)
    part.start_at(epoch=4, first=2)
    whole.set_epoch(4)
    assert list(part) == list(whole)[2:] and len(part) == 4


def test_each_process_gets_half_of_u_and_half_of_s() -> None:
    part = Part(HalfBatches(16, [1, 2, 3], 8, seed=1), 1, 2)
    for draws in part:
        assert [draw.supervised for draw in draws] == [False, False, True, True]


def frame(inverse: list[float], measured: list[float]) -> Frame:
    picture = np.zeros((1, len(inverse), 3), np.uint8)
    return Frame(picture, np.array([inverse], np.float32), np.array([measured], np.float32))


def test_scores_by_hand() -> None:
    limits = ValidationConfig(min_depth=1.0, max_depth=10.0)
    # predicted 2, 4, 10 (clamped from 20) against 4, 8, 5; 0.5 m and NaN don't count
    one = frame([0.5, 0.25, 0.05, 0.5, 0.5], [4.0, 8.0, 5.0, 0.5, float("nan")])
    found = scores([one], limits, constant=4.0)
    assert found.plain.abs_rel == pytest.approx((0.5 + 0.5 + 1.0) / 3)
    # median of 2, 4, 20 is 4, of the measured 5: times 1.25 gives 2.5, 5, 25 → 10
    assert found.median.abs_rel == pytest.approx((1.5 / 4 + 3 / 8 + 1.0) / 3)
    assert found.constant is not None
    assert found.constant.abs_rel == pytest.approx((0.0 + 0.5 + 0.2) / 3)
    assert found.entry()["abs_rel_constant"] == found.constant.abs_rel


def test_alignment_takes_any_scale_and_shift_of_inverse_depth_away() -> None:
    measured = [2.0, 4.0, 5.0, 8.0]
    one = frame([3.0 + 7.0 / metres for metres in measured], measured)
    found = scores([one, frame([1.0], [float("nan")])], ValidationConfig(min_depth=1.0), None)
    assert found.aligned.abs_rel == pytest.approx(0.0, abs=1e-5) and found.plain.abs_rel > 0.3
    assert found.constant is None and "abs_rel_constant" not in found.entry()
