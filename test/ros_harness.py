"""Real processes over real DDS: start a node, publish to it, wait for conditions with a timeout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from depth_perception import messages
from depth_perception.camera import CameraModel

ROOT = Path(__file__).resolve().parent.parent


class Process:
    """A console script of ours as its own process, its output kept."""

    def __init__(self, module: str, parameters: dict[str, Any], arguments: tuple[str, ...] = ()) -> None:
        flags = [part for name, value in parameters.items() for part in ("-p", f"{name}:={_yaml(value)}")]
        command = [sys.executable, "-m", module, "--ros-args", *flags, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def finish(self, number: int = signal.SIGINT, timeout_s: float = 20.0) -> tuple[int, str]:
        """Send a signal, wait for the end: exit code and everything that was printed."""
        if self.alive:
            self._process.send_signal(number)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = 30.0) -> tuple[int, str]:
        try:
            output, _ = self._process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            output, _ = self._process.communicate()
            raise AssertionError(f"the process did not end within {timeout_s} s; it printed:\n{output}") from None
        return self._process.returncode, output


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@contextmanager
def running(module: str, parameters: dict[str, Any], arguments: tuple[str, ...] = ()) -> Iterator[Process]:
    """A process that is ended whatever happens."""
    process = Process(module, parameters, arguments)
    try:
        yield process
    finally:
        if process.alive:
            process.finish()


class Robot:
    """The other side of the node under test: a camera that publishes, and ears for everything it says."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = Node("robot", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self.heard: dict[str, list[Any]] = {}
        self.listen(DiagnosticArray, "/diagnostics")
        self._image = self.node.create_publisher(Image, "image", 5)
        self._info = self.node.create_publisher(CameraInfo, "camera_info", 5)
        self._stamp_ns = 1_000_000_000_000

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()

    def listen(self, kind: type, topic: str, profile: Any = 5) -> list[Any]:
        """Collect every message of a topic from now on."""
        heard = self.heard.setdefault(topic, [])
        self.node.create_subscription(kind, topic, heard.append, profile)
        return heard

    def until(self, condition: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
        """Spin until `condition()` is true; its value."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            self._executor.spin_once(timeout_sec=0.02)
        raise AssertionError(f"{what} did not happen within {timeout_s} s; diagnostics: {self.diagnosis()}")

    def connected(self) -> bool:
        """True once the node under test subscribes to our camera and we to its depth."""
        return self._image.get_subscription_count() > 0 and self._info.get_subscription_count() > 0

    def see(self, image: np.ndarray, camera: CameraModel | None, stamp_ns: int | None = None) -> int:
        """Publish an image and its camera_info; the stamp used."""
        self._stamp_ns = self._stamp_ns + 33_000_000 if stamp_ns is None else stamp_ns
        types = messages.live()
        if camera is not None:
            self._info.publish(messages.camera_info_message(types, camera, self._stamp_ns, "lens"))
        self._image.publish(messages.image_message(types, image, "rgb8", self._stamp_ns, "lens"))
        return self._stamp_ns

    def see_until(self, make: Callable[[], np.ndarray], camera: CameraModel | None, condition: Callable[[], Any],
                  what: str, timeout_s: float = 30.0) -> Any:  # fmt: skip
        """Publish images ten times a second until `condition()` is true."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            self.see(make(), camera)
            soon = time.monotonic() + 0.1
            while time.monotonic() < soon:
                self._executor.spin_once(timeout_sec=0.02)
                if value := condition():
                    return value
        raise AssertionError(f"{what} did not happen within {timeout_s} s; diagnostics: {self.diagnosis()}")

    def send_until(self, send: Callable[[], Any], condition: Callable[[], Any], what: str) -> None:
        """Send the same once a second until `condition()` is true: what went before discovery is lost."""
        for _ in range(30):
            send()
            end = time.monotonic() + 1.0
            while time.monotonic() < end:
                self._executor.spin_once(timeout_sec=0.02)
                if condition():
                    return
        raise AssertionError(f"{what} did not happen; diagnostics: {self.diagnosis()}")

    def publish_image(self, message: Image) -> None:
        """Publish an image message as it is, however bad."""
        self._image.publish(message)

    def publish_info(self, message: CameraInfo) -> None:
        self._info.publish(message)

    def statuses(self) -> dict[str, DiagnosticStatus]:
        """The newest diagnostic statuses by the last word of their name."""
        arrays = self.heard["/diagnostics"]
        return {status.name.rsplit(": ", 1)[1]: status for status in arrays[-1].status} if arrays else {}

    def diagnosis(self) -> dict[str, str]:
        return {name: f"{status.level!r} {status.message}" for name, status in self.statuses().items()}

    def count(self, key: str) -> int:
        """A counter in the newest `output` diagnostics; 0 where it isn't there."""
        status = self.statuses().get("output")
        values = {pair.key: pair.value for pair in status.values} if status else {}
        return int(values.get(key, 0))

    def call(self, kind: type, service: str, request: Any, timeout_s: float = 30.0) -> Any:
        client = self.node.create_client(kind, service)
        self.until(client.service_is_ready, f"service {service}", timeout_s)
        future = client.call_async(request)
        self.until(future.done, f"answer of {service}", timeout_s)
        return future.result()

    def ask(self, kind: type, service: str, request: Any, timeout_s: float = 30.0) -> Any:
        """`call` for what changes nothing: asked again every 2 s, since a server answers into the void until it has
        discovered the client's reader, which `service_is_ready` can't see."""
        client = self.node.create_client(kind, service)
        self.until(client.service_is_ready, f"service {service}", timeout_s)
        futures: list[Any] = []
        began = time.monotonic()

        def answered() -> bool:
            if time.monotonic() - began >= 2.0 * len(futures):
                futures.append(client.call_async(request))
            return any(future.done() for future in futures)

        self.until(answered, f"answer of {service}", timeout_s)
        return next(future.result() for future in futures if future.done())
