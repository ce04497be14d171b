"""Frames → samples, whatever happens on the way: each frame once, each context an image that is there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from depth_perception.camera import CameraModel
from depth_perception.records import Image
from training.dataset_folder import Rejected, Sequence
from training.dataset_writer import SequenceWriter
from training.preparation.options import DatasetOptions
from training.preparation.sequence import SequenceBuilder
from training.preparation.source_frame import Item, Rig, SourceFrame, Turn

GOOD, STATIC, DAMAGED, GAP, RESET = range(5)
STEP_NS = 100_000_000
K = np.array([[10.0, 0, 5.5], [0, 11.0, 3.5], [0, 0, 1]])


def texture(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (8, 12, 3), np.uint8)


class Scripted:
    """A source whose frames do as they are told."""

    def __init__(self, events: list[int]) -> None:
        self.rig = Rig(CameraModel(8, 12, K), T_left_lidar=np.eye(4))
        self.inputs: list[Path] = []
        self.root, self.total, self.notes, self.problems = Path(), len(events), [], []
        self._events = events

    def close(self) -> None: ...

    def __iter__(self) -> Iterator[Item]:
        stamp = 10**12
        moved = 0.0
        for number, event in enumerate(self._events):
            stamp += STEP_NS if event != GAP else 60 * STEP_NS
            stamp -= 10**11 * (event == RESET)
            if event == DAMAGED:
                yield Rejected(stamp, "damaged image", "")
                continue
            moved += 0.0 if event == STATIC else 0.1
            T = np.eye(4)
            T[2, 3] = moved
            xyz = np.array([[0.0, 0.0, 4.0], [0.5, 0.1, 3.0]], np.float32)
            turn = Turn(xyz, np.arange(2, dtype=np.int32), np.eye(4))
            yield SourceFrame(number, stamp, texture(number), turn=turn, T_odom_body=T, breaks=event == RESET)


def made(events: list[int], folder: Path, **options: object) -> tuple[Sequence, dict]:
    chosen = DatasetOptions(**{"image_format": "png", "split": "1,0,0", **options})  # type: ignore[arg-type]
    with SequenceWriter(folder, "scripted", "png") as writer:
        summary = SequenceBuilder(Scripted(events), writer, chosen).run()
        assert all((writer.folder / name).is_file() for name in writer.hashes)
        return Sequence(writer.publish()), summary


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([GOOD, GOOD, GOOD, STATIC, DAMAGED, GAP, RESET]), max_size=24),
    st.integers(1, 3),
    st.sampled_from(["1,0,0", "0.5,0.25,0.25"]),
)
def test_each_frame_once_and_each_context_an_image(events: list[int], stride: int, split: str) -> None:
    folder = Path(mkdtemp())
    try:
        sequence, summary = made(events, folder, stride=stride, split=split)
        samples = sequence.samples()
        good = [n for n, event in enumerate(events) if event != DAMAGED]
        assert len(samples) + len(list(sequence.rejected())) == len(events) == summary["frames"]
        used: dict[str, set[int]] = {}
        for sample in samples:
            place = good.index(sample.index)
            before, after = sample.context
            if before is not None:
                assert before == good[place - stride]
                assert not any(event in (GAP, RESET) for event in events[before + 1 : sample.index + 1])
            if after is not None:
                assert after == good[place + stride]
            if before is not None and RESET not in events and GAP not in events:
                step = sample.T_odom_left[1]
                assert step is None and sample.motion_m is not None and sample.motion_m > 0.09
            for n in (sample.index, before, after):
                if n is not None:
                    assert np.array_equal(sequence.image(n), texture(n))
                    used.setdefault(sample.split, set()).add(n)
            assert sample.depth["left"] == 2 and np.isfinite(sequence.depth(sample.index)).sum() == 2
        assert sum(map(len, used.values())) == len(set().union(*used.values()))
        assert sum(summary["splits"].values()) == len(samples) == summary["with_depth"]
    finally:
        shutil.rmtree(folder)


def test_statistics_by_hand(tmp_path: Path) -> None:
    _, summary = made([GOOD, GOOD, STATIC, GOOD, DAMAGED], tmp_path)
    assert summary["samples"] == 3 and summary["frames"] == 5
    assert {name: item["count"] for name, item in summary["rejected"].items()} == {"static": 1, "damaged image": 1}
    edges, counts = summary["depth"]["left"]["edges_m"], summary["depth"]["left"]["counts"]
    assert dict(zip(edges, counts, strict=False))[3.0] == 6 and sum(counts) == 6  # 3 and 4 m, in three samples
    assert summary["depth"]["left"]["share"] == {"count": 3, "mean": 0.020833, "min": 0.020833, "max": 0.020833}
    assert sum(summary["points_of_beam"].values()) == 6 and summary["lidar_beams"] == 2
    motion = summary["motion"]
    assert dict(zip(motion["edges_m"], motion["counts"], strict=False))[0.1] + sum(motion["counts"]) >= 3


def test_a_list_overrules_standing_still(tmp_path: Path) -> None:
    class Listed(Scripted):
        def __iter__(self) -> Iterator[Item]:
            from dataclasses import replace

            for item in super().__iter__():
                assert isinstance(item, SourceFrame)
                yield replace(item, split="val" if item.number in (1, 2) else "")

    options = DatasetOptions(image_format="png", train_list="list.txt")
    with SequenceWriter(tmp_path, "listed", "png") as writer:
        summary = SequenceBuilder(Listed([GOOD, GOOD, STATIC, GOOD]), writer, options).run()
        samples = Sequence(writer.publish()).samples()
    assert [(sample.index, sample.split) for sample in samples] == [(1, "val"), (2, "val")]
    assert summary["rejected"] == {"not in the list": {"count": 2, "example": ""}}
