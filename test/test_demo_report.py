"""The demo's picture and summary on known depths."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from depth_perception.demo_report import accuracy, side_by_side, write_report


def wall(depth: float) -> np.ndarray:
    out = np.full((24, 32), depth, np.float32)
    out[:, 16:] *= 2
    return out


def test_accuracy_counts_only_what_both_know() -> None:
    predicted, target = wall(2.2), wall(2.0)
    predicted[0], target[1], target[2] = np.nan, np.inf, 500.0
    plain, aligned = accuracy(predicted, target)  # type: ignore[misc]
    assert plain.abs_rel == pytest.approx(0.1, rel=1e-4) and aligned.abs_rel == pytest.approx(0.0, abs=1e-6)
    assert accuracy(np.full_like(target, np.nan), target) is None


def test_the_same_depth_has_the_same_colour_on_both_sides() -> None:
    picture = side_by_side(np.zeros((24, 32, 3), np.uint8), wall(2.0), wall(2.0))
    assert picture.shape == (24, 96, 3)
    np.testing.assert_array_equal(picture[:, 32:64], picture[:, 64:])


def test_report_files(tmp_path: Path) -> None:
    shown = [(np.zeros((24, 32, 3), np.uint8), wall(2.2), wall(2.0))] * 6
    text = write_report(tmp_path, shown, {"depth images": 6})
    facts = json.loads((tmp_path / "summary.json").read_text())
    assert facts["abs_rel"] == pytest.approx(0.1) and facts["frames compared"] == 6 and "depth images: 6" in text
    assert cv2.imread(str(tmp_path / "picture.png")) is not None
