"""What a user names → the sequences in it, and how each is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from depth_perception.bags.files import SUFFIXES
from depth_perception.errors import BagError, ConfigError
from training.preparation.bag_source import BagSource
from training.preparation.kitti_odometry import kitti_odometry, odometry_sequences
from training.preparation.kitti_raw import drives, kitti_raw
from training.preparation.kitti_source import KittiSource
from training.preparation.options import DatasetOptions
from training.preparation.sim_source import PREFIX, SimSource
from training.preparation.source_frame import FrameSource


@dataclass(frozen=True)
class Found:
    """One sequence to make."""

    kind: str  # bag, kitti_raw, kitti_odometry, sim
    place: str  # path, or what describes a simulation
    name: str  # of its folder in the dataset


def find_sources(given: list[str]) -> list[Found]:
    """Everything in what was given, in that order; equal names get numbers.

    Raises:
        BagError: nothing is there, or it is neither a bag nor a KITTI folder.
    """
    found = [item for text in given for item in _found(text)]
    counts: dict[str, int] = {}
    named = []
    for kind, place, name in found:
        counts[name] = counts.get(name, 0) + 1
        named.append(Found(kind, place, name if counts[name] == 1 else f"{name}_{counts[name]}"))
    return named


def open_source(found: Found, options: DatasetOptions) -> FrameSource:
    """Raises BagError, CalibrationError, ConfigError: it can't be used, and why."""
    path = Path(found.place)
    if found.kind != "kitti_raw" and (options.lists or options.depth == "annotated"):
        raise ConfigError(f"lists of frames and annotated depth belong to KITTI raw drives; {found.place!r} is none")
    if found.kind == "sim":
        return SimSource(found.place, options)
    if found.kind == "kitti_raw":
        return KittiSource(kitti_raw(path, options), options)
    if found.kind == "kitti_odometry":
        return KittiSource(kitti_odometry(path), options)
    return BagSource(path, options)


def _found(text: str) -> list[tuple[str, str, str]]:
    """(kind, place, name) of each sequence in one thing that was given."""
    if text.startswith(PREFIX):
        return [("sim", text, _clean(text))]
    path = Path(text)
    if not path.exists():
        raise BagError(f"{text!r} isn't there; give a bag, a KITTI folder, or a simulation such as sim:seed=3")
    if path.is_file() or (path / "metadata.yaml").is_file():
        return [("bag", text, _clean(path.resolve().name.removesuffix(path.suffix if path.is_file() else "")))]
    if sequences := odometry_sequences(path):
        return [("kitti_odometry", str(s), _clean(f"odometry_{s.resolve().name}")) for s in sequences]
    if found := drives(path):
        return [("kitti_raw", str(drive), _clean(drive.resolve().name)) for drive in found]
    return _bags(path)


def _bags(folder: Path) -> list[tuple[str, str, str]]:
    """A folder without metadata.yaml: one recording in pieces, or several."""
    inside = sorted(folder.iterdir())
    files = [item for item in inside if item.is_file() and item.name.removesuffix(".zstd").endswith(SUFFIXES)]
    folders = [item for item in inside if item.is_dir() and (item / "metadata.yaml").is_file()]
    stems = {re.sub(r"_\d+$", "", item.name.partition(".")[0]) for item in files}
    if len(stems) == 1 and not folders:
        return [("bag", str(folder), _clean(folder.resolve().name))]
    if not files and not folders:
        raise BagError(
            f"folder {str(folder)!r} holds no bag, no KITTI drive (image_02/data) and no odometry sequence (calib.txt)"
        )
    return [entry for item in sorted([*files, *folders]) for entry in _found(str(item))]


def _clean(name: str) -> str:
    """A folder's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._") or "sequence"
