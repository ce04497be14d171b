"""The doctor: it runs on a machine that has nothing, and its remedies name what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from depth_perception import cli
from depth_perception.doctor import Finding, Level, backends, machine, ros, software
from depth_perception.doctor.probe import run, run_python
from depth_perception.engines import Availability

ROOT = Path(__file__).resolve().parent.parent

# A Python in which every package but NumPy is missing, whatever is installed here.
BARE = """
import importlib.abc, importlib.util, sys
ALLOWED = {"numpy", "depth_perception", *sys.stdlib_module_names}
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in ALLOWED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: real(name) if name.split(".")[0] in ALLOWED else None
for name in [name for name in sys.modules if name.split(".")[0] not in ALLOWED]:
    del sys.modules[name]
sys.meta_path.insert(0, Missing())
from depth_perception.cli import main
sys.exit(main(["doctor"]))
"""


def test_on_this_machine_every_working_backend_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    assert cli.main(["doctor", "--runs", "2"]) == 0
    text = capsys.readouterr().out
    for section in ("Software", "ROS 2", "Machine", "Inference"):
        assert f"\n{section}\n" in text
    line = next(line for line in text.splitlines() if "onnxruntime/cpu  " in line)
    assert line.startswith("  ok") and " ms a frame" in line and "No inference backend" not in text


def test_with_nothing_but_numpy_it_names_what_is_missing_and_fails() -> None:
    done = subprocess.run([sys.executable, "-c", BARE], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.returncode == 1
    for remedy in ("pip install pyyaml", "pip install onnxruntime", "pip install mujoco", "ros-rclpy[fastrtps]"):
        assert remedy in done.stdout
    assert done.stdout.endswith("No inference backend works here: pip install onnxruntime\n")


def test_a_model_that_cannot_be_loaded_is_said_and_backends_still_count(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    findings = {finding.name: finding for finding in backends.look(str(broken), 1)}
    assert findings["model"].level is Level.BAD and "is not ONNX" in findings["model"].text
    assert findings["onnxruntime/cpu"] == Finding("onnxruntime/cpu", Level.OK, "installed; not timed without a model")


def test_runs_must_be_positive() -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["doctor", "--runs", "0"])


def test_inference_is_possible_if_one_backend_works() -> None:
    model, good = Finding("model", Level.OK, ""), Finding("a/cpu", Level.OK, "")
    bad = Finding("b/gpu", Level.BAD, "")
    assert backends.can_infer([model, bad, good])
    assert not backends.can_infer([model, bad])


def test_an_unusable_backend_keeps_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Availability("x/cpu", False, "X is not installed: pip install x")
    monkeypatch.setattr(backends, "available", lambda: [gone])
    assert backends.look("no such file", 1)[1] == Finding("x/cpu", Level.ABSENT, "X is not installed", "pip install x")


def test_needed_packages_are_bad_when_missing_and_the_rest_only_absent() -> None:
    needed = software.Package("no_such_module", ("none",), "everything", "pip install it", needed=True)
    optional = software.Package("no_such_module", ("none",), "a part", "pip install it")
    assert [software._finding(p).level for p in (needed, optional)] == [Level.BAD, Level.ABSENT]
    assert software._finding(needed).remedy == "pip install it"


def test_version_is_the_first_recorded_one() -> None:
    assert software.version(("no-such-distribution", "numpy")) == software.version(("numpy",)) != ""


def test_little_shared_memory_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    for megabytes, level in ((64, Level.BAD), (512, Level.OK)):
        usage = type("Usage", (), {"total": megabytes * 2**20})
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path, usage=usage: usage)
        assert machine._shared_memory().level is level


def test_environment_shows_only_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ros.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ROS_DOMAIN_ID", "42")
    assert ros.environment() == [Finding("ROS_DOMAIN_ID", Level.OK, "42")]


def test_a_probe_survives_what_kills_it() -> None:
    assert run_python("print('here')") == (True, "here")
    assert run_python("import no_such_module") == (False, "ModuleNotFoundError: No module named 'no_such_module'")
    works, text = run_python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert not works and text.startswith("died of signal 11")
    assert run(["no-such-command"]) == (False, "no-such-command is not installed")
