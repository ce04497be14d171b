"""A LiDAR's turn → depth maps of both eyes: thinned first, then projected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.anchors.occlusion import occluded, point_grid
from depth_perception.anchors.projection import project_points
from depth_perception.camera import CameraModel
from depth_perception.records import Float32, Float64, Int32
from training.preparation.beam_thinning import BeamNumbers, kept_points, picked_beams, random_share
from training.preparation.options import DatasetOptions
from training.preparation.source_frame import Turn
from training.preparation.target_view import TargetView, splat


@dataclass(frozen=True)
class ThinTurn:
    """What is left of a turn before it is projected."""

    xyz: Float32  # (N, 3)
    beam: Int32  # (N,) as it came
    kept: tuple[int, ...]  # numbers from the top of the kept beams; empty: all of them


class Thinning:
    """Keeps some beams and a random share of the points of each turn of one LiDAR."""

    def __init__(self, options: DatasetOptions) -> None:
        self._options = options
        self._numbers = BeamNumbers(options.lidar_beams)

    @property
    def beams(self) -> int:
        """Of the LiDAR; 0 before its first turn."""
        return self._numbers.total

    def __call__(self, turn: Turn, seed: list[int]) -> ThinTurn:
        """Raises ConfigError: the LiDAR has fewer beams than are wanted."""
        options = self._options
        self._numbers.learn(turn.xyz, turn.beam)
        kept: tuple[int, ...] = ()
        xyz, beam = turn.xyz, turn.beam
        if options.beams:
            kept = picked_beams(self._numbers.total, options.beams, options.beam_offset)
            index = np.flatnonzero(kept_points(self._numbers(xyz, beam), kept, self._numbers.total))
            xyz, beam = xyz[index], beam[index]
        if options.point_share < 1.0:
            index = random_share(len(xyz), options.point_share, seed)
            xyz, beam = xyz[index], beam[index]
        return ThinTurn(xyz, beam, kept)

    def numbers(self, turn: ThinTurn, index: NDArray[np.intp]) -> Int32:
        """Beams, from the top, of these points of a thinned turn; -1 unknown."""
        return self._numbers(turn.xyz[index], turn.beam[index])


@dataclass(frozen=True)
class Seen:
    """Points in an image; the arrays are parallel."""

    index: NDArray[np.intp]  # (M,) of the turn's points
    uv: Float32  # (M, 2) pixels
    depth: Float32  # (M,) metres along z


def seen_points(turn: ThinTurn, T_camera_lidar: Float64, camera: CameraModel, options: DatasetOptions) -> Seen:
    """What the camera sees of a turn: points in its image, within the LiDAR's range, that nothing nearer hides.

    Convention: p_camera = T_camera_lidar @ p_lidar, the optical frame of the (rectified) image that `camera` describes.
    What is hidden is told by `anchors.occlusion`.
    """
    seen = project_points(turn.xyz, T_camera_lidar, camera)
    near = _in_range(seen.xyz, T_camera_lidar, options)
    index, uv, depth = seen.index, seen.uv, seen.xyz[2]
    if not near.all():
        index, uv, depth = index[near], uv[near], depth[near]
    visible = ~occluded(uv, depth, point_grid(uv, turn.beam[index], camera), camera)
    return Seen(index[visible], uv[visible], depth[visible])


def annotated_depth(turn: ThinTurn, T_camera_lidar: Float64, view: TargetView, annotated: Float32) -> Float32:
    """(H, W) of `view.camera`: where a kept point falls, what the annotated map (H, W of `view.native`) says there.

    Paper 1, §4.4: the raw beams choose the pixels at the original size, the annotated map gives their values; a pixel
    that it leaves out is none.
    """
    seen = project_points(turn.xyz, T_camera_lidar, view.native)
    chosen = np.isfinite(splat(seen.uv, seen.xyz[2], view.native))
    return view.carried(np.where(chosen, annotated, np.float32(np.nan)))


def _in_range(xyz: Float32, T_camera_lidar: Float64, options: DatasetOptions) -> NDArray[np.bool_]:
    """Of points (3, M) in the camera's frame, by their distance from the LiDAR's origin there."""
    away = xyz - T_camera_lidar[:3, 3:].astype(np.float32)
    squared = np.einsum("ij,ij->j", away, away)
    return (squared >= np.float32(options.min_range_m**2)) & (squared <= np.float32(options.max_range_m**2))
