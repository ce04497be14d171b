"""Image blocks: what is left out together when quality is measured on anchors that have no beams."""

from __future__ import annotations

import numpy as np

from depth_perception.records import Float32, Int32

COLUMNS, ROWS = 8, 6


def image_blocks(uv: Float32, height: int, width: int) -> Int32:
    """(N, 2) pixels inside an image of this size → (N,) number of the block, 0 to COLUMNS * ROWS - 1, row by row.

    Convention: the centre of the first pixel is (0, 0), so the image begins at -0.5 and ends at size - 0.5.
    """
    column = np.floor((uv[:, 0] + 0.5) * (COLUMNS / width)).clip(0, COLUMNS - 1)
    row = np.floor((uv[:, 1] + 0.5) * (ROWS / height)).clip(0, ROWS - 1)
    return (row * COLUMNS + column).astype(np.int32)
