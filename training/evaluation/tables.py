"""A result as tables of words, for Markdown, JSON and the page."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from training.evaluation.run import Result, spread
from training.evaluation.scores import METRICS, Score

DIGITS = 9  # sums by several threads differ beyond
UNITS = {"sq_rel": "m", "rmse": "m", "mae": "m", "irmse": "1/km", "imae": "1/km"}


@dataclass(frozen=True)
class Table:
    """Cells are plain text."""

    title: str
    head: list[str]
    rows: list[list[str]]


def facts(result: Result) -> list[str]:
    """What was compared with what, a sentence each."""
    model, data, protocol = result.model, result.data, result.protocol
    least = "" if protocol.min_depth is None else f", reference at least {protocol.min_depth:g} m"
    lines = [
        f"{model['name']} ({model['kind']}, {model['backend']}, sha256 {model['sha256'][:12]})",
        f"{data['name']}, {data['part']}: {data['images']} images against {data['reference']}",
        f"crop {protocol.crop}, {protocol.cap or 'no cap'}{least}, predictions within {result.limits.low:g} to "
        f"{result.limits.high:g} m",
    ]
    if data["without_reference"] or data["without_counted_pixel"]:
        lines.append(
            f"left out: {data['without_reference']} images without a reference, {data['without_counted_pixel']} "
            "without a pixel that counts"
        )
    if "median" in result.overall:
        median, share = spread([item.fits["median"].scale for item in result.images])
        lines.append(
            f"median scaling multiplies by {median:.3f} (median of images, standard deviation {share:.3f} of it)"
        )
    return lines


def tables(result: Result) -> list[Table]:
    """Overall; then by the protocol's alignment the bands of depth, and coverage where it is known."""
    align = result.protocol.align
    found = [_table("alignment", "all pixels", result.overall)]
    if result.bands:
        found.append(_table("reference's depth", f"by depth, align {align}", result.bands))
    if result.groups:
        found.append(_table("where", f"by what the LiDAR taught, align {align}", result.groups))
    return found


def _table(first: str, title: str, scores: dict[str, Score]) -> Table:
    head = [first, "images", "pixels", *(f"{name}, {UNITS[name]}" if name in UNITS else name for name in METRICS)]
    rows = [
        [name, str(item.images), str(item.pixels), *(f"{item.value(metric):.3f}" for metric in METRICS)]
        for name, item in scores.items()
    ]
    return Table(title, head, rows)


def markdown(result: Result) -> str:
    """All tables; means over images."""
    parts = ["\n".join(f"- {line}" for line in facts(result))]
    for table in tables(result):
        lines = [
            f"| {' | '.join(row)} |" for row in (table.head, ["---", *["---:"] * (len(table.head) - 1)], *table.rows)
        ]
        parts.append(f"{table.title}\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def entry(result: Result) -> dict[str, Any]:
    """For JSON; what isn't known is null."""
    protocol = result.protocol
    return _known(
        {
            "model": result.model,
            "data": result.data,
            "protocol": {**asdict(protocol), "limits": asdict(result.limits)},
            "overall": _entries(result.overall),
            "bands": _entries(result.bands),
            "coverage": _entries(result.groups),
            "per_image": [
                {
                    "name": image.name,
                    "overall": _entries(image.overall),
                    "alignment": {
                        align: {"space": fit.space, "scale": fit.scale, "shift": fit.shift}
                        for align, fit in image.fits.items()
                    },
                }
                for image in result.images
            ],
        }
    )


def _entries(scores: dict[str, Score]) -> dict[str, Any]:
    return {
        name: {"images": item.images, "pixels": item.pixels, **{metric: item.value(metric) for metric in METRICS}}
        for name, item in scores.items()
    }


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_known(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
