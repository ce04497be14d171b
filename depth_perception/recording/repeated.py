"""What every file and snapshot must begin with: static transforms, calibrations, latched messages."""

from __future__ import annotations

from collections.abc import Iterator

from depth_perception.recording.records import TF_MESSAGE, Message

MAX_TRANSFORM_MESSAGES = 256  # different ones of a topic: a broken publisher must not fill the memory


class Repeated:
    """The last message of each such topic; of static transforms every different one, since each names other frames."""

    def __init__(self) -> None:
        self._messages: dict[str, dict[bytes, Message]] = {}  # topic → messages by content

    def add(self, message: Message) -> None:
        """Remember it if its topic is to be repeated."""
        topic = message.topic
        if not topic.is_repeated:
            return
        kept = self._messages.setdefault(topic.name, {})
        if topic.type != TF_MESSAGE or any(other.topic.type != topic.type for other in kept.values()):
            kept.clear()
        kept.pop(message.data, None)
        kept[message.data] = message
        if len(kept) > MAX_TRANSFORM_MESSAGES:
            del kept[next(iter(kept))]

    def forget(self, name: str) -> None:
        """The topic has another type now."""
        self._messages.pop(name, None)

    def __contains__(self, name: str) -> bool:
        return name in self._messages

    def at(self, log_time_ns: int) -> Iterator[Message]:
        """All of it as if received at `log_time_ns`, static transforms first; publish times stay."""
        for _, kept in sorted(self._messages.items(), key=lambda item: not item[0].endswith("/tf_static")):
            for message in kept.values():
                yield message._replace(log_time_ns=log_time_ns)
