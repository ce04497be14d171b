"""The combined objectives: terms by name, samples that lack parts, precision, and each recipe."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from loss_batches import HEIGHT, SAMPLES, WIDTH, full_batch, lacking, leaves, networks_output, rows
from torch import Tensor

from depth_perception.errors import ConfigError
from training.batch import Batch
from training.geometry.rigid import transform_from_vector
from training.geometry.sampling import upsample
from training.losses.inverse_depth import depth_from_inverse
from training.losses.measured import measured
from training.losses.motion_config import MotionConfig
from training.losses.motion_objective import motion_objective
from training.losses.recipes import MOTION, STEREO
from training.losses.smoothness import edge_aware_smoothness
from training.losses.stereo_alignment import fade_in
from training.losses.stereo_objective import StereoConfig, stereo_objective
from training.losses.terms import LossTerms, Prediction
from training.losses.view_synthesis import Sources, photometric_loss

EVERYTHING = MotionConfig(
    stereo=True,
    reprojected=3.0,
    supervised=0.5,
    norm="berhu",
    velocity=0.7,
    distillation=0.2,
    pose_gradient="direction",
)
TERMS = ["photometric", "smoothness", "reprojected", "supervised", "velocity", "distillation"]


def objective(batch: Batch, prediction: Prediction, config: MotionConfig | StereoConfig, step: int = 1000) -> LossTerms:
    if isinstance(config, StereoConfig):
        return stereo_objective(batch, prediction, config, step)
    return motion_objective(batch, prediction, config, step)


def only(**weights: object) -> MotionConfig:
    """That one term."""
    return replace(MotionConfig(photometric=0.0, smoothness=0.0), **weights)


RECIPES = list({**MOTION, **STEREO}.items())


@pytest.mark.parametrize(("name", "config"), RECIPES, ids=[name for name, _ in RECIPES])
def test_every_recipe_has_a_finite_gradient_where_it_should(name: str, config: MotionConfig | StereoConfig) -> None:
    prediction = networks_output()
    found = objective(full_batch(), prediction, config)
    found.total.backward()
    assert torch.isfinite(found.total) and found.total > 0
    assert sum(found.terms.values()).item() == pytest.approx(found.total.item(), rel=1e-5)
    assert not any(value.requires_grad for value in (*found.terms.values(), *found.measures.values()))
    assert all(torch.isfinite(leaf.grad).all() for leaf in leaves(prediction) if leaf.grad is not None)
    learns = [leaf.grad is not None and bool(leaf.grad.abs().max() > 0) for leaf in leaves(prediction)]
    motion = isinstance(config, MotionConfig)
    moving = motion and name not in ("guizilini_supervised_l1", "midas_student")
    assert learns == [True, motion, motion, motion, moving, not motion, False, False, False]


class TestTerms:
    def test_by_name(self) -> None:
        found = motion_objective(full_batch(), networks_output(), EVERYTHING, 0)
        assert list(found.terms) == TERMS
        assert set(found.measures) == {"photometric_kept", "reprojected_px", "translation_ratio"}
        assert found.measures["reprojected_px"].item() == pytest.approx(7 * found.terms["reprojected"].item(), rel=1e-3)
        found = stereo_objective(full_batch(), networks_output(), StereoConfig(), 99)
        assert list(found.terms) == ["supervised", "alignment", "regularisation"]
        assert found.measures["fade_in"].item() == pytest.approx(math.exp(-0.1))

    def test_weights_multiply(self) -> None:
        once, twice = (
            motion_objective(full_batch(), networks_output(), replace(EVERYTHING, **{name: 2.0}), 0).terms[name]
            / motion_objective(full_batch(), networks_output(), replace(EVERYTHING, **{name: 1.0}), 0).terms[name]
            for name in ("supervised", "velocity")
        )
        assert once.item() == twice.item() == pytest.approx(2)

    def test_warm_up(self) -> None:
        config = only(reprojected=4.0, reprojected_warmup=100)
        full = motion_objective(full_batch(), networks_output(), only(reprojected=4.0), 0).total.item()
        for step, share in ((0, 0.01), (49, 0.5), (99, 1.0), (10**6, 1.0)):
            assert motion_objective(full_batch(), networks_output(), config, step).total.item() == pytest.approx(
                share * full
            )

    def test_no_weight_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="weight"):
            motion_objective(full_batch(), networks_output(), only(), 0)

    def test_scales_are_upsampled_and_averaged(self) -> None:
        batch, prediction = full_batch(), networks_output()
        T = transform_from_vector(prediction.motion)
        sources = Sources(batch.sources, batch.K[:, :1].expand(-1, 2, -1, -1), T, batch.has_source)
        full = [upsample(one, HEIGHT, WIDTH).squeeze(1) for one in prediction.inverse_depth]
        each = [photometric_loss(batch.target, sources, one, batch.K[:, 0]).loss.item() for one in full]
        found = motion_objective(batch, prediction, only(photometric=1.0), 0).total.item()
        assert found == pytest.approx(sum(each) / 4, rel=1e-5)
        points = measured(batch.depth)
        errors = [(depth_from_inverse(points.of(one)) - points.depth).abs().mean().item() for one in full]
        assert motion_objective(batch, prediction, only(supervised=1.0), 0).total.item() == pytest.approx(
            sum(errors) / 4
        )

    def test_smoothness_halves_per_scale(self) -> None:
        batch, prediction = full_batch(), networks_output()
        maps = [upsample(one, HEIGHT, WIDTH) for one in prediction.inverse_depth]
        each = [edge_aware_smoothness(one / one.mean(dim=(-2, -1), keepdim=True), batch.target).item() for one in maps]
        expected = sum(0.5**scale * one for scale, one in enumerate(each)) / 4
        assert motion_objective(batch, prediction, only(smoothness=1.0), 0).total.item() == pytest.approx(expected)
        each = [edge_aware_smoothness(1 / one, batch.target).item() for one in maps]
        expected = sum(0.5**scale * one for scale, one in enumerate(each)) / 4
        by_letter = only(smoothness=1.0, smooth_depth=True)
        assert motion_objective(batch, prediction, by_letter, 0).total.item() == pytest.approx(expected)

    def test_without_a_pose_network_odometry_moves_the_views(self) -> None:
        batch = full_batch()
        prediction = networks_output(motion=False)
        found = motion_objective(batch, prediction, only(photometric=1.0, reprojected=1.0), 0)
        assert found.measures["translation_ratio"].item() == pytest.approx(1)
        unknown = lacking(batch, [], [], [0, 1, 2, 3], [], [])
        assert motion_objective(unknown, prediction, only(photometric=1.0), 0).total == 0

    def test_pose_gradient_reaches_the_objective(self) -> None:
        for mode, radial in (("full", True), ("direction", False)):
            prediction = networks_output()
            motion_objective(full_batch(), prediction, only(reprojected=1.0, pose_gradient=mode), 0).total.backward()
            t, gradient = prediction.motion.detach()[..., :3], prediction.motion.grad[..., :3]
            assert bool(((gradient * t).sum(-1).abs() > 1e-4).any()) is radial
        prediction = networks_output()
        motion_objective(full_batch(), prediction, only(reprojected=1.0, pose_gradient="none"), 0).total.backward()
        assert prediction.motion.grad is None

    @pytest.mark.parametrize(
        ("term", "missing"),
        [
            ("stereo", "partner"),
            ("photometric", "sources"),
            ("velocity", "T_source_target"),
            ("distillation", "teacher"),
        ],
    )
    def test_what_the_dataset_did_not_give_is_named(self, term: str, missing: str) -> None:
        config = only(photometric=1.0, stereo=True) if term == "stereo" else only(**{term: 1.0})
        with pytest.raises(ConfigError, match=r"set `(stereo|context|teacher)`"):
            motion_objective(replace(full_batch(), **{missing: None}), networks_output(), config, 0)

    def test_stereo_alone_can_supervise(self) -> None:
        batch = replace(full_batch(), sources=None, has_source=None, T_source_target=None, has_pose=None)
        assert motion_objective(batch, networks_output(), only(photometric=1.0, stereo=True), 0).total > 0


class TestMixedBatches:
    MIXED = lacking(full_batch(), depth=[0], sources=[1], odometry=[2], stereo=[2], teacher=[3])

    @pytest.mark.parametrize("term", ["photometric", "reprojected", "supervised", "velocity", "distillation"])
    def test_samples_without_a_part_have_no_part(self, term: str) -> None:
        lack = {"photometric": [1], "reprojected": [0, 1], "supervised": [0], "velocity": [1, 2], "distillation": [3]}
        config = only(**{term: 1.0}, distillation_slope=0.0)
        prediction = networks_output()
        found = motion_objective(self.MIXED, prediction, config, 0).total
        found.backward()
        kept = [place for place in range(SAMPLES) if place not in lack[term]]
        some = Prediction(tuple(one[kept] for one in prediction.inverse_depth), prediction.motion[kept])
        assert motion_objective(rows(self.MIXED, kept), some, config, 0).total.item() == pytest.approx(found.item())
        for leaf in leaves(prediction):
            assert leaf.grad is None or leaf.grad[lack[term]].abs().max() == 0

    @pytest.mark.filterwarnings("ignore:Anomaly Detection")
    @pytest.mark.parametrize("config", [EVERYTHING, replace(EVERYTHING, pose_gradient="full"), StereoConfig()])
    def test_no_nan(self, config: MotionConfig | StereoConfig) -> None:
        for batch in (self.MIXED, lacking(full_batch(), *[[0, 1, 2, 3]] * 5)):
            prediction = networks_output()
            with torch.autograd.detect_anomaly(check_nan=True):
                found = objective(batch, prediction, config)
                found.total.backward()
            assert torch.isfinite(found.total)
            assert all(torch.isfinite(leaf.grad).all() for leaf in leaves(prediction) if leaf.grad is not None)

    def test_nothing_but_smoothness_where_nothing_is_known(self) -> None:
        prediction = networks_output()
        nothing = lacking(full_batch(), *[[0, 1, 2, 3]] * 5)
        found = motion_objective(nothing, prediction, replace(EVERYTHING, smoothness=0.0), 0)
        found.total.backward()
        assert found.total == 0 and all(value == 0 for value in found.terms.values())
        assert all(leaf.grad is None or leaf.grad.abs().max() == 0 for leaf in leaves(prediction))

    @pytest.mark.filterwarnings("ignore:Anomaly Detection")
    def test_a_collapsed_pose_gives_no_nan(self) -> None:
        prediction = networks_output()
        still = replace(prediction, motion=torch.zeros(SAMPLES, 2, 6, requires_grad=True))
        for mode in ("full", "direction"):
            with torch.autograd.detect_anomaly(check_nan=True):
                motion_objective(full_batch(), still, replace(EVERYTHING, pose_gradient=mode), 0).total.backward()
        assert torch.isfinite(still.motion.grad).all()


class TestStereo:
    def test_sums_share_one_divisor(self) -> None:  # a tenth of the points is a tenth of the supervision
        batch, prediction = full_batch(), networks_output()
        config = StereoConfig(gamma=0.0, regularisation=0.0, beta=1.0, fade_in=False, norm="l1")
        few = batch.depth.clone()
        few[:, :, 12:] = math.nan
        left = replace(prediction, partner_inverse_depth=None)
        for depth in (batch.depth, few):
            points = measured(depth)
            residual = depth_from_inverse(points.of(upsample(left.inverse_depth[0], HEIGHT, WIDTH))) - points.depth
            found = stereo_objective(replace(batch, depth=depth), left, config, 0).total.item()
            assert found == pytest.approx(residual.abs().sum().item() / (SAMPLES * HEIGHT * WIDTH))
            mean = stereo_objective(
                replace(batch, depth=depth), left, replace(config, reduction="mean"), 0
            ).total.item()
            assert mean == pytest.approx(residual.abs().mean().item())

    def test_berhu_threshold_is_of_both_views(self) -> None:
        batch, prediction = full_batch(), networks_output()
        config = StereoConfig(gamma=0.0, regularisation=0.0, beta=1.0, fade_in=False)
        outlier = batch.partner_depth.clone()
        outlier[0, 0, 0] = 1000.0  # makes the threshold about 200 m, so all else counts as L1
        found = stereo_objective(replace(batch, partner_depth=outlier), prediction, config, 0).total.item()
        l1 = stereo_objective(
            replace(batch, partner_depth=outlier), prediction, replace(config, norm="l1"), 0
        ).total.item()
        worst = 1000 - depth_from_inverse(prediction.partner_inverse_depth[0][0, 0, 0, 0]).item()
        excess = (worst**2 + (0.2 * worst) ** 2) / (0.4 * worst) - worst
        assert found - l1 == pytest.approx(excess / (SAMPLES * HEIGHT * WIDTH), rel=1e-3)

    def test_weights_of_equation_5(self) -> None:
        batch, prediction = full_batch(), networks_output()
        one = stereo_objective(batch, prediction, StereoConfig(beta=1.0, gamma=1.0), 4).terms
        two = stereo_objective(batch, prediction, StereoConfig(beta=0.5, gamma=0.1), 9).terms
        assert (two["alignment"] / one["alignment"]).item() == pytest.approx(0.1)
        assert (two["supervised"] / one["supervised"]).item() == pytest.approx(0.5 * fade_in(10, 1) / fade_in(5, 1))
        assert two["regularisation"] == one["regularisation"]

    def test_starred_rows_align_only_where_there_is_no_lidar(self) -> None:
        batch, prediction = full_batch(), networks_output()
        everywhere = replace(
            batch, depth=torch.full_like(batch.depth, 3.0), partner_depth=torch.full_like(batch.depth, 3.0)
        )
        assert stereo_objective(everywhere, prediction, STEREO["kuznietsov_starred"], 9).terms["alignment"] == 0
        assert stereo_objective(everywhere, prediction, STEREO["kuznietsov"], 9).terms["alignment"] > 0

    def test_needs_a_pair(self) -> None:
        with pytest.raises(ConfigError, match="set `stereo`"):
            stereo_objective(replace(full_batch(), partner=None), networks_output(), StereoConfig(), 0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("config", [EVERYTHING, StereoConfig()])
def test_autocast_changes_nothing_but_the_networks(config: MotionConfig | StereoConfig, dtype: torch.dtype) -> None:
    def half(tensors: tuple[Tensor, ...], like: torch.dtype) -> tuple[Tensor, ...]:
        return tuple(one.detach().to(dtype).to(like).requires_grad_() for one in tensors)

    raw = networks_output()

    def rounded(like: torch.dtype) -> Prediction:
        partner = half(raw.partner_inverse_depth, like)
        return Prediction(half(raw.inverse_depth, like), half((raw.motion,), like)[0], partner)

    expected = objective(full_batch(), rounded(torch.float32), config)
    narrow = rounded(dtype)
    with torch.autocast("cpu", dtype=dtype):
        found = objective(full_batch(), narrow, config)
    found.total.backward()
    assert found.total.dtype == torch.float32 and found.total == expected.total
    assert all(torch.isfinite(leaf.grad).all() for leaf in leaves(narrow) if leaf.grad is not None)


def test_native_scales_are_the_baseline_row() -> None:
    batch, prediction = full_batch(), networks_output()
    found = motion_objective(batch, prediction, MOTION["packnet_sfm"], 0)
    assert found.measures["photometric_kept"].item() == pytest.approx(1)  # no auto-mask
    first = replace(prediction, inverse_depth=prediction.inverse_depth[:1])
    config = MOTION["packnet_sfm"]
    assert motion_objective(batch, first, config, 0).total.item() == pytest.approx(
        motion_objective(batch, first, replace(config, native_scales=False), 0).total.item()
    )
