"""A network's depth and a frame's anchors → metres, how sure they are, and how good they were on anchors left out."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from depth_perception.alignment.contrast import Contrast, fit_contrast
from depth_perception.alignment.field import AllLinks, Field, ResidualField
from depth_perception.alignment.filter import FitFilter
from depth_perception.alignment.fit import OUTLIER, Fit, apply, fit_affine, fit_scale, widened
from depth_perception.alignment.holdout import held_out
from depth_perception.alignment.sources import Gathered, gather, settle
from depth_perception.alignment.terms import Alignment, Unscaled
from depth_perception.alignment.uncertainty import Calibration, distance_to_anchors, relative_std
from depth_perception.config import ScaleConfig
from depth_perception.metrics import DepthMetrics, depth_metrics
from depth_perception.records import Anchors, Quality, Use, UsedAnchors
from depth_perception.watch import RESET_NS

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

PLAUSIBLE_SCALE = 8.0  # metres of a metric model may be wrong by this factor, not by more
POSITIVE_SHARE = 0.5  # of the pixels: a shift that makes more of them negative is no fit
MISFIT = 0.25  # weight in the field below which an anchor contradicts its neighbours
HELD_GROWTH = 0.05  # relative standard deviation that a held fit gains each second
NAN = float("nan")


class Aligner:
    """Fits the scale of one camera's frames, in order. Not thread-safe."""

    def __init__(self) -> None:
        self._filter, self._calibration = FitFilter(), Calibration()
        self._field: ResidualField | None = None
        self._far_std = NAN  # relative, where no anchor pulls: of the last fit
        self._source = "none"
        self._turn = 0
        self._last_ns: int | None = None

    def __call__(
        self, view: Unscaled, sources: Sequence[Anchors], stamp_ns: int, config: ScaleConfig, expected: bool
    ) -> Alignment:
        """One frame. `expected`: sensors are set up to measure the scale, so the model's own metres aren't enough."""
        if self._last_ns is not None and stamp_ns < self._last_ns - RESET_NS:
            self._filter.reset()
        self._last_ns = stamp_ns
        self._turn += 1
        anchors = gather(sources, view.values, view.image.shape[:2])
        anchors, conflicts = settle(anchors, view.values.shape, view.is_inverse)  # type: ignore[arg-type]
        warnings = (*(f"{s.source}: {s.note}" for s in sources if s.note), *conflicts)
        fit, complaint = self._fit(view, anchors, config)
        before = copy.copy(self._filter)
        if fit is not None and not self._filter.update(fit, stamp_ns, config.time_constant_s, config.max_jump):
            fit, complaint = None, "the scale jumped; waiting until it proves itself"
        if fit is not None:
            made = self._with(view, anchors, fit, stamp_ns, config, warnings)
            share = made.quality.inlier_share
            if share >= config.min_inlier_share or made.quality.source == "prior":
                self._far_std, self._source = self._without_field(anchors, fit.spread), anchors.names
                return made
            self._filter = before
            complaint = f"only {100 * share:.0f} % of the anchors agree with each other; check the extrinsics"
        warnings = (*warnings, complaint) if expected and complaint else warnings
        return self._without(view, anchors, stamp_ns, config, expected, warnings)

    # ------------------------------------------------------------------------------------------------- the fit

    def _fit(self, view: Unscaled, anchors: Gathered, config: ScaleConfig) -> tuple[Fit | None, str]:
        """A fit that can be believed, or None and why not."""
        if all(source.note and not len(source) for source in anchors.sources):
            return None, ""  # whoever should have measured says why
        if len(anchors) < config.min_anchors:
            return None, f"{len(anchors)} usable anchors, scale.min_anchors is {config.min_anchors}"
        fit = _raw_fit(view, anchors)
        if fit is None:
            return None, "no positive scale fits: near and far are exchanged; is the model's kind right?"
        if view.is_inverse:
            positive = float(np.mean(view.values > float(-fit.theta[1] / fit.theta[0])))
            if positive < POSITIVE_SHARE:
                return None, f"the fit leaves only {100 * positive:.0f} % of the pixels in front of the camera"
        elif view.prior_std is not None and abs(fit.theta[0]) > math.log(PLAUSIBLE_SCALE):
            return None, f"the anchors ask for {math.exp(fit.theta[0]):.3g} times the model's metres: implausible"
        return widened(fit, anchors.systematic), ""

    # ------------------------------------------------------------------------------------------------- with anchors

    def _with(
        self, view: Unscaled, anchors: Gathered, fit: Fit, stamp_ns: int, config: ScaleConfig, warnings: tuple[str, ...]
    ) -> Alignment:
        theta = self._filter.theta
        assert theta is not None
        if view.prior_std is not None and not config.correct_metric:
            return self._only_checked(view, anchors, fit, stamp_ns, warnings)
        links = self._links(view, config)
        depth, field = self._corrected(view, anchors, theta, fit.spread, links)
        left_out = held_out(anchors.group, config.held_out_share, self._turn)
        if field is None:
            refused = _misfit(fit, anchors, view.farthest) > min(3.0 * fit.spread, OUTLIER)
        else:
            refused = field.weight < MISFIT
        score = self._score(view, anchors, left_out, refused, links)
        age_s = _age_s(anchors, stamp_ns)
        std = depth * self._std(anchors, fit.spread, view, config)
        quality = Quality(
            anchors.names, _median_ratio(std, depth), NAN, count=len(anchors),
            inlier_share=1.0 - float(np.mean(refused)), scale=_scale(theta), shift=_shift(theta), age_s=age_s,
            held_out=int(np.count_nonzero(left_out & ~refused)), warnings=warnings,
        )  # fmt: skip
        quality = replace(quality, abs_rel=score.abs_rel, rmse=score.rmse, delta1=score.delta1) if score else quality
        return Alignment(depth, std, quality, _uses(anchors, refused, left_out))

    def _only_checked(
        self, view: Unscaled, anchors: Gathered, fit: Fit, stamp_ns: int, warnings: tuple[str, ...]
    ) -> Alignment:
        """The model's own metres and what the anchors, all of them unseen, say about them; gross outliers don't."""
        assert view.prior_std is not None
        std = None if math.isnan(view.prior_std) else view.values * np.float32(view.prior_std)
        refused = _misfit(fit, anchors, view.farthest) > max(3.0 * fit.spread, OUTLIER)
        metrics = depth_metrics(anchors.prediction, anchors.depth, ~refused)
        quality = Quality(
            "prior", view.prior_std, NAN, count=len(anchors),
            inlier_share=1.0 - float(np.mean(refused)), scale=1.0, shift=0.0,
            age_s=_age_s(anchors, stamp_ns), abs_rel=metrics.abs_rel, rmse=metrics.rmse, delta1=metrics.delta1,
            held_out=int(np.count_nonzero(~refused)), warnings=warnings,
        )  # fmt: skip
        return Alignment(view.values, std, quality, _uses(anchors, refused, ~refused))

    def _links(self, view: Unscaled, config: ScaleConfig) -> AllLinks | None:
        if not config.residual_field:
            return None
        h, w = view.values.shape
        key = (h, w, config.field_reach)
        if self._field is None or (self._field.height, self._field.width, self._field.reach) != key:
            self._field = ResidualField(h, w, config.field_reach)
        return self._field.links(view.image)

    def _corrected(
        self, view: Unscaled, anchors: Gathered, theta: Float64, spread: float, links: AllLinks | None
    ) -> tuple[Float32, Field | None]:
        """Depth (h, w) under `theta`, pulled onto the anchors where there is a field."""
        depth = apply(theta, view.values, view.farthest)
        if links is None or not len(anchors):
            return depth, None
        assert self._field is not None
        residual = np.log(anchors.depth / apply(theta, anchors.prediction, view.farthest))
        contrast = Contrast(0.0, 1.0)
        if not view.is_inverse:  # there the shift does it
            seen = anchors.only(~anchors.is_ground)  # ground is seen in the prediction itself
            contrast = fit_contrast(seen.prediction, residual[~anchors.is_ground], seen.weight, seen.block, spread)
        residual -= contrast.log(anchors.prediction)
        field = self._field.fit(anchors.uv, residual, anchors.weight, links)
        pulled = depth * np.exp(field.at_size(*depth.shape) + contrast.log(view.values))
        if view.is_inverse:  # what the shift makes infinitely far stays there
            pulled[depth >= view.farthest] = view.farthest
        return pulled, field

    def _score(
        self, view: Unscaled, anchors: Gathered, left_out: NDArray[np.bool_], refused: NDArray[np.bool_],
        links: AllLinks | None,
    ) -> DepthMetrics | None:  # fmt: skip
        """Errors on the anchors left out, of a fit and a field that haven't seen them; gross outliers don't count."""
        kept, judged = anchors.only(~left_out), anchors.only(left_out & ~refused)
        fit = _raw_fit(view, kept) if len(judged) and len(kept) >= 3 else None
        if fit is None:
            return None
        depth, _ = self._corrected(view, kept, fit.theta, fit.spread, links)
        said = depth[_pixels(judged.uv, depth.shape)]
        grid = self._grid(view)
        distance = distance_to_anchors(kept.uv, depth.shape, grid)  # type: ignore[arg-type]
        at = distance[_cells(judged.uv, depth.shape, grid)]
        self._calibration.see(np.log(said / judged.depth), relative_std(at, fit.spread, kept.coverage))
        return depth_metrics(said, judged.depth)

    def _std(self, anchors: Gathered, spread: float, view: Unscaled, config: ScaleConfig) -> Float32:
        """Relative standard deviation (h, w)."""
        import cv2

        h, w = view.values.shape
        if not config.residual_field:
            return np.full((h, w), np.float32(self._without_field(anchors, spread)))
        distance = distance_to_anchors(anchors.uv, (h, w), self._grid(view))
        coarse = relative_std(distance, spread, anchors.coverage) * np.float32(self._calibration.factor)
        coarse = np.hypot(coarse, anchors.systematic).astype(np.float32)
        return cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]

    def _without_field(self, anchors: Gathered, spread: float) -> float:
        """Relative standard deviation of what is only scaled."""
        far = float(relative_std(np.full(1, np.inf, np.float32), spread, anchors.coverage)[0])
        return math.hypot(far * self._calibration.factor, anchors.systematic)

    def _grid(self, view: Unscaled) -> tuple[int, int]:
        h, w = view.values.shape
        return (max(h // 4, 1), max(w // 4, 1)) if self._field is None else (self._field.rows, self._field.columns)

    # ------------------------------------------------------------------------------------------------- without

    def _without(
        self,
        view: Unscaled,
        anchors: Gathered,
        stamp_ns: int,
        config: ScaleConfig,
        expected: bool,
        warnings: tuple[str, ...],
    ) -> Alignment:
        """The last good fit for a while, then the model's own metres where they exist and are allowed, else none.

        The anchors, if there are any, are refused as a whole.
        """
        count, uses = len(anchors), _uses(anchors, np.ones(len(anchors), np.bool_), np.zeros(len(anchors), np.bool_))
        theta, age_s = self._filter.theta, abs(stamp_ns - self._filter.stamp_ns) * 1e-9
        untouched = view.prior_std is not None and not config.correct_metric
        if theta is not None and len(theta) == 1 + view.is_inverse and age_s <= config.hold_s and not untouched:
            depth = apply(theta, view.values, view.farthest)
            relative = math.hypot(self._far_std, HELD_GROWTH * age_s)
            quality = Quality(
                self._source, relative, NAN, count=count, scale=_scale(theta), shift=_shift(theta), age_s=age_s,
                held=True, warnings=warnings,
            )  # fmt: skip
            return Alignment(depth, depth * np.float32(relative), quality, uses)
        if age_s > config.hold_s:
            self._filter.reset()
        if view.prior_std is not None and (untouched or not expected or config.when_lost == "prior"):
            std = None if math.isnan(view.prior_std) else view.values * np.float32(view.prior_std)
            quality = Quality("prior", view.prior_std, NAN, count=count, warnings=warnings)
            return Alignment(view.values, std, quality, uses)
        reason = "; ".join(warnings)
        return Alignment(None, None, Quality("none", NAN, 0.0, reason, count=count, warnings=warnings), uses)


def _raw_fit(view: Unscaled, anchors: Gathered) -> Fit | None:
    fit = fit_affine if view.is_inverse else fit_scale
    return fit(anchors.prediction, anchors.depth, anchors.weight, anchors.block)


def _misfit(fit: Fit, anchors: Gathered, farthest: float) -> Float32:
    """(N,) how far each anchor is from the fit, in log depth."""
    return np.abs(np.log(anchors.depth / apply(fit.theta, anchors.prediction, farthest)))


def _uses(anchors: Gathered, refused: NDArray[np.bool_], left_out: NDArray[np.bool_]) -> tuple[UsedAnchors, ...]:
    """What became of every anchor of every source; those that weren't usable at all count as refused."""
    uses = []
    for number, source in enumerate(anchors.sources):
        mine = anchors.source == number
        use = np.full(len(source), Use.REFUSED, np.uint8)
        use[anchors.index[mine & ~refused]] = Use.FITTED
        use[anchors.index[mine & ~refused & left_out]] = Use.HELD_OUT
        uses.append(UsedAnchors(source, use))
    return tuple(uses)


def _pixels(uv: Float32, size: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns (N,) of the nearest pixels."""
    row, column = np.rint(uv[:, 1]).astype(np.intp), np.rint(uv[:, 0]).astype(np.intp)
    return np.clip(row, 0, size[0] - 1), np.clip(column, 0, size[1] - 1)


def _cells(uv: Float32, size: tuple[int, ...], grid: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    row, column = ((uv[:, axis] + 0.5) * (grid[1 - axis] / size[1 - axis]) for axis in (1, 0))
    return np.clip(row, 0, grid[0] - 1).astype(np.intp), np.clip(column, 0, grid[1] - 1).astype(np.intp)


def _age_s(anchors: Gathered, stamp_ns: int) -> float:
    """How long before or after the image the anchors were measured, the worst of the sources that are used."""
    used = [anchors.sources[i] for i in np.unique(anchors.source)]
    return max(abs(stamp_ns - source.stamp_ns) for source in used) * 1e-9


def _scale(theta: Float64) -> float:
    return float(theta[0]) if len(theta) == 2 else math.exp(theta[0])


def _shift(theta: Float64) -> float:
    return float(theta[1]) if len(theta) == 2 else 0.0


def _median_ratio(std: Float32, depth: Float32) -> float:
    with np.errstate(invalid="ignore"):
        ratio = std[::4, ::4] / depth[::4, ::4]
    return float(np.nanmedian(ratio)) if np.isfinite(ratio).any() else NAN
