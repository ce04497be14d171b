"""One package, three installs: what pip and colcon put where."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from email.message import Message
from pathlib import Path

import pytest

import depth_perception

ROOT = Path(__file__).resolve().parent.parent
NODES = ("depth_node", "recorder_node", "simulator_node")
SHARE = "share/depth_perception"
# Module → distribution, where the names differ. Everything else that isn't ours or the standard library's must be
# declared under its own name.
DISTRIBUTIONS = {"cv2": "opencv-python-headless", "yaml": "pyyaml"}
# ROS: rosdep's (package.xml) or the extra [ros].
FROM_ROS = {
    *("rclpy", "rcl_interfaces", "ament_index_python", "cv_bridge", "tf2_ros", "launch", "launch_ros"),
    *("builtin_interfaces", "diagnostic_msgs", "geometry_msgs", "lifecycle_msgs", "nav_msgs", "rosgraph_msgs"),
    *("sensor_msgs", "sensor_msgs_py", "std_msgs", "std_srvs", "stereo_msgs", "tf2_msgs"),
}


def copy_of_the_checkout(to: Path) -> Path:
    """Sources without environments and build outputs, so that building leaves nothing in the checkout."""
    ignore = shutil.ignore_patterns(
        ".*", "__pycache__", "*.egg-info", "build", "install", "log", "data", "runs", "demo"
    )
    return Path(shutil.copytree(ROOT, to, ignore=ignore))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment's root into which `pip install .` put the package (offline: what is installed builds it)."""
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("setuptools is not installed: pip install 'depth_perception[test]'")
    source = copy_of_the_checkout(tmp_path_factory.mktemp("source") / "depth_perception")
    prefix = tmp_path_factory.mktemp("prefix")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--ignore-installed", "--prefix", str(prefix), str(source)], check=True)
    return prefix


@pytest.fixture(scope="module")
def site_packages(prefix: Path) -> Path:
    return next(path.parent for path in prefix.rglob("depth_perception") if path.parent.name.endswith("-packages"))


def test_pip_installs_what_ros_looks_for(prefix: Path) -> None:
    assert (prefix / "share/ament_index/resource_index/packages/depth_perception").is_file()
    assert (prefix / SHARE / "package.xml").read_text() == (ROOT / "package.xml").read_text()
    for folder, pattern in (("launch", "*.launch.py"), ("config", "*.yaml"), ("config", "*.xml")):
        expected = {path.name for path in (ROOT / folder).glob(pattern)}
        assert expected and expected <= {path.name for path in (prefix / SHARE / folder).iterdir()}
    executables = {path.name: path for path in (prefix / "lib/depth_perception").iterdir()}
    assert set(executables) == set(NODES)  # where `ros2 run` and `ros2 launch` look
    for path in executables.values():
        assert path.stat().st_mode & stat.S_IXUSR
        assert path.read_text().startswith("#!/usr/bin/env python3\n")


def test_pip_installs_the_package_its_models_and_nothing_else(site_packages: Path) -> None:
    modules = {path.relative_to(ROOT) for path in (ROOT / "depth_perception").rglob("*.py")}
    models = {path.relative_to(ROOT) for path in (ROOT / "depth_perception/models").glob("*.onnx")}
    installed = {path.relative_to(site_packages) for path in (site_packages / "depth_perception").rglob("*.*")}
    assert models and modules | models == {path for path in installed if "__pycache__" not in path.parts}
    assert not (site_packages / "training").exists() and not (site_packages / "test").exists()


def test_console_scripts_run_from_the_installed_package(prefix: Path, site_packages: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(site_packages)}
    script = prefix / "bin/depth-perception"
    done = subprocess.run([script, "--version"], cwd=prefix, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, f"depth-perception {depth_perception.__version__}")
    for node in NODES:
        assert (prefix / "bin" / node).is_file()


def test_entry_points_and_libexec_files_call_functions_that_exist(site_packages: Path) -> None:
    points = configparser.ConfigParser()
    points.optionxform = str  # type: ignore[assignment,method-assign]
    points.read(next(site_packages.glob("*.dist-info")) / "entry_points.txt")
    scripts = dict(points["console_scripts"])
    assert set(scripts) == {"depth-perception", *NODES}
    for name, target in scripts.items():
        module, function = target.split(":")
        tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
        assert function in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)], name
        if name in NODES:
            assert f"from {module} import {function}\n" in (ROOT / "libexec" / name).read_text()


def metadata_of(site_packages: Path) -> Message:
    return importlib.metadata.PathDistribution(next(site_packages.glob("*.dist-info"))).metadata  # type: ignore[return-value]


def test_metadata(site_packages: Path) -> None:
    metadata = metadata_of(site_packages)
    assert metadata["Version"] == depth_perception.__version__
    assert metadata["Requires-Python"] == ">=3.10"
    extras = set(metadata.get_all("Provides-Extra") or [])
    assert {"ros", "sim", "openvino", "tensorrt", "train", "dev", "test"} <= extras
    required = [text for text in metadata.get_all("Requires-Dist") or [] if "extra ==" not in text]
    assert not [text for text in required if text.startswith(("ros-", "rclpy", "torch"))]
    assert "opencv-python-headless<5,>=4.8" in [text.replace(" ", "") for text in required]


def test_package_xml_is_valid_and_agrees_with_the_package() -> None:
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    assert package.attrib["format"] == "3"
    assert package.findtext("name") == "depth_perception"
    assert package.findtext("version") == depth_perception.__version__
    assert package.findtext("license") == "Apache-2.0" and "Apache License" in (ROOT / "LICENSE").read_text()
    assert package.findtext("export/build_type") == "ament_python"
    # Without a real domain colcon takes us for plain Python, silently.
    assert re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)*\.[a-zA-Z]{2,}", package.find("maintainer").attrib["email"])  # type: ignore[union-attr]
    if importlib.util.find_spec("catkin_pkg"):
        from catkin_pkg.package import parse_package

        parse_package(str(ROOT), warnings=(warnings := []))
        assert warnings == []


def test_colcon_sees_a_ros_package(tmp_path: Path) -> None:
    colcon = shutil.which("colcon")
    if colcon is None:
        pytest.skip("colcon is not installed: pip install colcon-common-extensions")
    copy_of_the_checkout(tmp_path / "src" / "depth_perception")
    listed = subprocess.run([colcon, "list"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert listed.split()[0] == "depth_perception" and "(ros.ament_python)" in listed


def test_every_import_is_declared(site_packages: Path) -> None:
    required = metadata_of(site_packages).get_all("Requires-Dist") or []
    declared = {re.split(r"[^\w.-]", text)[0].lower() for text in required}
    ros = {element.text for element in ElementTree.parse(ROOT / "package.xml").getroot().findall("exec_depend")}
    for file in sorted((ROOT / "depth_perception").rglob("*.py")):
        for name in imported_roots(file):
            if name in sys.stdlib_module_names or name == "depth_perception":
                continue
            if name in FROM_ROS:
                assert name in ros or name == "tf2_ros", f"{file}: {name} is not in package.xml"
            else:
                assert DISTRIBUTIONS.get(name, name) in declared, f"{file}: {name} is not in setup.py"


def imported_roots(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def test_changelog_has_this_version() -> None:
    assert f"## {depth_perception.__version__}" in (ROOT / "CHANGELOG.md").read_text()
