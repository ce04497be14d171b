"""A recording, given as messages, made into a dataset of one sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bags import recordings as rec
from rig_bags import RigBag

from training.dataset_folder import Sequence, sequences
from training.make_dataset import make_dataset
from training.preparation.jobs import Outcome
from training.preparation.options import DatasetOptions

Messages = list[tuple[str, int, Any]]


def made(tmp_path: Path, content: RigBag | Messages, **options: Any) -> tuple[Sequence, Outcome]:
    bag = rec.rosbag2(tmp_path / "bag", content.messages() if isinstance(content, RigBag) else content)
    chosen = DatasetOptions(**{"split": "1,0,0", "image_format": "png", **options})
    (outcome,) = make_dataset([str(bag)], tmp_path / "out", chosen)
    assert outcome.error == ""
    return sequences(tmp_path / "out")[0], outcome


def replaced_stamp(message: Any, stamp_ns: int) -> Any:
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    return message
