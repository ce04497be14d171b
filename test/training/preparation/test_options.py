"""Options are checked where they are said, and every one is a flag."""

from __future__ import annotations

import argparse
from dataclasses import fields

import pytest

from depth_perception.errors import ConfigError
from training.preparation.options import DatasetOptions, add_arguments, from_arguments


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"beams": 5}, "--beams 5"), ({"point_share": 0.0}, "--point-share"), ({"point_share": 1.5}, "--point-share"),
        ({"stride": 0}, "--stride 0"), ({"size": "640"}, "--size"), ({"size": "0x10"}, "must be positive"),
        ({"crop": "1,2,3"}, "--crop"), ({"split": "0.5,0.5"}, "--split"), ({"split": "0.9,0.9,-0.8"}, "add up to 1"),
        ({"intrinsics": "1 2 x 4"}, "--intrinsics"), ({"min_range_m": 5.0, "max_range_m": 5.0}, "--min-range-m"),
        ({"beam_offset": -1}, "--beam-offset"),
    ],
)  # fmt: skip
def test_refuses_with_the_flag_and_the_value(wrong: dict, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        DatasetOptions(**wrong)


def test_every_option_is_a_flag_with_its_default() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert from_arguments(parser.parse_args([])) == DatasetOptions()
    words = [
        "--size",
        "192x640",
        "--beams",
        "4",
        "--keep-static",
        "--intrinsics",
        "500 510 320 240",
        "--split",
        "1,0,0",
    ]
    options = from_arguments(parser.parse_args(words))
    assert options.target_size == (192, 640) and options.beams == 4 and options.keep_static
    assert options.focal == (500.0, 510.0, 320.0, 240.0) and options.shares == (1.0, 0.0, 0.0)
    assert "--T-cam-lidar" in parser.format_help() and set(options.entry()) == {item.name for item in fields(options)}


def test_the_manifest_names_files_without_their_folders() -> None:
    entry = DatasetOptions(train_list="/home/me/splits/train_files.txt", annotated="/data/annotated/").entry()
    assert entry["train_list"] == "train_files.txt" and entry["annotated"] == "annotated"
