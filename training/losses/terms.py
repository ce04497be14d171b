"""What networks predict for a batch, and what an objective makes of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from training.full_precision import widen


@dataclass(frozen=True)
class Prediction:
    """Outputs of the networks for one batch."""

    inverse_depth: tuple[Tensor, ...]  # of the target: scale k (B, 1, H / 2^k, W / 2^k), finest first; 1/m
    motion: Tensor | None = None  # (B, S, 6) of `transform_from_vector`, T_source_target; None: odometry's is used
    partner_inverse_depth: tuple[Tensor, ...] | None = None  # the same of the stereo partner's image

    def widened(self) -> Prediction:
        """With 16-bit outputs as float32."""
        return Prediction(widen(self.inverse_depth), widen(self.motion), widen(self.partner_inverse_depth))


@dataclass(frozen=True)
class LossTerms:
    """A loss and its parts."""

    total: Tensor  # scalar, to be minimised
    terms: dict[str, Tensor]  # each term times its weight, without gradient; they sum to `total`
    measures: dict[str, Tensor]  # not optimised, for logs; units in names


def weighted_sum(parts: dict[str, tuple[float, Tensor]], measures: dict[str, Tensor]) -> LossTerms:
    """Parts as weight and value. None of them: nothing to learn, an error of the recipe.

    Raises:
        ValueError: there is no part.
    """
    if not parts:
        raise ValueError("every weight of the objective is 0: give one of its terms a weight")
    terms = {name: weight * value for name, (weight, value) in parts.items()}
    return LossTerms(
        sum(terms.values()),  # type: ignore[arg-type]
        {name: value.detach() for name, value in terms.items()},
        {name: value.detach() for name, value in measures.items()},
    )
