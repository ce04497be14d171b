"""Distances along rays through a world: what the LiDAR, the scan and the choice of viewpoints measure with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import mujoco


def cast(
    model: mujoco.MjModel, data: mujoco.MjData, origin: np.ndarray, directions: np.ndarray, reach_m: float = 400.0
) -> tuple[np.ndarray, np.ndarray]:
    """Distance float64 (N,) metres and geom index int32 (N,) for unit directions (N, 3) from one origin (3,).

    +Inf and -1 where nothing is within `reach_m`.
    """
    import mujoco

    count = len(directions)
    geom, distance = np.full(count, -1, np.int32), np.full(count, -1.0)
    flat = np.ascontiguousarray(directions, dtype=np.float64).reshape(-1)
    mujoco.mj_multiRay(
        model, data, np.asarray(origin, np.float64), flat, None, True, -1, geom, distance, None, count, reach_m
    )
    missed = (distance < 0.0) | (distance > reach_m)
    return np.where(missed, np.inf, distance), np.where(missed, -1, geom)
