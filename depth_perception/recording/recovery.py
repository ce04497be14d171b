"""Torn recordings made whole: one file, or a folder with its metadata.yaml."""

from __future__ import annotations

import fcntl
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from depth_perception.bags.files import ACTIVE
from depth_perception.bags.mcap_index import is_whole, read_index, walked
from depth_perception.bags.mcap_recovery import Recovered, copy_whole, finish_in_place
from depth_perception.bags.metadata import FileRecord, TopicRecord, describe
from depth_perception.bags.source import is_latched
from depth_perception.errors import BagError
from depth_perception.recording.rolling_bag import write_metadata

log = logging.getLogger(__name__)
MADE = "_recovered"  # between the name and .mcap, where the original keeps its own


@dataclass(frozen=True)
class Outcome:
    """What became of one file. `problem` says what was wrong with it."""

    source: Path
    out: Path
    messages: int
    problem: str


def recover(path: Path, replace: bool = False) -> list[Outcome]:
    """Make every torn MCAP of a folder, or one file, whole; the files that were torn, none if all are whole.

    `x.mcap.active` becomes `x.mcap`, and another torn `x.mcap` becomes `x_recovered.mcap`; the original stays unless
    `replace` is set, which also lets a file be ended where it lies, without the space for a copy. A folder gets a new
    metadata.yaml. New files appear under their name only when they are whole.

    Raises:
        BagError: nothing is there, it is no MCAP, it is being recorded right now, or it holds no whole chunk.
        OSError: the disk doesn't take it.
    """
    if path.is_file():
        with path.open("rb") as file:
            whole = is_whole(file)
        return [] if whole and path.suffix != ACTIVE else [_recover_file(path, replace)]
    if not path.is_dir():
        raise BagError(f"{str(path)!r} does not exist; give a .mcap file or a recording's folder")
    torn = _torn(path)
    if not torn and not list(path.glob("*.mcap")):
        raise BagError(f"{str(path)!r} holds no .mcap file; only MCAP recordings can be recovered")
    outcomes = [_tried(file, replace) for file in torn]
    if outcomes or not (path / "metadata.yaml").is_file():
        rebuild_metadata(path)
    return outcomes


def recover_left_behind(directory: Path) -> list[Outcome]:
    """What a kill left in the recordings of `directory`, ended where it lies. Never raises for a recording's sake.

    Files that another recorder is writing are left alone. One without a whole chunk holds nothing and is removed.
    """
    outcomes = []
    for folder in sorted({file.parent for file in directory.glob(f"*/*.mcap{ACTIVE}")}):
        for file in sorted(folder.glob(f"*.mcap{ACTIVE}")):
            try:
                outcomes.append(_end_left_behind(file))
            except (BagError, OSError) as error:
                log.warning("%s is left as it is: %s", file, error)
        if not any(folder.iterdir()):
            folder.rmdir()
            continue
        try:
            rebuild_metadata(folder)
        except (BagError, OSError) as error:
            log.warning("%s has no metadata.yaml: %s", folder, error)
    return outcomes


def rebuild_metadata(folder: Path) -> None:
    """Write metadata.yaml from the whole MCAP files of a folder. Raises BagError if there are none."""
    records: list[FileRecord] = []
    topics: dict[str, TopicRecord] = {}
    for path in sorted(folder.glob("*.mcap"), key=_order):
        with path.open("rb") as file:
            if not is_whole(file):
                continue
            records.append(_describe(path, file, topics))
    if not records:
        raise BagError(f"{str(folder)!r} holds no whole .mcap file")
    write_metadata(folder, describe(records, list(topics.values())))


def _torn(folder: Path) -> list[Path]:
    torn = [file for file in folder.glob(f"*.mcap{ACTIVE}") if not file.with_suffix("").exists()]
    for path in folder.glob("*.mcap"):
        with path.open("rb") as file:
            if not is_whole(file) and not path.with_stem(path.stem + MADE).exists():
                torn.append(path)
    return sorted(torn)


def _tried(path: Path, replace: bool) -> Outcome:
    """One of a folder's files: if nothing can be made of it, the others are still to be saved."""
    try:
        return _recover_file(path, replace)
    except BagError as error:
        return Outcome(path, path, 0, str(error))


def _recover_file(path: Path, replace: bool) -> Outcome:
    active = path.suffix == ACTIVE
    out = path.with_suffix("") if active else path if replace else path.with_stem(path.stem + MADE)
    if out != path and out.exists():
        raise BagError(f"{str(out)!r} exists: it is what {path.name!r} became; remove one of them")
    with locked(path):
        done = finish_in_place(path) if replace else None
        if done is not None:
            path.rename(out)
            return Outcome(path, out, done.messages, done.problem)
        done = _copy(path, out)
        if replace and out != path:
            path.unlink()
        return Outcome(path, out, done.messages, done.problem)


def _copy(path: Path, out: Path) -> Recovered:
    new = out.with_name(out.name + ".new")
    try:
        done = copy_whole(path, new)
        new.replace(out)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return done


def _end_left_behind(path: Path) -> Outcome:
    if path.with_suffix("").exists():
        raise BagError("it has been recovered before")
    with locked(path), path.open("rb") as file:
        empty = not walked(file).blocks
    if empty:
        path.unlink()
        return Outcome(path, path, 0, "it held nothing")
    return _recover_file(path, replace=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that a recorder holds on the file it writes. Raises BagError if another process has it."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BagError(f"{str(path)!r} is being recorded right now: stop that recorder first") from None
        yield


def _order(path: Path) -> tuple[int, str]:
    number = path.stem.removesuffix(MADE).rpartition("_")[2]
    return (int(number) if number.isdigit() else 0, path.name)


def _describe(path: Path, file: object, topics: dict[str, TopicRecord]) -> FileRecord:
    """The file's record; its topics' counts are added."""
    from mcap.reader import SeekingReader

    index = read_index(file)  # type: ignore[arg-type]
    summary = SeekingReader(file).get_summary()  # type: ignore[arg-type]
    if summary is None or summary.statistics is None:  # allowed, if rare
        raise BagError(f"{str(path)!r} has no statistics: recover it alone")
    counts: Counter[str] = Counter()
    for key, channel in index.channels.items():
        if not index.counts[key]:
            continue
        counts[channel.topic] += index.counts[key]
        schema = index.schemas[channel.schema_id]
        latched = is_latched(channel.metadata.get("offered_qos_profiles", ""))
        type_hash = channel.metadata.get("topic_type_hash", "")
        topics.setdefault(channel.topic, TopicRecord(0, channel.topic, schema.name, type_hash, latched))
    for topic, count in counts.items():
        topics[topic].count += count
    start, end = summary.statistics.message_start_time, summary.statistics.message_end_time
    return FileRecord(path.name, start, end, counts.total())
