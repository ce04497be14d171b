"""What can be wrong with a camera that still delivers images: black, covered, saturated, frozen, clocks that jump."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from depth_perception.config import WatchConfig

RESET_NS = 1_000_000_000  # a stamp that jumps back this far is a looping bag or a reset clock, not a reordered frame


class ImageWatch:
    """Looks at a sparse grid of each image (0.1 ms at any size) and remembers what the last one looked like."""

    def __init__(self) -> None:
        self._digest, self._same = 0, 0

    def complaint(self, image: NDArray[np.uint8], config: WatchConfig) -> str:
        """What is wrong with this image (H, W, 3), or an empty string."""
        rows, columns = (max(n // 60, 1) for n in image.shape[:2])
        sample = np.ascontiguousarray(image[::rows, ::columns])
        digest = zlib.adler32(sample.data)
        self._same = self._same + 1 if digest == self._digest else 0
        self._digest = digest
        mean, contrast = float(sample.mean()), float(sample.std())
        if mean < config.dark_below:
            return f"black image (mean brightness {mean:.1f} of 255): lens cap, no light, or exposure"
        if mean > config.saturated_above:
            return f"saturated image (mean brightness {mean:.1f} of 255): exposure"
        if contrast < config.flat_below:
            return f"covered camera (contrast {contrast:.2f} of 255): something in front of the lens"
        if config.frozen_after and self._same >= config.frozen_after:
            return (
                f"frozen camera ({self._same + 1} identical images): restart its driver; for a simulated camera "
                "without noise set watch.frozen_after to 0"
            )
        return ""


class StampWatch:
    """Tells a reordered frame from a clock that was reset."""

    def __init__(self) -> None:
        self.last_ns: int | None = None
        self.resets = 0

    def accept(self, stamp_ns: int) -> bool:
        """False for a frame older than the last one; a jump back by more than a second starts anew."""
        if self.last_ns is not None and stamp_ns < self.last_ns:
            if self.last_ns - stamp_ns < RESET_NS:
                return False
            self.resets += 1
        self.last_ns = stamp_ns
        return True
