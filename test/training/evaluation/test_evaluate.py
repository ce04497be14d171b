"""The command: its figures are those of the images, its page shows them, and wrong input is told."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dataset_folders import Rig, depth_of, image_of, write_dataset
from tiny_model import tiny_model

from depth_perception.errors import ConfigError
from depth_perception.records import DepthKind
from training.dataset_folder import sequences
from training.dataset_writer import encoded_depth
from training.evaluate import main, parse, run
from training.evaluation.cases import DatasetCases
from training.evaluation.page import ErrorColours, chosen
from training.evaluation.run import spread
from training.evaluation.tables import _known

RIG = Rig(frames=3, split="test", right=False)
NAMES = ["none", "median", "affine"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "set", RIG)


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(tiny_model(tmp_path / "tiny.onnx", canonical_focal=None, height=RIG.height, width=RIG.width))


def result(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def said(n: int) -> np.ndarray:
    """What tiny_model says of image n: metres."""
    return 1.0 + image_of(n, "left", RIG)[..., 0] / 64.0


def stored(n: int) -> np.ndarray:
    """The depth as the folder holds it, in steps of 1/256 m."""
    return np.round(depth_of(n, "left", RIG) * 256) / 256


def test_figures_are_the_images(data: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([model, str(data), "--out", str(tmp_path / "out")]) == 0
    found = result(tmp_path / "out")
    errors, squares = [], []
    for n in range(3):
        p, t = said(n), stored(n)
        counts = np.isfinite(t) & (t < 80)
        errors.append(np.mean(np.abs(p - t)[counts] / t[counts]))
        squares.append(np.sqrt(np.mean((p - t)[counts] ** 2)))
        assert found["per_image"][n]["overall"]["none"]["pixels"] == counts.sum()
    assert found["overall"]["none"]["abs_rel"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert found["overall"]["none"]["rmse"] == pytest.approx(np.mean(squares), rel=1e-5)
    assert list(found["overall"]) == NAMES and found["coverage"] == {}
    assert found["data"]["images"] == 3 and found["data"]["reference"] == "depth"
    printed = capsys.readouterr().out
    assert f"| none | 3 | {found['overall']['none']['pixels']} | {np.mean(errors):.3f} |" in printed
    assert "set, split test: 3 images against depth" in printed


def test_median_scaling_is_of_what_counts(data: Path, model: str, tmp_path: Path) -> None:
    assert main([model, str(data), "--align", "median", "--cap", "5-30", "--out", str(tmp_path / "out")]) == 0
    found = result(tmp_path / "out")
    p, t = said(0), stored(0)
    counts = (t > 5) & (t < 30)
    scale = np.median(t[counts]) / np.median(p[counts])
    first = found["per_image"][0]
    assert first["alignment"]["median"] == {"space": "depth", "scale": pytest.approx(scale, rel=1e-5), "shift": 0.0}
    error = np.abs(np.clip(scale * p, 5, 30) - t)[counts] / t[counts]
    assert first["overall"]["median"]["abs_rel"] == pytest.approx(error.mean(), rel=1e-5)
    assert list(found["bands"]) == ["5-10 m", "10-20 m", "20-40 m"]  # the others are empty
    assert sum(band["pixels"] for band in found["bands"].values()) == found["overall"]["median"]["pixels"]


def test_the_same_bytes_twice_and_nothing_from_elsewhere(data: Path, model: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert main([model, str(data), "--out", str(tmp_path / name)]) == 0
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["best_1.png", "best_2.png", "index.html", "result.json", "worst_1.png"]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    text = (tmp_path / "a" / "index.html").read_text()
    assert text.count('src="data:image/jpeg;base64,') == 3 and not re.search(r"https?:|<script|url\(|file:", text)
    assert str(tmp_path) not in text and str(tmp_path) not in (tmp_path / "a" / "result.json").read_text()
    assert f"<td>{result(tmp_path / 'a')['overall']['none']['abs_rel']:.3f}</td>" in text
    for tag in ("table", "tr", "figure", "p", "h2"):
        assert text.count(f"<{tag}>") + text.count(f"<{tag} ") == text.count(f"</{tag}>")


@pytest.mark.parametrize(("frames", "counts"), [(1, (1, 0)), (3, (2, 1)), (4, (2, 2)), (8, (3, 3))])
def test_best_first_and_worst_first(tmp_path: Path, model: str, frames: int, counts: tuple[int, int]) -> None:
    out = write_dataset(tmp_path / "some", replace(RIG, frames=frames))
    found, _, _ = run(parse([model, str(out)]))
    best, worst = chosen(found)
    assert (len(best), len(worst)) == counts
    errors = sorted(item.overall["none"].depth.abs_rel for item in found.images)
    assert [item.overall["none"].depth.abs_rel for item in best] == errors[: len(best)]
    assert [item.overall["none"].depth.abs_rel for item in worst] == errors[::-1][: len(worst)]


def test_without_a_cap_the_models_own_range_limits(data: Path, tmp_path: Path) -> None:
    path = str(tiny_model(tmp_path / "near.onnx", canonical_focal=None, height=40, width=64, max_depth=3.0))
    assert main([path, str(data), "--cap", "none", "--min-depth", "5", "--out", str(tmp_path / "out")]) == 0
    p, t = np.clip(said(0), 0.1, 3.0), stored(0)
    counts = t >= 5
    found = result(tmp_path / "out")
    assert found["per_image"][0]["overall"]["none"]["rmse"] == pytest.approx(
        np.sqrt(np.mean((p - t)[counts] ** 2)), rel=1e-5
    )
    assert found["protocol"]["cap"] is None and found["protocol"]["limits"] == {"low": 0.1, "high": 3.0}


def test_spread_of_scales() -> None:
    assert spread([1.0, 2.0, 3.0]) == pytest.approx((2.0, np.sqrt(2 / 3) / 2))


def test_coverage_by_what_training_saw(data: Path, model: str, tmp_path: Path) -> None:
    write_dataset(tmp_path / "beams", RIG)
    (recording,) = sequences(tmp_path / "beams")
    for n in range(3):
        seen = depth_of(n, "left", RIG)
        seen[:20] = seen[23:] = np.nan  # two rows are left: 20 and 22
        recording.depth_path(n).write_bytes(encoded_depth(seen))
    out = tmp_path / "out"
    assert main([model, str(data), "--trained-on", str(tmp_path / "beams"), "--out", str(out)]) == 0
    found = result(out)["coverage"]
    t = np.stack([stored(n) for n in range(3)])
    counts = np.isfinite(t) & (t < 80)
    assert found["inside coverage"]["pixels"] == counts[:, 20:23].sum()
    assert found["outside coverage"]["pixels"] == counts.sum() - counts[:, 20:23].sum()


def test_a_simulators_truth_is_the_reference_where_it_is(data: Path) -> None:
    with pytest.raises(ConfigError, match="has truth"):
        DatasetCases(data, reference="truth")
    assert DatasetCases(data).reference == "depth" and DatasetCases(data)[0].measured is None
    (recording,) = sequences(data)
    (recording.folder / "truth" / "left").mkdir(parents=True)
    for n in range(3):
        recording.truth_path(n).write_bytes(encoded_depth(np.full((40, 64), 7.0, np.float32)))
    lines = recording.folder / "samples.jsonl"
    lines.write_text(lines.read_text().replace('"truth": false', '"truth": true'))
    cases = DatasetCases(data)
    case = cases[2]
    assert cases.reference == "truth" and (case.target == 7.0).all()
    assert np.array_equal(case.measured, stored(2).astype(np.float32), equal_nan=True)  # what training saw
    assert np.array_equal(DatasetCases(data, reference="depth")[2].target, case.measured, equal_nan=True)


class TestKinds:
    def test_relative_models_need_scale_and_shift(
        self, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        kind = DepthKind.RELATIVE_INVERSE
        path = str(tiny_model(tmp_path / "r.onnx", kind, None, height=RIG.height, width=RIG.width))
        for align in ("none", "median"):
            assert main([path, str(data), "--align", align]) == 1
            assert "say --align affine" in capsys.readouterr().err
        assert main([path, str(data), "--align", "affine", "--out", str(tmp_path / "out")]) == 0
        found = result(tmp_path / "out")
        assert list(found["overall"]) == ["affine"]
        p, t = said(0), stored(0)
        counts = np.isfinite(t) & (t < 80)
        scale, shift = np.polyfit(p[counts], 1 / t[counts], 1)
        fitted = found["per_image"][0]["alignment"]["affine"]
        assert (fitted["scale"], fitted["shift"]) == pytest.approx((scale, shift), rel=1e-4)

    def test_scaled_models_need_a_scale(self, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = str(tiny_model(tmp_path / "s.onnx", DepthKind.SCALED, None, height=RIG.height, width=RIG.width))
        assert main([path, str(data)]) == 1
        assert "unknown scale" in capsys.readouterr().err
        assert main([path, str(data), "--align", "median"]) == 0

    def test_the_focal_length_scales_metres(self, data: Path, model: str, tmp_path: Path) -> None:
        other = str(tiny_model(tmp_path / "f.onnx", canonical_focal=100.0, height=RIG.height, width=RIG.width))
        for name, path in (("a", model), ("b", other)):
            assert main([path, str(data), "--out", str(tmp_path / name)]) == 0
        scales = [result(tmp_path / name)["per_image"][0]["alignment"]["median"]["scale"] for name in "ab"]
        assert scales[1] == pytest.approx(scales[0] * 100.0 / 50.0, rel=1e-5)  # fx is 50


class TestWrongInput:
    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            (["--split", "val"], r"no sample in split 'val'; it has {'train': 0, 'val': 0, 'test': 3}"),
            (["--cap", "near"], r"--cap 'near' is no range"),
            (["--cap", "1"], r"none of 3 images has a reference pixel that counts"),
            (["--min-depth", "90"], r"leaves no depth"),
            (["--depth", "annotated"], r"is a dataset folder; --depth belong to KITTI raw"),
            (["--reference", "truth"], r"none of the 3 samples .* has truth"),
            (["--backend", "steam"], r"unknown backend 'steam'"),
        ],
    )
    def test_options(
        self, data: Path, model: str, options: list[str], reason: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([model, str(data), *options]) == 1
        assert re.search(reason, capsys.readouterr().err)

    def test_no_dataset_and_no_depth(self, tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([model, str(tmp_path / "nothing")]) == 1
        assert "there is no folder" in capsys.readouterr().err
        (tmp_path / "empty").mkdir()
        assert main([model, str(tmp_path / "empty")]) == 1
        assert "holds no dataset" in capsys.readouterr().err

    def test_no_model(self, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "words.onnx").write_text("no model")
        (tmp_path / "words.pt").write_text("no checkpoint")
        for name, reason in (
            ("words.onnx", "is not ONNX"), ("words.pt", "is no checkpoint"), ("nothing.pt", "there is no model file"),
        ):  # fmt: skip
            assert main([str(tmp_path / name), str(data)]) == 1
            assert reason in capsys.readouterr().err

    def test_other_sizes_are_not_what_training_saw(
        self, data: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        other = write_dataset(tmp_path / "other", Rig(frames=3, height=44, right=False))
        assert main([model, str(data), "--trained-on", str(other)]) == 1
        assert "make both with one --size" in capsys.readouterr().err
        other = write_dataset(tmp_path / "named", Rig(frames=3, name="walk", right=False))
        assert main([model, str(data), "--trained-on", str(other)]) == 1
        assert "has no sequence 'drive'" in capsys.readouterr().err


def test_error_colours() -> None:
    right, near, far, none = ErrorColours().colours(np.array([0.0, -0.5, 0.5, np.nan], np.float32)).astype(int)
    assert right.tolist() == [255, 255, 255] and none.tolist() == [0, 0, 0]
    assert near[0] > near[2] and far[2] > far[0]


def test_what_is_not_known_is_null() -> None:
    assert _known({"a": [float("nan"), 1.0, 3], "b": float("inf")}) == {"a": [None, 1.0, 3], "b": None}
    assert _known([0.12345678949, 12345678949.0]) == [0.123456789, 12345678900.0]


def test_the_default_model_on_a_real_drive(shared_data: Path, tmp_path: Path) -> None:
    drive = str(shared_data / "kitti_raw_0926_cam2_velo")
    assert main(["default", drive, "--crop", "garg", "--out", str(tmp_path)]) == 0
    found = result(tmp_path)["overall"]
    assert found["none"]["images"] == 30 and found["affine"]["abs_rel"] < found["median"]["abs_rel"] < 0.45
