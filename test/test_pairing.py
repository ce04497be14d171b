"""Images and their CameraInfo: by exact stamp, in whatever order they were recorded."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from depth_perception.pairing import CameraInfoPairing

S = 10**9


def run(
    events: Iterable[tuple[str, float]], fallback: str | None = None, patience: int = 4
) -> list[tuple[float, object]]:
    """('image' | 'info', stamp in s) in recorded order → (image's stamp, stamp of the info it got)."""
    pairing: CameraInfoPairing[float, object] = CameraInfoPairing(fallback, patience)
    out: list[tuple[float, object]] = []
    for kind, stamp in events:
        add = pairing.add_image if kind == "image" else pairing.add_info
        out += add(round(stamp * S), stamp)
    return out + list(pairing.flush())


def test_info_recorded_after_its_image() -> None:
    events = [(kind, stamp) for stamp in (1.0, 1.1, 1.2) for kind in ("image", "info")]
    assert run(events) == [(1.0, 1.0), (1.1, 1.1), (1.2, 1.2)]


def test_info_recorded_before_its_image() -> None:
    events = [(kind, stamp) for stamp in (1.0, 1.1, 1.2) for kind in ("info", "image")]
    assert run(events) == [(1.0, 1.0), (1.1, 1.1), (1.2, 1.2)]


def test_images_wait_for_their_own_info_but_not_for_ever() -> None:
    late = [("image", 1.0), ("image", 1.1), ("image", 1.2), ("info", 1.0), ("info", 1.1), ("info", 1.2)]
    assert run(late) == [(1.0, 1.0), (1.1, 1.1), (1.2, 1.2)]
    rare = [("info", 1.0), *(("image", 1.0 + 0.1 * i) for i in range(8)), ("info", 2.0)]
    assert [info for _, info in run(rare)] == [1.0] * 8


def test_missing_info_is_the_last_one_before_it() -> None:
    events = [("info", 1.0), ("image", 1.0), ("image", 1.1), ("info", 1.2), ("image", 1.2)]
    assert run(events) == [(1.0, 1.0), (1.1, 1.0), (1.2, 1.2)]


def test_images_before_the_first_info_get_it() -> None:
    assert run([("image", 1.0), ("image", 1.1), ("info", 1.3), ("image", 1.3)]) == [(1.0, 1.3), (1.1, 1.3), (1.3, 1.3)]
    assert run([("image", 1.0 + i) for i in range(9)], fallback="first")[0] == (1.0, "first")


def test_no_info_at_all() -> None:
    assert run([("image", 1.0), ("image", 2.0)], patience=0) == [(1.0, None), (2.0, None)]


def test_looped_recording_takes_the_infos_of_its_own_round() -> None:
    first = [("info", 1.0), ("image", 1.0), ("info", 9.0), ("image", 9.0)]
    second = [("info", 2.0), ("image", 2.1), ("image", 2.2)]
    assert run(first + second)[2:] == [(2.1, 2.0), (2.2, 2.0)]  # not 9.0's, and not 1.0's


def test_infos_without_stamp_serve_as_the_last_one() -> None:
    events = [("info", 0.0), ("image", 5.0), ("info", 0.0), ("image", 5.1)]
    assert run(events) == [(5.0, 0.0), (5.1, 0.0)]


@given(st.lists(st.tuples(st.sampled_from(["image", "info"]), st.integers(0, 20)), max_size=40), st.integers(0, 5))
def test_every_image_leaves_once_and_in_order(events: list[tuple[str, float]], patience: int) -> None:
    assert [image for image, _ in run(events, patience=patience)] == [s for kind, s in events if kind == "image"]
