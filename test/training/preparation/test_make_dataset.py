"""The command: same bytes however it runs, resumable after a kill, nothing half-written, clear sentences."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT
from kitti_folders import raw_drive
from rig_bags import RigBag

from depth_perception.errors import BagError, ConfigError
from training.dataset_folder import sequences
from training.dataset_writer import file_hash
from training.make_dataset import main, make_dataset
from training.preparation.options import DatasetOptions

OPTIONS = DatasetOptions(size="48x64", beams=8, point_share=0.5)


def hashes(out: Path) -> dict[str, str]:
    return {str(path.relative_to(out)): file_hash(path) for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a stereo bag, a monocular bag and a KITTI drive, each of its own length."""
    folder = tmp_path_factory.mktemp("bags")
    RigBag(frames=14, stereo=True).write(folder / "stereo")
    RigBag(frames=20).write(folder / "mono")
    raw_drive(folder / "kitti", frames=6)
    return folder


def sources(bags: Path) -> list[str]:
    return [str(bags / "stereo"), str(bags / "mono"), str(bags / "kitti")]


@pytest.fixture(scope="module")
def reference(bags: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("reference")
    outcomes = make_dataset(sources(bags), out, OPTIONS, supervised="5")
    assert [outcome.error for outcome in outcomes] == ["", "", ""]
    return hashes(out)


def test_two_runs_and_two_processes_give_the_same_bytes(bags: Path, reference: dict, tmp_path: Path) -> None:
    make_dataset(sources(bags), tmp_path / "again", OPTIONS, supervised="5")
    make_dataset(sources(bags), tmp_path / "processes", OPTIONS, supervised="5", jobs=2)
    assert hashes(tmp_path / "again") == hashes(tmp_path / "processes") == reference


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray isn't installed (extra [cluster])")
def test_ray_gives_the_same_bytes(bags: Path, reference: dict, tmp_path: Path) -> None:
    make_dataset(sources(bags), tmp_path / "ray", OPTIONS, supervised="5", cluster="ray")
    assert hashes(tmp_path / "ray") == reference


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_remedy_is_said(bags: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs Ray .* pip install 'depth_perception\[cluster\]'"):
        make_dataset(sources(bags), tmp_path / "ray", OPTIONS, cluster="ray")


def test_the_manifest_names_every_file(bags: Path, tmp_path: Path) -> None:
    make_dataset(sources(bags), tmp_path, OPTIONS, supervised="5")
    whole = json.loads((tmp_path / "manifest.json").read_text())
    assert whole["failed"] == {} and whole["supervised"] == {"count": 5, "wanted": "5", "seed": 0}
    for name, digest in whole["sequences"].items():
        assert file_hash(tmp_path / name / "manifest.json") == digest
        manifest = json.loads((tmp_path / name / "manifest.json").read_text())
        found = hashes(tmp_path / name)
        del found["manifest.json"]
        assert manifest["outputs"] == found
        folder = bags / name if (bags / name).exists() else bags / "kitti" / "2011_09_26"
        for entry in manifest["inputs"]:
            assert file_hash(folder / entry["path"]) == entry["sha256"]
        assert manifest["options"]["beams"] == 8 and str(bags) not in json.dumps(manifest)
    assert set(whole["sequences"]) == {"stereo", "mono", "2011_09_26_drive_0001_sync"}


def test_marks_are_drawn_again_without_making_anything_anew(bags: Path, tmp_path: Path) -> None:
    make_dataset(sources(bags), tmp_path, OPTIONS, supervised="5")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("images/**/*") if path.is_file()}
    outcomes = make_dataset(sources(bags), tmp_path, OPTIONS, supervised="3", supervised_seed=7)
    assert all(outcome.there for outcome in outcomes)
    samples = [sample for sequence in sequences(tmp_path) for sample in sequence.samples()]
    marked = [sample for sample in samples if sample.supervised]
    assert len(marked) == 3 and all(sample.split == "train" and sample.depth["left"] for sample in marked)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    make_dataset(sources(bags), tmp_path, OPTIONS)
    assert sum(s.supervised for q in sequences(tmp_path) for s in q.samples()) == len(samples)


def test_other_options_are_refused_not_mixed(bags: Path, tmp_path: Path) -> None:
    make_dataset([str(bags / "mono")], tmp_path, OPTIONS)
    before = hashes(tmp_path)
    (outcome,) = make_dataset([str(bags / "mono")], tmp_path, DatasetOptions(size="48x64", beams=4, point_share=0.5))
    assert "was made with another ['beams']" in outcome.error
    (tmp_path / "stereo").mkdir()
    (outcome,) = make_dataset([str(bags / "stereo")], tmp_path, OPTIONS)
    assert "is in the way" in outcome.error
    del before["manifest.json"]
    assert before.items() <= hashes(tmp_path).items()


def test_one_bad_source_does_not_cost_the_others(bags: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    bad = tmp_path / "bad.mcap"
    bad.write_bytes(b"no bag at all")
    code = main([str(bad), str(bags / "mono"), str(tmp_path / "out"), "--size", "48x64"])
    text = capsys.readouterr().out
    assert code == 1 and "bad: NOT MADE: " in text and "mono: " in text and "20 images" in text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["manifest.json", "mono"]
    assert list(json.loads((tmp_path / "out" / "manifest.json").read_text())["failed"]) == ["bad"]


def test_what_is_not_there_stops_before_anything_is_made(bags: Path, tmp_path: Path) -> None:
    with pytest.raises(BagError, match="isn't there"):
        make_dataset([str(bags / "mono"), str(tmp_path / "none")], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BagError, match="holds no bag, no KITTI drive"):
        make_dataset([str(tmp_path / "empty")], tmp_path / "out")
    assert main([str(tmp_path / "none"), str(tmp_path / "out")]) == 2
    assert main([str(bags / "mono"), str(tmp_path / "out"), "--size", "x"]) == 2
    assert not (tmp_path / "out").exists()


def test_a_folder_of_bags_gives_one_sequence_each(bags: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    RigBag(frames=3).write(folder / "one")
    RigBag(frames=3).write(folder / "two")
    outcomes = make_dataset([str(folder), str(folder / "one")], tmp_path / "out")
    assert [outcome.name for outcome in outcomes] == ["one", "two", "one_2"]


def test_a_full_disk_is_said_and_leaves_nothing(bags: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def fills(path: Path, data: object) -> int:
        written.append(path)
        if len(written) == 8:
            raise OSError(28, "No space left on device", str(path))
        return real(path, data)  # type: ignore[arg-type]

    real = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", fills)
    (outcome,) = make_dataset([str(bags / "mono")], tmp_path / "out", OPTIONS)
    assert "No space left on device" in outcome.error and not (tmp_path / "out").exists()


def command(bags: Path, out: Path, *words: str) -> list[str]:
    options = ["--size", "48x64", "--beams", "8", "--point-share", "0.5", "--supervised", "5"]
    return [sys.executable, "-m", "training.make_dataset", *sources(bags), str(out), *options, *words]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_at_any_moment_it_goes_on(bags: Path, reference: dict, tmp_path: Path, jobs: str) -> None:
    """SIGKILL as soon as another sequence has begun to be written, four times; then to the end."""
    seen = 0
    for _ in range(4):
        process = subprocess.Popen(command(bags, tmp_path, "--jobs", jobs), cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            files = sum(len(names) for folder, _, names in os.walk(tmp_path) if "images" in folder)
            if files > seen:
                seen = files
                break
            time.sleep(0.002)
        process.kill()
        process.wait()
        assert all(
            (path / "manifest.json").is_file() for path in tmp_path.iterdir() if path.name[0] != "." and path.is_dir()
        )
    subprocess.run(command(bags, tmp_path, "--jobs", jobs), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert hashes(tmp_path) == reference


def test_terminated_it_leaves_nothing_half_written(tmp_path: Path) -> None:
    bag = RigBag(frames=300, lidar=False).write(tmp_path / "long")
    words = [sys.executable, "-m", "training.make_dataset", str(bag), str(bag), str(tmp_path / "out"), "--jobs", "2"]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out/.long*/images")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGTERM)
    _, text = process.communicate(timeout=30)
    assert b"the same command goes on" in text
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
