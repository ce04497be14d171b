"""DepthFrame → one sheet: picture with anchors, depth, error, std, and the cloud from above and from the side."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import DepthPerceptionError
from depth_perception.records import DepthFrame
from depth_perception.view.clouds import SHAPES, draw_clouds
from depth_perception.view.panels import AllAnchors, common_norm, draw_depth, draw_error, draw_image, draw_std
from depth_perception.view.words import describe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = 2.0  # width / height from which two panels stand in a row instead of three
COLUMN_IN = {2: 8.6, 3: 6.2}  # inches, by panels in a row
LINE_CHARACTERS = 190
DPI = 100


def check_matplotlib() -> None:
    """Raises DepthPerceptionError where matplotlib isn't installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise DepthPerceptionError(
            f"drawing needs matplotlib ({error}): pip install 'depth_perception[view]', or "
            "apt install python3-matplotlib"
        ) from error


def sheet(frame: DepthFrame, truth: NDArray[np.float32] | None = None, title: str = "") -> Figure:
    """Draw a frame; needs no display.

    Args:
        truth: (H, W) metres of the frame's pixels, NaN unknown; None: not known.
        title: what the frame is, one line.

    Raises:
        DepthPerceptionError: matplotlib isn't installed.
        ValueError: truth is of another size than the image.
    """
    check_matplotlib()
    from matplotlib.figure import Figure

    height, width = frame.image.shape[:2]
    if truth is not None and truth.shape != (height, width):
        raise ValueError(f"truth has shape {truth.shape!r}, the image {(height, width)!r}: they must be equal")
    columns = 2 if width > WIDE * height else 3
    rows = 6 // columns
    panel, shape = COLUMN_IN[columns], height / width
    # Clouds are no flatter or higher than SHAPES, whatever the image is.
    inner = panel - 1.1  # without labels and colour bar
    tall = [inner * shape + 0.4] * (rows - 1) + [inner * max(shape, SHAPES[0]) + 0.7]
    text = _heading(frame, title)
    size = columns * panel, sum(tall) + 0.3 * (text.count("\n") + 1) + 0.2
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    figure.suptitle(text, x=0.01, ha="left", fontsize=12)
    axes = figure.subplots(rows, columns, height_ratios=tall).ravel()
    anchors = AllAnchors.of(frame.anchors)
    norm = common_norm(frame, anchors)
    draw_image(axes[0], frame, anchors, norm)
    draw_depth(axes[1], frame, norm)
    draw_error(axes[2], frame, anchors, truth)
    draw_std(axes[3], frame)
    draw_clouds(axes[4], axes[5], frame, anchors, truth)
    return figure


def _heading(frame: DepthFrame, title: str) -> str:
    said = describe(frame)
    warnings = [warning for warning in dict.fromkeys(frame.quality.warnings) if warning not in said]
    lines = [title, said, *(f"warning: {warning}" for warning in warnings)]
    # A dollar sign would start a formula.
    return "\n".join(textwrap.fill(line.replace("$", r"\$"), LINE_CHARACTERS) for line in lines if line)
