"""A sheet of a frame known in closed form: what its panels hold, and that nothing missing breaks it."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from depth_perception.camera import CameraModel
from depth_perception.records import Anchors, DepthFrame, DepthKind, Quality, Use, UsedAnchors
from depth_perception.view.clouds import ANCHOR, REFUSED, optical_points
from depth_perception.view.colours import depth_norm, error_end, limited, round_ticks
from depth_perception.view.panels import at_pixels, relative_error
from depth_perception.view.sheet import sheet
from depth_perception.view.words import describe

H, W = 60, 80
CAMERA = CameraModel(H, W, np.array([[100.0, 0, 45.0], [0, 90.0, 25.0], [0, 0, 1]]))
GOOD = Quality(
    "lidar", 0.1, 1.0, count=4, inlier_share=0.75, scale=0.5, shift=0.0, age_s=0.02, abs_rel=0.05, rmse=0.4,
    delta1=0.97, held_out=1,
)  # fmt: skip


def anchors(uv: list[tuple[float, float]], depth: list[float]) -> Anchors:
    n = len(depth)
    return Anchors(
        np.array(uv, np.float32).reshape(n, 2), np.array(depth, np.float32), np.full(n, 0.1, np.float32),
        np.zeros(n, np.int32), "lidar", 0,
    )  # fmt: skip


def frame_of(**changes: Any) -> DepthFrame:
    """Depth grows from 2 m in the top row to 4 m in the lowest; four anchors: two fitted, one held out, one refused."""
    depth = np.repeat(np.linspace(2.0, 4.0, H, dtype=np.float32)[:, None], W, axis=1)
    image = np.random.default_rng(1).integers(0, 255, (H, W, 3), np.uint8)
    used = UsedAnchors(
        anchors([(10, 0), (20, 59), (70, 0), (40, 59)], [2.0, 4.0, 2.5, 8.0]),
        np.array([Use.FITTED, Use.FITTED, Use.HELD_OUT, Use.REFUSED], np.uint8),
    )
    frame = DepthFrame(depth, depth, DepthKind.METRIC, 1, "lens", CAMERA, image, GOOD, depth / 10, (used,))
    return replace(frame, **changes)


def titles(figure: Figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def panel(figure: Figure, title: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_title().startswith(title))


def texts(axes: Axes) -> str:
    return " ".join(" ".join(text.get_text().split()) for text in axes.texts)


def png(figure: Figure) -> np.ndarray:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_COLOR)


def test_panels_of_a_frame() -> None:
    figure = sheet(frame_of(), title="image 7")
    assert titles(figure) == [
        "anchors: ● 2 fitted   ○ 1 held out   × 1 refused",
        "depth, m",
        "depth / anchors − 1 (depth was fitted to them)",
        "std, m (median 10% of depth)",
        "from above",
        "from the side (middle third of the image)",
    ]
    heading = figure.get_suptitle()
    assert heading.splitlines() == [
        "image 7",
        "scale from lidar: × 0.5, 4 anchors, 75% agree, 0.02 s old; 1 left out of the fit: AbsRel 0.050, RMSE 0.40 m, "
        "δ1 0.97; std 10% of depth; finite in 100% of pixels",
    ]
    picture = png(figure)
    assert picture.shape[1] == 1860 and picture.std() > 20


def test_anchors_are_dots_rings_and_red_crosses_in_the_colours_of_depth() -> None:
    figure = sheet(frame_of())
    fitted, held_out, white, refused = panel(figure, "anchors").collections
    norm = panel(figure, "depth, m").images[0].norm
    colours = panel(figure, "depth, m").images[0].cmap
    assert {tuple(point) for point in fitted.get_offsets()} == {(10.0, 0.0), (20.0, 59.0)}
    by_place = {tuple(at): tuple(c) for at, c in zip(fitted.get_offsets(), fitted.get_facecolors(), strict=True)}
    assert by_place[10.0, 0.0] == pytest.approx(
        colours(norm(1.001 * norm.vmin)), abs=0.02
    )  # as depth in the same pixel
    assert by_place[20.0, 59.0] == pytest.approx(colours(norm(0.999 * norm.vmax)), abs=0.02)
    assert held_out.get_facecolors().size == 0 and len(held_out.get_offsets()) == 1
    assert tuple(refused.get_edgecolors()[0]) == to_rgba("red") and tuple(white.get_edgecolors()[0]) == to_rgba("white")
    assert refused.get_offsets().tolist() == [[40.0, 59.0]]


def test_colours_of_depth_say_near_far_unknown_and_beyond() -> None:
    depth = np.full((H, W), 4.0, np.float32)
    depth[:30] = 2.0
    depth[0, :4] = np.nan, np.inf, -np.inf, 1000.0
    axes = panel(sheet(frame_of(depth=depth, anchors=())), "depth")
    assert axes.get_title() == "depth, m (black: unknown, light grey: beyond range, dark grey: too near)"
    drawn = axes.images[0]
    colour = drawn.to_rgba(drawn.get_array())
    assert colour[0, 0, :3].tolist() == [0, 0, 0]
    assert colour[0, 1, :3] == pytest.approx([0.75] * 3) and colour[0, 2, :3] == pytest.approx([0.35] * 3)
    near, far = colour[10, 0], colour[50, 0]
    assert near[0] > near[2] and far[2] > far[0]  # warm, cold
    assert colour[0, 3] == pytest.approx(far, abs=0.02)  # an outlier neither takes the scale nor looks unknown
    assert (drawn.norm.vmin, drawn.norm.vmax) == pytest.approx((2.0, 4.0))


def test_error_against_truth_is_signed_and_relative() -> None:
    truth = np.full((H, W), np.nan, np.float32)
    truth[:, :40] = frame_of().depth[:, :40] / np.float32(1.2)  # depth is 20 % too far
    axes = panel(sheet(frame_of(), truth), "depth / truth")
    assert axes.get_title() == "depth / truth − 1: AbsRel 0.200, δ1 1.00, n 2400"
    error = axes.images[0].get_array()
    assert float(error[30, 5]) == pytest.approx(0.2, abs=1e-5) and np.ma.is_masked(error[30, 60])
    assert (axes.images[0].norm.vmin, axes.images[0].norm.vmax) in [(-0.2, 0.2), (-0.5, 0.5)]
    red, blue = axes.images[0].cmap(0.9), axes.images[0].cmap(0.1)
    assert red[0] > red[2] and blue[2] > blue[0]  # too far is red


def test_sparse_truth_is_drawn_as_dots_that_can_be_seen() -> None:
    truth = np.full((H, W), np.nan, np.float32)
    truth[0, 7] = 4.0
    axes = panel(sheet(frame_of(), truth), "depth / truth")
    assert axes.collections[0].get_offsets().tolist() == [[7.0, 0.0]]
    assert axes.collections[0].get_array().tolist() == [-0.5]


def test_error_at_anchors_says_whether_depth_has_seen_them() -> None:
    assert titles(sheet(frame_of()))[2] == "depth / anchors − 1 (depth was fitted to them)"
    unseen = tuple(replace(used, use=np.full(4, Use.REFUSED, np.uint8)) for used in frame_of().anchors)  # fit refused
    axes = panel(sheet(frame_of(quality=replace(GOOD, held=True), anchors=unseen)), "depth / anchors")
    assert axes.get_title() == "depth / anchors − 1 (depth has not seen them)"
    # 2 / 2, 4 / 4, 2 / 2.5, 4 / 8
    assert sorted(axes.collections[0].get_array().tolist()) == pytest.approx([-0.5, -0.2, 0, 0], abs=1e-6)


def test_clouds_in_metres_forward_to_the_right_left_and_up_upwards() -> None:
    """Pixel (45, 25) is the optical axis; (10, 0) at 2 m is 0.7 m to the left and 0.556 m up."""
    figure = sheet(frame_of())
    above, beside = panel(figure, "from above"), panel(figure, "from the side")
    assert [text.get_text() for text in above.get_legend().get_texts()] == [
        "depth, in the image's colours",
        "anchors",
        "refused anchors",
    ]
    depth, fitted, refused = above.collections
    assert len(depth.get_offsets()) == H * W
    places = sorted(fitted.get_offsets().tolist())
    assert places[0] == pytest.approx([2.0, 0.7]) and places[1] == pytest.approx([4.0, 1.0])
    assert refused.get_offsets().tolist()[0] == pytest.approx([8.0, 0.4])
    assert tuple(fitted.get_facecolors()[0]) == to_rgba(ANCHOR)
    assert tuple(refused.get_facecolors()[0]) == to_rgba(REFUSED)
    # Only the refused anchor's column 40 is in the middle third; its row 59 is 34 px under the axis: 8 * 34 / 90 down.
    assert beside.collections[1].get_offsets().size == 0
    assert beside.collections[2].get_offsets().tolist()[0] == pytest.approx([8.0, -8 * 34 / 90], abs=1e-5)
    assert above.get_aspect() == 1.0 and beside.get_aspect() == 1.0
    assert above.get_xlim()[0] < 0.0 and above.get_xlim()[1] > 4.0


def test_points_lie_on_the_rays_of_the_camera() -> None:
    rows, columns = np.mgrid[:H, :W]
    uv = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32)
    skewed = replace(CAMERA, K=np.array([[100.0, 3.0, 45.0], [0, 90.0, 25.0], [0, 0, 1]]))
    for camera in (CAMERA, skewed):
        points = optical_points(uv, np.full(H * W, 3.0, np.float32), camera)
        assert points == pytest.approx(3.0 * camera.rays().reshape(-1, 3), abs=1e-5)
        assert camera.project(points) == pytest.approx(uv, abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "title", "text"),
    [
        ({"anchors": ()}, "image (no anchors used)", ""),
        ({"anchors": ()}, "error", "nothing to compare with: no truth, no anchors used"),
        ({"anchors": (UsedAnchors(anchors([], []), np.zeros(0, np.uint8)),)}, "image (no anchors used)", ""),
        ({"std": None}, "std", "not known"),
        ({"std": np.full((H, W), np.nan, np.float32)}, "std", "not known"),
        ({"depth": np.full((H, W), np.nan, np.float32)}, "depth", "no pixel has a depth"),
        ({"depth": np.full((H, W), np.inf, np.float32)}, "from above", "no depth"),
        ({"depth": np.full((H, W), np.nan, np.float32)}, "error", "no pixel has both"),
        ({"depth": None, "quality": replace(GOOD, source="none", reason="no scale $here$")}, "depth", "no scale $here"),
        ({"depth": None, "std": None}, "from the side", "no depth"),
        ({"camera": None}, "from above", "no calibration"),
        ({"camera": CameraModel(H, W, np.zeros((3, 3)))}, "from the side", "no calibration"),
    ],
)
def test_what_is_missing_is_said(changes: dict[str, Any], title: str, text: str) -> None:
    figure = sheet(frame_of(**changes))
    assert len(titles(figure)) == 6
    assert text in texts(panel(figure, title))
    assert png(figure).size


def test_wide_images_stand_two_in_a_row() -> None:
    wide = frame_of(
        depth=np.full((30, 100), 2.0, np.float32), std=None, image=np.zeros((30, 100, 3), np.uint8), anchors=(),
        camera=CameraModel(30, 100, CAMERA.K),
    )  # fmt: skip
    assert png(sheet(wide)).shape[1] == 1720
    tops = [round(axes.get_position().y1, 2) for axes in sheet(wide).axes[:6]]
    assert tops[0] == tops[1] > tops[2] == tops[3] > tops[4]


def test_truth_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(30, 40\).*\(60, 80\)"):
        sheet(frame_of(), np.ones((30, 40), np.float32))


def test_warnings_are_said_once() -> None:
    quality = replace(GOOD, warnings=("clocks are $2$ s apart", "clocks are $2$ s apart"))
    heading = sheet(frame_of(quality=quality)).get_suptitle()
    assert heading.count("warning: clocks are") == 1
    reason = replace(GOOD, source="none", reason="stale", warnings=("stale",))
    assert sheet(frame_of(depth=None, quality=reason)).get_suptitle() == "no metric depth: stale"


def test_words_leave_out_what_is_not_known() -> None:
    prior = Quality("prior", float("nan"), 0.5)
    assert describe(frame_of(quality=prior)) == (
        "scale from the model alone, measured by no sensor; finite in 100% of pixels"
    )
    held = replace(GOOD, held=True, held_out=0, shift=0.02)
    said = describe(frame_of(quality=held))
    assert "× 0.5, shift 0.02/m, 4 anchors, 75% agree, 0.02 s old, held from an earlier frame; std" in said


def test_colour_scales() -> None:
    norm = depth_norm(np.array([3.0, np.nan, np.inf, 3.0], np.float32))
    assert norm.vmax / norm.vmin == pytest.approx(1.5) and norm.vmin * norm.vmax == pytest.approx(9.0)
    empty = depth_norm(np.full(3, np.nan, np.float32))
    assert (empty.vmin, empty.vmax) == (1.0, 10.0)
    assert (depth_norm().vmin, depth_norm().vmax) == (1.0, 10.0)
    assert np.isnan(limited(np.full(1, np.nan, np.float32), norm)).all()
    assert round_ticks(0.9, 60.0) == [1, 2, 5, 10, 20, 50]
    assert round_ticks(0.031, 0.042)[:2] == [0.031, 0.032]
    assert round_ticks(2.0, 4.4) == [2, 3, 4]
    assert [error_end(np.array([v, -v])) for v in (0.0, 0.1, 0.11, 0.4, 3.0, np.nan)] == [0.1, 0.1, 0.2, 0.5, 1.0, 0.1]


def test_errors_and_samples() -> None:
    depth = np.array([2.0, np.nan, np.inf, 2.0, 2.0], np.float32)
    target = np.array([4.0, 1.0, 1.0, 0.0, np.inf], np.float32)
    assert relative_error(depth, target) == pytest.approx([-0.5] + 4 * [np.nan], nan_ok=True)
    grid = np.arange(12, dtype=np.float32).reshape(3, 4)
    uv = np.array([[3.0, 0.0], [0.4, 1.6], [-0.4, 9.0]], np.float32)  # column 3 of row 0; row 2; outside
    assert at_pixels(grid, uv).tolist() == [3.0, 8.0, 8.0]
