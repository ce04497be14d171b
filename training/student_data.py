"""Many augmentations of one photograph and their labels, split into training and validation (paper 3, section 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import ConfigError
from training.student_config import StudentConfig

Image = NDArray[np.uint8]
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Augmentation:
    """One augmented view of the photograph."""

    image: Image  # (S, S, 3) uint8 RGB
    matrix: NDArray[np.float64]  # (3, 3) pixel of the photograph -> pixel of this view
    inside: NDArray[np.bool_]  # (S, S): shows the photograph, not the reflection that fills its corners


@dataclass(frozen=True)
class StudentData:
    """All views with their labels; `train` and `validation` index them."""

    images: Image  # (N, S, S, 3) uint8 RGB
    labels: Float32  # (N, S, S) inverse depth x label_scale, NaN unknown
    matrices: NDArray[np.float64]  # (N, 3, 3) photograph -> view
    inside: NDArray[np.bool_]  # (N, S, S)
    train: NDArray[np.int64]
    validation: NDArray[np.int64]


def augment(photo: Image, index: int, config: StudentConfig) -> Augmentation:
    """View `index`: rotation about the centre, flip left-right, resize to size x size, colour jitter.

    The same photograph, index and configuration give the same view. Flips are left-right only: an upside-down room is
    no scene that a teacher has seen.

    Args:
        photo: (H, W, 3) uint8 RGB.
    """
    random = np.random.default_rng([config.seed, index])
    height, width = photo.shape[:2]
    angle = random.uniform(-config.rotation_deg, config.rotation_deg)
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    if random.random() < 0.5:
        matrix = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
    turned = cv2.warpAffine(photo, matrix[:2], (width, height), borderMode=cv2.BORDER_REFLECT_101)
    shrinks = config.size < min(height, width)
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    image = cv2.resize(turned, (config.size, config.size), interpolation=method)
    su, sv = config.size / width, config.size / height
    matrix = np.array([[su, 0, (su - 1) / 2], [0, sv, (sv - 1) / 2], [0, 0, 1]]) @ matrix
    return Augmentation(
        image=_jitter(image.astype(np.uint8), random, config),
        matrix=matrix,
        inside=_inside(matrix, config.size, height, width),
    )


def _inside(matrix: NDArray[np.float64], size: int, height: int, width: int) -> NDArray[np.bool_]:
    """(S, S): the view's pixel centre lies on the photograph's area."""
    v, u = np.mgrid[:size, :size]
    photo_u, photo_v, _ = np.linalg.inv(matrix) @ np.stack([u.ravel(), v.ravel(), np.ones(size * size)])
    inside = (np.abs(photo_u - (width - 1) / 2) <= width / 2) & (np.abs(photo_v - (height - 1) / 2) <= height / 2)
    return inside.reshape(size, size)


def _jitter(image: Image, random: np.random.Generator, config: StudentConfig) -> Image:
    """Brightness, contrast, saturation and hue, in this order."""
    brightness, contrast, saturation = 1 + random.uniform(-config.jitter, config.jitter, 3)
    hue = random.uniform(-config.hue_deg, config.hue_deg)
    colour = image.astype(np.float32) / 255 * np.float32(brightness)
    middle = colour.mean()
    colour = np.clip((colour - middle) * np.float32(contrast) + middle, 0, 1)
    hsv = cv2.cvtColor(colour, cv2.COLOR_RGB2HSV)  # H in degrees, S and V in [0, 1]
    hsv[..., 0] = (hsv[..., 0] + hue) % 360
    hsv[..., 1] = np.clip(hsv[..., 1] * saturation, 0, 1)
    return np.round(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).clip(0, 1) * 255).astype(np.uint8)


def warp_nearest(values: Float32, view: Augmentation) -> Float32:
    """A map of the photograph (exact depth) as the view sees it, (S, S); NaN outside.

    The nearest pixel is taken: a mean across an edge is a depth that nothing has.
    """
    height, width = view.image.shape[:2]
    method, border = cv2.INTER_NEAREST, cv2.BORDER_REPLICATE
    nearest = cv2.warpAffine(values, view.matrix[:2], (width, height), flags=method, borderMode=border)
    return np.where(view.inside, nearest, np.float32(np.nan)).astype(np.float32)


def split(count: int, validation_share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Seeded permutation of range(count) cut in two: training, validation. Each has at least one member."""
    order = np.random.default_rng(seed).permutation(count)
    held_out = min(max(round(count * validation_share), 1), count - 1)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def make_data(photo: Image, inverse_depth: Callable[[Augmentation], Float32], config: StudentConfig) -> StudentData:
    """Augment, label and split.

    Args:
        inverse_depth: view -> (S, S) inverse depth, NaN unknown, whatever teaches; corners outside the photograph
            lose their label here.

    Raises:
        ConfigError: no pixel of any view has a label.
    """
    views = [augment(photo, index, config) for index in range(config.augmentations)]
    labels = [np.where(view.inside, inverse_depth(view) * np.float32(config.label_scale), np.nan) for view in views]
    if not np.isfinite(labels).any():
        raise ConfigError(f"teacher {config.teacher!r} labels no pixel of {config.image!r}; are kind and unit right?")
    train, validation = split(config.augmentations, config.validation_share, config.seed)
    return StudentData(
        images=np.stack([view.image for view in views]),
        labels=np.stack(labels).astype(np.float32),
        matrices=np.stack([view.matrix for view in views]),
        inside=np.stack([view.inside for view in views]),
        train=train,
        validation=validation,
    )
