"""One holder at a time; the dead hold nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

from depth_perception.errors import ConfigError
from training import folder_lock
from training.folder_lock import locked

HOLDER = """
import sys, time
from pathlib import Path
from training.folder_lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_file_is_gone_afterwards_and_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(3):
        with locked(tmp_path / ".lock"):
            assert (tmp_path / ".lock").is_file()
        assert list(tmp_path.iterdir()) == []


def test_another_process_waits_until_the_holder_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ".lock"
    words = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        monkeypatch.setattr(folder_lock, "_WAIT_S", 0.2)
        with pytest.raises(ConfigError, match="another run is writing here"), locked(path):
            pass
        holder.kill()
    start = time.monotonic()
    monkeypatch.setattr(folder_lock, "_WAIT_S", 10.0)
    with locked(path):
        assert time.monotonic() - start < 5.0
