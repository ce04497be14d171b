"""`depth-perception model info|import` as a user types it."""

from __future__ import annotations

import pytest
from tiny_networks import Foreign, write_tiny

from depth_perception.cli import main


def test_import_then_info(tmp_path, capsys):
    source, out = Foreign(dynamic=True).write(tmp_path / "net.onnx"), tmp_path / "out.onnx"
    words = [
        "--kind",
        "metric_depth",
        "--range",
        "0.5",
        "20",
        "--licence",
        "MIT",
        "--size",
        "12x20",
        "--mean",
        "0.485",
        "0.456",
        "0.406",
        "--std",
        "0.229",
        "0.224",
        "0.225",
        "--canonical-focal",
        "300",
    ]
    assert main(["model", "import", str(source), str(out), *words]) == 0
    assert "computes what the original does" in capsys.readouterr().out
    assert main(["model", "info", str(out)]) == 0
    said = capsys.readouterr().out
    for part in ("metric_depth", "12x20", "300 px", "0.5 to 20 m", "MIT", "opset 17", "not measured", "not stated"):
        assert part in said
    assert main(["model", "import", str(source), str(out), *words]) == 1
    assert "exists already" in capsys.readouterr().err


def test_info_of_a_metric_model_and_of_no_model(tmp_path, capsys):
    model = write_tiny(tmp_path / "a.onnx", canonical_focal=None)
    assert main(["model", "info", str(model.path)]) == 0
    said = capsys.readouterr().out
    assert model.sha256 in said
    assert "depth doesn't follow the focal length" in said
    assert "0.250" in said
    assert main(["model", "info", str(tmp_path / "gone.onnx")]) == 1
    assert capsys.readouterr().err.startswith("error: there is no model file")


@pytest.mark.parametrize("size", ["12", "12x", "0x20", "12X20", "ax20"])
def test_a_size_that_is_none_is_refused(tmp_path, capsys, size):
    words = ["--kind", "metric_depth", "--range", "1", "2", "--licence", "x", "--size", size]
    with pytest.raises(SystemExit):
        main(["model", "import", "a", "b", *words])
    assert "write HEIGHTxWIDTH" in capsys.readouterr().err
