"""Triangle meshes with texture coordinates in metres, built from a few primitives and moved by a 4 x 4 matrix."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Part:
    """A piece of surface: vertices and normals float32 (V, 3) metres, uv float32 (V, 2) metres, faces int32 (F, 3)."""

    vertices: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    faces: np.ndarray

    def moved(self, T_parent_part: np.ndarray) -> Part:
        """The same surface in the parent's coordinates (rigid transform)."""
        rotation = T_parent_part[:3, :3].astype(np.float32)
        vertices = self.vertices @ rotation.T + T_parent_part[:3, 3].astype(np.float32)
        return Part(vertices, self.normals @ rotation.T, self.uv, self.faces)


def jitter(rng: np.random.Generator, spread_x: float, spread_y: float) -> tuple[float, float]:
    """A uniform random offset within plus or minus the spreads, metres."""
    return float(rng.uniform(-spread_x, spread_x)), float(rng.uniform(-spread_y, spread_y))


def place(x: float, y: float, z: float = 0.0, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """T_parent_child (4, 4) from metres and radians; yaw about z after pitch about y after roll about x."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    T = np.eye(4)
    T[:3, :3] = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    T[:3, 3] = [x, y, z]
    return T


def merge(parts: Iterable[Part]) -> Part:
    """Several parts of one frame as one."""
    parts = list(parts)
    offsets = np.cumsum([0] + [len(p.vertices) for p in parts[:-1]])
    faces = [p.faces + offset for p, offset in zip(parts, offsets, strict=True)]
    return Part(
        np.concatenate([p.vertices for p in parts]),
        np.concatenate([p.normals for p in parts]),
        np.concatenate([p.uv for p in parts]),
        np.concatenate(faces).astype(np.int32),
    )


def quad(corners: np.ndarray, uv: np.ndarray | None = None) -> Part:
    """A flat four-sided face; corners (4, 3) counter-clockwise seen from its front."""
    corners = np.asarray(corners, dtype=np.float64)
    (ax, ay, az), (bx, by, bz) = (corners[1] - corners[0]).tolist(), (corners[3] - corners[0]).tolist()
    normal = (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
    norm = max(math.hypot(*normal), 1e-9)
    if uv is None:
        width, height = math.hypot(ax, ay, az), math.hypot(bx, by, bz)
        uv = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    normals = np.empty((4, 3), np.float32)
    normals[:] = (normal[0] / norm, normal[1] / norm, normal[2] / norm)
    return Part(corners.astype(np.float32), normals, np.asarray(uv, np.float32), _QUAD)


_QUAD = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def box(length: float, width: float, height: float, chamfer: float = 0.0) -> Part:
    """A box standing on z = 0, centred in x (length) and y (width); `chamfer` bevels the four upright edges."""
    a, b = length / 2.0, width / 2.0
    if chamfer > 0.0:
        c = min(chamfer, 0.45 * a, 0.45 * b)
        return prism(
            np.array(
                [[-a + c, -b], [a - c, -b], [a, -b + c], [a, b - c], [a - c, b], [-a + c, b], [-a, b - c], [-a, -b + c]]
            ),
            height,
        )
    return prism(np.array([[-a, -b], [a, -b], [a, b], [-a, b]]), height)


def prism(outline: np.ndarray, height: float) -> Part:
    """A convex outline (N, 2), counter-clockwise, extruded from z = 0 to `height`."""
    outline = np.asarray(outline, dtype=np.float32)
    following = np.concatenate([outline[1:], outline[:1]])
    along = following - outline
    length = np.hypot(along[:, 0], along[:, 1])
    count = len(outline)
    vertices = np.zeros((count, 4, 3), np.float32)
    vertices[:, 0, :2] = vertices[:, 3, :2] = outline
    vertices[:, 1, :2] = vertices[:, 2, :2] = following
    vertices[:, 2:, 2] = height
    normals = np.zeros((count, 4, 3), np.float32)
    normals[:, :, 0], normals[:, :, 1] = (along[:, 1] / length)[:, None], (-along[:, 0] / length)[:, None]
    end = np.cumsum(length)
    uv = np.zeros((count, 4, 2), np.float32)
    uv[:, 0, 0] = uv[:, 3, 0] = end - length
    uv[:, 1, 0] = uv[:, 2, 0] = end
    uv[:, 2:, 1] = height
    faces = (4 * np.arange(count, dtype=np.int32)[:, None, None] + _QUAD[None]).reshape(-1, 3)
    sides = Part(vertices.reshape(-1, 3), normals.reshape(-1, 3), uv.reshape(-1, 2), faces)
    return merge([sides, _cap(outline, height, 1.0), _cap(outline, 0.0, -1.0)])


def _cap(outline: np.ndarray, z: float, side: float) -> Part:
    count = len(outline)
    vertices = np.column_stack([outline, np.full(count, z)]).astype(np.float32)
    fan = np.array([[0, i, i + 1] for i in range(1, count - 1)], np.int32)
    normals = np.tile(np.array([0, 0, side], np.float32), (count, 1))
    return Part(vertices, normals, outline.astype(np.float32), fan if side > 0 else fan[:, ::-1])


def lathe(profile: np.ndarray, segments: int = 12) -> Part:
    """A profile (N, 2) of (radius, z), from bottom to top, turned around z; smooth around, flat along."""
    profile = np.asarray(profile, dtype=np.float64)
    angle = np.linspace(0.0, 2.0 * np.pi, segments + 1)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    pieces, climbed = [], 0.0
    for (r0, z0), (r1, z1) in pairwise(profile):
        slope = np.hypot(r1 - r0, z1 - z0)
        if slope < 1e-9:
            continue
        lower, upper = (
            np.column_stack([ring * r0, np.full(len(ring), z0)]),
            np.column_stack([ring * r1, np.full(len(ring), z1)]),
        )
        normal = np.column_stack([ring * (z1 - z0), np.full(len(ring), r0 - r1)]) / slope
        across = angle * max(r0, r1)
        uv = np.concatenate(
            [
                np.column_stack([across, np.full(len(ring), climbed)]),
                np.column_stack([across, np.full(len(ring), climbed + slope)]),
            ]
        )
        pieces.append(
            Part(
                np.concatenate([lower, upper]).astype(np.float32),
                np.concatenate([normal, normal]).astype(np.float32),
                uv.astype(np.float32),
                _strip(segments + 1),
            )
        )
        climbed += slope
    return merge(pieces)


def _strip(columns: int) -> np.ndarray:
    i = np.arange(columns - 1)
    return np.concatenate([np.stack([i, i + 1, i + columns + 1], 1), np.stack([i, i + columns + 1, i + columns], 1)])


def cylinder(radius: float, height: float, segments: int = 12) -> Part:
    """A closed cylinder standing on z = 0."""
    return lathe(np.array([[0.0, 0.0], [radius, 0.0], [radius, height], [0.0, height]]), segments)


def surface(points: np.ndarray, uv: np.ndarray) -> Part:
    """A smooth grid of points (R, C, 3) with uv (R, C, 2) metres; the front sees columns run right, rows run up."""
    rows, columns = points.shape[:2]
    du, dv = np.gradient(points, axis=1), np.gradient(points, axis=0)
    normal = np.cross(du, dv)
    normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-9)
    i = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)[None]).reshape(-1)
    faces = np.concatenate([np.stack([i, i + 1, i + columns + 1], 1), np.stack([i, i + columns + 1, i + columns], 1)])
    return Part(
        points.reshape(-1, 3).astype(np.float32),
        normal.reshape(-1, 3).astype(np.float32),
        uv.reshape(-1, 2).astype(np.float32),
        faces.astype(np.int32),
    )


def blob(rng: np.random.Generator, radii: tuple[float, float, float], roughness: float, rings: int = 8) -> Part:
    """A bumpy ellipsoid about the origin: stones, bushes, crowns, cushions. `roughness` is relative to the radius."""
    columns = 2 * rings + 1
    theta = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)[:, None]
    phi = np.linspace(0.0, 2 * np.pi, columns)[None, :]
    bumps = rng.normal(0.0, roughness, (rings + 1, columns))
    bumps[:, -1] = bumps[:, 0]
    bumps[0], bumps[-1] = bumps[0, 0], bumps[-1, 0]
    direction = np.stack([np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), np.sin(theta) + 0 * phi], axis=2)
    points = direction * (1.0 + bumps[..., None]) * np.asarray(radii)
    mean_radius = float(np.mean(radii))
    uv = np.stack(np.broadcast_arrays(phi * mean_radius, theta * mean_radius), axis=2)
    return surface(points, uv)


def leaf_cloud(rng: np.random.Generator, radii: tuple[float, float, float], count: int, leaf_m: float) -> Part:
    """Small tilted quads near an ellipsoid's surface, seen from both sides: a ragged outline for trees and hedges."""
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    centre = direction * np.asarray(radii) * rng.uniform(0.75, 1.15, (count, 1))
    along = np.cross(direction, rng.normal(size=(count, 3)))
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.cross(direction + 0.7 * rng.normal(size=(count, 3)), along)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    reach = leaf_m * rng.uniform(0.4, 1.2, (count, 1))
    corners = np.stack(
        [centre - along * reach, centre - across * reach, centre + along * reach, centre + across * reach], axis=1
    )
    uv = rng.uniform(0, 5, (count, 1, 2)) + leaf_m * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])[None]
    faces = (4 * np.arange(count)[:, None, None] + _QUAD).reshape(-1, 3)
    normals = np.repeat(direction, 4, axis=0)
    return Part(
        corners.reshape(-1, 3).astype(np.float32),
        normals.astype(np.float32),
        uv.reshape(-1, 2).astype(np.float32),
        faces.astype(np.int32),
    )
