"""Pseudo-labels by a model file, and their cache."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from depth_perception.errors import ModelError
from depth_perception.records import DepthKind
from training.teacher import LabelCache, Teacher

IMAGE = np.random.default_rng(0).integers(1, 255, (12, 20, 3)).astype(np.uint8)


class Counting:
    """A teacher that says its image's red channel and counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, image: np.ndarray) -> np.ndarray:
        self.calls += 1
        return image[..., 0].astype(np.float32) / 3


class TestLabelCache:
    def test_the_second_question_is_not_asked(self, tmp_path: Path) -> None:
        teacher = Counting()
        cache = LabelCache(teacher, "a", tmp_path)
        first, second = cache(IMAGE), cache(IMAGE)
        assert teacher.calls == 1 and (cache.hits, cache.misses) == (1, 1)
        assert first.dtype == np.float32 and (first == second).all()  # rounded alike, cached or not
        assert np.allclose(first, IMAGE[..., 0] / 3, rtol=1e-3)
        assert np.load(cache.path(IMAGE))["inverse_depth"].dtype == np.float16

    def test_a_stopped_run_goes_on_where_it_was(self, tmp_path: Path) -> None:
        images = [np.roll(IMAGE, shift, axis=0) for shift in range(6)]
        before = LabelCache(Counting(), "a", tmp_path)
        labels = [before(image) for image in images[:4]]
        teacher = Counting()
        after = LabelCache(teacher, "a", tmp_path)
        resumed = [after(image) for image in images]
        assert teacher.calls == 2 and (after.hits, after.misses) == (4, 2)
        assert all((old == new).all() for old, new in zip(labels, resumed, strict=False))

    @pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "other key", "other size", "other type"])
    def test_a_damaged_entry_is_made_anew(self, tmp_path: Path, damage: str) -> None:
        teacher = Counting()
        cache = LabelCache(teacher, "a", tmp_path)
        label, path = cache(IMAGE), cache.path(IMAGE)
        content = path.read_bytes()
        if damage == "other key":
            np.savez(path, depth=np.zeros((12, 20), np.float16))
        elif damage == "other size":
            np.savez(path, inverse_depth=np.zeros((20, 12), np.float16))
        elif damage == "other type":
            np.savez(path, inverse_depth=np.zeros((12, 20), np.float64))
        else:
            path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "garbage": content[::-1]}[damage])
        assert (cache(IMAGE) == label).all() and teacher.calls == 2
        assert (cache(IMAGE) == label).all() and teacher.calls == 2  # and is whole again

    def test_a_flipped_bit_is_noticed(self, tmp_path: Path) -> None:
        cache = LabelCache(Counting(), "a", tmp_path)
        label, path = cache(IMAGE), cache.path(IMAGE)
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 0xFF
        path.write_bytes(bytes(content))
        assert (cache(IMAGE) == label).all()

    def test_another_image_or_teacher_is_another_entry(self, tmp_path: Path) -> None:
        cache, other = LabelCache(Counting(), "a", tmp_path), LabelCache(Counting(), "b", tmp_path)
        changed = IMAGE.copy()
        changed[5, 7, 2] ^= 1
        turned = IMAGE.reshape(20, 12, 3)  # the same bytes in another shape
        paths = {cache.path(IMAGE), cache.path(changed), cache.path(turned), other.path(IMAGE)}
        assert len(paths) == 4
        assert cache.path(IMAGE[:, ::-1][:, ::-1]) == cache.path(IMAGE)  # content, not memory layout

    def test_unknown_pixels_are_kept(self, tmp_path: Path) -> None:
        cache = LabelCache(lambda image: np.where(image[..., 0] > 99, np.nan, 1.0).astype(np.float32), "a", tmp_path)
        for _ in range(2):
            assert (np.isnan(cache(IMAGE)) == (IMAGE[..., 0] > 99)).all()


def brightness_model(path: Path, kind: DepthKind) -> Path:
    """An ONNX file with our contract whose output is the mean of the colour channels."""
    onnx = pytest.importorskip("onnx")
    from depth_perception.model import Contract, write_contract

    helper, types = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node("Cast", ["image"], ["float"], to=types.FLOAT),
         helper.make_node("ReduceMean", ["float"], ["depth"], axes=[3], keepdims=0)],
        "brightness",
        [helper.make_tensor_value_info("image", types.UINT8, [1, 12, 20, 3])],
        [helper.make_tensor_value_info("depth", types.FLOAT, [1, 12, 20])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    contract = Contract(kind, height=12, width=20, min_depth=0.1, max_depth=100.0, licence="Apache-2.0")
    return write_contract(model, contract, path).path


class TestModelTeacher:
    @pytest.mark.parametrize(
        ("kind", "inverse"),
        [
            (DepthKind.METRIC, True),
            (DepthKind.SCALED, True),
            (DepthKind.METRIC_INVERSE, False),
            (DepthKind.RELATIVE_INVERSE, False),
        ],
    )
    def test_a_model_with_contract_says_what_it_means(self, tmp_path: Path, kind: DepthKind, inverse: bool) -> None:
        teacher = Teacher(brightness_model(tmp_path / "m.onnx", kind), kind=DepthKind.METRIC, unit=99.0, threads=1)
        mean = IMAGE.mean(axis=2)
        assert np.allclose(teacher(IMAGE), 1 / mean if inverse else mean, rtol=1e-5)

    def test_no_depth_is_unknown_not_infinite(self, tmp_path: Path) -> None:
        teacher = Teacher(brightness_model(tmp_path / "m.onnx", DepthKind.METRIC), DepthKind.METRIC, 1.0, threads=1)
        image = IMAGE.copy()
        image[3, 4] = 0
        label = teacher(image)
        assert np.isnan(label[3, 4]) and np.isfinite(label).sum() == label.size - 1

    def test_the_identity_follows_weights_kind_and_unit(self, tmp_path: Path) -> None:
        path = brightness_model(tmp_path / "m.onnx", DepthKind.METRIC)
        other = brightness_model(tmp_path / "n.onnx", DepthKind.METRIC_INVERSE)
        first, again, second = (Teacher(item, DepthKind.METRIC, 1.0, 1).identity for item in (path, path, other))
        assert first == again != second

    def test_a_missing_file_is_named(self) -> None:
        with pytest.raises(ModelError, match=r"nowhere\.tflite.*--teacher"):
            Teacher(Path("nowhere.tflite"), DepthKind.METRIC, 1.0)

    def test_fastdepth_knows_the_kitchen(self, shared_data: Path) -> None:
        pytest.importorskip("openvino")
        path = shared_data / "teacher" / "fast_depth_224.tflite"
        teacher = Teacher(path, DepthKind.METRIC, 0.0717, threads=1)
        assert Teacher(path, DepthKind.METRIC, 0.07, threads=1).identity != teacher.identity
        frame = str(shared_data / "7scenes_redkitchen" / "frame-000000")
        image = cv2.imread(f"{frame}.color.jpg")[..., ::-1]
        truth = cv2.imread(f"{frame}.depth.png", cv2.IMREAD_UNCHANGED).astype(np.float64) / 1000
        depth = 1 / teacher(np.ascontiguousarray(image))
        known = (truth > 0) & (truth < 60)
        error = np.abs(depth - truth)[known] / truth[known]
        assert depth.shape == truth.shape
        assert error.mean() < 0.2  # in metres, unaligned; BGR for RGB, or a mirrored map, is far off
