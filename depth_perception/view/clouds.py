"""The parts of a sheet that show the cloud in metres: from above and from the side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.records import DepthFrame, Use
from depth_perception.view.panels import AllAnchors, image_shape, nothing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Float32 = NDArray[np.float32]
SHAPES = 0.55, 0.8  # of the axes, height / width
MOST_POINTS = 25_000
SEEN = (1.0, 98.0)  # percentiles of the cloud that the axes hold
DARKEST = 0.85  # of white: the paper is white, too
ANCHOR, REFUSED, TRUTH = "#ff8c00", "red", "#00a05a"


@dataclass(frozen=True)
class _Cloud:
    """Points of one kind, and how they are drawn."""

    name: str
    column: Float32  # (N,) pixels
    points: Float32  # (N, 3) metres, optical frame
    colour: Any  # a colour's name, or (N, 3) RGB of 0 to 1
    size: float  # points²


def draw_clouds(above: Axes, beside: Axes, frame: DepthFrame, anchors: AllAnchors, truth: Float32 | None) -> None:
    """Depth as points in the colours of the image; truth, and what the sensors measured, over it.

    Forward is to the right in both. The side view holds the middle third of the image: all of it would be a heap.
    """
    camera, shape = frame.camera, float(np.clip(image_shape(frame), *SHAPES))
    calibrated = camera is not None and camera.is_calibrated
    if camera is None or not calibrated or frame.depth is None or not np.isfinite(frame.depth).any():
        why = "no depth" if calibrated else "no calibration: no cloud"
        nothing(above, "from above", why, shape)
        nothing(beside, "from the side", why, shape)
        return
    clouds = [_depth_cloud(frame.depth, frame.image, camera)]
    if truth is not None:
        clouds.append(_cloud("truth", *_pixels(truth), camera, TRUTH, 1.0))
    for use, colour, name in ((Use.FITTED, ANCHOR, "anchors"), (Use.REFUSED, REFUSED, "refused anchors")):
        of_use = anchors.that_are(use)
        clouds.append(_cloud(name, of_use.uv, of_use.depth, camera, colour, 5.0))
    clouds = [cloud for cloud in clouds if len(cloud.points)]
    _draw(above, clouds, 0, "from above", "left, m", shape)
    middle = [_between(cloud, (camera.width - 1) / 3, 2 * (camera.width - 1) / 3) for cloud in clouds]
    _draw(beside, middle, 1, "from the side (middle third of the image)", "up, m", shape)
    above.legend(  # below: inside it would hide points
        loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=len(clouds), frameon=False, fontsize=9, markerscale=3,
        handletextpad=0.1, columnspacing=1.0,
    )  # fmt: skip


def optical_points(uv: Float32, depth: Float32, camera: CameraModel) -> Float32:
    """Pixels (N, 2) at depth (N,) metres → points (N, 3) metres.

    Convention: optical frame, x right, y down, z forward; depth is along z, not along the ray; no lens distortion.
    """
    x = (uv[:, 0] - camera.cx) / camera.fx - camera.K[0, 1] / camera.fx * (uv[:, 1] - camera.cy) / camera.fy
    y = (uv[:, 1] - camera.cy) / camera.fy
    return np.stack([x * depth, y * depth, depth], axis=1).astype(np.float32)


def _pixels(depth: Float32) -> tuple[Float32, Float32]:
    """(H, W) → pixels (N, 2) and depth (N,) of at most about MOST_POINTS finite ones, evenly thinned."""
    rows, columns = np.nonzero(np.isfinite(depth) & (depth > 0))
    step = max(1, round(len(rows) / MOST_POINTS))
    # Every step-th in raster order would be whole columns where step divides the width.
    chosen = np.random.default_rng(0).permutation(len(rows))[::step]
    rows, columns = rows[chosen], columns[chosen]
    return np.stack([columns, rows], axis=1).astype(np.float32), depth[rows, columns]


def _depth_cloud(depth: Float32, image: NDArray[np.uint8], camera: CameraModel) -> _Cloud:
    uv, z = _pixels(depth)
    colours = image[uv[:, 1].astype(np.intp), uv[:, 0].astype(np.intp)] / 255.0
    return _cloud("depth, in the image's colours", uv, z, camera, colours * DARKEST, 1.5)


def _cloud(name: str, uv: Float32, depth: Float32, camera: CameraModel, colour: Any, size: float) -> _Cloud:
    return _Cloud(name, uv[:, 0], optical_points(uv, depth, camera), colour, size)


def _between(cloud: _Cloud, left: float, right: float) -> _Cloud:
    inside = (cloud.column >= left) & (cloud.column <= right)
    colour = cloud.colour if isinstance(cloud.colour, str) else cloud.colour[inside]
    return replace(cloud, column=cloud.column[inside], points=cloud.points[inside], colour=colour)


def _draw(axes: Axes, clouds: Sequence[_Cloud], axis: int, title: str, label: str, shape: float) -> None:
    """Forward to the right, the opposite of the optical frame's `axis` upwards; the camera is the triangle."""
    for cloud in clouds:
        axes.scatter(
            cloud.points[:, 2], -cloud.points[:, axis], s=cloud.size, c=cloud.colour, linewidths=0, label=cloud.name
        )
    axes.plot(0, 0, marker=">", color="black", markersize=9, clip_on=False)
    points = np.concatenate([cloud.points for cloud in clouds if cloud.name != "refused anchors"])
    low, high = np.percentile(-points[:, axis], SEEN) if len(points) else (0.0, 0.0)
    far = float(np.percentile(points[:, 2], SEEN[1])) if len(points) else 1.0
    _limit(axes, far, min(float(low), 0.0), max(float(high), 0.0), shape)
    axes.set_title(title)
    axes.set_xlabel("forward, m")
    axes.set_ylabel(label)
    axes.grid(color="0.85", linewidth=0.5)
    axes.set_axisbelow(True)


def _limit(axes: Axes, far: float, low: float, high: float, shape: float) -> None:
    """Limits that hold (0, far) × (low, high) with equal scales on axes whose height is `shape` widths."""
    margin = 0.05 * max(far, high - low)
    width, height = far + 2 * margin, high - low + 2 * margin
    wide, tall = max(0.0, height / shape - width), max(0.0, shape * width - height)
    axes.set_xlim(-margin, far + margin + wide)
    axes.set_ylim(low - margin - tall / 2, high + margin + tall / 2)
    axes.set_aspect("equal", adjustable="box")
