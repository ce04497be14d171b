"""Items of the dataset as one batch of tensors; what some items lack is filled and flagged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.colour_change import ColourChange
from training.dataset_folder import DEPTH_STEPS

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Float64 = NDArray[np.float64]
UNIT = np.float32(1.0 / 255.0)


@dataclass(frozen=True)
class Teacher:
    """A teacher's label of the target."""

    inverse_depth: NDArray[np.float16]  # (H, W) NaN unknown; 1/m if `metric`, else up to the teacher's own unknowns
    confidence: NDArray[np.uint8]  # (H, W) 0 to 255
    metric: bool


@dataclass(frozen=True)
class Item:
    """One sample at training size, still in 8 and 16 bits: a batch turns it into floats once, in place."""

    number: int  # of the item in its dataset
    target: Image
    sources: tuple[Image | None, ...]  # t-1, t+1; () if the dataset gives none
    partner: Image | None
    change: ColourChange | None  # for the network's input; losses see the clean images
    K: Float64  # (scales, 3, 3)
    K_partner: Float64 | None  # (scales, 3, 3)
    T_partner_target: Float64 | None  # (4, 4)
    T_source_target: tuple[Float64 | None, ...]  # (4, 4) each
    depth: NDArray[np.uint16] | None  # (H, W) metres * 256, 0 none
    partner_depth: NDArray[np.uint16] | None
    teacher: Teacher | None
    mirrored: bool


@dataclass(frozen=True)
class Batch:
    """B samples. Images are (…, 3, H, W) float32 RGB in 0 to 1, channels last in memory.

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
    teacher: Tensor | None  # (B, H, W) inverse depth, NaN unknown
    confidence: Tensor | None  # (B, H, W) 0 to 1
    has_teacher: Tensor | None  # (B,) bool
    teacher_metric: Tensor | None  # (B,) bool: `teacher` is in 1/m

    def __len__(self) -> int:
        return len(self.number)

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
    size, count, scales = first.target.shape[:2], len(first.sources), len(first.K)
    changes = [item.change for item in items]
    target, target_input = _images([item.target for item in items], changes, size)
    parts: dict[str, Any] = dict.fromkeys(Batch.__dataclass_fields__)
    parts |= {
        "number": torch.tensor([item.number for item in items]),
        "target": target,
        "target_input": target_input,
        "K": torch.from_numpy(np.stack([item.K for item in items]).astype(np.float32)),
        "depth": _depth([item.depth for item in items], size),
        "supervised": torch.tensor([item.depth is not None for item in items]),
        "mirrored": torch.tensor([item.mirrored for item in items]),
    }
    if count:
        views = [image for item in items for image in item.sources]
        poses = [T for item in items for T in item.T_source_target]
        clean, changed = _images(views, [change for change in changes for _ in range(count)], size)
        parts |= {
            "sources": clean.unflatten(0, (-1, count)),
            "sources_input": changed.unflatten(0, (-1, count)),
            "has_source": _present(views).unflatten(0, (-1, count)),
            "T_source_target": _matrices(poses, (4, 4)).unflatten(0, (-1, count)),
            "has_pose": _present(poses).unflatten(0, (-1, count)),
        }
    if stereo:
        partners = [item.partner for item in items]
        clean, changed = _images(partners, changes, size)
        parts |= {
            "partner": clean,
            "partner_input": changed,
            "has_stereo": _present(partners),
            "K_partner": _matrices([item.K_partner for item in items], (scales, 3, 3)),
            "T_partner_target": _matrices([item.T_partner_target for item in items], (4, 4)),
            "partner_depth": _depth([item.partner_depth for item in items], size),
        }
    if teacher:
        parts |= _teacher([item.teacher for item in items], size)
    return Batch(**parts)


def _images(
    images: Sequence[Image | None], changes: Sequence[ColourChange | None], size: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """(N, 3, H, W) clean and changed; the same tensor if nothing changed."""
    clean = np.empty((len(images), *size, 3), np.float32)
    changed = np.empty_like(clean) if any(change is not None for change in changes) else clean
    for index, (image, change) in enumerate(zip(images, changes, strict=True)):
        if image is None:
            clean[index] = changed[index] = 0.0
            continue
        np.multiply(image, UNIT, out=clean[index])
        if change is not None:
            change(image, out=changed[index])
        elif changed is not clean:
            changed[index] = clean[index]
    tensor = torch.from_numpy(clean).permute(0, 3, 1, 2)
    return tensor, tensor if changed is clean else torch.from_numpy(changed).permute(0, 3, 1, 2)


def _depth(codes: Sequence[NDArray[np.uint16] | None], size: tuple[int, ...]) -> Tensor:
    """(N, H, W) metres, NaN where nothing was measured."""
    depth = np.full((len(codes), *size), np.nan, np.float32)
    for metres, code in zip(depth, codes, strict=True):
        if code is not None:
            np.divide(code, np.float32(DEPTH_STEPS), out=metres, where=code > 0)
    return torch.from_numpy(depth)


def _teacher(labels: Sequence[Teacher | None], size: tuple[int, ...]) -> dict[str, Tensor | None]:
    inverse = np.full((len(labels), *size), np.nan, np.float32)
    confidence = np.zeros_like(inverse)
    for index, label in enumerate(labels):
        if label is not None:
            inverse[index] = label.inverse_depth
            np.multiply(label.confidence, UNIT, out=confidence[index])
    return {
        "teacher": torch.from_numpy(inverse),
        "confidence": torch.from_numpy(confidence),
        "has_teacher": _present(labels),
        "teacher_metric": torch.tensor([label is not None and label.metric for label in labels]),
    }


def _present(parts: Sequence[object | None]) -> Tensor:
    return torch.tensor([part is not None for part in parts])


def _matrices(matrices: Sequence[Float64 | None], shape: tuple[int, ...]) -> Tensor:
    zero = np.zeros(shape)
    return torch.from_numpy(np.stack([zero if one is None else one for one in matrices]).astype(np.float32))
