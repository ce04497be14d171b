"""Each recorded image with the CameraInfo of its own stamp."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from depth_perception.watch import RESET_NS

T = TypeVar("T")
Info = TypeVar("Info")

REMEMBERED = 64  # camera_infos


class CameraInfoPairing(Generic[T, Info]):
    """Images leave in the order they came, each with the info of exactly its stamp.

    Where there is none, it gets the last info before it, else the first one after it. In a recording an image's info
    may follow the image, so images wait until their info comes, a later one comes, or `patience` more images have come.
    Stamps that jump back (a looped recording, a clock that was reset) start anew.
    """

    def __init__(self, fallback: Info | None, patience: int = 4) -> None:
        """`fallback` serves images for which no info has come at all; `patience` 0 if none will come."""
        self._fallback = fallback
        self._patience = patience
        self._waiting: deque[tuple[int, T]] = deque()
        self._infos: OrderedDict[int, Info] = OrderedDict()  # by stamp, in order of arrival
        self._newest_ns = 0

    def add_image(self, stamp_ns: int, image: T) -> Iterator[tuple[T, Info | None]]:
        """Take an image; yields the pairs that are complete now."""
        self._see(stamp_ns)
        self._waiting.append((stamp_ns, image))
        return self._ready(self._patience)

    def add_info(self, stamp_ns: int, info: Info) -> Iterator[tuple[T, Info | None]]:
        """Take a camera_info; yields the pairs that are complete now."""
        self._see(stamp_ns)
        self._infos[stamp_ns] = info
        self._infos.move_to_end(stamp_ns)
        while len(self._infos) > REMEMBERED:
            self._infos.popitem(last=False)
        return self._ready(self._patience)

    def flush(self) -> Iterator[tuple[T, Info | None]]:
        """The images that still wait, at the end of the recording."""
        return self._ready(0)

    def _see(self, stamp_ns: int) -> None:
        if stamp_ns < self._newest_ns - RESET_NS:
            self._infos.clear()
            self._newest_ns = stamp_ns
        self._newest_ns = max(self._newest_ns, stamp_ns)

    def _ready(self, patience: int) -> Iterator[tuple[T, Info | None]]:
        while self._waiting:
            stamp_ns, image = self._waiting[0]
            later = any(other > stamp_ns for other in self._infos)
            if stamp_ns not in self._infos and not later and len(self._waiting) <= patience:
                return
            self._waiting.popleft()
            yield image, self._nearest(stamp_ns)

    def _nearest(self, stamp_ns: int) -> Info | None:
        if stamp_ns in self._infos:
            return self._infos[stamp_ns]
        before = [stamp for stamp in self._infos if stamp < stamp_ns]
        if before:
            return self._infos[max(before)]
        return self._infos[min(self._infos)] if self._infos else self._fallback
