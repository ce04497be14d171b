"""How far a long run has come, for people."""

from __future__ import annotations

import sys
import time
from typing import Any

LINE_PERIOD_S = 5.0


class ProgressLine:
    """A bar on a terminal, a line every few seconds elsewhere; on stderr."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._said_s = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            if self._bar is None:
                from tqdm import tqdm

                self._bar = tqdm(total=total, unit="image", file=sys.stderr)
            self._bar.update(done - self._bar.n)
        elif time.monotonic() - self._said_s >= LINE_PERIOD_S:
            self._said_s = time.monotonic()
            print(f"{done} of {total} images", file=sys.stderr, flush=True)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
