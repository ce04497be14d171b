"""Left and right images of one moment, from two streams that arrive in any order."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from depth_perception.watch import RESET_NS

Item = TypeVar("Item")
Side = Literal["left", "right"]

REMEMBERED = 8  # unpaired items of each side


class StampPairing(Generic[Item]):
    """Pairs two streams by stamp; each item is used once.

    Two items pair if their stamps differ by `tolerance_ns` or less, and an item takes the nearest that waits. The
    newest wins: once a pair is complete, older items of both sides are of no use, whether they wait or come late, so
    pairs leave in order of their stamps. At most `REMEMBERED` items of each side wait. Stamps that jump back (a looped
    recording, a clock that was reset) start anew.
    """

    def __init__(self, tolerance_ns: int) -> None:
        self.tolerance_ns = tolerance_ns
        self._waiting: dict[Side, dict[int, Item]] = {"left": {}, "right": {}}  # by stamp
        self._paired_ns: dict[Side, int] = {"left": -1, "right": -1}  # of the last pair
        self._newest_ns = 0

    def add(self, side: Side, stamp_ns: int, item: Item) -> list[tuple[Item, Item]]:
        """Take an item; the pair (left, right) that is complete now, or nothing."""
        if stamp_ns < self._newest_ns - RESET_NS:
            self._waiting, self._paired_ns = {"left": {}, "right": {}}, {"left": -1, "right": -1}
            self._newest_ns = stamp_ns
        self._newest_ns = max(self._newest_ns, stamp_ns)
        if stamp_ns <= self._paired_ns[side]:
            return []
        other: Side = "right" if side == "left" else "left"
        self._waiting[side][stamp_ns] = item
        near = [stamp for stamp in self._waiting[other] if abs(stamp - stamp_ns) <= self.tolerance_ns]
        if near:
            stamps = {side: stamp_ns, other: min(near, key=lambda stamp: abs(stamp - stamp_ns))}
            return [self._pair(stamps["left"], stamps["right"])]
        if len(self._waiting[side]) > REMEMBERED:
            del self._waiting[side][min(self._waiting[side])]
        return []

    def _pair(self, left_ns: int, right_ns: int) -> tuple[Item, Item]:
        pair = self._waiting["left"][left_ns], self._waiting["right"][right_ns]
        self._paired_ns = {"left": left_ns, "right": right_ns}
        for side in self._waiting:
            late = self._paired_ns[side]
            self._waiting[side] = {stamp: item for stamp, item in self._waiting[side].items() if stamp > late}
        return pair
