"""One package, three installs: `colcon build`, `pip install .` and `pip install -e .`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

NAME = "depth_perception"
ROOT = Path(__file__).resolve().parent


def version() -> str:
    """The one version, read from the package without importing it."""
    text = (ROOT / NAME / "__init__.py").read_text()
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise ValueError(f"no __version__ in {NAME}/__init__.py")
    return found.group(1)


def files(pattern: str) -> list[str]:
    """Relative paths of installed files; data_files takes no absolute ones."""
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern))


ROS = [
    "ros-rclpy[fastrtps]",
    "ros-sensor-msgs",
    "ros-stereo-msgs",
    "ros-nav-msgs",
    "ros-diagnostic-msgs",
    "ros-geometry-msgs",
    "ros-std-srvs",
    "ros-lifecycle-msgs",
    "ros-rosgraph-msgs",
]

setup(
    name=NAME,
    version=version(),
    description="Metric depth for any ROS 2 robot that has a camera",
    long_description=(ROOT / "README.md").read_text() if (ROOT / "README.md").is_file() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["models/*.onnx"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", files("launch/*.launch.*")),
        (f"share/{NAME}/config", files("config/*.yaml") + files("config/*.xml")),
        # `ros2 run` and `ros2 launch` look here only; pip puts console scripts elsewhere.
        (f"lib/{NAME}", files("libexec/*_node")),
    ],
    zip_safe=False,
    # ROS itself comes from the robot's install (rosdep) or from the extra [ros].
    install_requires=[
        "numpy>=1.26",
        "opencv-python-headless>=4.8,<5",  # OpenCV 5 breaks cv_bridge in nodes that share the environment
        "onnxruntime>=1.19",
        "rosbags>=0.10",
        "mcap>=1.1",
        "lz4>=4",
        "zstandard>=0.20",
        "pyyaml>=6",
        "scipy>=1.11",
        "tqdm>=4.60",
    ],
    extras_require={
        "ros": ROS,
        "sim": ["mujoco>=3.5"],
        "openvino": ["openvino>=2024.0"],
        "tensorrt": ["tensorrt>=10.3"],
        "import": ["onnx>=1.16"],
        "train": ["torch>=2.4", "lightning>=2.6", "tensorboard>=2.15", "safetensors>=0.4", "onnx>=1.16"],
        "view": ["matplotlib>=3.6"],
        "cluster": ["ray>=2.9"],
        "test": ["pytest>=7", "setuptools>=70.1", "hypothesis>=6", "onnx>=1.16", "matplotlib>=3.6"],
        "dev": ["ruff>=0.6", "mypy>=1.10", "types-PyYAML"],
    },
    entry_points={
        "console_scripts": [
            f"depth-perception = {NAME}.cli:main",
            f"depth_node = {NAME}.nodes.depth_node:main",
            f"recorder_node = {NAME}.nodes.recorder:main",
            f"simulator_node = {NAME}.nodes.simulator_node:main",
        ]
    },
)
