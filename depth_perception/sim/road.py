"""A road with constant curvature: its centre line, and strips of surface along it."""

from __future__ import annotations

import numpy as np

from depth_perception.sim.mesh import Part, place, surface


class Road:
    """Coordinates along (s) and to the left of (d) a centre line that passes (0, 0) heading +x, metres."""

    def __init__(self, start: float, end: float, curvature: float) -> None:
        self.start, self.end, self.curvature = start, end, curvature

    def centre(self, s: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y and heading at s."""
        k = self.curvature
        heading = np.asarray(s, dtype=np.float64) * k
        if abs(k) < 1e-9:
            return np.asarray(s, dtype=np.float64), np.zeros_like(heading), heading
        return np.sin(heading) / k, (1.0 - np.cos(heading)) / k, heading

    def pose(self, s: float, d: float, z: float = 0.0, yaw: float = 0.0) -> np.ndarray:
        """T_world_object (4, 4) of something at (s, d) turned by `yaw` from the road's direction."""
        x, y, heading = self.centre(s)
        return place(float(x - d * np.sin(heading)), float(y + d * np.cos(heading)), z, float(heading + yaw))

    def strip(
        self,
        d0: float,
        d1: float,
        z0: float,
        z1: float,
        s0: float | None = None,
        s1: float | None = None,
        across: int = 2,
    ) -> Part:
        """Surface between offsets d0 < d1 at heights z0 and z1, from s0 to s1 (the whole road if not given)."""
        s0, s1 = self.start if s0 is None else s0, self.end if s1 is None else s1
        s = np.linspace(s0, s1, max(2, int((s1 - s0) / 3.0)) if self.curvature or across > 2 else 2)
        d = np.linspace(d0, d1, across)
        z = np.linspace(z0, z1, across)
        x, y, heading = self.centre(s)
        points = np.stack(
            [
                x[None] - d[:, None] * np.sin(heading),
                y[None] + d[:, None] * np.cos(heading),
                np.broadcast_to(z[:, None], (across, len(s))),
            ],
            axis=2,
        )
        # Measured along the profile, so that a kerb's upright face is textured too
        profile = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(d), np.diff(z)))])
        uv = np.stack(np.broadcast_arrays(s[None, :], profile[:, None] + d0), axis=2)
        return surface(points, uv)
