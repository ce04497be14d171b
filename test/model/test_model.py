"""A file keeps the contract, or is refused with the reason and the remedy."""

from __future__ import annotations

import hashlib
import math
import re
import subprocess
import sys
from dataclasses import replace

import onnx
import pytest
from tiny_networks import CONTRACT, HEIGHT, WIDTH, Foreign, contract_graph, write_tiny

from depth_perception.contract import CONTRACT_VERSION, Contract
from depth_perception.errors import ModelError
from depth_perception.model import load_model, resolve_model, write_contract
from depth_perception.records import DepthKind


def with_metadata(path, **changes):
    """The tiny model with metadata keys changed (None: removed), written without our checks."""
    model = contract_graph()
    metadata = {**CONTRACT.to_metadata(), **{f"depth_perception.{key}": value for key, value in changes.items()}}
    onnx.helper.set_model_props(model, {key: value for key, value in metadata.items() if value is not None})
    onnx.save(model, path)
    return path


def test_what_is_written_is_read(tmp_path):
    for kind in DepthKind:
        for focal, std in ((301.25, 0.125), (None, math.nan)):
            contract = replace(CONTRACT, kind=kind, canonical_focal=focal, relative_std=std, training="räume, ½")
            path = tmp_path / f"{kind.value}{focal}.onnx"
            write_contract(contract_graph(), contract, path)
            read = load_model(path).contract
            if focal is None:
                assert math.isnan(read.relative_std)
                read = replace(read, relative_std=0.0)
                contract = replace(contract, relative_std=0.0)
            assert read == contract
    assert not list(tmp_path.glob("*.part"))


def test_writing_keeps_other_metadata_and_replaces_ours(tmp_path):
    model = contract_graph()
    onnx.helper.set_model_props(model, {"author": "me", "depth_perception.stale": "1"})
    write_contract(model, CONTRACT, tmp_path / "a.onnx")
    write_contract(tmp_path / "a.onnx", replace(CONTRACT, name="second"), tmp_path / "a.onnx")
    metadata = {item.key: item.value for item in onnx.load(tmp_path / "a.onnx").metadata_props}
    assert metadata["author"] == "me"
    assert metadata["depth_perception.name"] == "second"
    assert "depth_perception.stale" not in metadata


def test_writing_a_network_that_does_not_keep_the_contract_leaves_nothing(tmp_path):
    with pytest.raises(ModelError, match=re.escape("the contract says 'image' uint8 [1, 12, 20, 3]")):
        write_contract(Foreign().proto(), CONTRACT, tmp_path / "a.onnx")
    with pytest.raises(ModelError, match=re.escape("[1, 20, 12, 3]")):
        write_contract(contract_graph(), replace(CONTRACT, height=20, width=12), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_sha256_is_the_files(tmp_path):
    model = write_tiny(tmp_path / "a.onnx")
    assert model.sha256 == hashlib.sha256((tmp_path / "a.onnx").read_bytes()).hexdigest()


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"there is no model file .*gone\.onnx.*'default'"):
        load_model(tmp_path / "gone.onnx")
    (tmp_path / "text.onnx").write_text("not a network, only text\n" * 20)
    with pytest.raises(ModelError, match=r"text\.onnx' is not ONNX"):
        load_model(tmp_path / "text.onnx")
    with pytest.raises(ModelError, match=r"no model contract.*depth-perception model import"):
        load_model(Foreign().write(tmp_path / "foreign.onnx"))


def test_a_truncated_file_is_refused(tmp_path):
    data = write_tiny(tmp_path / "a.onnx").path.read_bytes()
    for share in (0.1, 0.5, 0.9, 0.99):
        (tmp_path / "cut.onnx").write_bytes(data[: int(share * len(data))])
        with pytest.raises(ModelError, match=r"cut off|is not ONNX|can't be used"):
            load_model(tmp_path / "cut.onnx")


@pytest.mark.parametrize("opset", [9, 22])
def test_an_opset_out_of_range_is_refused(tmp_path, opset):
    model = contract_graph(opset=opset)
    onnx.helper.set_model_props(model, CONTRACT.to_metadata())
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(ModelError, match=f"opset is {opset}, supported are 11 to 21: export it again"):
        load_model(tmp_path / "a.onnx")


def test_input_and_output_must_be_the_contracts(tmp_path):
    for change in (
        lambda m: m.graph.input[0].type.tensor_type.shape.dim[1].__setattr__("dim_param", "h"),
        lambda m: m.graph.input[0].type.tensor_type.__setattr__("elem_type", onnx.TensorProto.FLOAT),
        lambda m: m.graph.output[0].__setattr__("name", "inverse"),
        lambda m: m.graph.output[0].type.tensor_type.__setattr__("elem_type", onnx.TensorProto.FLOAT16),
        lambda m: m.graph.output.append(m.graph.output[0]),
    ):
        model = contract_graph()
        change(model)
        onnx.helper.set_model_props(model, CONTRACT.to_metadata())
        onnx.save(model, tmp_path / "a.onnx")
        with pytest.raises(ModelError, match=r"its (in|out)put is .*, the contract says '(image|depth)'"):
            load_model(tmp_path / "a.onnx")


def test_external_weights_are_refused_and_merged_by_writing(tmp_path):
    model = contract_graph()
    onnx.helper.set_model_props(model, CONTRACT.to_metadata())
    onnx.save(model, tmp_path / "a.onnx", save_as_external_data=True, size_threshold=0, location="weights.bin")
    with pytest.raises(ModelError, match="weights lie in another file"):
        load_model(tmp_path / "a.onnx")
    write_contract(tmp_path / "a.onnx", CONTRACT, tmp_path / "b.onnx")
    (tmp_path / "weights.bin").unlink()
    assert load_model(tmp_path / "b.onnx").contract == CONTRACT
    with pytest.raises(ModelError, match="can't be read"):
        write_contract(tmp_path / "a.onnx", CONTRACT, tmp_path / "c.onnx")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"contract_version": str(CONTRACT_VERSION + 1)}, "version 2, this package knows 1: upgrade"),
        ({"contract_version": None}, "lacks depth_perception.contract_version"),
        ({"contract_version": "new"}, "'new', which is no number"),
        ({"output": "disparity"}, "output 'disparity', which is not one of"),
        ({"output": None}, "lacks depth_perception.output"),
        ({"input_width": None}, "lacks depth_perception.input_width"),
        ({"input_width": "20.5"}, "'20.5', which is no number"),
        ({"input_width": "24"}, "the contract says 'image' uint8 [1, 12, 24, 3]"),
        ({"min_depth": None}, "lacks depth_perception.min_depth"),
        ({"max_depth": "0.05"}, "0 < min_depth < max_depth"),
        ({"max_depth": "nan"}, "0 < min_depth < max_depth"),
        ({"canonical_focal": "-3"}, "canonical_focal -3.0"),
        ({"relative_std": "-0.1"}, "relative_std -0.1"),
        ({"licence": None}, "lacks depth_perception.licence"),
    ],
)
def test_a_contract_that_can_not_be_kept_is_refused(tmp_path, changes, said):
    path = with_metadata(tmp_path / "a.onnx", **changes)
    with pytest.raises(ModelError, match=re.escape(said)) as caught:
        load_model(path)
    assert "a.onnx" in str(caught.value)


def test_keys_that_this_version_does_not_know_do_no_harm(tmp_path):
    assert load_model(with_metadata(tmp_path / "a.onnx", remark="x")).contract == CONTRACT


def test_contract_of_nonsense_is_refused():
    with pytest.raises(ModelError, match="0x20"):
        replace(CONTRACT, height=0)
    with pytest.raises(ModelError, match="no model contract"):
        Contract.from_metadata({"author": "me"})


def test_default_model_is_the_shape_nearest_the_camera(tmp_path):
    for height, width in ((256, 320), (192, 640)):
        (tmp_path / f"default_{height}x{width}.onnx").touch()
    (tmp_path / "default_old.onnx").touch()
    wide, square = tmp_path / "default_192x640.onnx", tmp_path / "default_256x320.onnx"
    assert resolve_model("default", folder=tmp_path) == square
    assert resolve_model("default", 480, 640, tmp_path) == square
    assert resolve_model("default", 640, 480, tmp_path) == square
    assert resolve_model("default", 376, 1241, tmp_path) == wide
    # 720x1280: log(0.5625) is 0.351 from log(0.8) and 0.630 from log(0.3)
    assert resolve_model("default", 720, 1280, tmp_path) == square
    # 520x1000: log(0.52) is 0.431 from log(0.8) and 0.550 from log(0.3); by the plain ratio it would be the wide one
    assert resolve_model("default", 520, 1000, tmp_path) == square


def test_resolve_takes_paths_and_says_what_is_missing(tmp_path, monkeypatch):
    model = write_tiny(tmp_path / "a.onnx")
    assert resolve_model(str(model.path)) == model.path
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve_model("~/a.onnx") == model.path
    with pytest.raises(ModelError, match=r"no model file 'nowhere\.onnx'"):
        resolve_model("nowhere.onnx")
    with pytest.raises(ModelError, match="no default model is installed in"):
        resolve_model("default", folder=tmp_path)


def test_reading_a_model_needs_no_onnx_and_no_engine(tmp_path):
    write_tiny(tmp_path / "a.onnx")
    code = (
        "import sys; from depth_perception.model import load_model;"
        f"print(load_model({str(tmp_path / 'a.onnx')!r}).contract.width);"
        "sys.exit(any(name in sys.modules for name in ('onnx', 'onnxruntime', 'openvino', 'torch', 'cv2', 'rclpy')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, str(WIDTH)), done.stderr
    assert HEIGHT != WIDTH
