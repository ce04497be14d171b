"""Time of each loss at 640x192, forward and backward, beside the warp's own grid_sample.

    python -m benchmarks.losses

Batch 4, two sources, four scales at full size as in guizilini2019; one thread, process time, shortest of several
rounds. The ratio is to what no implementation can leave out: torch's grid_sample, forward and backward, of the same
8 images at every scale. Rows overlap: the objectives contain the losses above them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from training.batch import Batch
from training.geometry.reprojection import source_pixels
from training.geometry.rigid import transform_from_vector
from training.geometry.sampling import sample
from training.losses.distillation import distillation_loss
from training.losses.measured import measured
from training.losses.motion_objective import motion_objective
from training.losses.photometric import photometric_error, reference
from training.losses.recipes import MOTION, STEREO
from training.losses.reprojected import reprojected_distance
from training.losses.scale_shift_invariant import scale_shift_invariant
from training.losses.smoothness import edge_weights, inverse_depth_smoothness
from training.losses.stereo_alignment import anisotropic_smoothness, blur, direct_alignment
from training.losses.stereo_objective import stereo_objective
from training.losses.supervised import supervised_loss
from training.losses.terms import Prediction
from training.losses.view_synthesis import Sources, photometric_loss

BATCH, SOURCES, SCALES, HEIGHT, WIDTH = 4, 2, 4, 192, 640
ROUNDS = 7


def smooth(*shape: int) -> Tensor:
    """Values in [0, 1] that change over tens of pixels, as images and depth do."""
    *leading, height, width = shape
    coarse = torch.rand(1, int(torch.tensor(leading).prod()), height // 16, width // 16)
    return torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")[0].reshape(shape)


def make_batch(share: float) -> Batch:
    """Random images with motion of decimetres, a stereo partner, labels, and depth at a share of the pixels."""
    K = torch.tensor([[370.0, 0, 318.3], [0, 366.0, 97.2], [0, 0, 1]])
    cameras = torch.stack([K * torch.tensor([[0.5**k], [0.5**k], [1.0]]) for k in range(SCALES)]).expand(
        BATCH, -1, -1, -1
    )
    pair = torch.eye(4)
    pair[0, 3] = -0.54
    depth = 3 + 20 * torch.rand(2, BATCH, HEIGHT, WIDTH)
    depth[torch.rand(depth.shape) > share] = torch.nan
    image, sources, partner = (
        smooth(BATCH, 3, HEIGHT, WIDTH),
        smooth(BATCH, 2, 3, HEIGHT, WIDTH),
        smooth(BATCH, 3, HEIGHT, WIDTH),
    )
    yes, both = torch.ones(BATCH, dtype=torch.bool), torch.ones(BATCH, SOURCES, dtype=torch.bool)
    T = transform_from_vector(0.3 * torch.rand(BATCH, SOURCES, 6) * torch.tensor([1, 1, 1, 0.1, 0.1, 0.1]))
    return Batch(
        number=torch.arange(BATCH), target=image, target_input=image, K=cameras, depth=depth[0], supervised=yes,
        mirrored=~yes, sources=sources, sources_input=sources, has_source=both, T_source_target=T, has_pose=both,
        partner=partner, partner_input=partner, has_stereo=yes, K_partner=cameras,
        T_partner_target=pair.expand(BATCH, 4, 4), partner_depth=depth[1], teacher=0.1 + smooth(BATCH, HEIGHT, WIDTH),
        confidence=torch.ones(BATCH, HEIGHT, WIDTH), has_teacher=yes, teacher_metric=~yes,
    )  # fmt: skip


def shortest_ms(loss: Callable[[], Tensor]) -> tuple[float, float]:
    """Process time of a call, and of a call with its backward pass."""
    forward, both = [], []
    for _ in range(ROUNDS):
        start = time.process_time()
        value = loss()
        forward.append(time.process_time() - start)
        value.backward()
        both.append(time.process_time() - start)
    return 1e3 * min(forward), 1e3 * min(both)


def leaf(values: Tensor) -> Tensor:
    """A network's output, for the benchmark."""
    return values.detach().clone().requires_grad_()


def losses(batch: Batch, sparse: Batch) -> list[tuple[str, int, Callable[[], Tensor]]]:
    """Name, how often a step of paper 1 calls it, and the call."""
    assert batch.sources is not None and batch.T_source_target is not None and batch.has_source is not None
    assert batch.partner is not None and batch.T_partner_target is not None and batch.teacher is not None
    assert batch.confidence is not None and batch.teacher_metric is not None and batch.K_partner is not None
    maps = leaf(0.05 + 0.3 * smooth(BATCH, 1, HEIGHT, WIDTH))
    flat = leaf(maps.squeeze(1))
    K = batch.K[:, 0]
    sources = Sources(
        batch.sources, batch.K[:, :1].expand(-1, SOURCES, -1, -1), batch.T_source_target, batch.has_source
    )
    pixels = leaf(source_pixels(flat.unsqueeze(1), K.unsqueeze(1), sources.K, sources.T_source_target).uv)
    grid = leaf((2 * pixels.detach().flatten(0, 1) + 1) / torch.tensor([WIDTH, HEIGHT]) - 1)
    prepared, edges, warped = reference(batch.target.unsqueeze(1)), edge_weights(batch.target), leaf(batch.sources)
    views, images = [blur(batch.target), blur(batch.partner)], batch.sources.flatten(0, 1)
    everywhere = torch.ones(BATCH, 1, 1, dtype=torch.bool)
    points, few = measured(batch.depth), measured(sparse.depth)
    many = f"{len(points.u)} points"
    labels = batch.teacher, batch.confidence, batch.teacher_metric
    pair = K, batch.K_partner[:, 0], batch.T_partner_target
    rep = [K, sources.K, sources.T_source_target, sources.present, HEIGHT, WIDTH]
    return [
        ("grid_sample", SCALES, lambda: grid_sample(images, grid, padding_mode="border", align_corners=False).sum()),
        ("source_pixels", SCALES, lambda: source_pixels(flat.unsqueeze(1), K.unsqueeze(1), *sources[1:3]).uv.sum()),
        ("sample", SCALES, lambda: sample(batch.sources, pixels).sum()),
        ("SSIM + L1, prepared", SCALES, lambda: photometric_error(prepared, warped).sum()),
        ("photometric, one scale alone", SCALES, lambda: photometric_loss(batch.target, sources, flat, K).loss),
        ("smoothness", SCALES, lambda: inverse_depth_smoothness(maps, edges)),
        (f"reprojected, {many}", SCALES, lambda: reprojected_distance(points.of(flat), points, *rep).loss),
        (f"reprojected, {len(few.u)} points", SCALES, lambda: reprojected_distance(few.of(flat), few, *rep).loss),
        (f"berHu, {many}", SCALES, lambda: supervised_loss(points.of(flat), points, "berhu")),
        ("distillation", 1, lambda: sum(distillation_loss(flat, *labels))),
        ("scale-shift-invariant", 1, lambda: scale_shift_invariant(flat, batch.teacher, batch.depth.isnan(), 0.2)),
        ("direct alignment", 2, lambda: direct_alignment(*views, flat, *pair, everywhere).total),
        ("anisotropic smoothness", 2, lambda: anisotropic_smoothness(flat, batch.target, everywhere).total),
    ]  # fmt: skip


def objectives(batch: Batch) -> list[tuple[str, int, Callable[[], Tensor]]]:
    """Whole objectives from the networks' outputs on."""
    sizes = [(HEIGHT >> scale, WIDTH >> scale) for scale in range(SCALES)]
    maps, other = (tuple(leaf(0.05 + 0.3 * torch.rand(BATCH, 1, *size)) for size in sizes) for _ in range(2))
    prediction = Prediction(maps, leaf(0.03 * torch.rand(BATCH, SOURCES, 6)), other)
    names = "guizilini_self", "guizilini_rep", "guizilini_berhu", "packnet_sfm", "robot"
    found: list[tuple[str, int, Callable[[], Tensor]]] = [
        (name, 1, lambda name=name: motion_objective(batch, prediction, MOTION[name], 0).total)  # type: ignore[misc]
        for name in names
    ]
    return [*found, ("kuznietsov", 1, lambda: stereo_objective(batch, prediction, STEREO["kuznietsov"], 99).total)]


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    batch, sparse = make_batch(0.05), make_batch(0.001)
    print(
        f"{BATCH} samples of {WIDTH}x{HEIGHT}, {SOURCES} sources, {SCALES} scales; one thread, shortest of {ROUNDS}\n"
    )
    print("| loss | calls a step | forward ms | with backward ms | step / grid_samples |\n|---|---|---|---|---|")
    unit = None
    for name, calls, loss in [*losses(batch, sparse), *objectives(batch)]:
        forward, both = shortest_ms(loss)
        unit = unit or both * SCALES
        print(f"| {name} | {calls} | {forward:.1f} | {both:.1f} | {calls * both / unit:.2f} |", flush=True)


if __name__ == "__main__":
    main()
