"""Depth in 16 bits with a constant relative step, so that near and far keep the same relative accuracy."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

NEAR_M = 0.1
FAR_M = 200.0
UNKNOWN = 0
NO_RETURN = 65535
_STEPS = 65533


def encode_depth(depth: np.ndarray) -> np.ndarray:
    """Code depth (…) float metres as uint16: NaN becomes 0, beyond 200 m 65535, nearer than 0.1 m is clamped to it."""
    depth = np.asarray(depth, dtype=np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        position = np.log(np.clip(depth, NEAR_M, FAR_M) / NEAR_M) * (_STEPS / np.log(FAR_M / NEAR_M))
    codes = np.where(np.isnan(depth), 0.0, np.rint(position) + 1.0).astype(np.uint16)
    codes[depth > FAR_M] = NO_RETURN
    return codes


def decode_depth(codes: np.ndarray) -> np.ndarray:
    """Depth (…) float32 metres of uint16 codes (…); 0 becomes NaN, 65535 becomes +Inf."""
    return _table()[codes]


@lru_cache(maxsize=1)
def _table() -> np.ndarray:
    steps = np.arange(65536, dtype=np.float64) - 1.0
    table = NEAR_M * np.exp(steps / _STEPS * np.log(FAR_M / NEAR_M))
    table[UNKNOWN] = np.nan
    table[NO_RETURN] = np.inf
    return table.astype(np.float32)
