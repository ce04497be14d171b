"""The parts of a sheet that lie in the image: picture with anchors, depth, error, standard deviation."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.metrics import depth_metrics
from depth_perception.records import DepthFrame, Use, UsedAnchors
from depth_perception.view.colours import UNKNOWN, depth_map, depth_norm, error_end, limited, round_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LogNorm

Float32 = NDArray[np.float32]
MOST_ANCHORS = 1500  # drawn
EMPTY_CHARACTERS = 44  # a line in an empty panel
SPARSE = 0.2  # of the pixels: truth on fewer is drawn as dots, which would be invisible as pixels


@dataclass(frozen=True)
class AllAnchors:
    """The anchors of every source in one."""

    uv: Float32  # (N, 2) pixels
    depth: Float32  # (N,) metres
    use: NDArray[np.uint8]  # (N,) values of `Use`

    @classmethod
    def of(cls, used: Sequence[UsedAnchors]) -> AllAnchors:
        if not used:
            return cls(np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros(0, np.uint8))
        return cls(
            np.concatenate([one.anchors.uv for one in used]),
            np.concatenate([one.anchors.depth for one in used]),
            np.concatenate([one.use for one in used]),
        )

    def that_are(self, use: Use) -> AllAnchors:
        chosen = self.use == use
        return AllAnchors(self.uv[chosen], self.depth[chosen], self.use[chosen])

    def thinned(self, step: int) -> AllAnchors:
        """About one in `step`, at random: every `step`-th of a LiDAR's points would draw lines that aren't there."""
        chosen = np.random.default_rng(0).permutation(len(self))[::step]
        return AllAnchors(self.uv[chosen], self.depth[chosen], self.use[chosen])

    def __len__(self) -> int:
        return len(self.depth)


def common_norm(frame: DepthFrame, anchors: AllAnchors) -> LogNorm:
    """One colour scale for depth and anchors, so that equal colours are equal metres."""
    return depth_norm(anchors.depth, *([] if frame.depth is None else [frame.depth]))


def draw_image(axes: Axes, frame: DepthFrame, anchors: AllAnchors, norm: LogNorm) -> None:
    """The picture; anchors in the colour of their depth: dots fitted, rings held out; red crosses refused."""
    fitted, held_out, refused = (anchors.that_are(use) for use in (Use.FITTED, Use.HELD_OUT, Use.REFUSED))
    title = f"anchors: ● {len(fitted)} fitted   ○ {len(held_out)} held out   × {len(refused)} refused"
    axes.set_title(title if len(anchors) else "image (no anchors used)")
    axes.imshow(frame.image)
    step = max(1, round(len(anchors) / MOST_ANCHORS))  # more would hide the picture
    fitted, held_out, refused = fitted.thinned(step), held_out.thinned(step), refused.thinned(step)
    size, colours = dot_size(len(anchors) // step), depth_map()
    fill, edge = (colours(norm(limited(some.depth, norm))) for some in (fitted, held_out))
    axes.scatter(fitted.uv[:, 0], fitted.uv[:, 1], s=size, c=fill, linewidths=0)
    axes.scatter(held_out.uv[:, 0], held_out.uv[:, 1], s=2 * size, c="none", edgecolors=edge, linewidths=1.2)
    for colour, width in (("white", 2.6), ("red", 1.3)):
        axes.scatter(refused.uv[:, 0], refused.uv[:, 1], s=2.5 * size, marker="x", c=colour, linewidths=width)
    _frame(axes, frame)


def draw_depth(axes: Axes, frame: DepthFrame, norm: LogNorm) -> None:
    """Depth in metres on a logarithmic colour scale."""
    if frame.depth is None or not np.isfinite(frame.depth).any():
        nothing(axes, "depth", frame.quality.reason or "no pixel has a depth", image_shape(frame))
        return
    others = [text for text, there in (
        ("black: unknown", np.isnan(frame.depth).any()), ("light grey: beyond range", np.isposinf(frame.depth).any()),
        ("dark grey: too near", np.isneginf(frame.depth).any()),
    ) if there]  # fmt: skip
    axes.set_title(f"depth, m ({', '.join(others)})" if others else "depth, m")
    drawn = axes.imshow(limited(frame.depth, norm), cmap=depth_map(), norm=norm, interpolation="nearest")
    _bar(axes, drawn, round_ticks(float(norm.vmin or 1), float(norm.vmax or 10)))
    _frame(axes, frame)


def draw_std(axes: Axes, frame: DepthFrame) -> None:
    """One standard deviation of depth in metres."""
    if frame.std is None or frame.depth is None or not np.isfinite(frame.std).any():
        nothing(axes, "std", "not known", image_shape(frame))
        return
    known = np.isfinite(frame.std) & np.isfinite(frame.depth)
    share = float(np.median(frame.std[known] / frame.depth[known])) if known.any() else np.nan
    axes.set_title(f"std, m (median {share:.0%} of depth)")
    top = max(float(np.percentile(frame.std[np.isfinite(frame.std)], 98)), 1e-3)
    import matplotlib

    colours = matplotlib.colormaps["viridis"].with_extremes(bad=UNKNOWN)
    _bar(axes, axes.imshow(frame.std, cmap=colours, vmin=0.0, vmax=top, interpolation="nearest"))
    _frame(axes, frame)


def draw_error(axes: Axes, frame: DepthFrame, anchors: AllAnchors, truth: Float32 | None) -> None:
    """depth / truth - 1 where truth is known; without truth depth / anchors - 1.

    Depth is published with every anchor in its fit, also those held out (their score, in the sheet's first lines, is of
    another fit, without them). So what is shown at anchors says where depth contradicts them, not how good it is.
    """
    if frame.depth is None or (truth is None and not len(anchors)):
        nothing(axes, "error", "nothing to compare with: no truth, no anchors used", image_shape(frame))
        return
    if truth is not None:
        error = relative_error(frame.depth, truth)
        uv = np.argwhere(np.isfinite(error))[:, ::-1].astype(np.float32)
        values, dense = error[np.isfinite(error)], len(uv) > SPARSE * error.size
    else:
        error = relative_error(at_pixels(frame.depth, anchors.uv), anchors.depth)
        uv, values, dense = anchors.uv[np.isfinite(error)], error[np.isfinite(error)], False
    if not len(values):
        nothing(axes, "error", "no pixel has both a depth and something to compare with", image_shape(frame))
        return
    axes.set_title(_error_title(values, truth is not None, not (anchors.use == Use.FITTED).any()))
    import matplotlib

    end = error_end(values)
    style: dict[str, Any] = {"cmap": matplotlib.colormaps["RdBu_r"].with_extremes(bad=UNKNOWN)}
    style |= {"vmin": -end, "vmax": end}
    if dense:
        drawn: Any = axes.imshow(error, interpolation="nearest", **style)
    else:
        axes.imshow(frame.image.mean(axis=2), cmap="gray", vmin=0, vmax=400)
        drawn = axes.scatter(uv[:, 0], uv[:, 1], s=1.5 * dot_size(len(uv)), c=values, linewidths=0, **style)
    ticks = [-end, -end / 2, 0.0, end / 2, end]
    _bar(axes, drawn, ticks, [f"{tick:+.0%}" if tick else "0" for tick in ticks])
    _frame(axes, frame)


def _error_title(values: Float32, is_truth: bool, unseen: bool) -> str:
    if not is_truth:  # the scores of both cases are in the sheet's first lines
        return f"depth / anchors − 1 (depth {'has not seen' if unseen else 'was fitted to'} them)"
    score = depth_metrics(1.0 + values, np.ones_like(values))
    return f"depth / truth − 1: AbsRel {score.abs_rel:.3f}, δ1 {score.delta1:.2f}, n {len(values)}"


def image_shape(frame: DepthFrame) -> float:
    """Height / width."""
    return frame.image.shape[0] / frame.image.shape[1]


def relative_error(depth: Float32, target: Float32) -> Float32:
    """depth / target - 1, of any equal shape; NaN where either is unknown, infinite or not positive."""
    known = np.isfinite(depth) & np.isfinite(target) & (depth > 0) & (target > 0)
    error = np.full(depth.shape, np.nan, np.float32)
    error[known] = depth[known] / target[known] - np.float32(1)
    return error


def at_pixels(depth: Float32, uv: Float32) -> Float32:
    """(H, W) at the pixels (N, 2) nearest to `uv` → (N,).

    Convention: `uv` is (column, row); the centre of the first pixel is (0, 0). What lies outside takes the border's.
    """
    columns = np.clip(np.rint(uv[:, 0]).astype(np.intp), 0, depth.shape[1] - 1)
    rows = np.clip(np.rint(uv[:, 1]).astype(np.intp), 0, depth.shape[0] - 1)
    return depth[rows, columns]


def nothing(axes: Axes, title: str, why: str, shape: float) -> None:
    """An empty panel of `shape` (height / width) that says why."""
    axes.set_title(title)
    why = textwrap.fill(why, EMPTY_CHARACTERS)
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", fontsize=11, color="0.4")
    axes.set_facecolor("0.95")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_box_aspect(shape)


def dot_size(count: int) -> float:
    """Area of a marker in points², smaller where there are many."""
    return float(np.clip(8000 / max(count, 1), 2.5, 16.0))


def _bar(axes: Axes, drawn: Any, ticks: Sequence[float] | None = None, labels: Sequence[str] | None = None) -> None:
    """A colour bar as high as the image."""
    bar = axes.figure.colorbar(drawn, cax=axes.inset_axes((1.015, 0.0, 0.025, 1.0)))
    bar.ax.minorticks_off()
    if ticks is not None:
        bar.ax.set_yticks(ticks, labels or [f"{tick:g}" for tick in ticks])


def _frame(axes: Axes, frame: DepthFrame) -> None:
    """The image's own limits, whatever was drawn beside it, and no ticks."""
    height, width = frame.image.shape[:2]
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])
