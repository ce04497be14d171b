"""The training loop on a tiny world: it learns, stops, resumes to the same state, and can be exported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rendered_worlds import write_world

from training.default_config import DefaultTraining
from training.export import main as export_main
from training.train_default import Trainer, one_cycle, train

CONFIG = DefaultTraining(
    small_sizes=((32, 64),), final_sizes=((32, 64),), export_sizes=((64, 128),),
    batch_pixels=4 * 32 * 64, batches_per_scan=1000, steps=32, threads=1,
    workers=0, log_every=4, warmup=0.1, validation_every=2, ema_decay=0.8, learning_rate=0.02,
)  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for seed in (1, 2):
        write_world(tmp_path / "data", seed)
    return tmp_path / "data"


def lines(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_it_learns_and_exports(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    trainer = train(CONFIG, data, run, resume=False)
    assert trainer.step_number == 32
    log = lines(run)
    assert log[7]["l1"] < 0.75 * log[0]["l1"]
    assert log[-1]["val_abs_rel"] > 0.0
    assert (run / "config.yaml").read_text().startswith("name: default")
    export_main([str(run / "checkpoint.pt"), str(tmp_path / "out"), "--relative-std", "0.4"])
    assert (tmp_path / "out" / "default_64x128.onnx").is_file()


def test_resuming_gives_the_same_weights_as_never_stopping(data: Path, tmp_path: Path) -> None:
    whole = train(CONFIG, data, tmp_path / "whole", resume=False, stop_after=6)
    train(CONFIG, data, tmp_path / "parts", resume=False, stop_after=3)
    parts = train(CONFIG, data, tmp_path / "parts", resume=True, stop_after=3)
    assert parts.step_number == whole.step_number == 6
    for name in ("network", "average"):
        states = getattr(whole, name).state_dict(), getattr(parts, name).state_dict()
        for key, value in states[0].items():
            np.testing.assert_allclose(value.numpy(), states[1][key].numpy(), atol=1e-6, err_msg=key)


def test_the_schedule_by_hand() -> None:
    assert one_cycle(0.05, 0.1) == pytest.approx(0.5)
    assert one_cycle(0.1, 0.1) == pytest.approx(1.0)
    assert one_cycle(0.55, 0.1) == pytest.approx(0.501)
    assert one_cycle(1.0, 0.1) == pytest.approx(0.002)
    trainer = Trainer(CONFIG)
    trainer.step_number = 8
    assert trainer.progress() == 0.25
    trainer = Trainer(DefaultTraining(minutes=2.0))
    trainer.trained_s = 30.0
    assert trainer.progress() == 0.25


def test_the_average_follows_the_weights() -> None:
    trainer = Trainer(CONFIG)
    before = trainer.average.head.bias.detach().clone()
    with torch.no_grad():
        trainer.network.head.bias += 1.0
    trainer.step_number = 10  # decay min(0.8, 11 / 20)
    trainer._update_average()
    assert (trainer.average.head.bias - before).item() == pytest.approx(9 / 20)
