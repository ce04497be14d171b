"""How far a model's metres are off: the contract's relative_std, by which the runtime weighs the model as a prior."""

from __future__ import annotations

import math

import numpy as np

from training.evaluation.cases import Cases
from training.evaluation.predictor import Predictor
from training.evaluation.protocol import Protocol

FRAMES = 100  # at most, spread over the set
PIXELS = 2000  # of each, so that images weigh alike
ONE_SIGMA = 0.6827  # share of a normal distribution within one standard deviation


def relative_std(predictor: Predictor, cases: Cases) -> float:
    """Half-width that holds 68.27 % of |prediction / reference - 1|, not aligned: one sigma that outliers don't rule.

    References outside of the model's range don't count. NaN: none counts.

    Args:
        predictor: of a kind that gives metres.
    """
    protocol, rng = Protocol(cap=predictor.range), np.random.default_rng(0)
    errors = []
    for place in np.unique(np.linspace(0, len(cases) - 1, min(FRAMES, len(cases))).round().astype(int)):
        case = cases[int(place)]
        counted = protocol.counted(case.target)
        if counted.any():
            ratio = predictor(case.image, case.camera)[counted] / case.target[counted]
            errors.append(np.abs(rng.choice(ratio, PIXELS) - 1.0))
    return float(np.quantile(np.concatenate(errors), ONE_SIGMA)) if errors else math.nan
