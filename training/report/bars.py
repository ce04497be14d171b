"""Bar charts as SVG in the page itself: no library, no picture, sharp at any size."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

BAR, GAP, HEIGHT, TOP, BOTTOM = 26, 4, 110, 16, 30
MOST_BARS, LETTER = 16, 6  # at full width; pixels of a letter, at most


def bars(title: str, labels: Sequence[str], values: Sequence[float], unit: str = "") -> str:
    """A chart of `values` side by side; each bar's value is shown when pointed at, the highest one's always.

    Args:
        labels: one a bar; only every so many are written where they are many.
        unit: of the values, in the title.
    """
    highest = max([*values, 0.0])
    step = max(4, BAR * MOST_BARS // max(len(values), MOST_BARS))
    every = -(-LETTER * (1 + max(map(len, labels), default=0)) // (step + GAP))  # so that labels don't touch
    width = len(values) * (step + GAP) + 40
    parts = [f'<svg width="{width}" height="{HEIGHT + TOP + BOTTOM}" role="img">']
    for place, (label, value) in enumerate(zip(labels, values, strict=True)):
        x, tall = 4 + place * (step + GAP), HEIGHT * value / highest if highest > 0 else 0.0
        said = f"{html.escape(label)}: {value:.4g}"
        parts.append(
            f'<rect x="{x}" y="{TOP + HEIGHT - tall:.1f}" width="{step}" height="{tall:.1f}" fill="#3b7dd8">'
            f"<title>{said}</title></rect>"
        )
        if place % every == 0:
            parts.append(f'<text x="{x}" y="{TOP + HEIGHT + 14}" font-size="10">{html.escape(label)}</text>')
    if highest > 0:
        x = 4 + int(np.argmax(values)) * (step + GAP)
        parts.append(f'<text x="{x}" y="{TOP - 3}" font-size="10">{highest:.4g}</text>')
    heading = html.escape(title) + (f", {html.escape(unit)}" if unit else "")
    return f"<figure><figcaption>{heading}</figcaption>{''.join(parts)}</svg></figure>"


def histogram(title: str, values: Sequence[float], unit: str, most: int = 12) -> str:
    """A chart of how often numbers are met, in up to `most` equal ranges; labels are the lower ends."""
    low, high = min(values), max(values)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        return bars(title, [f"{low:.3g}"], [len(values)], "samples by " + unit)
    counts, edges = np.histogram(values, bins=min(most, max(3, len(values))))
    return bars(title, [f"{edge:.3g}" for edge in edges[:-1]], counts.tolist(), "samples by " + unit)
