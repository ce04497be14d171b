"""The bytes of a message's `data` field, whatever holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def byte_view(data: Any) -> NDArray[np.uint8]:
    """All bytes of `data` (array.array, bytes, memoryview or numpy) as (N,) uint8, without a copy."""
    if len(data) == 0:  # numpy 1.26 refuses an empty buffer
        return np.zeros(0, np.uint8)
    return np.frombuffer(data, np.uint8)
