"""Mountings from tf2, played by a stand-in where tf2 isn't installed."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'depth_perception[ros]'")

from depth_perception.errors import CalibrationError
from depth_perception.nodes.transforms import TransformListener


class Log:
    """A node that only keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def get_logger(self) -> Any:
        return SimpleNamespace(info=self.lines.append)


@pytest.fixture
def tf2(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The three names that the listener uses. It knows lidar → lens: a quarter turn around z, and 1 m along x."""
    module = ModuleType("tf2_ros")

    class TransformException(Exception):
        pass

    class Buffer:
        def lookup_transform(self, target: str, source: str, time: Any) -> Any:
            if (target, source) != ("lens", "lidar"):
                raise TransformException(f'"{source}" does not exist')
            half = np.sqrt(0.5)
            transform = SimpleNamespace(
                translation=SimpleNamespace(x=1.0, y=0.0, z=0.0), rotation=SimpleNamespace(x=0.0, y=0.0, z=half, w=half)
            )
            return SimpleNamespace(transform=transform)

    class Listener:
        def __init__(self, buffer: Any, node: Any) -> None:
            module.listening = True  # type: ignore[attr-defined]

        def unregister(self) -> None:
            module.listening = False  # type: ignore[attr-defined]

    names = {"TransformException": TransformException, "Buffer": Buffer, "TransformListener": Listener}
    for name, value in names.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    return module


def test_lookup_is_tf2s_and_what_tf_does_not_know_is_an_error(tf2: Any) -> None:
    listener = TransformListener(Log())  # type: ignore[arg-type]
    T = listener.lookup("lens", "lidar")
    # x of the LiDAR is y of the lens; the inverse would give (0, -1, 0) + (0, 1, 0)
    np.testing.assert_allclose(T @ [2.0, 0, 0, 1], [1, 2, 0, 1], atol=1e-12)
    with pytest.raises(CalibrationError, match="no transform from 'mars' to 'lens': \"mars\" does not exist"):
        listener.lookup("lens", "mars")
    assert tf2.listening
    listener.destroy()
    assert not tf2.listening


def test_without_tf2_the_parameters_are_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    log = Log()
    listener = TransformListener(log)  # type: ignore[arg-type]
    assert len(log.lines) == 1 and "lidar.T_cam_lidar" in log.lines[0]
    with pytest.raises(CalibrationError, match="tf2_ros isn't installed"):
        listener.lookup("lens", "lidar")
    listener.destroy()
