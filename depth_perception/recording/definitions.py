"""The definition of a message type as a recording stores it, from the message's own class.

The class says what its bytes mean on this robot, whatever ROS distribution it is of, and it is there wherever the type
can be subscribed to; `.msg` files aren't (plain pip installs few of them).
"""

from __future__ import annotations

import functools
import importlib
import re
from typing import Any, NamedTuple

from depth_perception.bags.types import jazzy

RULE = "=" * 80
_BASE = {"boolean": "bool", "octet": "byte", "float": "float32", "double": "float64"}  # IDL's names → msg's
_SEQUENCE = re.compile(r"sequence<(.+?)(?:, (\d+))?>$")
_ARRAY = re.compile(r"(.+)\[(\d+)\]$")


class Definition(NamedTuple):
    """`text` is in ros2msg format, with every type it refers to; `hash` is RIHS01 (REP-2011)."""

    text: str
    hash: str


@functools.cache
def definition(name: str) -> Definition:
    """The definition of `package/msg/Name` as it is installed.

    Raises:
        ImportError: its Python class isn't installed.
    """
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    parts = _collect(name)
    text = f"{RULE}\n".join(body if part == name else f"MSG: {_short(part)}\n{body}" for part, body in parts.items())
    store = get_typestore(Stores.EMPTY)
    fields = get_types_from_msg(text, name)
    store.register({part: field for part, field in fields.items() if part not in store.fielddefs})
    found = store.hash_rihs01(name)
    if name in jazzy().types and jazzy().hash_rihs01(name) == found:
        return Definition(jazzy().generate_msgdef(name, ros_version=2)[0], found)  # with the type's constants
    return Definition(text, found)


def message_class(name: str) -> Any:
    """The class of 'package/msg/Name'. Raises ImportError if it isn't installed."""
    package, kind, cls = name.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.{kind}"), cls)
    except AttributeError as error:
        raise ImportError(f"{package}.{kind} has no {cls}") from error


def _collect(name: str) -> dict[str, str]:
    """The type itself first, then everything it refers to → the fields of each as a .msg file has them."""
    found: dict[str, str] = {}
    waiting = [name]
    while waiting:
        part = waiting.pop(0)
        if part in found:
            continue
        lines = []
        for field, kind in message_class(part).get_fields_and_field_types().items():
            spelled, inner = _spelled(kind)
            lines.append(f"{spelled} {field}\n")
            waiting += [inner] if inner else []
        found[part] = "".join(lines)
    return found


def _spelled(kind: str) -> tuple[str, str]:
    """'sequence<double>' → ('float64[]', ''); 'geometry_msgs/Point[4]' → (itself, 'geometry_msgs/msg/Point')."""
    suffix, element = "", kind
    if sequence := _SEQUENCE.match(kind):
        element, bound = sequence.groups()
        suffix = f"[<={bound}]" if bound else "[]"
    elif array := _ARRAY.match(kind):
        element, size = array.groups()
        suffix = f"[{size}]"
    if "/" in element:
        package, _, name = element.rpartition("/")
        return element + suffix, f"{package.removesuffix('/msg')}/msg/{name}"
    element = re.sub(r"(w?string)<(\d+)>", r"\1<=\2", element)
    return _BASE.get(element, element) + suffix, ""


def _short(name: str) -> str:
    return name.replace("/msg/", "/")
