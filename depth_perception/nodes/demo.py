"""Run the demo: simulator and depth node as processes, a monitor here, a report at the end."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from depth_perception.bags import BagWriter
from depth_perception.bags.transforms import tf_static_message
from depth_perception.bringup import SIMULATED, installed_file, middleware_environment, parameters, remappings
from depth_perception.demo_report import write_report
from depth_perception.errors import DepthPerceptionError
from depth_perception.nodes.demo_monitor import CAMERA, DEPTH, DemoMonitor, decode
from depth_perception.sim.parameters import SimulatorConfig
from depth_perception.sim.sensor_messages import static_transforms

RENDER_PATIENCE_S = 240.0  # the first frame of the simulated drive must come within this
DEPTH_PATIENCE_S = 20.0  # the first depth image must come this long after the first camera image
SHOWN = 12  # frames that are compared with the truth


def run_demo(args: argparse.Namespace, out: TextIO) -> int:
    """The whole demo; 0, or `DepthPerceptionError` with the reason why no depth came."""
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "recording", ignore_errors=True)
    shutil.rmtree(folder / "recording.partial", ignore_errors=True)
    # Two demos on one network must not hear each other's robots.
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    settings = SimulatorConfig(seed=args.seed, kind=args.kind)
    with tempfile.TemporaryFile() as log, BagWriter(folder / "recording", "lz4") as bag:
        monitor = DemoMonitor(bag, tf_static_message(static_transforms(settings.sim_config())))
        children = {"simulator_node": start_simulator(args, log), "depth_node": start_depth(args, log)}
        try:
            _watch(monitor, children, args.seconds, out)
        except DepthPerceptionError as error:
            log.seek(0)
            words = log.read().decode(errors="replace").strip().splitlines()[-15:]
            raise DepthPerceptionError("\n".join([str(error), *monitor.reasons(), *words])) from error
        finally:
            for child in children.values():
                child.terminate()
            for child in children.values():
                child.wait(30)
            monitor.close()
    text = write_report(folder, [decode(t) for t in _spread(list(monitor.complete))], facts(args, monitor))
    print(f"\n{text}\n\npicture: {folder / 'picture.png'}\nrecording: {folder / 'recording'}", file=out)
    return 0


def start_simulator(args: argparse.Namespace, log: Any) -> subprocess.Popen[bytes]:
    values = {"seed": args.seed, "kind": args.kind}
    return _start("simulator_node", values, [], log)


def start_depth(args: argparse.Namespace, log: Any) -> subprocess.Popen[bytes]:
    given = {name: value for name, value in SIMULATED.items() if name != "params_file"}
    values = {**parameters(given), "engine.backend": args.backend, "points.stride": 2}
    renamed = [f"{name}:={topic}" for name, topic in remappings(given)]
    params_file = ["--params-file", str(installed_file(SIMULATED["params_file"]))]
    return _start("depth_node", values, renamed, log, params_file)


def _start(
    node: str, values: dict[str, Any], renamed: list[str], log: Any, more: list[str] | None = None
) -> subprocess.Popen[bytes]:
    settings = [part for name, value in values.items() for part in ("-p", f"{name}:={json.dumps(value)}")]
    rules = [part for rule in renamed for part in ("-r", rule)]
    ros = [*(more or []), *settings, *rules]
    command = [sys.executable, "-m", f"depth_perception.nodes.{node}", "--ros-args", *ros]
    environment = {**os.environ, **middleware_environment()}
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)


def _watch(monitor: DemoMonitor, children: dict[str, subprocess.Popen[bytes]], seconds: float, out: TextIO) -> None:
    """Spin, with a progress line a second, until depth has flowed for `seconds`.

    Raises:
        DepthPerceptionError: a process died, or no camera image or no depth came in time.
    """
    started, first_image, first_depth = time.monotonic(), 0.0, 0.0
    while not first_depth or time.monotonic() - first_depth < seconds:
        monitor.spin(1.0)
        now = time.monotonic()
        first_image = first_image or (now if monitor.arrivals[CAMERA] else 0.0)
        first_depth = first_depth or (now if monitor.arrivals[DEPTH] else 0.0)
        for name, child in children.items():
            if child.poll() is not None:
                raise DepthPerceptionError(f"{name} ended with exit code {child.returncode}")
        if not first_image and now - started > RENDER_PATIENCE_S:
            raise DepthPerceptionError(f"no camera image came within {RENDER_PATIENCE_S:.0f} s")
        if first_image and not first_depth and now - first_image > DEPTH_PATIENCE_S:
            raise DepthPerceptionError(f"no depth came within {DEPTH_PATIENCE_S:.0f} s after the first image")
        print(f"\r{progress(monitor, now - started)}", end="", flush=True, file=out)


def progress(monitor: DemoMonitor, elapsed_s: float) -> str:
    """One line: what flows, how fast, how late."""
    if not monitor.arrivals[CAMERA]:
        return f"{elapsed_s:3.0f} s: the simulator renders its drive …"
    latency = f"{np.median(monitor.latency_ms):.0f} ms" if monitor.latency_ms else "–"
    if monitor.rate(DEPTH) == 0.0:
        return (
            f"{elapsed_s:3.0f} s: camera {monitor.rate(CAMERA):4.1f} Hz, no depth yet {' '.join(monitor.reasons()[:1])}"
        )
    return (
        f"{elapsed_s:3.0f} s: camera {monitor.rate(CAMERA):4.1f} Hz, depth {monitor.rate(DEPTH):4.1f} Hz, "
        f"scan {monitor.rate('depth/scan'):4.1f} Hz, image to depth {latency} (median), scale: {monitor.scale()}   "
    )


def facts(args: argparse.Namespace, monitor: DemoMonitor) -> dict[str, Any]:
    """What the summary says beside accuracy."""
    latency = monitor.latency_ms
    return {
        "world": f"{args.kind}, seed {args.seed}",
        "scale": monitor.scale(),
        "camera images": len(monitor.arrivals[CAMERA]),
        "depth images": len(monitor.arrivals[DEPTH]),
        "depth rate (Hz)": round(monitor.mean_rate(DEPTH), 1),
        "image to depth, median (ms)": round(float(np.median(latency)), 1) if latency else None,
        "image to depth, 95 % (ms)": round(float(np.percentile(latency, 95)), 1) if latency else None,
    }


def _spread(items: list[Any]) -> list[Any]:
    """At most `SHOWN` items, evenly spread.

    Raises:
        DepthPerceptionError: there are none.
    """
    if not items:
        raise DepthPerceptionError("no depth image had the stamp of a camera image with known truth")
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, SHOWN).astype(int))]
