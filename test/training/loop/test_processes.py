"""Two processes with gloo give the gradient of one with the joint batch, started as a user starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
import yaml
from training_runs import settings, weights, write_drives

from training.loop.model import make_networks
from training.loop.overrides import plain

ROOT = Path(__file__).parents[3]
RATE = 1.0
# Sums over everything, divided by the batch's size; no normalisation whose statistics would be each process' own
EXACT = {
    "recipe": "kuznietsov_l2", "network": {"name": "student"}, "epochs": 1,
    "optimiser": {"name": "sgd", "learning_rate": RATE, "momentum": 0.0, "ema_decay": 0.0, "gradient_clip": 0.0,
                  "schedule": "constant"},
    "objective": {"fade_in": False, "beta": 1e-4, "gamma": 1e-4, "regularisation": 1e-2},
}  # fmt: skip


def run(folder: Path, drives: Path, name: str, batch: int, processes: int) -> dict[str, torch.Tensor]:
    recipe = folder / f"{name}.yaml"
    config = settings(**EXACT, data={"batch_size": batch}, hardware={"devices": processes})
    recipe.write_text(yaml.safe_dump(plain(config)))
    command = [sys.executable, "-m", "training.train", str(recipe), "--data", str(drives), "--out", str(folder / name)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("epoch 1 of 1") == 1  # one process speaks
    return weights(folder / name / "weights.safetensors")


def test_two_processes_step_as_one_with_the_joint_batch(tmp_path: Path) -> None:
    drives = write_drives(tmp_path / "drives", frames=8)
    start = make_networks(settings(**EXACT)).state_dict()
    one, two = run(tmp_path, drives, "one", 8, 1), run(tmp_path, drives, "two", 4, 2)  # one step each
    assert one.keys() == two.keys() == start.keys()
    for name in one:
        moved = start[name] - one[name]
        assert moved.abs().max() > 1e-5, name
        torch.testing.assert_close(start[name] - two[name], moved, rtol=1e-4, atol=1e-6, msg=name)
