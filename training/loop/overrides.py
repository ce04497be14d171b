"""Plain values onto frozen dataclasses, strictly: a wrong name or type is an error that says what was meant."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from depth_perception.errors import ConfigError

Settings = TypeVar("Settings")


def override(settings: Settings, values: Mapping[str, Any], path: str = "") -> Settings:
    """A copy of a frozen dataclass with some of its values replaced, also inside dataclasses that it holds.

    Args:
        values: by field; for a field that is itself a dataclass, another such mapping.
        path: of `settings`, with a final dot; for errors.

    Raises:
        ConfigError: an unknown name (with the nearest known one), or a value of another type than the field's.
    """
    known = get_type_hints(type(settings))
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(f"there is no setting {path + str(name)!r}{_nearest(str(name), path, settings)}")
        here = getattr(settings, name)
        if not dataclasses.is_dataclass(here):
            changed[name] = typed(value, known[name], path + name)
        elif isinstance(value, Mapping):
            changed[name] = override(here, value, f"{path}{name}.")
        else:
            raise ConfigError(f"{path + name} is a group of settings, not {value!r}: write {path}{name}.NAME=VALUE")
    return dataclasses.replace(settings, **changed)  # type: ignore[type-var]


def typed(value: Any, wanted: Any, name: str) -> Any:
    """`value` as the annotation `wanted` has it. '1e-4', which is text to YAML, is a number where one is wanted."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        raise ConfigError(f"{name} can't be set by a value")
    if origin is Literal:
        text = str(value)
        if text in map(str, arguments):
            return next(choice for choice in arguments if str(choice) == text)
        raise ConfigError(f"{name} is {value!r}, which is none of {arguments!r}")
    if origin is tuple:
        inner = arguments[0]
        parts = value if isinstance(value, list | tuple) else [value]
        if arguments[-1] is not Ellipsis and len(parts) != len(arguments):
            raise ConfigError(f"{name} is {value!r}; it takes {len(arguments)} values in brackets")
        return tuple(typed(part, inner, name) for part in parts)
    if wanted is float and not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    elif type(value) is wanted:
        return value
    raise ConfigError(f"{name} is {value!r}; it takes a value of type {wanted.__name__}")


def parse_assignments(texts: Iterable[str]) -> dict[str, Any]:
    """`data.batch_size=2` and so on as nested values, each read as YAML.

    Raises:
        ConfigError: one has no '=', or isn't YAML.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"{text!r} sets nothing: write NAME=VALUE, such as data.batch_size=2")
        *groups, last = name.strip().split(".")
        place = values
        for group in groups:
            place = place.setdefault(group, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{text!r}: {group!r} was set to a value before")
        try:
            place[last] = yaml.safe_load(value) if value else ""
        except yaml.YAMLError as error:
            raise ConfigError(f"{text!r}: the value can't be read: {error}") from error
    return values


def merged(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values, `upper` on top."""
    result = dict(lower)
    for name, value in upper.items():
        below = result.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[name] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def plain(settings: Any) -> Any:
    """What YAML and JSON write and `override` reads: dictionaries, lists and simple values."""
    if dataclasses.is_dataclass(settings):
        return {field.name: plain(getattr(settings, field.name)) for field in dataclasses.fields(settings)}
    return [plain(part) for part in settings] if isinstance(settings, tuple) else settings


def _nearest(name: str, path: str, settings: Any) -> str:
    """Of this group's names, and of those one group deeper."""
    known = {}
    for field in dataclasses.fields(settings):
        inner = getattr(settings, field.name)
        for one in dataclasses.fields(inner) if dataclasses.is_dataclass(inner) else ():
            known[one.name] = f"{path}{field.name}.{one.name}"
    known |= {field.name: path + field.name for field in dataclasses.fields(settings)}
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {known[near[0]]!r}?" if near else f"; known are {sorted(known.values())!r}"
