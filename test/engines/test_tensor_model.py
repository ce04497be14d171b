"""A network without a contract, run as it is: the teacher, and what can't be one."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import pytest
from tiny_networks import HEIGHT, WIDTH, Foreign, contract_answer, contract_graph

from depth_perception.engines.tensor_model import read_tensor_model
from depth_perception.errors import EngineError

pytest.importorskip("openvino")


def test_an_onnx_network(tmp_path):
    onnx.save(contract_graph(), tmp_path / "a.onnx")
    teacher = read_tensor_model(tmp_path / "a.onnx", threads=1)
    assert (teacher.height, teacher.width) == (HEIGHT, WIDTH)
    for seed in (1, 2):
        image = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        np.testing.assert_allclose(teacher(image), contract_answer(image), rtol=1e-5)
    with pytest.raises(EngineError, match="takes uint8"):
        teacher(np.zeros((WIDTH, HEIGHT, 3), np.uint8))


def test_what_can_not_be_run_is_refused(tmp_path):
    for foreign, said in (
        (Foreign(), r"uint8 \[1, H, W, 3\]"),
        (Foreign(dynamic=True), "fixed size"),
        (Foreign("nhwc", "uint8", second_output=True), "one output"),
    ):
        with pytest.raises(EngineError, match=said):
            read_tensor_model(foreign.write(tmp_path / "a.onnx"))
    (tmp_path / "a.tflite").write_bytes(b"no network" * 99)
    with pytest.raises(EngineError, match=r"can't load .*a\.tflite"):
        read_tensor_model(tmp_path / "a.tflite")
    with pytest.raises(EngineError, match="no model file"):
        read_tensor_model(tmp_path / "gone.tflite")


def test_the_teacher_sees_a_kitchen_at_the_right_distance(shared_data):
    """FastDepth (NYU) on 7-Scenes: 0.0717 m a step, as its README says, beside the depth camera's own median."""
    teacher = read_tensor_model(shared_data / "teacher" / "fast_depth_224.tflite")
    folder = shared_data / "7scenes_redkitchen"
    image = cv2.cvtColor(cv2.imread(str(folder / "frame-000000.color.jpg")), cv2.COLOR_BGR2RGB)
    measured = cv2.imread(str(folder / "frame-000000.depth.png"), cv2.IMREAD_UNCHANGED) / 1000.0
    steps = teacher(cv2.resize(image, (teacher.width, teacher.height), interpolation=cv2.INTER_AREA))
    depth = cv2.resize(steps * 0.0717, (640, 480))
    valid = (measured > 0.3) & (measured < 10.0)
    assert (steps.shape, steps.dtype) == ((224, 224), np.float32)
    assert np.median(depth[valid]) == pytest.approx(np.median(measured[valid]), rel=0.25)
    aligned = depth * np.median(measured[valid]) / np.median(depth[valid])
    assert np.mean(np.abs(aligned - measured)[valid] / measured[valid]) < 0.25
    assert np.corrcoef(depth[valid], measured[valid])[0, 1] > 0.6
