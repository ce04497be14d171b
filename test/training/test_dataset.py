"""The torch Dataset: what an item holds, how flips exchange sides, the same batches from any number of workers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from dataset_folders import K_LEFT, K_RIGHT, T_LEFT_RIGHT, Rig, T_odom_left, depth_of, image_of, write_dataset

from depth_perception.errors import ConfigError
from depth_perception.records import DepthKind
from training.batch import Batch
from training.colour_change import ColourRanges, random_change
from training.dataset import Augmentation, DatasetConfig, Draw, FrameDataset, make_loader
from training.samplers import HalfBatches
from training.teacher_labels import TeacherLabel, write_label

MIRROR = np.diag([-1.0, 1, 1, 1])
STORED = DatasetConfig(height=40, width=64, stereo=True)
ALWAYS = Augmentation(flip=1.0, colour=0.0)


def _after_flip_window_and_share(seed: int) -> np.random.Generator:
    rng = np.random.default_rng((seed,))
    rng.random(2), rng.integers(1, size=2), rng.random()
    return rng


def dataset(tmp_path: Path, rig: Rig, config: DatasetConfig = STORED, how: Augmentation | None = None) -> FrameDataset:
    return FrameDataset(write_dataset(tmp_path / "set", rig, supervised=range(rig.frames)), config, how)


def test_an_item_as_it_lies_there(tmp_path: Path) -> None:
    rig = Rig()
    item = dataset(tmp_path, rig)[3]
    assert (item.target.clean == image_of(3, "left", rig)).all() and (
        item.partner.clean == image_of(3, "right", rig)
    ).all()
    assert all((seen.clean == image_of(n, "left", rig)).all() for seen, n in zip(item.sources, (2, 4), strict=True))
    assert (item.K[0] == K_LEFT).all() and (item.K_partner[0] == K_RIGHT).all() and item.K.shape == (4, 3, 3)
    assert np.allclose(item.T_partner_target, np.linalg.inv(T_LEFT_RIGHT))  # p_right = T @ p_left
    for n, T in zip((2, 4), item.T_source_target, strict=True):
        assert np.allclose(T_odom_left(n) @ T, T_odom_left(3))
    for codes, camera in ((item.depth, "left"), (item.partner_depth, "right")):
        truth = depth_of(3, camera, rig)
        assert (codes[np.isfinite(truth)] == np.rint(truth[np.isfinite(truth)] * 256)).all()
        assert not codes[np.isnan(truth)].any()
    assert item.target.changed is item.target.clean and not item.mirrored and item.teacher is None


def test_ends_of_a_drive_lack_a_source(tmp_path: Path) -> None:
    whole = dataset(tmp_path, Rig(frames=3))
    assert [view is None for view in whole[0].sources] == [True, False]
    assert [T is None for T in whole[2].T_source_target] == [False, True]


class TestMirror:
    def test_the_pair_keeps_its_order(self, tmp_path: Path) -> None:
        """The mirrored right image is the target; hand numbers of K, T and depth."""
        rig = Rig()
        item = dataset(tmp_path, rig, how=ALWAYS)[Draw(3, (0,))]
        assert item.mirrored and (item.target.clean == image_of(3, "right", rig)[:, ::-1]).all()
        assert (item.partner.clean == image_of(3, "left", rig)[:, ::-1]).all()
        assert (item.sources[0].clean == image_of(2, "right", rig)[:, ::-1]).all()
        assert item.K[0, 0].tolist() == [52.0, 0, 63 - 33] and item.K_partner[0, 0].tolist() == [50.0, 0, 63 - 30]
        assert np.allclose(item.T_partner_target, MIRROR @ T_LEFT_RIGHT @ MIRROR)
        assert item.T_partner_target[0, 3] == pytest.approx(-0.4)  # still to the right, as without a mirror
        truth = depth_of(3, "right", rig)[:, ::-1]
        assert (item.depth[np.isfinite(truth)] == np.rint(truth[np.isfinite(truth)] * 256)).all()
        T_odom = [T_odom_left(n) @ T_LEFT_RIGHT for n in (2, 3)]
        assert np.allclose(T_odom[0] @ (MIRROR @ item.T_source_target[0] @ MIRROR), T_odom[1])

    @pytest.mark.parametrize("lack", [{"right_context": False}, {"right_depth": False}])
    def test_it_stays_where_the_right_side_lacks_something(self, tmp_path: Path, lack: dict[str, bool]) -> None:
        rig = Rig(**lack)
        item = dataset(tmp_path, rig, how=ALWAYS)[Draw(2, (0,))]
        assert item.mirrored and (item.target.clean == image_of(2, "left", rig)[:, ::-1]).all()
        assert np.allclose(item.T_partner_target, MIRROR @ np.linalg.inv(T_LEFT_RIGHT) @ MIRROR)
        assert item.T_partner_target[0, 3] > 0.38  # the partner is to the left now
        assert item.K[0, 0, 2] == 63 - 30 and (item.partner.clean == image_of(2, "right", rig)[:, ::-1]).all()

    def test_without_a_partner_the_target_stays(self, tmp_path: Path) -> None:
        rig = Rig()
        item = dataset(tmp_path, rig, replace(STORED, stereo=False), ALWAYS)[Draw(3, (0,))]
        assert (item.target.clean == image_of(3, "left", rig)[:, ::-1]).all() and item.T_partner_target is None
        T = np.linalg.inv(T_odom_left(4)) @ T_odom_left(3)
        assert np.allclose(item.T_source_target[1], MIRROR @ T @ MIRROR)

    def test_half_of_the_draws(self, tmp_path: Path) -> None:
        drawn = dataset(tmp_path, Rig(), how=Augmentation())
        items = [drawn[Draw(0, (7, n))] for n in range(400)]
        assert np.mean([item.mirrored for item in items]) == pytest.approx(0.5, abs=0.08)
        assert np.mean([item.target.changed is not item.target.clean for item in items]) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("seed", range(6))
def test_a_crop_shows_the_points_where_its_k_says(tmp_path: Path, seed: int) -> None:
    """Depth (which tells the stored pixel) of target and partner lies where K and T of the item put that ray."""
    rig = Rig()
    how = Augmentation(flip=0.5, narrowest=0.4, colour=0.0)
    item = dataset(tmp_path, rig, DatasetConfig(height=24, width=48, stereo=True), how)[Draw(3, (seed,))]
    for codes, K, right in (
        (item.depth, item.K[0], item.mirrored),
        (item.partner_depth, item.K_partner[0], not item.mirrored),
    ):
        rows, columns = np.nonzero(codes)
        depth = codes[rows, columns] / 256
        stored = np.floor(depth - 2.0 - 3 / 8 - (0.5 if right else 0.0) + 1e-6)  # the column that the depth tells
        K_stored = K_RIGHT if right else K_LEFT
        ray = (stored - K_stored[0, 2]) / K_stored[0, 0] * (-1 if item.mirrored else 1)
        assert len(depth) > 10 and np.abs((columns - K[0, 2]) / K[0, 0] - ray).max() <= 0.5001 / K[0, 0]


def test_both_cameras_of_a_rig_are_streams(tmp_path: Path) -> None:
    rig = Rig(right_context=False)
    both = dataset(tmp_path, rig, replace(STORED, stereo=False, cameras=("left", "right")))
    assert len(both) == 8 + 4  # right images of every other frame
    item = both[1]  # frame 0's right image
    assert (item.target.clean == image_of(0, "right", rig)).all() and item.K[0, 0, 0] == 52.0
    assert item.sources == (None, None)  # no right image of frame 1


def test_depth_is_given_where_a_draw_or_a_mark_says(tmp_path: Path) -> None:
    out = write_dataset(tmp_path / "set", Rig(), supervised=[2, 5])
    marked = FrameDataset(out, STORED)
    assert marked.supervised() == [2, 5]
    assert marked[2].depth is not None and marked[3].depth is None
    assert marked[Draw(2, (0,), False)].depth is None and marked[Draw(3, (0,), True)].partner_depth is not None


class TestBatch:
    def test_values(self, tmp_path: Path) -> None:
        rig = Rig()
        data = dataset(tmp_path, rig)
        batch = data.collate([data[0], data[3]])
        assert len(batch) == 2 and batch.number.tolist() == [0, 3]
        assert batch.target.shape == (2, 3, 40, 64) and batch.target.dtype == torch.uint8
        assert batch.target_input is batch.target and batch.sources_input is batch.sources  # no colour changed: no copy
        batch = batch.floats()
        assert batch.target.dtype == torch.float32
        assert batch.target.is_contiguous(memory_format=torch.channels_last)
        assert np.allclose(batch.target[1].permute(1, 2, 0), image_of(3, "left", rig) / 255, atol=1e-6)
        assert batch.target_input is batch.target
        assert batch.sources.shape == (2, 2, 3, 40, 64) and batch.has_source.tolist() == [[False, True], [True, True]]
        assert not batch.sources[0, 0].any() and batch.has_pose.tolist() == batch.has_source.tolist()
        assert np.allclose(batch.sources[1, 1].permute(1, 2, 0), image_of(4, "left", rig) / 255, atol=1e-6)
        assert np.allclose(batch.depth[1], depth_of(3, "left", rig), atol=1 / 512, equal_nan=True)
        assert np.allclose(batch.partner_depth[1], depth_of(3, "right", rig), atol=1 / 512, equal_nan=True)
        assert batch.T_partner_target.shape == (2, 4, 4) and batch.K_partner.shape == (2, 4, 3, 3)
        assert batch.teacher is None and batch.supervised.all() and batch.has_stereo.all()

    def test_colours_change_for_the_input_only_and_alike_in_all_views(self, tmp_path: Path) -> None:
        data = dataset(tmp_path, Rig(), how=Augmentation(flip=0.0, colour=1.0))
        draw = Draw(3, (5,))
        item = data[draw]
        batch = data.collate([item, data[0]])
        change = random_change(image_of(3, "left", Rig()), ColourRanges(), _after_flip_window_and_share(5))
        for clean, changed in ((batch.target, batch.target_input), (batch.partner, batch.partner_input),
                               (batch.sources[:, 0], batch.sources_input[:, 0])):  # fmt: skip
            expected = change(np.ascontiguousarray(clean[0].permute(1, 2, 0)))
            assert (changed[0].permute(1, 2, 0).numpy() == expected).all()
            assert (changed[0] != clean[0]).float().mean() > 0.5
            assert torch.equal(changed[1], clean[1])  # the second was not drawn

    def test_missing_parts_are_filled_and_flagged(self, tmp_path: Path) -> None:
        out = write_dataset(tmp_path / "set", Rig(name="a", frames=2), supervised=[0])
        write_dataset(out, Rig(name="b", right=False, odometry=False, frames=2))
        data = FrameDataset(out, replace(STORED, teacher=True))
        label = TeacherLabel(np.full((40, 64), 0.25, np.float16), np.full((40, 64), 51, np.uint8),
                             DepthKind.METRIC, "t", "i")  # fmt: skip
        write_label(data.recordings[1].teacher_path(1), label)
        batch = data.collate([data[n] for n in range(4)]).floats()
        assert batch.has_stereo.tolist() == [True, True, False, False]
        assert batch.supervised.tolist() == [True, False, False, False]
        assert batch.has_teacher.tolist() == batch.teacher_metric.tolist() == [False, False, False, True]
        assert batch.has_pose.tolist() == [[False, True], [True, False], [False, False], [False, False]]
        assert batch.depth[1:].isnan().all() and batch.partner_depth[1:].isnan().all()
        assert not batch.partner[2:].any() and not batch.K_partner[2:].any()
        assert batch.teacher[:3].isnan().all() and (batch.teacher[3] == 0.25).all()
        assert torch.allclose(batch.confidence[3], torch.tensor(0.2)) and not batch.confidence[:3].any()
        images = (batch.target, batch.sources, batch.partner)
        assert all(bool(part.isfinite().all()) and part.min() >= 0 and part.max() <= 1 for part in images)

    def test_the_teacher_follows_the_window(self, tmp_path: Path) -> None:
        data = dataset(tmp_path, Rig(), replace(STORED, teacher=True, stereo=False), ALWAYS)
        ramp = np.broadcast_to(np.arange(64, dtype=np.float16), (40, 64)).copy()
        label = TeacherLabel(ramp, ramp.astype(np.uint8), DepthKind.RELATIVE_INVERSE, "t", "i")
        write_label(data.recordings[0].teacher_path(3), label)
        item = data[Draw(3, (0,))]
        assert item.teacher.inverse_depth[0].tolist() == list(range(63, -1, -1)) and not item.teacher.metric
        assert (item.teacher.confidence == item.teacher.inverse_depth).all()

    def test_it_moves(self, tmp_path: Path) -> None:
        data = dataset(tmp_path, Rig())
        moved = data.collate([data[1]]).to("meta")
        assert moved.depth.device.type == "meta" and moved.target_input is moved.target and moved.teacher is None


class TestWorkers:
    def test_batches_do_not_depend_on_their_number(self, tmp_path: Path) -> None:
        out = write_dataset(tmp_path / "set", Rig(frames=7, image_format="jpg"), supervised=[1, 4])
        data = FrameDataset(out, DatasetConfig(height=24, width=48, stereo=True), Augmentation(narrowest=0.5))
        sampler = HalfBatches(len(data), data.supervised(), 4, seed=3)

        def epochs(workers: int) -> list[Batch]:
            loader, batches = make_loader(data, sampler, workers), []
            for epoch in (0, 1):
                sampler.set_epoch(epoch)
                batches += list(loader)
            return batches

        alone, two = epochs(0), epochs(2)
        assert len(alone) == len(two) == 2 * len(sampler)
        for one, other in zip(alone, two, strict=True):
            for name in Batch.__dataclass_fields__:
                a, b = getattr(one, name), getattr(other, name)
                assert (a is None and b is None) or torch.equal(a.nan_to_num(-1), b.nan_to_num(-1)), name
        assert not torch.equal(alone[0].target, alone[len(sampler)].target)  # another epoch, other draws


class TestRefusals:
    def test_no_dataset(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no dataset"):
            FrameDataset(tmp_path, STORED)

    def test_no_sample_of_the_split(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="'val'"):
            dataset(tmp_path, Rig(), replace(STORED, split="val"))

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [({"split": "trian"}, "'trian'"), ({"cameras": ("up",)}, "'up'"), ({"cameras": ()}, "cameras"),
         ({"height": 30}, "30"), ({"scales": 0}, "0")],
    )  # fmt: skip
    def test_options(self, wrong: dict[str, object], said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            DatasetConfig(**wrong)  # type: ignore[arg-type]

    def test_a_damaged_image_is_named(self, tmp_path: Path) -> None:
        data = dataset(tmp_path, Rig())
        data.recordings[0].image_path(4).write_bytes(b"no picture")
        with pytest.raises(ConfigError, match=r"00000004\.png.*damaged"):
            data[4]

    def test_depth_of_another_type_is_named(self, tmp_path: Path) -> None:
        data = dataset(tmp_path, Rig())
        data.recordings[0].depth_path(4).write_bytes(data.recordings[0].image_path(4).read_bytes())
        with pytest.raises(ConfigError, match=r"00000004\.png.*16-bit"):
            data[4]

    def test_a_damaged_label_is_named(self, tmp_path: Path) -> None:
        data = dataset(tmp_path, Rig(), replace(STORED, teacher=True))
        data.recordings[0].teacher_path(4).parent.mkdir(parents=True)
        data.recordings[0].teacher_path(4).write_bytes(b"PK")
        with pytest.raises(ConfigError, match=r"00000004\.npz.*pseudo_label"):
            data[4]
