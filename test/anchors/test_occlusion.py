"""What hides what: even surfaces stay, points past an edge go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lidar_scene import CAMERA, Plane, mounted, scan

from depth_perception.anchors.occlusion import occluded, point_grid
from depth_perception.anchors.projection import project_points

ROAD = [Plane((0, 0, 1), -1.7)]
WALL = [Plane((0.05, 1, 0), -1.7)]
ROOM = [Plane((0, 1, 0), -2), Plane((0, 1, 0), 2), Plane((1, 0, 0), 6), Plane((0, 0, 1), -1.2), Plane((0, 0, 1), 1.5)]
BOX = Plane((1, 0, 0), 5.0, y0=0.3, half_width=1.5, low=-2.0, high=0.1)
MOUNTS = {
    "camera below": mounted(0.3, 0.0, -0.5),
    "camera to the right": mounted(0.3, -0.4, 0.0),
    "both, turned": mounted(0.2, 0.3, -0.6, 0.02, 0.05, -0.03),
    "rolled": mounted(0.2, 0.3, -0.6, 0.3, 0.05, -0.03),
}


def hidden(planes: list[Plane], beams: int, mount: str, **changes: object) -> tuple[np.ndarray, ...]:
    """Of the points in the image: which were found hidden, which are, and their plane."""
    T = MOUNTS[mount]
    sweep, which, blocked = scan(planes, beams, 1000, T)
    sweep = replace(sweep, **changes) if changes else sweep
    seen = project_points(sweep.xyz, T, CAMERA)
    grid = point_grid(seen.uv, sweep.beam[seen.index], CAMERA)
    return occluded(seen.uv, seen.xyz[2], grid, CAMERA), blocked[seen.index], which[seen.index]


@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("beams", [4, 16, 64])
@pytest.mark.parametrize("planes", [ROAD, WALL, ROOM], ids=["road", "wall", "room"])
def test_an_even_surface_is_kept(planes: list[Plane], beams: int, mount: str) -> None:
    """Down to grazing angles: a relative margin alone removes most of a road (neighbouring beams: 25 % at 25 m)."""
    found, _, _ = hidden(planes, beams, mount)
    assert len(found) > 400
    assert found.mean() <= 0.01


@pytest.mark.parametrize("mount", ["camera below", "camera to the right", "both, turned"])
def test_points_behind_a_box_are_removed(mount: str) -> None:
    """Known to be hidden: behind the box less the gap between two of its beams (4 cm), where nothing measures it."""
    planes = [Plane((1, 0, 0), 15.0), BOX]
    found, blocked, which = hidden(planes, 64, mount)
    sure = Plane((1, 0, 0), 5.0, y0=0.3, half_width=1.46, low=-1.96, high=0.06)
    eye = np.linalg.inv(MOUNTS[mount])[:3, 3]
    sweep, _, _ = scan(planes, 64, 1000, MOUNTS[mount])
    seen = project_points(sweep.xyz, MOUNTS[mount], CAMERA)
    known = sure.distance(eye, sweep.xyz[seen.index] - eye) < 0.999
    assert known.sum() > 500
    assert found[known].mean() >= 0.95
    assert found[blocked].mean() >= 0.9  # with the gap
    assert found[~blocked].mean() <= 0.002  # the box itself, and the wall beside it
    assert not found[which == 1].any()


def test_sixteen_beams_find_it_too() -> None:
    found, blocked, _ = hidden([Plane((1, 0, 0), 15.0), BOX], 16, "camera below")
    assert blocked.sum() > 300
    assert found[blocked].mean() >= 0.9
    assert found[~blocked].mean() <= 0.002


def test_without_beam_numbers() -> None:
    planes = [Plane((1, 0, 0), 15.0), BOX]
    sweep, _, _ = scan(planes, 64, 1000, MOUNTS["camera below"])
    found, blocked, _ = hidden(planes, 64, "camera below", beam=np.full_like(sweep.beam, -1))
    assert found[blocked].mean() >= 0.6
    assert found[~blocked].mean() <= 0.002


def test_beams_in_columns() -> None:
    """A LiDAR on its side before a camera on its side sees what an upright one before an upright one sees."""
    T = MOUNTS["camera below"]
    sweep, _, _ = scan([Plane((1, 0, 0), 15.0), BOX], 32, 1000, T)
    seen = project_points(sweep.xyz, T, CAMERA)
    beam, depth = sweep.beam[seen.index], seen.xyz[2]
    K = CAMERA.K[[1, 0, 2]][:, [1, 0, 2]]
    turned = replace(CAMERA, height=CAMERA.width, width=CAMERA.height, K=K, P=None)
    upright_grid, turned_grid = point_grid(seen.uv, beam, CAMERA), point_grid(seen.uv[:, ::-1], beam, turned)
    assert (turned_grid.beams_in_columns, upright_grid.beams_in_columns) == (True, False)
    assert (turned_grid.u, turned_grid.v) == (upright_grid.v, upright_grid.u)
    upright = occluded(seen.uv, depth, upright_grid, CAMERA)
    np.testing.assert_array_equal(occluded(seen.uv[:, ::-1], depth, turned_grid, turned), upright)
    assert upright.sum() > 500


def test_spacing_is_that_of_the_sensor() -> None:
    """32 beams from -24° to 4°: 450 px * tan(28/31°) = 7.1 px apart; 1000 columns over 180°: 1.3 px."""
    T = mounted(0.0, 0.0, 0.0)
    sweep, _, _ = scan([Plane((1, 0, 0), 8.0)], 32, 1000, T)
    seen = project_points(sweep.xyz, T, CAMERA)
    grid = point_grid(seen.uv, sweep.beam[seen.index], CAMERA)
    assert grid.u == pytest.approx(1.5, abs=0.25)
    assert grid.v * 3 == pytest.approx(7.7, abs=0.8)


def test_no_points() -> None:
    none = np.zeros((0, 2), np.float32)
    grid = point_grid(none, np.zeros(0, np.int32), CAMERA)
    assert occluded(none, np.zeros(0, np.float32), grid, CAMERA).shape == (0,)
