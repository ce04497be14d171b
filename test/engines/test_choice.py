"""Which backend is chosen, why, and that one which computes something else is refused. Backends here are fake files."""

from __future__ import annotations

import importlib
import sys
import textwrap
from dataclasses import replace

import numpy as np
import onnx
import pytest
from tiny_networks import CONTRACT, contract_answer, write_tiny

from depth_perception import engines
from depth_perception.config import EngineConfig
from depth_perception.engines import REFERENCE, available, load_engine
from depth_perception.engines.golden import golden_images
from depth_perception.errors import EngineError

REAL = ("onnxruntime", "openvino")


@pytest.fixture
def model(tmp_path):
    return write_tiny(tmp_path / "a.onnx")


@pytest.fixture
def drop(tmp_path, monkeypatch):
    """Put a file `<name>_engine.py` into the package's search path; its engine computes `formula`."""
    folder = tmp_path / "engines"
    folder.mkdir()
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(folder)])
    dropped = []

    def put(name, ranks, formula="truth", problem="", load_error=""):
        (folder / f"{name}_engine.py").write_text(
            textwrap.dedent(f"""
            import numpy as np
            from depth_perception.errors import EngineError
            from tiny_networks import contract_answer

            RANKS = {ranks!r}

            def unusable(device):
                return {problem!r}

            def create(model, device, threads):
                if {load_error!r}:
                    raise EngineError({load_error!r})
                return Fake(device, threads)

            class Fake:
                name = {name!r}
                calls = 0
                closed = False

                def __init__(self, device, threads):
                    self.device, self.threads = device, threads

                def infer(self, image):
                    self.calls += 1
                    truth = contract_answer(image)
                    return np.asarray({formula}, np.float32)

                def close(self):
                    Fake.closed = True
            """)
        )
        dropped.append(f"depth_perception.engines.{name}_engine")
        importlib.invalidate_caches()

    yield put
    for name in dropped:
        sys.modules.pop(name, None)
        vars(engines).pop(name.rpartition(".")[2], None)


def test_a_dropped_file_is_discovered_and_chosen_by_its_rank(model, drop):
    drop("xyz", {"cpu": 5, "cuda": 55})
    choice = load_engine(model, EngineConfig(threads=7))
    assert choice.label == "xyz/cpu"
    assert choice.engine.threads == 7
    assert "auto" in choice.reason
    assert "of onnxruntime/cpu" in choice.reason
    names = [item.name for item in available()]
    assert names[0] == "xyz/cpu"
    assert names.index("openvino/cpu") < names.index("onnxruntime/cpu") < names.index("xyz/cuda")


def test_cuda_goes_before_openvino_and_that_before_the_cpu():
    names = [item.name for item in available()]
    assert names.index("onnxruntime/cuda") < names.index("openvino/cpu") < names.index("onnxruntime/cpu")


def test_auto_says_why_the_better_ones_were_not_taken(model, drop):
    drop("gone", {"cuda": 1}, problem="not installed: pip install gone")
    drop("broken", {"cpu": 2}, load_error="no memory")
    drop("good", {"cpu": 3})
    choice = load_engine(model)
    assert choice.label == "good/cpu"
    assert "gone/cuda: not installed: pip install gone" in choice.reason
    assert "broken/cpu: no memory" in choice.reason


def test_a_named_backend_that_is_missing_is_an_error_with_the_line_to_type(model, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    for name in REAL:
        with pytest.raises(EngineError, match=f"pip install {name}"):
            load_engine(model, EngineConfig(backend=name))
    with pytest.raises(EngineError, match=r"openvino/cpu: OpenVINO is not installed.*onnxruntime/cpu: ONNX Runtime is"):
        load_engine(model)


def test_a_backend_that_is_installed_but_can_not_be_imported_is_passed_over(model, monkeypatch):
    pytest.importorskip("openvino")

    def compile_model(*arguments):
        raise ImportError("libtbb.so.12: cannot open shared object file")

    monkeypatch.setattr("depth_perception.engines.openvino_engine.compile_model", compile_model)
    choice = load_engine(model, EngineConfig(device="cpu"))
    assert choice.label == "onnxruntime/cpu"
    assert "openvino/cpu: it is installed but can't be imported: libtbb.so.12" in choice.reason


def test_unknown_names_are_refused_with_the_known_ones(model, drop):
    drop("xyz", {"npu": 5})
    with pytest.raises(EngineError, match=r"unknown backend 'onnx': choose one of \['auto', 'onnxruntime', 'openvino'"):
        load_engine(model, EngineConfig(backend="onnx"))
    with pytest.raises(EngineError, match=r"device 'tpu': choose one of \['auto', 'cpu', 'cuda', 'gpu', 'npu'\]"):
        load_engine(model, EngineConfig(device="tpu"))
    with pytest.raises(EngineError, match=r"knows the devices \['npu'\]"):
        load_engine(model, EngineConfig(backend="xyz", device="cpu"))


def test_device_alone_restricts_auto(model, drop):
    drop("xyz", {"cpu": 50, "cuda": 1})
    assert load_engine(model, EngineConfig(device="cuda")).label == "xyz/cuda"
    assert load_engine(model, EngineConfig(backend="xyz")).label == "xyz/cuda"
    assert load_engine(model, EngineConfig(backend="xyz", device="cpu")).label == "xyz/cpu"


def test_what_failed_while_it_ran_is_left_out(model, drop):
    drop("xyz", {"cuda": 1, "cpu": 2})
    choice = load_engine(model, exclude=frozenset({"xyz/cuda"}))
    assert choice.label == "xyz/cpu"
    assert "xyz/cuda: failed while it ran" in choice.reason
    assert load_engine(model, exclude=frozenset({"xyz"})).engine.name in REAL


def test_others_stand_in_for_a_named_backend_that_failed(model, drop):
    drop("xyz", {"cuda": 1})
    named = EngineConfig(backend="xyz", device="cuda")
    assert load_engine(model, named, frozenset({"xyz/cuda"})).engine.name in REAL
    with pytest.raises(EngineError, match="xyz: failed while it ran"):
        load_engine(model, named, frozenset({"xyz", *REAL}))


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("truth * 1.05", r"disagrees .* relative error 0\.05"),
        ("truth[::-1]", "disagrees"),
        ("truth[:, ::-1]", "disagrees"),
        ("truth * (1 if self.calls < 3 else 1.1)", "disagrees"),  # the scale changes from frame to frame
        ("np.where(np.arange(20) < 4, 0, truth)", "disagrees"),  # a fifth of the image is wrong
        ("np.where(image[..., 0] < 9, np.nan, truth)", "NaN or Inf"),
        ("truth[None]", r"gives float32 \(1, 12, 20\)"),
        ("truth.T", r"gives float32 \(20, 12\)"),
        ("contract_answer(image[..., ::-1])", "disagrees"),
    ],
)
def test_an_engine_that_lies_is_refused(model, drop, formula, said):
    drop("liar", {"cpu": 1}, formula)
    with pytest.raises(EngineError, match=said):
        load_engine(model, EngineConfig(backend="liar"))
    assert sys.modules["depth_perception.engines.liar_engine"].Fake.closed
    choice = load_engine(model)
    assert choice.engine.name in REAL
    assert "liar/cpu: it " in choice.reason


def test_rounding_is_no_lie(model, drop):
    drop("half", {"cpu": 1}, "truth.astype(np.float16) * 1.004")
    choice = load_engine(model)
    assert choice.label == "half/cpu"
    assert "within 0.0039 of onnxruntime/cpu" in choice.reason


def test_without_onnxruntime_the_choice_says_that_nothing_was_compared(model, drop, monkeypatch):
    drop("xyz", {"cpu": 1}, "truth * 3")
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    choice = load_engine(model, EngineConfig(backend="xyz"))
    assert f"not compared with {REFERENCE}: ONNX Runtime is not installed" in choice.reason


def test_golden_images_are_the_same_everywhere_and_not_flat():
    first, second = golden_images(12, 20)
    assert np.array_equal(first, golden_images(12, 20)[0])
    assert np.array_equal(second, first[:, ::-1])
    assert first.std() > 30
    large = golden_images(192, 640)[0].astype(int)
    assert large.shape == (192, 640, 3)
    assert int(np.abs(np.diff(large, axis=1)).max()) > 60  # it has edges


def test_the_reference_alone_needs_no_comparison(model):
    choice = load_engine(model, EngineConfig("onnxruntime", "cpu"))
    assert "which is the reference" in choice.reason
    image = golden_images(12, 20)[0]
    np.testing.assert_allclose(choice.engine.infer(image), contract_answer(image), rtol=1e-5)


def test_a_model_whose_file_went_away(model):
    gone = replace(model, path=model.path.with_name("gone.onnx"), contract=CONTRACT)
    with pytest.raises(EngineError, match=r"gone\.onnx"):
        load_engine(gone)


def test_a_model_that_the_reference_can_not_load_is_not_compared_and_that_is_said(model, drop):
    drop("xyz", {"cpu": 1})
    proto = onnx.load(model.path)
    proto.graph.node[-1].op_type = "NoSuchOperator"
    onnx.save(proto, model.path)
    choice = load_engine(model)
    assert choice.label == "xyz/cpu"
    assert f"not compared with {REFERENCE}: ONNX Runtime on cpu can't load" in choice.reason
