"""Python packages: which are here, what the missing ones are for."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
from dataclasses import dataclass

from depth_perception.doctor.finding import Finding, Level


@dataclass(frozen=True)
class Package:
    """A Python module and the line that installs it."""

    module: str
    distributions: tuple[str, ...]  # names under which a version may be recorded
    purpose: str
    install: str
    needed: bool = False


PACKAGES = (
    Package("numpy", ("numpy",), "everything", "pip install 'numpy>=1.26'", needed=True),
    Package(
        "cv2",
        ("opencv-python-headless", "opencv-python", "opencv"),
        "resizing and rectifying images",
        "pip install 'opencv-python-headless>=4.8,<5', or apt install python3-opencv",
        needed=True,
    ),
    Package("yaml", ("PyYAML",), "parameter files", "pip install pyyaml", needed=True),
    Package("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "inference on any CPU", "pip install onnxruntime"),
    Package("openvino", ("openvino",), "faster inference on Intel and ARM CPUs", "pip install openvino"),
    Package("tensorrt", ("tensorrt",), "inference on NVIDIA GPUs", "pip install tensorrt (JetPack brings it)"),
    Package("rosbags", ("rosbags",), "depth-perception convert", "pip install rosbags"),
    Package("mcap", ("mcap",), "writing recordings", "pip install mcap"),
    Package("tqdm", ("tqdm",), "progress bars", "pip install tqdm"),
    Package("onnx", ("onnx",), "depth-perception model import", "pip install onnx"),
    Package("mujoco", ("mujoco",), "the simulator", "pip install mujoco"),
    Package("torch", ("torch",), "training", "pip install torch"),
)


def look() -> list[Finding]:
    """The interpreter, then one finding a package; nothing is imported."""
    python = Finding("Python", Level.OK, f"{platform.python_version()} at {sys.executable}")
    return [python, *(_finding(package) for package in PACKAGES)]


def _finding(package: Package) -> Finding:
    if importlib.util.find_spec(package.module) is not None:
        return Finding(package.module, Level.OK, version(package.distributions) or "installed, version not recorded")
    level = Level.BAD if package.needed else Level.ABSENT
    return Finding(package.module, level, f"not installed; for {package.purpose}", package.install)


def version(distributions: tuple[str, ...]) -> str:
    """The recorded version of the first of these distributions that is installed; empty if none is."""
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""
