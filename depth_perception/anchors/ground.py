"""Ground seen by a camera of known height and tilt → anchors: where the predicted depth is a plane, it is that one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.anchors.blocks import image_blocks
from depth_perception.camera import CameraModel
from depth_perception.config import GroundConfig
from depth_perception.mount import Mount
from depth_perception.records import Anchors, DepthKind, Float32, Float64

Bool = NDArray[np.bool_]

FARTHEST_M = 25.0  # ground is seldom flat for longer
WORST_RELATIVE_SIGMA = 0.25  # ground so far that it's known no better than this isn't looked at
MODEL_ERROR = 0.06  # how far a network's floor bends away from a plane, as a share of inverse depth
GRID_PIXELS = 5000  # pixels looked at
LEAST_SHARE = 0.25  # of these, below the horizon, that must lie on the plane
MOST_BELOW = 0.35  # pixels under the plane for each pixel on it: a table top has floor around it
LEAST_SPAN = 1.5  # farthest distance on the plane over the nearest: a wall agrees with it in a few rows only
LOW_ROWS = 0.75  # the patch must reach down past this share of the image's height
PAIRS, VOTERS = 200, 1500  # of the two-parameter fit
MOST_BEYOND = 0.05  # share of the image that may be farther than infinity


@dataclass(frozen=True)
class _View:
    """The prediction on a grid of its pixels; all arrays (rows, columns)."""

    inverse: Float64  # the prediction as inverse depth up to its unknowns; NaN unknown
    expected: Float64  # 1/m, inverse depth of the ground; negative above the horizon
    relative_sigma: Float64  # of the expected depth
    candidate: Bool  # below the horizon, and near enough
    step: int  # grid → pixels


def ground_anchors(
    prediction: Float32, kind: DepthKind, camera: CameraModel, mount: Mount, config: GroundConfig, stamp_ns: int
) -> Anchors:
    """Anchors on the ground, or none and a `note` that says why.

    `prediction` (h, w) is the network's output as it is; `camera` is undistorted, shows the same view at any size, and
    `uv` are pixels of that size. A plane's inverse depth is affine in pixel coordinates: d · ray(u, v) / height with d
    the direction of gravity. Pixels belong to the ground if the prediction agrees with that up to what the model
    doesn't know: one factor (metric and scaled kinds: a wrong scale is what we are here to find), or factor and shift
    of inverse depth (relative inverse). The largest such set must hold a quarter of the pixels that could show ground,
    reach into the lowest quarter of the image, spread over distances, and have little beneath it.

    Convention: depth = height / (d · ray), and its sigma

        sigma_z² = (z sigma_height / height)² + (z² sigma_pitch / height)² (f² + (cos(pitch) l)²),

    where f and l are how far the pixel's ray goes forward and left in the level frame per metre of depth: the
    derivatives of d · ray by pitch and by roll. Both errors are common to all anchors of a mount, so that averaging
    many makes neither smaller.

    What fools it: a level surface that fills the view below the horizon (a table top, a flat roof, a step that hides
    what is beneath) looks like ground at another scale; a ramp changes scale and, with a relative model, shift; so does
    a robot that pitches. These show as a scale that jumps, which the fit refuses.
    """
    if not camera.is_calibrated:
        return _none("camera_info has K = 0: no ground", stamp_ns)
    if mount.height_m <= 0.0:
        return _none(f"camera height {mount.height_m!r} m must be above 0 to see ground", stamp_ns)
    view = _look(prediction, kind, camera, mount, config)
    if not view.candidate.any():
        return _none("the camera sees no ground: all of the image is above the horizon or too far", stamp_ns)
    factor, shift = _fit_affine(view) if kind is DepthKind.RELATIVE_INVERSE else (_fit_factor(view), 0.0)
    if not factor > 0.0:
        return _none("nothing in the predicted depth slopes like ground", stamp_ns)
    with np.errstate(divide="ignore", invalid="ignore"):  # at the horizon, where there is no candidate
        excess = ((view.inverse - shift) / factor - view.expected) / view.expected
    tolerance = MODEL_ERROR + view.relative_sigma
    on_plane = _resting(view.candidate & (np.abs(excess) < tolerance))
    if reason := _doubt(view, on_plane, excess < -tolerance, shift if kind is DepthKind.RELATIVE_INVERSE else None):
        return _none(reason, stamp_ns)
    rows, columns = _spread(on_plane, config.max_anchors)
    depth, sigma = 1.0 / view.expected[rows, columns], view.relative_sigma[rows, columns]
    to_camera = (camera.width / prediction.shape[1], camera.height / prediction.shape[0])
    uv = ((np.stack([columns, rows], axis=1) * view.step + 0.5) * to_camera - 0.5).astype(np.float32)
    return Anchors(
        uv=uv,
        depth=depth.astype(np.float32),
        sigma=(depth * sigma).astype(np.float32),
        group=image_blocks(uv, camera.height, camera.width),
        source="ground",
        stamp_ns=stamp_ns,
    )


def _none(note: str, stamp_ns: int) -> Anchors:
    nothing = np.zeros(0, np.float32)
    return Anchors(nothing.reshape(0, 2), nothing, nothing, np.zeros(0, np.int32), "ground", stamp_ns, note)


def _look(prediction: Float32, kind: DepthKind, camera: CameraModel, mount: Mount, config: GroundConfig) -> _View:
    """What is predicted and what level ground would be, on a grid."""
    h, w = prediction.shape
    step = max(1, int(np.sqrt(h * w / GRID_PIXELS)))
    seen = prediction[::step, ::step].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = seen if kind.is_inverse else np.where(seen > 0.0, 1.0 / seen, np.nan)
    inverse = np.where(np.isfinite(inverse), inverse, np.nan)
    # Rays in the level frame are affine in pixels: u * to_level[:, 0] + v * to_level[:, 1] + to_level[:, 2]
    to_level = mount.R_level_optical @ np.linalg.inv(camera.resized(h, w).K)
    u, v = np.arange(0, w, step), np.arange(0, h, step)[:, None]
    forward, left, up = (row[0] * u + row[1] * v + row[2] for row in to_level)
    expected = -up / mount.height_m
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = 1.0 / expected
        turn = depth * config.sigma_pitch / mount.height_m * np.hypot(forward, np.cos(mount.pitch_rad) * left)
        relative_sigma = np.hypot(config.sigma_height / mount.height_m, turn)
    candidate = (expected > 1.0 / FARTHEST_M) & (relative_sigma < WORST_RELATIVE_SIGMA)
    return _View(inverse, expected, relative_sigma, candidate, step)


def _fit_factor(view: _View) -> float:
    """The factor of inverse depth that most candidates agree on: the mode of its logarithm."""
    usable = view.candidate & (view.inverse > 0.0)
    if not usable.any():
        return 0.0
    ratio = np.log(view.inverse[usable] / view.expected[usable])
    low, bin_width = float(ratio.min()), 0.25 * MODEL_ERROR
    votes = np.bincount(((ratio - low) / bin_width).astype(np.int64))
    mode = low + (int(np.convolve(votes, np.ones(8), mode="same").argmax()) + 0.5) * bin_width
    return float(np.exp(np.median(ratio[np.abs(ratio - mode) < MODEL_ERROR + bin_width])))


def _fit_affine(view: _View) -> tuple[float, float]:
    """Factor and shift of inverse depth that most candidates agree on: votes on lines through pairs of them.

    The pairs are the same in each call for as many candidates (RANSAC with a fixed seed), then one least-squares fit to
    those that agree with the best pair.
    """
    usable = view.candidate & np.isfinite(view.inverse)
    e, p, tolerance = view.expected[usable], view.inverse[usable], MODEL_ERROR + view.relative_sigma[usable]
    if len(e) < 2:
        return 0.0, 0.0
    i, j = np.random.default_rng(0).integers(0, len(e), (2, PAIRS))
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = (p[i] - p[j]) / (e[i] - e[j])
    apart = np.maximum(e[i], e[j]) > 1.3 * np.minimum(e[i], e[j])
    keep = apart & (factor > 0.0) & np.isfinite(factor)
    if not keep.any():
        return 0.0, 0.0
    factor, shift = factor[keep], (p[i] - factor * e[i])[keep]
    some = slice(None, None, -(-len(e) // VOTERS))
    error = np.abs(p[some] - factor[:, None] * e[some] - shift[:, None])
    best = int((error < factor[:, None] * (tolerance * e)[some]).sum(axis=1).argmax())
    agrees = np.abs(p - factor[best] * e - shift[best]) < factor[best] * tolerance * e
    weight = 1.0 / (tolerance * e)[agrees]  # the residual's own scale, on both columns
    design = np.stack([e[agrees], np.ones(int(agrees.sum()))], axis=1) * weight[:, None]
    solution, *_ = np.linalg.lstsq(design, p[agrees] * weight, rcond=None)
    return float(solution[0]), float(solution[1])


def _resting(on_plane: Bool) -> Bool:
    """Only the patches that reach down into the lowest rows of the image."""
    import cv2

    count, label = cv2.connectedComponents(on_plane.astype(np.uint8), connectivity=8)
    low = label[int(LOW_ROWS * len(label)) :]
    rests = np.zeros(count, np.bool_)
    rests[np.unique(low)] = True
    rests[0] = False  # the background
    return rests[label]


def _doubt(view: _View, on_plane: Bool, below: Bool, shift: float | None) -> str:
    """Why the plane isn't taken for the ground; empty if it is. `shift`: of a relative model's inverse depth."""
    count, candidates = int(on_plane.sum()), int(view.candidate.sum())
    if count < LEAST_SHARE * candidates:
        share = count / candidates
        return f"only {share:.0%} of what could be ground lies on one plane that reaches down to the image's bottom"
    near, far = np.quantile(view.expected[on_plane], (0.95, 0.05))
    if near < LEAST_SPAN * far:
        return f"the plane spans only {1.0 / near:.2f} to {1.0 / far:.2f} m: that can be a wall"
    under = int((below & view.candidate).sum())
    if under > MOST_BELOW * count:
        return f"{under / candidates:.0%} of what could be ground lies beneath the plane: that can be a table"
    if shift is not None:
        margin = MODEL_ERROR * float(np.nanmax(view.inverse) - shift)
        beyond = float(np.mean(view.inverse < shift - margin))
        if beyond > MOST_BEYOND:
            return f"with this plane as ground {beyond:.0%} of the image is farther than infinity"
    return ""


def _spread(chosen: Bool, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of at most `most` chosen grid pixels, evenly over the grid."""
    skip = max(1, int(np.sqrt(chosen.sum() / most)))
    while np.count_nonzero(chosen[::skip, ::skip]) > most:
        skip += 1
    rows, columns = np.nonzero(chosen[::skip, ::skip])
    return rows * skip, columns * skip
