"""Settings: recipes, overrides, and errors that say what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from depth_perception.errors import ConfigError
from training.loop.configuration import TrainingConfig, from_values, read_config
from training.loop.overrides import parse_assignments, plain
from training.losses.recipes import MOTION, STEREO

RECIPES = sorted((Path(__file__).parents[3] / "config" / "training").glob("*.yaml"))


def test_all_recipes_are_there() -> None:
    assert {path.stem for path in RECIPES} == {
        "guizilini_self", "guizilini_semi_scratch", "guizilini_refine_rep", "guizilini_refine_l1",
        "guizilini_refine_berhu", "kuznietsov", "midas_student", "robot",
    }  # fmt: skip


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_names_its_command_and_is_written_back_whole(path: Path) -> None:
    text = path.read_text()
    assert f"python -m training.train config/training/{path.name} --data" in text.split("\nrecipe:")[0]
    config = read_config(path)
    assert from_values(yaml.safe_load(yaml.safe_dump(plain(config)))) == config


def test_the_papers_numbers() -> None:
    scratch = read_config(next(path for path in RECIPES if path.stem == "guizilini_semi_scratch"))
    assert scratch.objective == MOTION["guizilini_rep"]
    assert (scratch.epochs, scratch.optimiser.learning_rate, scratch.optimiser.halve_every) == (100, 2e-4, 40)
    assert (scratch.data.batch_size, scratch.data.height, scratch.data.width) == (4, 192, 640)
    refine = read_config(next(path for path in RECIPES if path.stem == "guizilini_refine_berhu"))
    assert (refine.epochs, refine.optimiser.learning_rate, refine.optimiser.halve_every) == (15, 1e-4, 6)
    stereo = read_config(next(path for path in RECIPES if path.stem == "kuznietsov"))
    assert stereo.objective == STEREO["kuznietsov"] and stereo.data.batch_size == 5
    assert (stereo.optimiser.name, stereo.optimiser.momentum, stereo.optimiser.weight_decay) == ("sgd", 0.9, 4e-5)


def test_the_command_line_wins_over_the_recipe_and_that_over_defaults(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("recipe: kuznietsov_l2\nobjective: {gamma: 0.01}\ndata: {batch_size: 5, flip: 0}\nepochs: 3\n")
    config = read_config(path, ["data.batch_size=2", "optimiser.learning_rate=1e-4", "data.cameras=[left, right]"])
    assert config.objective.norm == "l2" and config.objective.gamma == 0.01  # type: ignore[union-attr]
    assert config.data.batch_size == 2 and config.data.flip == 0.0 and config.epochs == 3
    assert config.optimiser.learning_rate == 1e-4  # text to YAML 1.1
    assert config.data.cameras == ("left", "right")


@pytest.mark.parametrize(
    ("assignment", "meant"),
    [
        ("epoch=3", "did you mean 'epochs'"),
        ("data.batchsize=3", "did you mean 'data.batch_size'"),
        ("batch_size=3", "did you mean 'data.batch_size'"),
        ("objective.reproject=3", "did you mean 'objective.reprojected'"),
        ("xyzzy=3", "known are"),
        ("data=3", "write data.NAME=VALUE"),
        ("data.batch_size=two", "takes a value of type int"),
        ("data.batch_size=2.5", "takes a value of type int"),
        ("data.flip=true", "takes a value of type float"),
        ("hardware.channels_last=1", "takes a value of type bool"),
        ("hardware.precision=64", "none of"),
        ("recipe=robots", "none of"),
        ("epochs=0", "at least 1"),
        ("optimiser.ema_decay=1", "below 1"),
        ("epochs", "write NAME=VALUE"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, assignment: str, meant: str) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("recipe: robot\n")
    with pytest.raises(ConfigError, match=meant):
        read_config(path, [assignment])


def test_a_precision_of_32_may_be_a_number() -> None:
    assert from_values({"hardware": {"precision": 32}}).hardware.precision == "32"
    assert parse_assignments(["a.b=1", "a.c=x=y"]) == {"a": {"b": 1, "c": "x=y"}}


def test_what_an_objective_needs_is_loaded() -> None:
    def needs(config: TrainingConfig) -> tuple[bool, bool, bool]:
        return config.compares_views, config.uses_partner, config.uses_teacher

    assert needs(from_values({"recipe": "robot"})) == (True, False, True)
    assert needs(from_values({"recipe": "robot", "objective": {"stereo": True}})) == (True, True, True)
    assert needs(from_values({"recipe": "kuznietsov"})) == (False, True, False)
    assert needs(from_values({"recipe": "guizilini_supervised_l1"})) == (False, False, False)
    assert needs(from_values({"recipe": "midas_student"})) == (False, False, True)
