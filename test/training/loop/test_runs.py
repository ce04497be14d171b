"""Whole runs on a tiny dataset: going on exactly, stopping, refusing, and what is left behind."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from small_networks import small_network
from torch import nn
from training_runs import Dropping, dropping, same, settings, weights, write_drives

from depth_perception.errors import ConfigError, ModelError
from training.loop import training as loop
from training.loop.configuration import read_config
from training.loop.guard import NotFiniteError
from training.loop.hardware import make_fabric
from training.loop.overrides import plain
from training.loop.run_folder import load_networks
from training.networks.real_time import RealTimeDepth
from training.train import main, train

ROOT = Path(__file__).parents[3]
RECIPES = sorted((ROOT / "config" / "training").glob("*.yaml"))


@pytest.fixture
def dropping_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.loop.model.make_depth_network", dropping)


def log(run: Path, kind: str = "train") -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def checkpoint(run: Path) -> dict[str, Any]:
    return torch.load(run / "last.ckpt", weights_only=True)


@pytest.mark.usefixtures("dropping_network")
@pytest.mark.parametrize("stop_after", [4, 6], ids=["at an epoch's end", "within an epoch"])
def test_going_on_is_bit_for_bit_as_not_having_stopped(drives: Path, tmp_path: Path, stop_after: int) -> None:
    config = settings(epochs=2)  # 4 batches an epoch, the last one smaller
    assert train(config, drives, tmp_path / "whole")
    assert not train(config, drives, tmp_path / "parts", stop_after=stop_after)
    assert train(config, drives, tmp_path / "parts", resume=True)
    assert checkpoint(tmp_path / "whole")["progress"]["step"] == 8
    for kind in ("train", "val"):
        assert log(tmp_path / "whole", kind) == log(tmp_path / "parts", kind)  # losses, rates, scores: every digit
    for name in ("weights", "best"):
        file = f"{name}.safetensors"
        assert same(weights(tmp_path / "whole" / file), weights(tmp_path / "parts" / file))
    one, other = (checkpoint(tmp_path / run) for run in ("whole", "parts"))
    assert same(one["networks"], other["networks"]) and same(one["average"], other["average"])
    states = one["optimiser"]["state"], other["optimiser"]["state"]
    assert all(same(states[0][key], states[1][key]) for key in states[0])
    assert one["progress"] == other["progress"]


@pytest.mark.usefixtures("dropping_network")
def test_one_epoch_and_then_another_is_as_two(drives: Path, tmp_path: Path) -> None:
    constant = {"schedule": "constant"}  # a cosine's end would move
    train(settings(epochs=2, optimiser=constant), drives, tmp_path / "two")
    train(settings(epochs=1, optimiser=constant), drives, tmp_path / "one")
    train(settings(epochs=2, optimiser=constant), drives, tmp_path / "one", resume=True)
    assert same(weights(tmp_path / "two" / "weights.safetensors"), weights(tmp_path / "one" / "weights.safetensors"))


@pytest.mark.usefixtures("dropping_network")
def test_ctrl_c_leaves_a_checkpoint_after_the_step(
    drives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(plain(settings())))
    command = [str(recipe), "--data", str(drives), "--out", str(tmp_path / "run"), "epochs=2"]
    objective = loop.Training.objective

    def interrupted(self: loop.Training, *arguments: Any) -> Any:
        if self.progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return objective(self, *arguments)

    monkeypatch.setattr(loop.Training, "objective", interrupted)
    handler = signal.getsignal(signal.SIGINT)
    assert main(command) == 130
    assert "--resume" in capsys.readouterr().err
    assert checkpoint(tmp_path / "run")["progress"]["step"] == 3
    assert signal.getsignal(signal.SIGINT) is handler
    assert not (tmp_path / "run" / "weights.safetensors").exists()
    assert main(command) == 2 and "add --resume" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert (tmp_path / "run" / "weights.safetensors").is_file()


@pytest.mark.usefixtures("dropping_network")
def test_a_run_says_what_it_was_made_of_and_shows_depth(drives: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from training.dataset_writer import file_hash

    train(settings(epochs=1), drives, tmp_path / "run")
    assert read_config(tmp_path / "run" / "config.yaml") == settings(epochs=1)
    dataset = json.loads((tmp_path / "run" / "dataset.json").read_text())
    assert dataset["manifest_sha256"] == file_hash(drives / "manifest.json")
    board = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    board.Reload()
    assert {"train/loss", "train/photometric", "train/gradient_norm", "val/abs_rel"} <= set(board.Tags()["scalars"])
    picture = board.Images("depth/0")[-1]
    assert (picture.height, picture.width, picture.step) == (3 * 32, 64, 4)
    assert [one.step for one in board.Scalars("val/abs_rel")] == [0, 4]


@pytest.mark.usefixtures("dropping_network")
def test_it_goes_on_only_with_the_same_settings_and_data(drives: Path, tmp_path: Path) -> None:
    train(settings(epochs=1), drives, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"data\.batch_size was 2, now 3"):
        train(settings(epochs=1, data={"batch_size": 3}), drives, tmp_path / "run", resume=True)
    other = write_drives(tmp_path / "other")
    content = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps({**content, "version": "another"}))
    with pytest.raises(ConfigError, match="another dataset"):
        train(settings(epochs=1), other, tmp_path / "run", resume=True)
    (other / "manifest.json").unlink()
    with pytest.raises(ConfigError, match=r"no manifest\.json"):
        train(settings(), other, tmp_path / "new")
    assert train(settings(epochs=1, hardware={"log_every": 1}), drives, tmp_path / "run", resume=True)


@pytest.mark.usefixtures("dropping_network")
def test_half_of_each_batch_may_be_supervised(drives: Path, tmp_path: Path) -> None:
    train(settings(epochs=1, data={"half_batches": True}), drives, tmp_path / "run")
    assert checkpoint(tmp_path / "run")["progress"]["step"] == 7  # an epoch is through when U is, one sample a batch


@pytest.mark.usefixtures("dropping_network")
def test_it_stops_when_validation_gets_no_better(drives: Path, tmp_path: Path) -> None:
    config = settings(epochs=9, optimiser={"learning_rate": 0.0, "ema_decay": 0.0}, validation={"patience": 2})
    frozen = Dropping.forward

    def forward(self: Dropping, image: torch.Tensor) -> Any:
        self.layers[1].momentum = 0.0  # or its statistics would still learn
        return frozen(self, image)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dropping, "forward", forward)
        assert train(config, drives, tmp_path / "run")
    assert [line["epoch"] for line in log(tmp_path / "run", "val")] == [0, 0, 1, 2]
    with pytest.raises(ConfigError, match="patience"):
        write = write_drives(tmp_path / "other")
        (write / "held_out").rename(tmp_path / "gone")
        train(config, write, tmp_path / "run2")


class Broken(Dropping):
    """From the third batch on it says NaN, as after weights that exploded."""

    seen = 0

    def forward(self, image: torch.Tensor) -> Any:
        (made,) = super().forward(image)
        self.seen += self.training
        return (made * torch.nan if self.seen > 2 else made,)


def test_nan_ends_the_run_and_names_the_samples(
    drives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.loop.model.make_depth_network", lambda *_: Broken())
    with pytest.raises(NotFiniteError, match=r"inverse depth isn't finite in epoch 0, step 2, samples \['drive/left/0"):
        train(settings(), drives, tmp_path / "run")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(plain(settings())))
    assert main([str(recipe), "--data", str(drives), "--out", str(tmp_path / "run3")]) == 1
    assert "step 2" in capsys.readouterr().err


@pytest.mark.usefixtures("dropping_network")
def test_a_gradient_that_is_not_finite_changes_no_weight(drives: Path, tmp_path: Path) -> None:
    training = loop.Training(make_fabric(settings()), settings(), drives, tmp_path / "run")
    before = {name: value.clone() for name, value in training.networks.state_dict().items() if "running" not in name}
    parameter = next(training.networks.depth.parameters())
    parameter.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(NotFiniteError, match="gradient isn't finite in epoch 0"):
        training.step(next(iter(loop.make_loader(training.dataset, training.batches))))
    training.log.close()
    after = training.networks.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items() if "tracked" not in name)


def test_half_precision_trains_and_its_weights_are_read_back(drives: Path, tmp_path: Path) -> None:
    size = {"height": 64, "width": 128}  # PyTorch's 16-bit CPU convolution of 1x1 pixels has NaN in its gradient
    config = settings(epochs=1, data=size, hardware={"precision": "bf16"})
    assert train(config, drives, tmp_path / "run")
    networks, read = load_networks(tmp_path / "run" / "weights.safetensors")
    assert read == config and isinstance(networks.depth, RealTimeDepth) and not networks.training
    assert networks.depth(torch.rand(1, 3, 32, 64))[0].shape == (1, 1, 32, 64)
    assert all(torch.isfinite(value).all() for value in networks.state_dict().values())
    train(settings(epochs=1, data=size), drives, tmp_path / "full")
    half, full = (log(tmp_path / run)[0]["loss"] for run in ("run", "full"))
    assert half == pytest.approx(full, rel=0.05) and half != full


@pytest.mark.usefixtures("dropping_network")
def test_a_refinement_starts_with_the_weights_of_another_run(drives: Path, tmp_path: Path) -> None:
    train(settings(epochs=1), drives, tmp_path / "first")
    start = {"start": str(tmp_path / "first" / "weights.safetensors")}
    still = {"learning_rate": 0.0, "ema_decay": 0.0}
    train(settings(epochs=1, network=start, optimiser=still), drives, tmp_path / "second")
    first, second = (weights(tmp_path / run / "weights.safetensors") for run in ("first", "second"))
    assert all(torch.equal(first[name], second[name]) for name in first if "running" not in name and "num" not in name)
    alone = settings(epochs=1, network=start, recipe="guizilini_supervised_l1")  # without a pose network
    train(alone, drives, tmp_path / "third")
    with pytest.raises(ModelError, match="doesn't give this network its weights"):
        train(settings(network={"name": "student", **start}), drives, tmp_path / "fourth")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_runs_to_its_first_checkpoint(
    path: Path, drives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(name: str, *_: Any) -> nn.Module:
        kind = next(kind for kind in ("packnet", "resnet", "real_time") if kind in name)
        return small_network("resnet_upprojection" if kind == "resnet" else kind)

    monkeypatch.setattr("training.loop.model.make_depth_network", small)
    tiny = ["data.height=32", "data.width=64", "data.workers=0", "hardware.threads=1", "hardware.accelerator=cpu"]
    config = read_config(path, [*tiny, "data.batch_size=2"])
    assert not train(config, drives, tmp_path / "run", stop_after=2)
    state = checkpoint(tmp_path / "run")
    assert state["progress"]["step"] == 2
    assert all(torch.isfinite(value).all() for value in state["networks"].values() if value.is_floating_point())
    assert sum(float(one["exp_avg"].abs().sum()) if "exp_avg" in one else float(one["momentum_buffer"].abs().sum())
               for one in state["optimiser"]["state"].values()) > 0  # something was learnt  # fmt: skip
