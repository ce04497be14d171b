"""ROS 2: the client, the middleware, what only a full install has, and the environment that steers them."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from depth_perception.bringup import installed_file
from depth_perception.doctor.finding import Finding, Level
from depth_perception.doctor.probe import run_python
from depth_perception.doctor.software import version
from depth_perception.errors import ConfigError

WHEELS = (
    "pip install 'ros-rclpy[fastrtps]' ros-sensor-msgs ros-stereo-msgs ros-nav-msgs ros-diagnostic-msgs "
    "ros-geometry-msgs ros-std-srvs (Python 3.11), or source /opt/ros/<distro>/setup.bash"
)
# What pip's wheels lack: module, what we use it for, the Debian package after 'ros-<distro>-'.
FULL_INSTALL = (
    ("tf2_ros", "transforms; nothing in this version needs it", "tf2-ros-py"),
    ("launch_ros", "ros2 launch; without it: depth-perception up", "launch-ros"),
    ("ros2cli", "the ros2 command", "ros2cli"),
    ("sensor_msgs_py", "our own decoder is compared with it in tests", "sensor-msgs-py"),
)
VARIABLES = (
    "ROS_DOMAIN_ID",
    "ROS_AUTOMATIC_DISCOVERY_RANGE",
    "ROS_LOCALHOST_ONLY",
    "RMW_IMPLEMENTATION",
    "FASTRTPS_DEFAULT_PROFILES_FILE",
    "FASTDDS_DEFAULT_PROFILES_FILE",
    "CYCLONEDDS_URI",
    "AMENT_PREFIX_PATH",
    "MUJOCO_GL",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
)
_RMW = "import rclpy; print(rclpy.get_rmw_implementation_identifier())"
_CV_BRIDGE = "import numpy, cv_bridge; cv_bridge.CvBridge().cv2_to_imgmsg(numpy.zeros((2, 2, 3), 'u1'), 'bgr8')"


def look() -> list[Finding]:
    """Client and middleware, the parts of a full install, our own share, the environment."""
    return [_client(), *_full_install(), _cv_bridge(), _share(), *environment()]


def _client() -> Finding:
    if importlib.util.find_spec("rclpy") is None:
        return Finding("rclpy", Level.ABSENT, "not installed; for the nodes (convert works without)", WHEELS)
    works, text = run_python(_RMW)
    if not works:
        remedy = "source ROS's setup.bash first, or install the middleware: apt install ros-<distro>-rmw-fastrtps-cpp"
        return Finding("rclpy", Level.BAD, f"does not start: {text}", remedy)
    distro = os.environ.get("ROS_DISTRO", "distro not named (normal for pip's wheels)")
    return Finding("rclpy", Level.OK, f"{version(('ros-rclpy', 'rclpy'))}, {distro}, middleware {text}")


def _full_install() -> list[Finding]:
    findings = []
    for module, purpose, package in FULL_INSTALL:
        if importlib.util.find_spec(module) is not None:
            findings.append(Finding(module, Level.OK, "installed"))
        else:
            findings.append(Finding(module, Level.ABSENT, f"not installed; {purpose}", _apt(package)))
    return findings


def _cv_bridge() -> Finding:
    if importlib.util.find_spec("cv_bridge") is None:
        return Finding("cv_bridge", Level.ABSENT, "not installed; for rare encodings only", _apt("cv-bridge"))
    works, text = run_python(_CV_BRIDGE)
    if works:
        return Finding("cv_bridge", Level.OK, "works")
    remedy = "it is often built for NumPy 1: pip install 'numpy<2' if you need it; our own decoder doesn't"
    return Finding("cv_bridge", Level.ABSENT, f"is installed but fails: {text}", remedy)


def _apt(package: str) -> str:
    distro = os.environ.get("ROS_DISTRO")
    return f"apt install ros-{distro}-{package}" if distro else "only in a full ROS install: no wheels exist"


def _share() -> Finding:
    prefixes = [prefix for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    if any((Path(prefix) / "share" / "depth_perception" / "package.xml").is_file() for prefix in prefixes):
        return Finding("ros2 launch", Level.OK, "finds depth_perception in AMENT_PREFIX_PATH")
    try:
        place = installed_file("config/depth.yaml").parent.parent
    except ConfigError as error:
        return Finding("config", Level.BAD, str(error), "install depth_perception again")
    text = f"does not find us: {place} is not in AMENT_PREFIX_PATH; console scripts and 'up' work"
    return Finding("ros2 launch", Level.ABSENT, text, "colcon: source install/setup.bash; pip: export "
                   'AMENT_PREFIX_PATH="$VIRTUAL_ENV" after pip install . (not -e)')  # fmt: skip


def environment() -> list[Finding]:
    """The variables that change how we run, where they are set."""
    return [Finding(name, Level.OK, os.environ[name]) for name in VARIABLES if name in os.environ]
