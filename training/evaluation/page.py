"""A result as one HTML page that holds its pictures: the best and the worst images, and where they are wrong."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.evaluation.cases import Case, Cases
from training.evaluation.predictor import Predictor
from training.evaluation.run import Result, predicted
from training.evaluation.scores import ImageScores
from training.evaluation.tables import facts, tables
from training.report.bars import bars
from training.report.page import document, embedded, table
from training.report.pictures import Ends, Image, colour_scale, line, overlay, tile

SHOWN = 3  # best, and as many worst
DENSE = 0.3  # share of known pixels from which a reference is drawn as a picture, not as dots
FACTOR = 1.5  # by which depth is wrong where an error has its full colour
Float32 = NDArray[np.float32]


class ErrorColours:
    """White is right, red is said to be nearer than it is, blue farther; full colour is wrong by FACTOR; NaN black."""

    def colours(self, log_ratio: Float32) -> Image:
        """(…) ln(prediction / reference) → (…, 3) RGB."""
        t = np.clip(np.nan_to_num(log_ratio) / np.log(FACTOR), -1.0, 1.0)[..., None]
        near, far = np.array([200.0, 0.0, 20.0]), np.array([20.0, 60.0, 220.0])
        rgb = 255.0 + np.abs(t) * (np.where(t < 0, near, far) - 255.0)
        return np.where(np.isnan(log_ratio)[..., None], 0, np.rint(rgb)).astype(np.uint8)


def picture(case: Case, prediction: Float32, counted: NDArray[np.bool_]) -> Image:
    """Image, prediction, reference and error of one case, two in a line, and the colours of metres below."""
    target = np.where(counted, case.target, np.float32(np.nan))
    error = np.log(prediction / target).astype(np.float32)
    ends = Ends.of([target])
    wrong = ErrorColours()
    dense = np.isfinite(target).mean() > DENSE
    top = [("image", tile(case.image)), ("prediction, aligned and limited as scored", tile(ends.colours(prediction)))]
    below = [
        ("reference that counts", tile(ends.colours(target)) if dense else overlay(case.image, target, ends)),
        (f"error: red too near, blue too far, white right; full colour {FACTOR:g} times",
         tile(wrong.colours(error)) if dense else overlay(case.image, error, wrong)),
    ]  # fmt: skip
    lines = [line(top, 2), line(below, 2)]
    return np.vstack([*lines, colour_scale(ends, lines[0].shape[1])])


def chosen(result: Result, shown: int = SHOWN) -> tuple[list[ImageScores], list[ImageScores]]:
    """The best, best first, and the worst of the others, worst first."""
    ranked = result.ranked()
    best = ranked[: min(shown, (len(ranked) + 1) // 2)]
    return best, ranked[: len(best) - 1 : -1][:shown]


def page(result: Result, cases: Cases, predictor: Predictor) -> tuple[str, dict[str, Image]]:
    """The page, and its pictures by name (best_1, worst_1, …)."""
    title = f"{result.model['name']} on {result.data['name']}"
    body = [f"<h1>{html.escape(title)}</h1>", *(f"<p>{html.escape(text)}</p>" for text in facts(result))]
    for one in tables(result):
        body.append(f"<h2>{html.escape(one.title)}</h2>")
        body.append(table(one.head, [[html.escape(cell) for cell in row] for row in one.rows]))
    if result.bands:
        lower = [name.partition("-")[0] for name in result.bands]
        errors = [score.depth.abs_rel for score in result.bands.values()]
        body.append(
            bars(f"abs_rel by the reference's depth, align {result.protocol.align}", lower, errors, "by m, from")
        )
    found: dict[str, Image] = {}
    for what, images in zip(("best", "worst"), chosen(result), strict=True):
        body += _pictures(what, images, result, cases, predictor, found)
    return document(title, body), found


def _pictures(
    what: str,
    images: Sequence[ImageScores],
    result: Result,
    cases: Cases,
    predictor: Predictor,
    found: dict[str, Image],
) -> list[str]:
    body = [f"<h2>{what} images</h2>"] if images else []
    align = result.protocol.align
    for number, scores in enumerate(images, 1):
        case = cases[scores.place]
        drawn = picture(case, predicted(predictor, case, scores, align), result.protocol.counted(case.target))
        found[f"{what}_{number}"] = drawn
        score = scores.overall[align]
        body.append(
            f"<p>{html.escape(scores.name)}: abs_rel {score.depth.abs_rel:.3f}, rmse {score.depth.rmse:.3f} m, delta1 "
            f'{score.depth.delta1:.3f}, {score.pixels} pixels</p><img alt="{html.escape(scores.name)}" '
            f'src="{embedded(drawn)}">'
        )
    return body
