"""A model over a set of images with references."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from depth_perception.errors import ConfigError
from depth_perception.records import DepthKind
from training.evaluation import alignment, coverage
from training.evaluation.cases import Case, Cases
from training.evaluation.predictor import Predictor
from training.evaluation.protocol import ALIGNMENTS, Cap, Protocol
from training.evaluation.scores import Float32, ImageScores, Score, mean_score, score_image

BANDS_M = (0.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0)


@dataclass(frozen=True)
class Result:
    """Means over images, and each image's own."""

    model: dict[str, str]
    data: dict[str, str | int]
    protocol: Protocol
    limits: Cap  # of predictions
    overall: dict[str, Score]  # alignment → score
    bands: dict[str, Score]  # by the protocol's alignment, as the next
    groups: dict[str, Score]  # inside and outside of what the LiDAR taught; {} where nobody knows
    images: tuple[ImageScores, ...]

    def ranked(self) -> list[ImageScores]:
        """From the best to the worst, by abs_rel of the protocol's alignment; equal ones by name."""
        align = self.protocol.align
        return sorted(self.images, key=lambda item: (item.overall[align].depth.abs_rel, item.name))


def evaluate(
    predictor: Predictor, cases: Cases, protocol: Protocol, bands: Sequence[float] = BANDS_M,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Result:  # fmt: skip
    """Score every image.

    Raises:
        ConfigError: the alignment doesn't fit the kind of model, or no pixel of any image counts.
        ModelError, EngineError: as the predictor.
    """
    alignment.check(predictor.kind, protocol.align)
    limits = limits_of(predictor, protocol)
    possible = [align for align in ALIGNMENTS if _possible(predictor.kind, align)]
    images: list[ImageScores] = []
    for place, case in enumerate(cases):
        groups = {} if case.measured is None else coverage.groups(case.measured)
        prediction = predictor(case.image, case.camera)
        found = score_image(
            case.name, prediction, case.target, _is_inverse(predictor), protocol, limits, possible, bands, groups
        )
        images += [] if found is None else [replace(found, place=place)]
        progress(place + 1, len(cases))
    if not images:
        raise ConfigError(
            f"none of {len(cases)} images has a reference pixel that counts: crop {protocol.crop!r}, {protocol.cap}, "
            f"minimum {protocol.min_depth!r} m; say a wider --cap or --crop none"
        )
    return Result(
        model={
            "name": predictor.name,
            "sha256": predictor.sha256,
            "kind": predictor.kind.value,
            "backend": predictor.backend,
        },
        data={
            "name": cases.name,
            "part": cases.part,
            "reference": cases.reference,
            "images": len(images),
            "without_reference": cases.skipped,
            "without_counted_pixel": len(cases) - len(images),
        },
        protocol=protocol,
        limits=limits,
        overall=_means([item.overall for item in images]),
        bands=_means([item.bands for item in images]),
        groups=_means([item.groups for item in images]),
        images=tuple(images),
    )


def predicted(predictor: Predictor, case: Case, scores: ImageScores, align: str) -> Float32:
    """(H, W) metres of a case as its scores saw them."""
    return scores.fits[align](predictor(case.image, case.camera), _is_inverse(predictor))


def limits_of(predictor: Predictor, protocol: Protocol) -> Cap:
    """The cap; without one, what the model says of its own range (so that no prediction is infinite)."""
    return protocol.cap or predictor.range


def _is_inverse(predictor: Predictor) -> bool:
    return predictor.kind is DepthKind.RELATIVE_INVERSE


def _possible(kind: DepthKind, align: str) -> bool:
    try:
        alignment.check(kind, align)
    except ConfigError:
        return False
    return True


def _means(images: Sequence[dict[str, Score]]) -> dict[str, Score]:
    """Of each name that has a pixel in any image."""
    names = dict.fromkeys(name for image in images for name in image)
    found = {name: mean_score(image[name] for image in images if name in image) for name in names}
    return {name: score for name, score in found.items() if score.images}


def spread(scales: Sequence[float]) -> tuple[float, float]:
    """Median of the images' scales, and their standard deviation in shares of it (as Godard et al. 2019 print them)."""
    median = float(np.median(scales))
    return median, float(np.std(np.asarray(scales) / median))
