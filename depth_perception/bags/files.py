"""Which storage files belong to a recording, and what each of them is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path, PurePosixPath

from depth_perception.bags import mcap_records, ros1_source, sqlite_source
from depth_perception.bags.source import Source
from depth_perception.errors import BagError

SUFFIXES = (".mcap", ".db3", ".bag")
ACTIVE = ".active"  # after the name of a file that our recorder is writing, or was when it was killed
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def storage_files(path: Path) -> tuple[list[Path], list[str]]:
    """The storage files of a recording and what is wrong with the set of them.

    Raises:
        BagError: nothing is there, or a folder without metadata.yaml holds several recordings.
    """
    if not path.exists():
        raise BagError(f"{str(path)!r} does not exist; give a rosbag2 folder, or a .mcap, .db3 or .bag file")
    if path.is_file():
        return [path], []
    listed, problem = _listed(path)
    present, active = [file for file in listed if file.is_file()], _active(path)
    if present:
        missing = sorted(file.name for file in set(listed) - set(present))
        problems = [f"files named in metadata.yaml are missing: {missing}"] if missing else []
        return present + active, problems + [f"{file.name} isn't finished" for file in active]
    found = sorted(f for f in path.iterdir() if f.is_file() and f.name.removesuffix(".zstd").endswith(SUFFIXES))
    found += active
    stems = {_stem(file) for file in found}
    if not found:
        raise BagError(f"folder {str(path)!r} holds no recording (.mcap, .db3 or .bag file): {problem}")
    if len(stems) > 1:
        raise BagError(f"folder {str(path)!r} holds several recordings, {sorted(f.name for f in found)}: choose one")
    return found, [f"{problem}: read from the storage files themselves"]


def _active(folder: Path) -> list[Path]:
    """What was being written, unless it has been finished since (`recover` keeps the original)."""
    return sorted(file for file in folder.glob(f"*.mcap{ACTIVE}") if not file.with_suffix("").exists())


def _stem(file: Path) -> str:
    """'drive_3.mcap' → 'drive': what the files of one recording share."""
    name = file.name.removesuffix(".zstd").removesuffix(ACTIVE).rpartition(".")[0]
    return re.sub(r"_\d+$", "", name)


def _listed(folder: Path) -> tuple[list[Path], str]:
    """Files named by metadata.yaml, or none and why."""
    import yaml

    metadata = folder / "metadata.yaml"
    if not metadata.is_file():
        return [], "no metadata.yaml"
    try:
        names = yaml.safe_load(metadata.read_text())["rosbag2_bagfile_information"]["relative_file_paths"]
        return [folder / PurePosixPath(name).name for name in names], "the files in metadata.yaml are not there"
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        return [], f"metadata.yaml is damaged ({type(error).__name__})"


def open_source(path: Path, scratch: Path) -> Source:
    """The source for one storage file, told by its first bytes. `scratch` takes files that must be decompressed first.

    Raises:
        BagError: the file is empty, or is no recording.
    """
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(ZSTD_MAGIC):
        return open_source(_decompressed(path, scratch), scratch)
    if head.startswith(mcap_records.MAGIC):
        from depth_perception.bags.mcap_source import McapSource

        return McapSource(path)
    if head.startswith(sqlite_source.MAGIC):
        return sqlite_source.SqliteSource(path)
    if head.startswith(ros1_source.MAGIC):
        return ros1_source.Ros1Source(path)
    if not head.strip(b"\0"):
        raise BagError(f"{str(path)!r} is empty: nothing was recorded")
    raise BagError(f"{str(path)!r} is not a recording: it starts with {head!r}; expected MCAP, sqlite3 or a ROS 1 bag")


def _decompressed(path: Path, scratch: Path) -> Path:
    import zstandard

    out = scratch / path.name.removesuffix(".zstd")
    try:
        with (
            path.open("rb") as source,
            out.open("wb") as target,
            zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True) as reader,
        ):
            shutil.copyfileobj(reader, target, 1 << 20)
    except zstandard.ZstdError:
        pass  # the file is cut off or damaged: what came out is read like any file without its end
    return out
