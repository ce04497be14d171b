"""What a sequence was made from, with what, and what came out: hashes, and nothing of the clock or the machine."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from depth_perception import __version__
from depth_perception.errors import ConfigError
from training.dataset_folder import FORMAT
from training.dataset_writer import file_hash, write_json
from training.preparation.options import DatasetOptions
from training.preparation.source_frame import FrameSource
from training.preparation.sources import Found

NAME = "manifest.json"


class InputHashes:
    """Hashes files on a thread of its own, while the sequence is being made from them."""

    def __init__(self, source: FrameSource) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._waiting: list[tuple[str, int, Future[str]]] = [
            (relative(path, source.root), path.stat().st_size, self._pool.submit(file_hash, path))
            for path in source.inputs
        ]

    def entry(self) -> list[dict[str, str | int]]:
        """Path within the source, bytes and sha256 of each; waits for the last one."""
        return [{"path": path, "bytes": size, "sha256": digest.result()} for path, size, digest in self._waiting]

    def __enter__(self) -> InputHashes:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)


def sequence_manifest(
    found: Found, options: DatasetOptions, inputs: list[dict[str, str | int]], outputs: dict[str, str]
) -> dict[str, Any]:
    """Of one sequence; `outputs` path → sha256."""
    return {
        "format": FORMAT,
        "version": __version__,
        "kind": found.kind,
        "source": found.place if found.kind == "sim" else "",
        "options": options.entry(),
        "lists": {split: file_hash(Path(path)) for split, path in options.lists.items()},
        "inputs": inputs,
        "outputs": outputs,
    }


def check_same(folder: Path, found: Found, options: DatasetOptions, source: FrameSource) -> None:
    """Raises ConfigError: the sequence that is there was made otherwise, or from something else."""
    path = folder / NAME
    if not path.is_file():
        raise ConfigError(f"{str(folder)!r} is in the way: it isn't a sequence of ours; choose another OUT")
    made = json.loads(path.read_text())
    now = sequence_manifest(found, options, [], {})
    for key in ("format", "version", "kind", "source", "options", "lists"):
        if made[key] != now[key]:
            changed = [name for name in now[key] if made[key].get(name) != now[key][name]] if key == "options" else key
            raise ConfigError(
                f"{str(folder)!r} was made with another {changed}: delete it to make it anew, or choose another OUT"
            )
    files = [(relative(path, source.root), path.stat().st_size) for path in source.inputs]
    if files != [(entry["path"], entry["bytes"]) for entry in made["inputs"]]:
        raise ConfigError(
            f"{str(folder)!r} was made from other files: delete it to make it anew, or choose another OUT"
        )


def write_dataset_manifest(out: Path, marks: dict[str, Any] | None, failed: dict[str, str]) -> None:
    """OUT/manifest.json: each sequence's manifest by its sha256, and with it every file that is named there."""
    manifests = sorted(out.glob(f"*/{NAME}"))
    sequences = {path.parent.name: file_hash(path) for path in manifests if not path.parent.name.startswith(".")}
    supervised = None if marks is None else {"count": marks["count"], "wanted": marks["wanted"], "seed": marks["seed"]}
    content = {"format": FORMAT, "version": __version__, "sequences": sequences, "supervised": supervised}
    write_json(out / NAME, {**content, "failed": failed})


def relative(path: Path, root: Path) -> str:
    """A path within its source, so that the manifest is the same wherever the source lies."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
