"""The residual field: its minimum against a dense solve, its reach, edges, outliers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth_perception.alignment import field as module
from depth_perception.alignment.field import COARSE, Field, ResidualField, _Grid, _solve

SIZES = [(120, 200), (200, 120), (96, 96), (64, 300)]


def grey(height: int, width: int, value: int = 100) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def pulled(
    size: tuple[int, int], uv: np.ndarray, residual: np.ndarray, image: np.ndarray | None = None, reach: float = 0.7
) -> tuple[np.ndarray, Field]:
    """The field at every pixel, and the field."""
    subject = ResidualField(*size, reach)
    links = subject.links(grey(2 * size[0], 2 * size[1]) if image is None else image)
    field = subject.fit(uv.astype(np.float32), residual.astype(np.float32), np.ones(len(uv), np.float32), links)
    return field.at_size(*size), field


def lattice(size: tuple[int, int], step: int) -> np.ndarray:
    """(N, 2) pixels, every `step`-th of each row and column."""
    v, u = np.mgrid[step // 2 : size[0] : step, step // 2 : size[1] : step]
    return np.stack([u.ravel(), v.ravel()], axis=1)


@pytest.mark.parametrize("size", SIZES)
def test_a_constant_residual_on_dense_anchors_is_the_field(size: tuple[int, int]) -> None:
    uv = lattice(size, 6)
    at_size, field = pulled(size, uv, np.full(len(uv), 0.2))
    assert at_size.shape == size and at_size.dtype == np.float32
    np.testing.assert_allclose(at_size, 0.2, atol=0.01)
    assert field.weight.min() > 0.95


@pytest.mark.parametrize("size", SIZES)
def test_no_residual_no_correction(size: tuple[int, int]) -> None:
    uv = lattice(size, 9)
    np.testing.assert_array_equal(pulled(size, uv, np.zeros(len(uv)))[0], 0.0)


@pytest.mark.parametrize("size", [(120, 200), (200, 120)])
def test_the_pull_fades_with_distance(size: tuple[int, int]) -> None:
    """Along the row and the column of a lone anchor it falls without ever rising, to less where the reach is short."""
    row, column = size[0] // 2, size[1] // 2
    uv = np.tile([[column, row]], (20, 1))
    far = []
    for reach in (0.1, 0.7):
        at_size, _ = pulled(size, uv, np.full(20, 0.2), reach=reach)
        assert at_size[row, column] > 0.1
        for line in (at_size[row, column + 4 :], at_size[row, column - 4 :: -1], at_size[row + 4 :, column]):
            assert (np.diff(line) <= 1e-6).all() and (line > 0.0).all()
        far.append(at_size[row, -1] / at_size[row, column])
    assert far[0] < 0.1 and far[1] > 3 * far[0]


@pytest.mark.parametrize("size", [(120, 200), (200, 120)])
def test_an_edge_of_the_image_stops_the_pull(size: tuple[int, int]) -> None:
    """Two halves of different grey; anchors in the left one only; the pull is to fade in a fifth of the width."""
    uv = lattice(size, 6)
    uv = uv[uv[:, 0] < 0.4 * size[1]]
    image = grey(2 * size[0], 2 * size[1], 40)
    open_field, _ = pulled(size, uv, np.full(len(uv), 0.2), image, reach=0.2)
    image[:, size[1] :] = 220
    closed, _ = pulled(size, uv, np.full(len(uv), 0.2), image, reach=0.2)
    right = (slice(None), slice(int(0.6 * size[1]), None))
    assert closed[right].mean() < 0.25 * open_field[right].mean()
    np.testing.assert_allclose(closed[:, : int(0.35 * size[1])], 0.2, atol=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_40_percent_outliers_change_little(seed: int) -> None:
    """A smooth correction of ±0.15 is found in spite of anchors that say 0.1 to 10 times."""
    size, rng = (120, 200), np.random.default_rng(seed)
    uv = lattice(size, 6)
    true = 0.15 * np.sin(uv[:, 0] / 40.0)
    wrong = rng.random(len(uv)) < 0.4
    said = np.where(wrong, rng.uniform(np.log(0.1), np.log(10.0), len(uv)), true + rng.normal(0, 0.01, len(uv)))
    clean, _ = pulled(size, uv, true)
    spoiled, field = pulled(size, uv, said)
    assert np.abs(np.exp(spoiled - clean) - 1.0).mean() < 0.03
    gross = wrong & (np.abs(said - true) > 0.6)
    assert (field.weight[gross] < 0.25).mean() > 0.95 and (field.weight[~wrong] > 0.25).mean() > 0.95


@given(st.integers(0, 1000), st.booleans(), st.sampled_from([0.0, 0.3]))
@settings(max_examples=20, deadline=None)
def test_the_solution_is_that_of_the_dense_normal_equations(seed: int, portrait: bool, bend: float) -> None:
    """Σ w (f(u) - r)² + Σ s (f_a - f_b)² + Σ b (f_a - 2 f_b + f_c)² + κ Σ f², written out term by term."""
    rng = np.random.default_rng(seed)
    height, width = (35, 20) if portrait else (20, 35)
    level = replace(COARSE, rows=7, stretch=0.3, bend=bend, fade=0.05, scaled=True)
    grid = _Grid(height, width, level, 0.4)
    links = grid.links(rng.integers(0, 255, (height, width, 3)).astype(np.uint8))
    uv = rng.uniform([-0.5, -0.5], [width - 0.5, height - 0.5], (60, 2)).astype(np.float32)
    residual, weight = rng.normal(size=60).astype(np.float32), rng.uniform(0.1, 2.0, 60).astype(np.float32)
    found = grid.as_image(_solve(grid.band(links), grid.cells(uv), residual, weight))

    rows, columns = grid.rows, grid.columns
    assert (rows, columns) == ((12, 7) if portrait else (7, 12))
    number = np.arange(rows * columns).reshape(rows, columns)
    matrix = np.eye(number.size) * 0.05 / (0.4 * columns) ** 2
    for line, tie in (*zip(number, links.right, strict=True), *zip(number.T, links.down.T, strict=True)):
        for i in range(len(line) - 1):
            matrix += _term(number.size, line[i : i + 2], (1.0, -1.0), 0.3 * tie[i])
        for i in range(len(line) - 2):
            matrix += _term(number.size, line[i : i + 3], (1.0, -2.0, 1.0), bend * min(tie[i], tie[i + 1]))
    right_side = np.zeros(number.size)
    row, column = np.floor((uv[:, 1] + 0.5) * rows / height), np.floor((uv[:, 0] + 0.5) * columns / width)
    cell = (row * columns + column).astype(int)
    total = np.bincount(cell, weight, number.size)
    for i, w, r in zip(cell, weight, residual, strict=True):
        matrix[i, i] += w * min(1.0, module.CELL_WEIGHT / total[i])
        right_side[i] += w * min(1.0, module.CELL_WEIGHT / total[i]) * r
    np.testing.assert_allclose(found.ravel(), np.linalg.solve(matrix, right_side), rtol=2e-3, atol=5e-4)


def _term(count: int, at: np.ndarray, factors: tuple[float, ...], weight: float) -> np.ndarray:
    """weight * (Σ factor f_at)² as a matrix."""
    row = np.zeros(count)
    row[at] = factors
    return weight * np.outer(row, row)


@pytest.mark.parametrize(
    ("size", "u", "v"), [((48, 96), 31.2, 13.2), ((96, 48), 13.2, 31.2), ((192, 384), 126.3, 54.3)]
)
def test_a_control_point_is_the_centre_of_its_cell(size: tuple[int, int], u: float, v: float) -> None:
    """The mirror image of anchors has the mirror image of the field: half a pixel of error in either direction, such
    as control points taken for corners of their cells, would break it."""
    uv = np.tile([[u, v]], (50, 1))
    mirrored = np.array([size[1] - 1, size[0] - 1]) - uv
    at_size, _ = pulled(size, uv, np.full(50, 0.2), reach=0.05)
    other, _ = pulled(size, mirrored, np.full(50, 0.2), reach=0.05)
    np.testing.assert_allclose(at_size[::-1, ::-1], other, atol=2e-4)
    rows, columns = np.nonzero(at_size > 0.9 * at_size.max())
    cell = size[1] / (96 if size[1] > size[0] else 48)
    assert abs(columns.mean() - u) < 0.75 * cell and abs(rows.mean() - v) < 0.75 * cell


def test_pixels_on_the_images_rim_belong_to_the_outer_cells() -> None:
    grid = _Grid(100, 200, replace(COARSE, rows=10), 0.5)
    rim = np.array([[-0.5, -0.5], [199.5, -0.5], [-0.5, 99.5], [199.5, 99.5]], np.float32)
    values = np.arange(200, dtype=np.float32)
    assert (grid.as_image(values)[[0, 0, -1, -1], [0, -1, 0, -1]] == values[grid.cells(rim)]).all()


@pytest.mark.parametrize("reach", [0.01, 2.0])
def test_one_anchor_and_a_wild_image_can_be_solved_in_float32(reach: float) -> None:
    rng = np.random.default_rng(0)
    for size in ((480, 640), (640, 480), (192, 640)):
        image = rng.integers(0, 255, (*size, 3)).astype(np.uint8)
        at_size, _ = pulled(size, np.array([[5.0, 7.0]]), np.array([0.3]), image, reach)
        assert np.isfinite(at_size).all() and np.abs(at_size).max() < 0.4


def test_residuals_of_any_size_leave_a_bounded_field() -> None:
    """Anchors that disagree with the fit by e^80 are refused, not followed."""
    uv = lattice((120, 200), 20)
    said = np.where(np.arange(len(uv)) % 3 == 0, 80.0, 0.0)
    at_size, field = pulled((120, 200), uv, said)
    assert np.abs(at_size).max() < 0.05 and field.weight[::3].max() < 1e-3
