"""How far a teacher contradicts itself when its image is mirrored: the confidence of a pseudo-label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depth_perception.records import DepthKind
from training.normalise import normalise

Float32 = NDArray[np.float32]
TOLERANCE = 0.1  # difference at which confidence has fallen to 1/e


def flip_confidence(label: Float32, of_mirrored: Float32, kind: DepthKind) -> NDArray[np.uint8]:
    """exp(-difference / TOLERANCE) as 0 to 255, where `difference` leaves out what the kind leaves open.

    Metric kinds: |a - b| / mean(a, b). Scaled: the same, after b was brought to a's median ratio. Relative: |a - b| in
    mean absolute deviations from the median, each map by its own (`training.normalise`), so that neither scale nor
    shift counts. It ranks the pixels of a label; it is no probability.

    Args:
        label: (H, W) inverse depth of the image, NaN unknown.
        of_mirrored: (H, W) inverse depth of the mirrored image, mirrored back.

    Returns:
        (H, W); 0 where either is unknown.
    """
    if kind is DepthKind.RELATIVE_INVERSE:
        difference = np.abs(normalise(label) - normalise(of_mirrored))
    else:
        both = np.isfinite(label) & np.isfinite(of_mirrored) & (of_mirrored > 0)
        if kind is DepthKind.SCALED and both.any():
            of_mirrored = of_mirrored * np.median(label[both] / of_mirrored[both])
        with np.errstate(divide="ignore", invalid="ignore"):
            difference = 2 * np.abs(label - of_mirrored) / (label + of_mirrored)
    confidence = np.exp(-difference / TOLERANCE)
    return np.rint(255 * np.where(np.isfinite(confidence), confidence, 0.0)).astype(np.uint8)
