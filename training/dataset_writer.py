"""Writes the dataset folder that `training.dataset_folder` describes and reads."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.dataset_folder import DEPTH_STEPS, FORMAT, Float32, Float64, Image, Rejected, Sample, SequenceCalibration

JPEG_QUALITY = 95
_PNG_LEVEL = 1  # of 9: twice as fast as the default for a tenth more bytes
_FARTHEST_M = 65535 / DEPTH_STEPS
_AHEAD = 8  # pictures that wait to be written


class SequenceWriter:
    """Writes a sequence as `.<name>.partial`; `publish` gives it its name. What an earlier, killed run left is removed.

    Pictures are encoded and written on a thread of its own, a few at most behind the caller; what goes wrong there is
    raised by a later call, `finish` at the latest. Every file's sha256 is kept in `hashes`. Used as a context manager,
    it leaves nothing behind that isn't published.
    """

    def __init__(self, out: Path, name: str, image_format: str) -> None:
        self.name = name
        self.folder, self._final = out / f".{name}.partial", out / name
        self.image_format = image_format
        self.hashes: dict[str, str] = {}  # path in the sequence → sha256
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._made: set[Path] = set()
        self._rejected = (self.folder / "rejected.jsonl").open("w")
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()

    def image(self, camera: str, n: int, image: Image, view: Callable[[Image], Image] = lambda image: image) -> None:
        """What `view`, called on the other thread, makes of an image: (H, W, 3) uint8 RGB or (H, W) grey."""
        import cv2

        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        parameters = quality if self.image_format == "jpg" else [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL]
        name = f"images/{camera}/{n:08d}.{self.image_format}"
        self._later(lambda: self._encoded(name, _bgr(view(image)), parameters))

    def depth(self, camera: str, n: int, depth: Float32, kind: str = "depth") -> None:
        """(H, W) metres, NaN none; `kind` depth or truth."""
        name = f"{kind}/{camera}/{n:08d}.png"
        self._later(lambda: self._file(name, encoded_depth(depth)))

    def reject(self, rejected: Rejected) -> None:
        """Note a frame that gave no sample."""
        self._rejected.write(json.dumps(asdict(rejected)) + "\n")

    def text(self, name: str, text: str) -> None:
        """A file of text."""
        self._file(name, text.encode())

    def finish(self, calibration: SequenceCalibration, samples: Iterable[Sample], summary: dict[str, Any]) -> None:
        """Write the rest; `samples` may be a generator, so that none need be held."""
        self.settle()
        self._rejected.close()
        self.hashes["rejected.jsonl"] = file_hash(self.folder / "rejected.jsonl")
        with (self.folder / "samples.jsonl").open("w") as file:
            file.writelines(json.dumps(sample_entry(sample)) + "\n" for sample in samples)
        self.hashes["samples.jsonl"] = file_hash(self.folder / "samples.jsonl")
        self.text("calibration.json", json.dumps(calibration_entry(calibration), indent=1) + "\n")
        self.text("summary.json", json.dumps(summary, indent=1) + "\n")

    def publish(self) -> Path:
        """Give the folder its name: from now on it counts."""
        self.folder.rename(self._final)
        return self._final

    def __enter__(self) -> SequenceWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._rejected.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def settle(self) -> None:
        """Wait until everything is written."""
        while self._waiting:
            self._waiting.popleft().result()

    def _later(self, work: Callable[[], None]) -> None:
        while len(self._waiting) >= _AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(work))

    def _encoded(self, name: str, array: NDArray[Any], parameters: list[int]) -> None:
        import cv2

        done, data = cv2.imencode(Path(name).suffix, array, parameters)
        assert done, name
        self._file(name, data.data)

    def _file(self, name: str, data: bytes | memoryview) -> None:
        path = self.folder / name
        if path.parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(path.parent)
        path.write_bytes(data)
        self.hashes[name] = hashlib.sha256(data).hexdigest()


def _bgr(image: Image) -> Image:
    import cv2

    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)  # type: ignore[return-value]


def encoded_depth(depth: Float32) -> memoryview:
    """The PNG of a depth map (H, W) in metres, NaN none.

    Sparse maps are written without PNG's filters, which only spread their few values: three times as fast, and smaller.
    """
    import cv2

    code = depth_code(depth)
    parameters = [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL]
    if 2 * np.count_nonzero(code) < code.size and hasattr(cv2, "IMWRITE_PNG_FILTER"):  # not in older OpenCVs
        parameters += [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
        parameters += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    done, data = cv2.imencode(".png", code, parameters)
    assert done
    return data.data


def depth_code(depth: Float32) -> NDArray[np.uint16]:
    """(H, W) metres → uint16 of metres * 256, rounded; 0 for NaN, Inf, what isn't positive and 256 m or more."""
    flat = depth.reshape(-1)
    with np.errstate(invalid="ignore"):
        good = np.flatnonzero((flat > 0.0) & (flat <= _FARTHEST_M))  # places: of a sparse map they are few
    code = np.zeros(flat.shape, np.uint16)
    code[good] = np.rint(flat[good] * np.float32(DEPTH_STEPS))
    return code.reshape(depth.shape)


def file_hash(path: Path) -> str:
    """sha256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def write_json(path: Path, content: Any) -> None:
    """Replace a JSON file in one step: a reader, or a killed writer, never leaves half of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    part.replace(path)


def calibration_entry(calibration: SequenceCalibration) -> dict[str, Any]:
    """What stands in calibration.json."""
    cameras = {
        name: {"width": camera.width, "height": camera.height, "K": camera.K.tolist(), "P": camera.P.tolist()}
        for name, camera in calibration.cameras.items()
    }
    transforms = {name: _rows(getattr(calibration, name)) for name in ("T_left_right", "T_left_lidar", "T_left_body")}
    return {
        "format": FORMAT,
        "image_format": calibration.image_format,
        "cameras": cameras,
        **transforms,
        "frame_ids": calibration.frame_ids,
    }


def sample_entry(sample: Sample) -> dict[str, Any]:
    """One line of samples.jsonl. `supervised` isn't in it: marks are drawn over all sequences."""
    entry = {name: getattr(sample, name) for name in Sample.__dataclass_fields__ if name != "supervised"}
    return {**entry, "T_odom_left": [_rows(T) for T in sample.T_odom_left]}


def _rows(T: Float64 | None) -> list[list[float]] | None:
    return None if T is None else T.tolist()
