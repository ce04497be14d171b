"""The photometric loss between a target and the views sampled from its sources (guizilini2019 eq. 2-4)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from training.full_precision import full_precision
from training.geometry.reprojection import source_pixels, visible
from training.geometry.sampling import sample
from training.losses.photometric import Reference, photometric_error, reference


class Sources(NamedTuple):
    """The views that a target is compared with: neighbours in time, the stereo partner, or both."""

    images: Tensor  # (B, S, C, H, W) in [0, 1]
    K: Tensor  # (B, S, 3, 3) pixels, for this size
    T_source_target: Tensor  # (B, S, 4, 4)
    present: Tensor  # (B, S) bool; False: this sample lacks the source


class Photometric(NamedTuple):
    """The loss, and how much of the images it saw."""

    loss: Tensor  # scalar
    kept: Tensor  # share of the pixels some source shows that passed the auto-mask, without gradient


class Errors(NamedTuple):
    """Photometric error of each source."""

    values: Tensor  # (B, S, H, W)
    usable: Tensor  # (B, S, H, W) bool: the source is there and shows this pixel


def warped_errors(target: Reference, sources: Sources, inverse_depth: Tensor, K: Tensor, alpha: float = 0.85) -> Errors:
    """Error between the target and each source sampled where the target's pixels lie in it.

    Args:
        target: prepared from (B, 1, C, H, W) in [0, 1].
        inverse_depth: (B, H, W), 1 / the unit of T_source_target.
        K: (B, 3, 3).
    """
    height, width = inverse_depth.shape[-2:]
    pixels = source_pixels(inverse_depth.unsqueeze(1), K.unsqueeze(1), sources.K, sources.T_source_target)
    error = photometric_error(target, sample(sources.images, pixels.uv), alpha).squeeze(-3)
    return Errors(error, visible(pixels, height, width) & sources.present[..., None, None])


@torch.no_grad()
def unwarped_errors(target: Reference, sources: Sources, alpha: float = 0.85) -> Errors:
    """Error between the target and each source as it is: what a camera that stands still would have (eq. 4)."""
    error = photometric_error(target, sources.images, alpha).squeeze(-3)
    return Errors(error, sources.present[..., None, None].expand_as(error))


def over_sources(errors: Errors, minimum: bool = True) -> tuple[Tensor, Tensor]:
    """One error a pixel (eq. 3): the smallest, or the mean (before Godard et al. 2019), over usable sources.

    A source that doesn't show the pixel can't have the smallest error, whatever the border pixels look like.

    Returns:
        (B, H, W), +inf where no source is usable, and bool where one is.
    """
    some = errors.usable.any(dim=1)
    if minimum:
        return torch.where(errors.usable, errors.values, torch.inf).amin(dim=1), some
    total = torch.where(errors.usable, errors.values, 0.0).sum(dim=1) / errors.usable.sum(dim=1).clamp(min=1)
    return torch.where(some, total, torch.inf), some


def masked_photometric(
    warped: Errors, unwarped: Errors | None, minimum: bool = True, over_kept: bool = False
) -> Photometric:
    """Mean over pixels of the warped error where it is smaller than the unwarped (eq. 4), 0 elsewhere.

    The paper doesn't say what L_photo * M_photo is divided by. Here (design §8): all pixels that a source shows, so
    that masking out a pixel doesn't make the others weigh more; `over_kept` divides by those that pass the mask.
    The comparison is strict: where nothing moved both errors are equal, and such pixels must not count.

    Args:
        unwarped: None: no auto-mask.

    Returns:
        The loss, 0 with zero gradient where nothing is kept.
    """
    error, some = over_sources(warped, minimum)
    kept = some if unwarped is None else some & (over_sources(unwarped, minimum)[0] > error.detach())
    total, seen = torch.where(kept, error, 0.0).sum(), some.sum().clamp(min=1)
    count = kept.sum().clamp(min=1) if over_kept else seen
    return Photometric(total / count, kept.sum() / seen)


@full_precision
def photometric_loss(
    target: Tensor, sources: Sources, inverse_depth: Tensor, K: Tensor, alpha: float = 0.85, automask: bool = True,
    minimum: bool = True, over_kept: bool = False,
) -> Photometric:  # fmt: skip
    """Eq. 2-4 at one scale; the objective shares `reference` and the unwarped errors between scales.

    Args:
        target: (B, C, H, W) in [0, 1].
        inverse_depth: (B, H, W).
        K: (B, 3, 3).
    """
    prepared = reference(target.unsqueeze(1))
    unwarped = unwarped_errors(prepared, sources, alpha) if automask else None
    return masked_photometric(warped_errors(prepared, sources, inverse_depth, K, alpha), unwarped, minimum, over_kept)
