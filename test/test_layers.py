"""What runs on the robot stays light: who may import what."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "depth_perception"
HEAVY = (
    "torch", "onnxruntime", "openvino", "tensorrt", "onnx", "rclpy", "cv2", "rosbags", "mcap", "mujoco", "yaml",
    "matplotlib",
)  # fmt: skip


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, at the top or inside a function, and the line."""
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import hides where it goes"
            yield node.module or "", node.lineno


def offenders(roots: tuple[str, ...], but: tuple[str, ...] = ()) -> list[str]:
    """Files of the package that import one of `roots`, except those below `but`."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        relative = file.relative_to(PACKAGE).as_posix()
        if relative.startswith(but):
            continue
        found += [f"{relative}:{line}: {name}" for name, line in imports(file) if name.split(".")[0] in roots]
    return found


def test_the_scan_sees_imports_inside_functions(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("import json\ndef f():\n    from torch.nn import Module\n")
    assert list(imports(file)) == [("json", 1), ("torch.nn", 3)]


def test_the_robot_never_imports_training() -> None:
    assert offenders(("training", "lightning")) == []


def test_torch_lives_in_training_and_in_the_torch_engine() -> None:
    assert offenders(("torch",), but=("engines/torch_engine.py",)) == []


def test_only_nodes_import_rclpy() -> None:
    # `up` and `doctor` start processes; `demo` asks whether it is there before it goes into nodes/.
    assert offenders(("rclpy", "launch", "launch_ros"), but=("nodes/", "commands/demo.py")) == []


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        ("import depth_perception", HEAVY),
        ("import depth_perception.cli as c; c.build_parser()", HEAVY),
        ("import depth_perception.pipeline", ("torch", "onnxruntime", "openvino", "rclpy", "mujoco", "rosbags")),
        ("import depth_perception.engines as e; e.available()", ("torch", "tensorrt", "rclpy")),
        ("import depth_perception.bags", ("torch", "onnxruntime", "openvino", "rclpy", "mujoco")),
    ],
)
def test_importing_loads_nothing_that_was_not_chosen(code: str, forbidden: tuple[str, ...]) -> None:
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "depth_perception" in loaded
    assert [name for name in forbidden if name in loaded] == []
