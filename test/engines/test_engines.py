"""Every installed backend computes what the network says, gives arrays that stay, and fails with a reason."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tiny_networks import CONTRACT, HEIGHT, WIDTH, contract_answer, contract_graph, model_proto, write_tiny

from depth_perception.config import EngineConfig
from depth_perception.engines import available, load_engine
from depth_perception.errors import EngineError
from depth_perception.model import write_contract

BACKENDS = ["onnxruntime", "openvino"]


def pictures(n, height=HEIGHT, width=WIDTH):
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(n)]


@pytest.fixture(params=BACKENDS)
def backend(request):
    pytest.importorskip(request.param)
    return request.param


@pytest.fixture
def engine(backend, tmp_path):
    engine = load_engine(write_tiny(tmp_path / "a.onnx"), EngineConfig(backend, "cpu", 1)).engine
    yield engine
    engine.close()


def test_gives_the_networks_numbers(engine, backend):
    assert (engine.name, engine.device) == (backend, "cpu")
    for image in pictures(3):
        depth = engine.infer(image)
        assert (depth.dtype, depth.shape) == (np.float32, (HEIGHT, WIDTH))
        np.testing.assert_allclose(depth, contract_answer(image), rtol=1e-5)


def test_the_array_is_the_callers(engine):
    first, second = pictures(2)
    depth = engine.infer(first)
    engine.infer(second)
    np.testing.assert_allclose(depth, contract_answer(first), rtol=1e-5)
    assert depth.flags.writeable
    depth[:] = 0
    np.testing.assert_allclose(engine.infer(second), contract_answer(second), rtol=1e-5)


def test_the_image_stays_as_it_was_and_may_be_any_view(engine):
    base = pictures(1, HEIGHT * 2, WIDTH)[0]
    view = base[::2, ::-1]
    kept = base.copy()
    np.testing.assert_allclose(engine.infer(view), contract_answer(view), rtol=1e-5)
    assert np.array_equal(base, kept)
    view = pictures(1)[0]
    view.flags.writeable = False  # a view of a message is
    np.testing.assert_allclose(engine.infer(view), contract_answer(view), rtol=1e-5)


def test_another_shape_or_type_is_refused(engine):
    for image in (
        np.zeros((WIDTH, HEIGHT, 3), np.uint8),
        np.zeros((HEIGHT, WIDTH), np.uint8),
        np.zeros((HEIGHT, WIDTH, 3), np.float32),
    ):
        with pytest.raises(EngineError, match=r"takes uint8 \(12, 20, 3\)"):
            engine.infer(image)


def test_a_closed_engine_says_so(engine):
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(pictures(1)[0])


def test_runs_on_another_thread_than_it_was_loaded_on(engine):
    image, answers = pictures(1)[0], []
    thread = threading.Thread(target=lambda: answers.append(engine.infer(image)))
    thread.start()
    thread.join()
    np.testing.assert_allclose(answers[0], contract_answer(image), rtol=1e-5)


SIGNALLED = """
import signal, sys, threading
from depth_perception.config import EngineConfig
from depth_perception.engines import load_engine
from depth_perception.model import load_model
heard = []
signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
engine = load_engine(load_model(sys.argv[1]), EngineConfig(sys.argv[2], "cpu", 1)).engine
closing = threading.Thread(target=engine.close)
closing.start()
closing.join()
del engine
signal.raise_signal(signal.SIGTERM)
sys.exit(heard != [signal.SIGTERM])
"""


def test_a_signal_is_handled_after_another_thread_closed_the_engine(backend, tmp_path):
    """The node's inference thread closes a model of another shape: OpenVINO then left a freed signal stack behind."""
    path = write_tiny(tmp_path / "a.onnx").path
    run = subprocess.run([sys.executable, "-c", SIGNALLED, str(path), backend], capture_output=True, text=True)
    assert run.returncode == 0, run


@pytest.mark.parametrize("opset", [11, 13, 17, 21])
def test_every_opset_of_the_contract_loads(backend, tmp_path, opset):
    model = write_contract(contract_graph(opset=opset), CONTRACT, tmp_path / "a.onnx")
    image = pictures(1)[0]
    engine = load_engine(model, EngineConfig(backend, "cpu")).engine
    np.testing.assert_allclose(engine.infer(image), contract_answer(image), rtol=1e-5)


def test_a_file_that_changed_under_us_names_file_backend_and_reason(backend, tmp_path):
    """Valid header, unknown operator: only the backend can find out."""
    model = write_tiny(tmp_path / "a.onnx")
    proto = onnx.load(model.path)
    proto.graph.node[-1].op_type = "NoSuchOperator"
    onnx.save(proto, model.path)
    with pytest.raises(EngineError, match=rf"{backend}/cpu: .* on cpu can't load .*a\.onnx.*NoSuchOperator"):
        load_engine(model, EngineConfig(backend, "cpu"))


def test_a_failure_while_running_is_an_engine_error(tmp_path):
    """A reshape that only fails for bright images: as good as a lost device."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["float"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["values", "index"], ["value"], axis=0),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[3], keepdims=0),
        helper.make_node("Add", ["mean", "value"], ["depth"]),
    ]
    proto = model_proto(
        nodes,
        ("image", TensorProto.UINT8, [1, HEIGHT, WIDTH, 3]),
        [("depth", TensorProto.FLOAT, [1, HEIGHT, WIDTH])],
        {"values": np.zeros(200, np.float32)},
        13,
    )
    model = write_contract(proto, CONTRACT, tmp_path / "a.onnx")
    engine = load_engine(model, EngineConfig("onnxruntime", "cpu")).engine
    engine.infer(np.full((HEIGHT, WIDTH, 3), 199, np.uint8))
    with pytest.raises(EngineError, match=r"ONNX Runtime on cpu failed: .*indices"):
        engine.infer(np.full((HEIGHT, WIDTH, 3), 200, np.uint8))
    engine.infer(np.full((HEIGHT, WIDTH, 3), 199, np.uint8))


def test_onnxruntime_takes_the_threads_it_is_given_and_does_not_spin(tmp_path):
    engine = load_engine(write_tiny(tmp_path / "a.onnx"), EngineConfig("onnxruntime", "cpu", 3)).engine
    options = engine._session.get_session_options()
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_cuda_session_that_ends_on_the_cpu_is_no_cuda_session(tmp_path, monkeypatch):
    """Without its libraries ONNX Runtime only warns and goes on on the CPU: `auto` must see through that."""
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    model = write_tiny(tmp_path / "a.onnx")
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"), pytest.raises(EngineError, match="fell back to CPU"):
        load_engine(model, EngineConfig("onnxruntime", "cuda"))
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        choice = load_engine(model, EngineConfig("onnxruntime"))
    assert choice.label == "onnxruntime/cpu"
    assert "onnxruntime/cuda: ONNX Runtime fell back" in choice.reason


def test_openvino_takes_the_threads_it_is_given_and_keeps_float32(tmp_path):
    pytest.importorskip("openvino")
    engine = load_engine(write_tiny(tmp_path / "a.onnx"), EngineConfig("openvino", "cpu", 1)).engine
    compiled = engine._request.get_compiled_model()
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
    assert compiled.get_property("ENABLE_CPU_PINNING") is False
    assert compiled.get_property("INFERENCE_PRECISION_HINT").type_name == "f32"


def test_doctor_sees_every_backend_with_its_remedy():
    found = {item.name: item for item in available()}
    assert found["onnxruntime/cpu"].usable
    assert {"onnxruntime/cuda", "openvino/cpu", "openvino/gpu"} <= set(found)
    for item in found.values():
        assert item.usable == (not item.reason)
        assert item.usable or "install" in item.reason
