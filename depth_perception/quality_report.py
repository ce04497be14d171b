"""Quality → what `depth/quality` says."""

from __future__ import annotations

import math

from depth_perception.health import Level, Status
from depth_perception.records import DepthFrame, Quality

NAME = "depth: quality"


def quality_status(frame: DepthFrame) -> Status:
    """ERROR: no metres; WARN: an older fit is held, or a source is in trouble; else OK. Numbers are the frame's."""
    quality = frame.quality
    values = {
        "source": quality.source,
        "count": str(quality.count),
        "inlier_share": _number(quality.inlier_share),
        "scale": _number(quality.scale),
        "shift": _number(quality.shift),
        "age_s": _number(quality.age_s),
        "held": str(quality.held).lower(),
        "abs_rel": _number(quality.abs_rel),
        "rmse": _number(quality.rmse),
        "delta1": _number(quality.delta1),
        "held_out": str(quality.held_out),
        "valid_share": _number(quality.valid_share),
        "relative_std": _number(quality.relative_std),
        "warnings": "; ".join(quality.warnings),
    }
    if frame.depth is None or quality.source == "none":
        level = Level.ERROR
    else:
        level = Level.WARN if quality.held or quality.warnings else Level.OK
    return Status(NAME, level, _message(quality), values)


def _message(quality: Quality) -> str:
    if quality.source == "none":
        said = f"no metric depth: {quality.reason or 'no scale is known'}"
    elif quality.source == "prior":
        said = "scale from the model alone (prior): not measured by a sensor"
    else:
        said = f"scale from {quality.source}" + (", held from an earlier frame" if quality.held else "")
    return "; ".join([said, *(warning for warning in dict.fromkeys(quality.warnings) if warning not in said)])


def _number(value: float) -> str:
    """Five digits, or 'nan': every value parses as a float."""
    return "nan" if math.isnan(value) else f"{value:.5g}"
