"""One writer a sequence, also when a run was killed and its successor starts while a process of it still ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from depth_perception.errors import ConfigError

_WAIT_S = 10.0  # an orphan ends within half a second
_AGAIN_S = 0.05


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, and remove it at the end. A process that dies lets go of it.

    Raises:
        ConfigError: another process has held it for 10 s.
    """
    deadline = time.monotonic() + _WAIT_S
    while (file := _acquired(path)) is None:
        if time.monotonic() > deadline:
            raise ConfigError(
                f"another run is writing here (it holds {str(path)!r}): wait for it, or choose another OUT"
            )
        time.sleep(_AGAIN_S)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def _acquired(path: Path) -> int | None:
    file = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The one who held it may have removed it meanwhile: then this lock says nothing
        if path.stat().st_ino == os.fstat(file).st_ino:
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(file)
    return None
