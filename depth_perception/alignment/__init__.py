"""Metres from anchors: what the model leaves open is fitted, checked, filtered over time and corrected locally."""

from depth_perception.alignment.aligner import Aligner
from depth_perception.alignment.terms import Alignment, Unscaled

__all__ = ["Aligner", "Alignment", "Unscaled"]
