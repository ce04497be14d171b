"""What a run says while it goes: log.jsonl, TensorBoard, a bar on a terminal and a line for each epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.config import PreviewConfig
from depth_perception.preview import colour
from training.loop.validation import Frame


class RunLog:
    """One process writes; in the others every method does nothing."""

    def __init__(self, run: Path, step: int, writes: bool) -> None:
        """What the files say of later steps than `step` is forgotten: it is about to happen again."""
        self._path = run / "log.jsonl"
        self._board: Any = None
        self._bar: Any = None
        self._writes = writes
        if not writes:
            return
        from torch.utils.tensorboard import SummaryWriter

        lines = self._path.read_text().splitlines(keepends=True) if self._path.is_file() else []
        self._path.write_text("".join(line for line in lines if json.loads(line)["step"] <= step))
        self._board = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)

    def numbers(self, group: str, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """One line of log.jsonl, and a scalar each on TensorBoard."""
        if not self._writes:
            return
        known = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        with self._path.open("a") as file:
            file.write(json.dumps({"kind": group, "step": step, "epoch": epoch, **known}) + "\n")
        for name, value in known.items():
            self._board.add_scalar(f"{group}/{name}", value, step)

    def pictures(self, step: int, frames: Sequence[Frame]) -> None:
        """Image, predicted and measured depth below one another, for each frame."""
        if not self._writes:
            return
        for number, frame in enumerate(frames):
            self._board.add_image(f"depth/{number}", _picture(frame), step, dataformats="HWC")

    def start_epoch(self, epoch: int, batches: int, done: int) -> None:
        """A new bar, on a terminal."""
        if self._writes:
            from tqdm import tqdm

            self._bar = tqdm(total=batches, initial=done, desc=f"epoch {epoch + 1}", unit="batch", disable=None)

    def stepped(self, loss: float) -> None:
        """The bar moves."""
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
            self._bar.update()

    def end_epoch(self, text: str) -> None:
        """The bar goes, a line comes."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._writes and text:
            print(text, flush=True)

    def close(self) -> None:
        """Writes what is still waiting."""
        self.end_epoch("")
        if self._board is not None:
            self._board.close()


def _picture(frame: Frame) -> NDArray[np.uint8]:
    height, width = frame.image.shape[:2]
    predicted = colour(frame.inverse_depth, height, width, PreviewConfig(), inverse_already=True)
    return np.vstack([frame.image, predicted, colour(frame.measured, height, width, PreviewConfig())])
