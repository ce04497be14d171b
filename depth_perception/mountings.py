"""Where each sensor sits: a parameter if one is given, else tf, else nowhere. Never identity for want of knowledge."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import CalibrationError, ConfigError
from depth_perception.extrinsics import parse_transform

Transform = NDArray[np.float64]  # (4, 4)
Lookup = Callable[[str, str], Transform]  # (target, source) → T_target_source, metres, or CalibrationError


class Mountings:
    """Transforms by frame names; remembers the parameters that it has read.

    Convention: p_target = T_target_source @ p_source.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._parsed: dict[str, Transform] = {}

    def required(self, parameter: str, text: str, target: str, source: str) -> Transform:
        """T_target_source (4, 4) as `text`, the value of `parameter`, says, else as tf does.

        Raises:
            CalibrationError: neither says.
            ConfigError: the parameter is no transform.
        """
        if text:
            return self._read(parameter, text)
        if source == target and source:
            return np.eye(4)
        try:
            return self._lookup(target, source)
        except CalibrationError as error:
            raise CalibrationError(f"{error}; the parameter is {parameter}, 'x y z qx qy qz qw'") from error

    def known(self, parameter: str, text: str, target: str, source: str) -> Transform | None:
        """As `required`, but None if neither says."""
        try:
            return self.required(parameter, text, target, source)
        except CalibrationError:
            return None

    def _read(self, parameter: str, text: str) -> Transform:
        if text not in self._parsed:
            try:
                self._parsed[text] = parse_transform(text)
            except ConfigError as error:
                raise ConfigError(f"{parameter}: {error}") from error
        return self._parsed[text]
