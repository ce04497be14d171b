"""The machine: processor, memory, shared memory, GPU, headless rendering."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from pathlib import Path

from depth_perception.doctor.finding import Finding, Level
from depth_perception.doctor.probe import run, run_python

SHARED_MEMORY_MB = 128  # Docker's default of 64 MB holds a few VGA topics of Fast DDS, no more
SOCKET_BUFFER_KB = 1024  # an image to another host is a burst of UDP datagrams
_RENDER = """
import os
os.environ.setdefault("MUJOCO_GL", "egl")
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><light/><geom size='1'/></worldbody></mujoco>")
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
with mujoco.Renderer(model, 24, 32) as renderer:
    renderer.update_scene(data)
    renderer.render()
"""


def look() -> list[Finding]:
    """What this machine offers."""
    return [_processor(), _memory(), _shared_memory(), _socket_buffer(), _gpu(), _rendering()]


def _processor() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    name = next(iter(_lines("/proc/cpuinfo", "model name")), platform.processor() or "unknown")
    return Finding("processor", Level.OK, f"{name}, {usable} cores for us, {platform.machine()}")


def _memory() -> Finding:
    total = next(iter(_lines("/proc/meminfo", "MemTotal")), "")
    free = next(iter(_lines("/proc/meminfo", "MemAvailable")), "")
    if not total or not free:
        return Finding("memory", Level.ABSENT, "unknown")
    total_gb, free_gb = (int(text.split()[0]) / 2**20 for text in (total, free))
    return Finding("memory", Level.OK, f"{total_gb:.1f} GB, {free_gb:.1f} GB free")


def _shared_memory() -> Finding:
    if not Path("/dev/shm").is_dir():
        return Finding("/dev/shm", Level.ABSENT, "not there; images between processes go through UDP")
    megabytes = shutil.disk_usage("/dev/shm").total / 2**20
    if megabytes >= SHARED_MEMORY_MB:
        return Finding("/dev/shm", Level.OK, f"{megabytes:.0f} MB")
    remedy = "docker run --shm-size=512m, or mount -o remount,size=512m /dev/shm"
    return Finding("/dev/shm", Level.BAD, f"{megabytes:.0f} MB is little for images over shared memory", remedy)


def _socket_buffer() -> Finding:
    try:
        kilobytes = int(Path("/proc/sys/net/core/rmem_max").read_text()) // 1024
    except (OSError, ValueError):
        return Finding("UDP buffer", Level.ABSENT, "unknown")
    if kilobytes >= SOCKET_BUFFER_KB:
        return Finding("UDP buffer", Level.OK, f"net.core.rmem_max {kilobytes} kB")
    text = f"net.core.rmem_max {kilobytes} kB; images to other hosts may get lost (not on this host)"
    return Finding("UDP buffer", Level.ABSENT, text, "sysctl -w net.core.rmem_max=8388608")


def _gpu() -> Finding:
    works, text = run(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"])
    if works and text:
        return Finding("GPU", Level.OK, "; ".join(text.splitlines()))
    board = Path("/proc/device-tree/model")
    if Path("/etc/nv_tegra_release").is_file():
        release = Path("/etc/nv_tegra_release").read_text().split(",")[0].lstrip("# ")
        name = board.read_text().rstrip("\0\n") if board.is_file() else "Jetson"
        return Finding("GPU", Level.OK, f"{name}, L4T {release}")
    return Finding("GPU", Level.ABSENT, f"no NVIDIA GPU in use: {text}; the CPU backends need none")


def _rendering() -> Finding:
    if importlib.util.find_spec("mujoco") is None:
        return Finding("rendering", Level.ABSENT, "MuJoCo is not installed; for the simulator", "pip install mujoco")
    works, text = run_python(_RENDER)
    if works:
        return Finding("rendering", Level.OK, f"MuJoCo renders with MUJOCO_GL={os.environ.get('MUJOCO_GL', 'egl')}")
    remedy = "apt install libegl1 libopengl0 libgl1-mesa-dri, and export MUJOCO_GL=egl"
    return Finding("rendering", Level.BAD, f"MuJoCo can't render: {text}", remedy)


def _lines(path: str, key: str) -> list[str]:
    """Values of `key: value` lines."""
    try:
        text = Path(path).read_text()
    except OSError:
        return []
    return [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith(key)]
