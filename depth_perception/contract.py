"""The model contract: what the output of a depth network means, written in its ONNX file.

One ONNX file holds everything. Its graph takes `image`, uint8 [1, H, W, 3] RGB (normalisation is inside) and gives
`depth`, float32 [1, H, W]; what that output means stands in the file's `metadata_props`, keys `depth_perception.*`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from depth_perception.errors import ModelError
from depth_perception.records import DepthKind

CONTRACT_VERSION = 1
METADATA_PREFIX = "depth_perception."
IMPORT_REMEDY = "wrap the network with `depth-perception model import SOURCE OUT --kind ...`"

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class Contract:
    """What a model's output means, and what is known about the model.

    The network's output is multiplied by fx / canonical_focal (depth) or by its reciprocal (inverse depth), where fx is
    the camera's, in pixels of an image stretched to `width`.

    Raises:
        ModelError: a value that no model can have.
    """

    kind: DepthKind
    height: int  # of the input, pixels
    width: int
    min_depth: float  # metres; nearer than this is -Inf. For kinds without scale it holds for the aligned depth
    max_depth: float  # metres; farther than this is +Inf. For kinds without scale it holds for the aligned depth
    licence: str  # of the weights
    canonical_focal: float | None = None  # px at `width`; None: the output doesn't depend on the focal length
    relative_std: float = math.nan  # one standard deviation of the prior as a share of depth; NaN = not measured
    training: str = "not stated"  # how and on which data
    name: str = ""
    version: int = CONTRACT_VERSION

    def __post_init__(self) -> None:
        if not (self.height > 0 and self.width > 0):
            raise ModelError(f"a model's input can't be {self.height!r}x{self.width!r} pixels")
        if not 0.0 < self.min_depth < self.max_depth < math.inf:
            raise ModelError(
                f"depth range {self.min_depth!r} to {self.max_depth!r} m is none: it needs 0 < min_depth < max_depth"
            )
        if self.canonical_focal is not None and not 0.0 < self.canonical_focal < math.inf:
            raise ModelError(
                f"canonical_focal {self.canonical_focal!r} is no focal length in pixels; leave it out if "
                "the network needs none"
            )
        if self.relative_std < 0.0:
            raise ModelError(f"relative_std {self.relative_std!r} is negative; leave it out if it wasn't measured")

    def to_metadata(self) -> dict[str, str]:
        """The `metadata_props` that say this."""
        values = {
            "contract_version": str(self.version),
            "output": self.kind.value,
            "input_height": str(self.height),
            "input_width": str(self.width),
            "min_depth": repr(float(self.min_depth)),
            "max_depth": repr(float(self.max_depth)),
            "licence": self.licence,
            "training": self.training,
            "name": self.name,
        }
        if self.canonical_focal is not None:
            values["canonical_focal"] = repr(float(self.canonical_focal))
        if not math.isnan(self.relative_std):
            values["relative_std"] = repr(float(self.relative_std))
        return {METADATA_PREFIX + key: value for key, value in values.items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Contract:
        """The contract that these `metadata_props` say.

        Raises:
            ModelError: no contract, a newer one, a key that is missing, or a value that can't be read.
        """
        values = {
            key[len(METADATA_PREFIX) :]: value for key, value in metadata.items() if key.startswith(METADATA_PREFIX)
        }
        if not values:
            raise ModelError(f"it carries no model contract (no metadata {METADATA_PREFIX}*): {IMPORT_REMEDY}")
        version = _number(values, "contract_version", int)
        if version > CONTRACT_VERSION:
            raise ModelError(
                f"its contract has version {version}, this package knows {CONTRACT_VERSION}: "
                "upgrade depth_perception, or export the model again with this one"
            )
        kinds = [kind.value for kind in DepthKind]
        if _value(values, "output") not in kinds:
            raise ModelError(
                f"its contract says output {values['output']!r}, which is not one of {kinds}: {IMPORT_REMEDY}"
            )
        return cls(
            kind=DepthKind(values["output"]),
            height=_number(values, "input_height", int),
            width=_number(values, "input_width", int),
            min_depth=_number(values, "min_depth", float),
            max_depth=_number(values, "max_depth", float),
            licence=_value(values, "licence"),
            canonical_focal=_number(values, "canonical_focal", float) if "canonical_focal" in values else None,
            relative_std=_number(values, "relative_std", float) if "relative_std" in values else math.nan,
            training=values.get("training", "not stated"),
            name=values.get("name", ""),
            version=version,
        )


def _value(values: Mapping[str, str], key: str) -> str:
    if key not in values:
        raise ModelError(f"its contract lacks {METADATA_PREFIX}{key}: {IMPORT_REMEDY}")
    return values[key]


def _number(values: Mapping[str, str], key: str, kind: Callable[[str], _Number]) -> _Number:
    text = _value(values, key)
    try:
        return kind(text)
    except ValueError as error:
        raise ModelError(
            f"its contract says {METADATA_PREFIX}{key} = {text!r}, which is no number: {IMPORT_REMEDY}"
        ) from error
