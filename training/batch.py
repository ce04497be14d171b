"""Items of the dataset as one batch of tensors; what some items lack is filled and flagged.

Images stay 8-bit until the batch is where the training runs: between a worker, the main process and a GPU that is a
quarter of the bytes, and fresh memory for floats costs a worker more than decoding a JPEG.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.dataset_folder import DEPTH_STEPS

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class PseudoLabel:
    """What a teacher says about the target."""

    inverse_depth: NDArray[np.float16]  # (H, W) NaN unknown; 1/m if `metric`, else up to the teacher's own unknowns
    confidence: NDArray[np.uint8]  # (H, W) 0 to 255
    metric: bool


@dataclass(frozen=True)
class View:
    """One image, clean for the losses, and as the network sees it."""

    clean: Image
    changed: Image  # the very same array where nothing changed


@dataclass(frozen=True)
class Item:
    """One sample at training size. K is (scales, 3, 3), T (4, 4), depth (H, W) metres * 256 with 0 for none."""

    number: int  # of the item in its dataset
    target: View
    sources: tuple[View | None, ...]  # t-1, t+1; () if the dataset gives none
    partner: View | None
    K: Float64
    K_partner: Float64 | None
    T_partner_target: Float64 | None
    T_source_target: tuple[Float64 | None, ...]
    depth: NDArray[np.uint16] | None
    partner_depth: NDArray[np.uint16] | None
    teacher: PseudoLabel | None
    mirrored: bool


@dataclass(frozen=True)
class Batch:
    """B samples. Images are (…, 3, H, W) RGB, channels last in memory, uint8 until `floats` was called.

    Convention: p_b = T_b_a @ p_a in optical frames, metres. `T_partner_target` has a negative x where the partner
    stands to the target's right. A part that the dataset wasn't asked for is None; one that a sample lacks is zero
    (depth and teacher: NaN), and its flag is False.
    """

    number: Tensor  # (B,) int64 of the item in its dataset
    target: Tensor  # (B, 3, H, W) clean, for losses
    target_input: Tensor  # the same with its colours changed, for networks; the very same tensor where none changed
    K: Tensor  # (B, scales, 3, 3) float32 pixels, scale 0 the finest
    depth: Tensor  # (B, H, W) metres, NaN unknown
    supervised: Tensor  # (B,) bool: this sample has measured depth
    mirrored: Tensor  # (B,) bool
    sources: Tensor | None  # (B, S, 3, H, W)
    sources_input: Tensor | None
    has_source: Tensor | None  # (B, S) bool
    T_source_target: Tensor | None  # (B, S, 4, 4)
    has_pose: Tensor | None  # (B, S) bool
    partner: Tensor | None  # (B, 3, H, W)
    partner_input: Tensor | None
    has_stereo: Tensor | None  # (B,) bool
    K_partner: Tensor | None  # (B, scales, 3, 3)
    T_partner_target: Tensor | None  # (B, 4, 4)
    partner_depth: Tensor | None  # (B, H, W) metres, NaN unknown
    teacher: Tensor | None  # (B, H, W) inverse depth, NaN unknown; float16 until `floats`
    confidence: Tensor | None  # (B, H, W) uint8, 0 to 1 after `floats`
    has_teacher: Tensor | None  # (B,) bool
    teacher_metric: Tensor | None  # (B,) bool: `teacher` is in 1/m

    def __len__(self) -> int:
        return len(self.number)

    def floats(self) -> Batch:
        """The batch with float32 throughout, images and confidence 0 to 1: call it on the device that trains."""

        def change(tensor: Tensor) -> Tensor:
            if tensor.dtype == torch.uint8:
                return tensor.float().mul_(1.0 / 255.0)
            return tensor.float() if tensor.dtype == torch.float16 else tensor

        return self._map(change)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The batch on another device."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory; the DataLoader asks for it."""
        return self._map(lambda tensor: tensor.pin_memory())

    def _map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        made: dict[int, Tensor] = {}  # tensors that are one stay one
        values: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and id(value) not in made:
                made[id(value)] = change(value)
            values[field.name] = None if value is None else made[id(value)]
        return Batch(**values)


def collate(items: Sequence[Item], stereo: bool, teacher: bool) -> Batch:
    """Items of one dataset as a batch.

    Args:
        stereo, teacher: whether the dataset was asked for them.
    """
    first = items[0]
    size, count, scales = first.target.clean.shape[:2], len(first.sources), len(first.K)
    parts: dict[str, Any] = dict.fromkeys(Batch.__dataclass_fields__)
    parts["target"], parts["target_input"] = _images([item.target for item in items], size)
    parts |= {
        "number": torch.tensor([item.number for item in items]),
        "K": torch.from_numpy(np.stack([item.K for item in items]).astype(np.float32)),
        "depth": _depth([item.depth for item in items], size),
        "supervised": torch.tensor([item.depth is not None for item in items]),
        "mirrored": torch.tensor([item.mirrored for item in items]),
    }
    if count:
        parts |= _sources(items, count, size)
    if stereo:
        partners = [item.partner for item in items]
        parts["partner"], parts["partner_input"] = _images(partners, size)
        parts |= {
            "has_stereo": _present(partners),
            "K_partner": _matrices([item.K_partner for item in items], (scales, 3, 3)),
            "T_partner_target": _matrices([item.T_partner_target for item in items], (4, 4)),
            "partner_depth": _depth([item.partner_depth for item in items], size),
        }
    if teacher:
        parts |= _teacher([item.teacher for item in items], size)
    return Batch(**parts)


def _sources(items: Sequence[Item], count: int, size: tuple[int, ...]) -> dict[str, Tensor]:
    views = [view for item in items for view in item.sources]
    poses = [T for item in items for T in item.T_source_target]
    clean, changed = _images(views, size)
    flat = {
        "sources": clean,
        "has_source": _present(views),
        "T_source_target": _matrices(poses, (4, 4)),
        "has_pose": _present(poses),
    }
    shaped = {name: tensor.unflatten(0, (-1, count)) for name, tensor in flat.items()}
    return shaped | {"sources_input": shaped["sources"] if changed is clean else changed.unflatten(0, (-1, count))}


def _images(views: Sequence[View | None], size: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """(N, 3, H, W) clean and changed; the same tensor if nothing changed."""
    black = np.zeros((*size, 3), np.uint8)
    clean = _stacked([black if view is None else view.clean for view in views])
    if all(view is None or view.changed is view.clean for view in views):
        return clean, clean
    return clean, _stacked([black if view is None else view.changed for view in views])


def _stacked(images: Sequence[Image]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def _depth(codes: Sequence[NDArray[np.uint16] | None], size: tuple[int, ...]) -> Tensor:
    """(N, H, W) metres, NaN where nothing was measured."""
    depth = np.empty((len(codes), *size), np.float32)
    for metres, code in zip(depth, codes, strict=True):
        if code is None:
            metres[:] = np.nan
        else:
            np.multiply(code, np.float32(1.0 / DEPTH_STEPS), out=metres)
            metres[code == 0] = np.nan
    return torch.from_numpy(depth)


def _teacher(labels: Sequence[PseudoLabel | None], size: tuple[int, ...]) -> dict[str, Tensor]:
    unknown, doubtful = np.full(size, np.nan, np.float16), np.zeros(size, np.uint8)
    return {
        "teacher": torch.from_numpy(np.stack([unknown if one is None else one.inverse_depth for one in labels])),
        "confidence": torch.from_numpy(np.stack([doubtful if one is None else one.confidence for one in labels])),
        "has_teacher": _present(labels),
        "teacher_metric": torch.tensor([label is not None and label.metric for label in labels]),
    }


def _present(parts: Sequence[object | None]) -> Tensor:
    return torch.tensor([part is not None for part in parts])


def _matrices(matrices: Sequence[Float64 | None], shape: tuple[int, ...]) -> Tensor:
    zero = np.zeros(shape)
    return torch.from_numpy(np.stack([zero if one is None else one for one in matrices]).astype(np.float32))
