"""Turning serialised messages into objects, with the definitions that the recording itself holds."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from depth_perception.bags.source import Buffer, Channel, RawMessage
from depth_perception.errors import MessageError

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

log = logging.getLogger(__name__)
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
IDL_RULE = "=" * 80 + "\n"
RENAMED = {"tf/msg/tfMessage": "tf2_msgs/msg/TFMessage"}  # ROS 1 types that ROS 2 knows by another name
HEADER = "std_msgs/msg/Header"


@cache
def jazzy() -> Typestore:
    """The message types of ROS 2 Jazzy: what we write with, and what fills gaps when a bag holds no definitions."""
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS2_JAZZY)


class Decoder:
    """Decodes the messages of one recording. Definitions stored in it win over the ones we know."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        from rosbags.typesys import Stores, get_typestore

        channels = list(channels)
        self.problems: list[str] = []
        ros1 = any(channel.encoding == "ros1" for channel in channels)
        definitions = self._parse(channels)
        if any(channel.type not in definitions for channel in channels):
            known = get_typestore(Stores.ROS1_NOETIC) if ros1 else jazzy()
            definitions = {**known.fielddefs, **definitions}
        self.store = _store(definitions)
        self._as_ros2 = _store({**definitions, HEADER: jazzy().fielddefs[HEADER]}) if ros1 else self.store

    def _parse(self, channels: list[Channel]) -> dict[str, Any]:
        from rosbags.typesys import TypesysError

        definitions: dict[str, Any] = {}
        for channel in {c.type: c for c in channels if c.definition}.values():
            try:
                definitions.update(_parsed(channel))
            except TypesysError as error:
                problem = f"the stored definition of {channel.type} can't be read: {error}"
                self.problems.append(problem)
                log.warning("%s", problem)
        return definitions

    def decode(self, raw: RawMessage) -> Any:
        """The message object (rosbags' dataclass of this type); arrays are views of the bag's bytes.

        Raises:
            MessageError: the type is unknown, or the bytes don't fit it.
        """
        from rosbags.serde import SerdeError

        channel, _, data = raw
        if channel.encoding not in ("cdr", "ros1") or channel.type not in self.store.types:
            raise MessageError(
                f"{channel.topic!r} is a {channel.type!r} in {channel.encoding!r} encoding, which can't be decoded; "
                "its definition isn't in the recording"
            )
        try:
            if channel.encoding == "ros1":
                return self.store.deserialize_ros1(data, channel.type)
            return self.store.deserialize_cdr(_inflated(data), channel.type)
        except (SerdeError, ValueError, IndexError) as error:
            raise MessageError(f"a {channel.type!r} on {channel.topic!r} is damaged: {error}") from error

    def to_cdr(self, raw: RawMessage) -> Buffer:
        """The message as ROS 2 would have recorded it: unchanged for ROS 2, translated for ROS 1.

        Raises:
            MessageError: the bytes don't fit the type.
        """
        from rosbags.serde import SerdeError

        if raw.channel.encoding != "ros1":
            return _inflated(raw.data)
        try:
            return self._as_ros2.ros1_to_cdr(raw.data, raw.channel.type)
        except (SerdeError, KeyError) as error:
            problem = f"a {raw.channel.type!r} on {raw.channel.topic!r} can't be translated: {error}"
            raise MessageError(problem) from error

    def ros2_channel(self, channel: Channel) -> Channel | None:
        """The channel as a rosbag2 must declare it, or None if ROS 2 has another layout of this ROS 1 type."""
        if channel.encoding == "cdr" and channel.definition:
            return channel
        name = RENAMED.get(channel.type, channel.type)
        source = self._as_ros2
        if channel.type not in source.fielddefs:
            return None
        if name in jazzy().fielddefs:
            if not _same_layout(source, channel.type, name):
                return None
            source = jazzy()
        definition, _ = source.generate_msgdef(name, ros_version=2)
        return Channel(channel.topic, name, "cdr", definition, "ros2msg", channel.count, channel.latched)


def _store(definitions: dict[str, Any]) -> Typestore:
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.EMPTY)
    store.register({name: fields for name, fields in definitions.items() if name not in store.fielddefs})
    return store


def _parsed(channel: Channel) -> dict[str, Any]:
    """Type name → fields of a stored definition and of all it refers to."""
    from rosbags.typesys import get_types_from_idl, get_types_from_msg

    if not channel.definition_format.endswith("idl"):
        return dict(get_types_from_msg(channel.definition, channel.type))
    definitions: dict[str, Any] = {}
    for part in channel.definition.split(IDL_RULE):
        text = part.partition("\n")[2] if part.startswith("IDL: ") else part
        if text.strip():
            definitions.update(get_types_from_idl(text))
    return definitions


def _inflated(data: Buffer) -> Buffer:
    """Message data, decompressed if rosbag2 compressed it message by message (CDR never starts with zstd's magic)."""
    if data[:4] != ZSTD_MAGIC:
        return data
    import zstandard

    try:
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    except zstandard.ZstdError as error:
        raise MessageError(f"a compressed message is damaged: {error}") from error


def _same_layout(store: Typestore, name: str, ros2_name: str) -> bool:
    """True if a type serialises alike in `store` and in Jazzy, whatever its fields are called (K and k)."""
    mine, theirs = store.fielddefs[name][1], jazzy().fielddefs[ros2_name][1]
    if len(mine) != len(theirs):
        return False
    for (_, a), (_, b) in zip(mine, theirs, strict=True):
        if a != b:
            return False
        inner = a[1][0] if isinstance(a[1], tuple) and isinstance(a[1][0], tuple) else a
        nested = inner[1]
        if isinstance(nested, str) and not _same_layout(store, nested, nested):
            return False
    return True
