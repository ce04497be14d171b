"""A small batch with everything a sample can have, and one in which each sample lacks something else."""

from __future__ import annotations

from dataclasses import replace

import torch
from geometry_scene import K, random
from torch import Tensor

from training.batch import Batch
from training.geometry.rigid import transform_from_vector
from training.losses.terms import Prediction

SIZE = HEIGHT, WIDTH = 16, 24
SCALES = 4
SAMPLES = 4


def pyramid_of_K() -> Tensor:
    """(B, scales, 3, 3)."""
    halved = []
    for scale in range(SCALES):
        camera = K.clone()
        camera[:2, :2] /= 2**scale
        camera[:2, 2] = (camera[:2, 2] + 0.5) / 2**scale - 0.5
        halved.append(camera)
    return torch.stack(halved).expand(SAMPLES, -1, -1, -1).float()


def full_batch() -> Batch:
    """Four samples with two sources, odometry, a stereo partner, measured depth and a teacher's label."""
    partner = torch.eye(4)
    partner[0, 3] = -0.2
    depth = 2 + 3 * random(2, SAMPLES, *SIZE, seed=4).float()
    depth[random(2, SAMPLES, *SIZE, seed=5) > 0.3] = torch.nan
    everything = torch.ones(SAMPLES, dtype=torch.bool)
    image = random(SAMPLES, 3, *SIZE, seed=1).float()
    sources, right = random(SAMPLES, 2, 3, *SIZE, seed=2).float(), random(SAMPLES, 3, *SIZE, seed=3).float()
    return Batch(
        number=torch.arange(SAMPLES),
        target=image, target_input=image,
        K=pyramid_of_K(),
        depth=depth[0], supervised=everything, mirrored=~everything,
        sources=sources, sources_input=sources, has_source=everything[:, None].expand(-1, 2).clone(),
        T_source_target=transform_from_vector(0.2 * random(SAMPLES, 2, 6, seed=6) - 0.1).float(),
        has_pose=everything[:, None].expand(-1, 2).clone(),
        partner=right, partner_input=right, has_stereo=everything,
        K_partner=pyramid_of_K(), T_partner_target=partner.expand(SAMPLES, 4, 4).clone(), partner_depth=depth[1],
        teacher=0.1 + random(SAMPLES, *SIZE, seed=7).float(),
        confidence=random(SAMPLES, *SIZE, seed=8).float(),
        has_teacher=everything, teacher_metric=torch.tensor([True, False, True, False]),
    )  # fmt: skip


def lacking(batch: Batch, depth: list[int], sources: list[int], odometry: list[int], stereo: list[int],
            teacher: list[int]) -> Batch:  # fmt: skip
    """The batch where the numbered samples lack a part, filled as `training.batch.collate` fills it."""
    copy = replace(
        batch,
        **{
            name: value.clone()
            for name, value in vars(batch).items()
            if isinstance(value, Tensor) and name not in ("number", "mirrored")
        },
    )
    still = sources + odometry
    for tensor, rows, filling in (
        (copy.depth, depth, torch.nan), (copy.partner_depth, depth + stereo, torch.nan),
        (copy.supervised, depth, False), (copy.sources, sources, 0.0), (copy.has_source, sources, False),
        (copy.T_source_target, still, 0.0), (copy.has_pose, still, False),
        (copy.partner, stereo, 0.0), (copy.has_stereo, stereo, False), (copy.K_partner, stereo, 0.0),
        (copy.T_partner_target, stereo, 0.0), (copy.teacher, teacher, torch.nan), (copy.confidence, teacher, 0.0),
        (copy.has_teacher, teacher, False), (copy.teacher_metric, teacher, False),
    ):  # fmt: skip
        assert tensor is not None
        tensor[rows] = filling
    return copy


def rows(batch: Batch, chosen: list[int]) -> Batch:
    """Some samples of a batch."""
    return Batch(**{name: None if value is None else value[chosen] for name, value in vars(batch).items()})


def networks_output(motion: bool = True, partner: bool = True, seed: int = 10) -> Prediction:
    """Leaves with gradient."""

    def maps(seed: int) -> tuple[Tensor, ...]:
        sizes = [(HEIGHT >> scale, WIDTH >> scale) for scale in range(SCALES)]
        return tuple(
            (0.15 + 0.3 * random(SAMPLES, 1, *size, seed=seed + place)).float().requires_grad_()
            for place, size in enumerate(sizes)
        )

    vector = (0.2 * random(SAMPLES, 2, 6, seed=seed) - 0.1).float().requires_grad_()
    return Prediction(maps(seed), vector if motion else None, maps(seed + 10) if partner else None)


def leaves(prediction: Prediction) -> list[Tensor]:
    """All tensors of a prediction."""
    motion = [] if prediction.motion is None else [prediction.motion]
    return [*prediction.inverse_depth, *motion, *(prediction.partner_inverse_depth or ())]
