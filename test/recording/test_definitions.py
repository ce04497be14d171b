"""Definitions made of message classes: what rosbags parses is what ROS announces."""

from __future__ import annotations

import importlib

import pytest

from depth_perception.bags.types import jazzy
from depth_perception.recording.definitions import _spelled, definition, message_class

PACKAGES = ("sensor_msgs", "std_msgs", "nav_msgs", "geometry_msgs", "diagnostic_msgs", "rcl_interfaces")
OTHERWISE = {"std_msgs/msg/Char"}  # its class says uint8, which has the same bytes


@pytest.mark.parametrize("package", PACKAGES)
def test_every_installed_type_is_what_ros_says(package: str) -> None:
    """RIHS01 covers every field's name, type and order, and those of the types within."""
    messages = pytest.importorskip(f"{package}.msg", reason=f"{package} is not installed")
    names = [f"{package}/msg/{name}" for name in dir(messages) if isinstance(getattr(messages, name), type)]
    known = [name for name in names if name in jazzy().types and name not in OTHERWISE]
    assert len(known) >= 3
    for name in known:
        assert definition(name).hash == jazzy().hash_rihs01(name), name


def test_constants_are_there() -> None:
    pytest.importorskip("diagnostic_msgs", reason="diagnostic_msgs is not installed")
    assert "byte ERROR=2" in definition("diagnostic_msgs/msg/DiagnosticArray").text


@pytest.mark.parametrize(
    ("kind", "spelled", "inner"),
    [
        ("boolean", "bool", ""),
        ("sequence<double>", "float64[]", ""),
        ("sequence<octet, 7>", "byte[<=7]", ""),
        ("double[9]", "float64[9]", ""),
        ("string<10>", "string<=10", ""),
        ("sequence<wstring<4>, 3>", "wstring<=4[<=3]", ""),
        ("geometry_msgs/Point[4]", "geometry_msgs/Point[4]", "geometry_msgs/msg/Point"),
        ("sequence<std_msgs/Header>", "std_msgs/Header[]", "std_msgs/msg/Header"),
    ],
)
def test_idls_spelling_becomes_msgs(kind: str, spelled: str, inner: str) -> None:
    assert _spelled(kind) == (spelled, inner)


def test_a_type_that_rosbags_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a package of the robot's own: the class alone says what its bytes mean."""
    pytest.importorskip("std_msgs", reason="std_msgs is not installed")

    class Battery:
        @staticmethod
        def get_fields_and_field_types() -> dict[str, str]:
            return {"header": "std_msgs/Header", "cells": "sequence<float, 8>", "name": "string<5>"}

    module = type(importlib)("robot.msg")
    module.Battery = Battery  # type: ignore[attr-defined]
    for name, part in (("robot", type(importlib)("robot")), ("robot.msg", module)):
        monkeypatch.setitem(importlib.sys.modules, name, part)  # type: ignore[attr-defined]
    text, _ = definition("robot/msg/Battery")
    assert text.startswith("std_msgs/Header header\nfloat32[<=8] cells\nstring<=5 name\n=====")
    assert "MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n" in text
    assert "MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n" in text


def test_what_is_not_installed() -> None:
    with pytest.raises(ImportError, match="no_such_msgs"):
        definition("no_such_msgs/msg/Thing")
    pytest.importorskip("std_msgs", reason="std_msgs is not installed")
    with pytest.raises(ImportError, match=r"std_msgs\.msg has no Thing"):
        message_class("std_msgs/msg/Thing")
