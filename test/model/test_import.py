"""Foreign networks of every layout, wrapped, give the values that were worked out by hand."""

from __future__ import annotations

import math
import re

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from tiny_networks import HEIGHT, WEIGHTS, WIDTH, Foreign, model_proto

from depth_perception import model_import
from depth_perception.errors import ModelError
from depth_perception.foreign_model import Preprocessing, fix_interface
from depth_perception.model import load_model
from depth_perception.model_import import import_model
from depth_perception.records import DepthKind

IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
PLAIN = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1), scale=1.0)
UINT8 = Preprocessing()
FACTS = {"kind": DepthKind.RELATIVE_INVERSE, "min_depth": 0.5, "max_depth": 80.0, "licence": "MIT"}


def image():
    return np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def run(path, picture):
    return onnxruntime.InferenceSession(str(path)).run(["depth"], {"image": picture[None]})[0]


def imported(tmp_path, foreign, preprocessing, **options):
    source = foreign.write(tmp_path / "source.onnx")
    model = import_model(source, tmp_path / "out.onnx", preprocessing=preprocessing, **FACTS | options)
    return run(model.path, image())


def by_hand(mean, std, scale, order=(0, 1, 2)):
    """1 + Σ weight · (channel · scale − mean) / std, written out pixel for pixel."""
    answer = np.ones((HEIGHT, WIDTH))
    for k in range(3):
        answer += WEIGHTS[k] * (image()[..., order[k]].astype(float) * scale - mean[k]) / std[k]
    return answer


def test_one_pixel_by_calculator(tmp_path):
    """Grey 128 under ImageNet: 128/255 = 0.501961; (.016961/.229, .045961/.224, .095961/.225) · (.5, .3, .2) + 1."""
    model = import_model(Foreign().write(tmp_path / "in.onnx"), tmp_path / "out.onnx", preprocessing=IMAGENET, **FACTS)
    grey = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    wanted = 1 + 0.5 * 0.074065 + 0.3 * 0.205182 + 0.2 * 0.426492
    assert run(model.path, grey)[0, 3, 4] == pytest.approx(wanted, abs=2e-5)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_mean_and_std_in_every_layout(tmp_path, layout, dtype):
    wanted = by_hand(IMAGENET.mean, IMAGENET.std, 1 / 255)
    depth = imported(tmp_path, Foreign(layout, dtype), IMAGENET)
    assert depth.dtype == np.float32
    assert depth.shape == (1, HEIGHT, WIDTH)
    np.testing.assert_allclose(depth[0], wanted, atol=1e-5 if dtype == "float32" else 5e-3)


def test_scale_of_one_and_bgr(tmp_path):
    """Caffe's way: blue first, 0 to 255, only the mean taken off."""
    mean = (103.939, 116.779, 123.68)
    depth = imported(tmp_path, Foreign(), Preprocessing(mean, (1, 1, 1), 1.0, "bgr"))
    np.testing.assert_allclose(depth[0], by_hand(mean, (1, 1, 1), 1.0, order=(2, 1, 0)), rtol=1e-5, atol=1e-4)
    assert np.abs(depth[0] - by_hand(mean, (1, 1, 1), 1.0)).max() > 10  # what the wrong order would give


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_uint8_networks_get_the_bytes(tmp_path, layout, order):
    depth = imported(tmp_path, Foreign(layout, "uint8"), Preprocessing(channel_order=order))
    wanted = by_hand((0, 0, 0), (1, 1, 1), 1.0, order=(0, 1, 2) if order == "rgb" else (2, 1, 0))
    np.testing.assert_allclose(depth[0], wanted, rtol=1e-5)


@pytest.mark.parametrize("rank", ["11hw", "1hw", "hw", "1hw1"])
@pytest.mark.parametrize("opset", [11, 12, 13, 21])
def test_smaller_outputs_of_every_rank_are_resized_with_half_pixel_centres(tmp_path, rank, opset):
    depth = imported(tmp_path, Foreign(output_rank=rank, stride=4, opset=opset), PLAIN)[0]
    blocks = by_hand((0, 0, 0), (1, 1, 1), 1.0).reshape(HEIGHT // 4, 4, WIDTH // 4, 4).mean(axis=(1, 3))
    # Column 4 lies at (4 + 0.5) / 4 - 0.5 = 0.625 of the small image, row 5 at 0.875
    top, bottom = (0.375 * blocks[row, 0] + 0.625 * blocks[row, 1] for row in (0, 1))
    assert depth[5, 4] == pytest.approx(0.125 * top + 0.875 * bottom, rel=1e-5)
    assert depth[0, 0] == pytest.approx(blocks[0, 0], rel=1e-5)  # the border is repeated
    assert onnx.load(tmp_path / "out.onnx").opset_import[0].version == opset


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_dynamic_sizes_are_fixed(tmp_path, layout):
    depth = imported(tmp_path, Foreign(layout, dynamic=True), IMAGENET, size=(HEIGHT, WIDTH))
    np.testing.assert_allclose(depth[0], by_hand(IMAGENET.mean, IMAGENET.std, 1 / 255), atol=1e-5)
    with pytest.raises(ModelError, match=r"--size HxW"):
        import_model(tmp_path / "source.onnx", tmp_path / "b.onnx", preprocessing=IMAGENET, **FACTS)


def test_a_fixed_size_is_not_changed(tmp_path):
    assert imported(tmp_path, Foreign(), IMAGENET, size=(HEIGHT, WIDTH)).shape == (1, HEIGHT, WIDTH)
    with pytest.raises(ModelError, match="can't run at 24x40"):
        import_model(tmp_path / "source.onnx", tmp_path / "b.onnx", preprocessing=IMAGENET, size=(24, 40), **FACTS)


@pytest.mark.parametrize("names", [("image", "depth_"), ("depth_", "image"), ("0", "797")])
def test_names_of_the_foreign_graph_do_not_collide_with_ours(tmp_path, names):
    """Inner tensors are called `depth` already; here the input or output is called as ours is, too."""
    foreign = Foreign(input_name=names[0], output_name=names[1])
    depth = imported(tmp_path, foreign, IMAGENET)
    np.testing.assert_allclose(depth[0], by_hand(IMAGENET.mean, IMAGENET.std, 1 / 255), atol=1e-5)


@pytest.mark.parametrize("foreign", [Foreign(ir_version=3, opset=11), Foreign(ir_version=8, opset=13)])
def test_ir_version_and_opset_are_kept(tmp_path, foreign):
    depth = imported(tmp_path, foreign, IMAGENET)
    np.testing.assert_allclose(depth[0], by_hand(IMAGENET.mean, IMAGENET.std, 1 / 255), atol=1e-5)
    wrapped = onnx.load(tmp_path / "out.onnx")
    onnx.checker.check_model(wrapped)
    assert (wrapped.ir_version, wrapped.opset_import[0].version) == (foreign.ir_version, foreign.opset)


@pytest.mark.parametrize(("opset", "becomes"), [(9, 11), (10, 11), (22, 21)])
def test_an_opset_out_of_range_is_converted(tmp_path, opset, becomes):
    depth = imported(tmp_path, Foreign(opset=opset, stride=2), PLAIN)
    assert depth.shape == (1, HEIGHT, WIDTH)
    assert onnx.load(tmp_path / "out.onnx").opset_import[0].version == becomes


def test_one_of_several_outputs(tmp_path):
    depth = imported(tmp_path, Foreign(second_output=True), IMAGENET, output_name="confidence")
    np.testing.assert_allclose(depth[0], -by_hand(IMAGENET.mean, IMAGENET.std, 1 / 255), atol=1e-5)
    source, out = tmp_path / "source.onnx", tmp_path / "b.onnx"
    for name in (None, "disparity"):
        with pytest.raises(ModelError, match=re.escape("['output', 'confidence']") + ".*--output"):
            import_model(source, out, preprocessing=IMAGENET, output_name=name, **FACTS)


def test_external_weights_are_merged(tmp_path):
    network = Foreign().proto()
    onnx.external_data_helper.set_external_data(network.graph.initializer[0], "w.bin")
    onnx.save(network, tmp_path / "in.onnx")
    assert (tmp_path / "w.bin").stat().st_size == 12
    model = import_model(tmp_path / "in.onnx", tmp_path / "out.onnx", preprocessing=IMAGENET, **FACTS)
    (tmp_path / "w.bin").unlink()
    assert run(model.path, image()).shape == (1, HEIGHT, WIDTH)
    with pytest.raises(ModelError, match=r"in\.onnx' can't be read"):
        import_model(tmp_path / "in.onnx", tmp_path / "b.onnx", preprocessing=IMAGENET, **FACTS)


def test_subgraphs_keep_seeing_the_tensors_around_them(tmp_path):
    """`If` reads an outer tensor from inside its branches: prefixes must reach into them."""

    def branch(name, op):
        node = helper.make_node(op, ["image", "depth"], [name])
        output = helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])
        return helper.make_graph([node], name, [], [output])

    nodes = [
        helper.make_node("ReduceMax", ["image"], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "zero"], ["bright"]),
        helper.make_node(
            "If", ["bright"], ["chosen"], then_branch=branch("yes", "Add"), else_branch=branch("no", "Sub")
        ),
        helper.make_node("ReduceMean", ["chosen"], ["out"], axes=[1], keepdims=1),
    ]
    weights = {"zero": np.float32(0).reshape(()), "depth": np.full((1,), 2, np.float32)}
    model = model_proto(
        nodes,
        ("image", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH]),
        [("out", TensorProto.FLOAT, [1, 1, HEIGHT, WIDTH])],
        weights,
        opset=13,
    )
    onnx.save(model, tmp_path / "in.onnx")
    path = import_model(tmp_path / "in.onnx", tmp_path / "out.onnx", preprocessing=PLAIN, **FACTS).path
    np.testing.assert_allclose(run(path, image())[0], image().mean(axis=2) + 2, rtol=1e-5)


def test_the_contract_says_what_was_said(tmp_path):
    source = Foreign().write(tmp_path / "midas.onnx")
    import_model(
        source,
        tmp_path / "out.onnx",
        preprocessing=IMAGENET,
        **FACTS | {"kind": DepthKind.METRIC},
        canonical_focal=300.0,
        relative_std=0.1,
        training="ten data sets",
    )
    contract = load_model(tmp_path / "out.onnx").contract
    assert (contract.height, contract.width, contract.kind) == (HEIGHT, WIDTH, DepthKind.METRIC)
    assert (contract.canonical_focal, contract.relative_std) == (300.0, 0.1)
    assert (contract.licence, contract.training, contract.name) == ("MIT", "ten data sets", "midas")
    assert math.isclose(contract.max_depth, 80.0)


@pytest.mark.parametrize(
    ("foreign", "preprocessing", "said"),
    [
        (Foreign(), UINT8, "mean None and std None need three numbers"),
        (Foreign(), Preprocessing((0, 0, 0), (1, 0, 1)), "std and scale"),
        (Foreign(), Preprocessing((0, 0, 0), (1, 1, 1), 0.0), "not 0"),
        (Foreign(), Preprocessing((0, 0, 0), (1, 1, 1), channel_order="gbr"), "'gbr' must be 'rgb' or 'bgr'"),
        (Foreign(dtype="uint8"), IMAGENET, "takes uint8"),
    ],
)
def test_preprocessing_that_can_not_be_meant_is_refused(tmp_path, foreign, preprocessing, said):
    with pytest.raises(ModelError, match=re.escape(said)):
        imported(tmp_path, foreign, preprocessing)
    assert not (tmp_path / "out.onnx").exists()


def interface_of(shape, kind=TensorProto.FLOAT, size=None):
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kind, shape)], [helper.make_tensor_value_info("y", kind, shape)]
    )
    return fix_interface(helper.make_model(graph), size=size)


def test_shapes_that_are_no_image_are_refused():
    for shape, said in (
        ([3, 4, 5], "must be [1, 3, H, W]"),
        ([2, 3, 4, 5], "must be [1, 3, H, W]"),
        ([1, 1, 4, 5], "three channels"),
        ([1, 4, 5, 6], "three channels"),
        ([1, 3, None, 5], "--size"),
    ):
        with pytest.raises(ModelError, match=re.escape(said)):
            interface_of(shape)
    with pytest.raises(ModelError, match="int64"):
        interface_of([1, 3, 4, 5], TensorProto.INT64)
    found = interface_of([None, None, None, None], size=(4, 5))
    assert (found.channels_first, found.height, found.width) == (True, 4, 5)
    assert not interface_of([1, 4, 5, 3]).channels_first


def test_outputs_that_are_no_depth_image_are_refused(tmp_path):
    for name, nodes, dims in (
        ("two.onnx", [helper.make_node("Slice", ["x", "from", "to", "axis"], ["y"])], [1, 2, HEIGHT, WIDTH]),
        (
            "int.onnx",
            [
                helper.make_node("Slice", ["x", "from", "one", "axis"], ["z"]),
                helper.make_node("Cast", ["z"], ["y"], to=TensorProto.INT32),
            ],
            [1, 1, HEIGHT, WIDTH],
        ),
    ):
        kind = TensorProto.INT32 if name == "int.onnx" else TensorProto.FLOAT
        weights = {"from": np.array([0]), "to": np.array([2]), "one": np.array([1]), "axis": np.array([1])}
        model = model_proto(nodes, ("x", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH]), [("y", kind, dims)], weights)
        onnx.save(model, tmp_path / name)
        with pytest.raises(ModelError, match=r"two sizes that aren't 1|int32, supported"):
            import_model(tmp_path / name, tmp_path / "out.onnx", preprocessing=PLAIN, **FACTS)


def test_two_images_are_refused(tmp_path):
    model = Foreign().proto()
    model.graph.input.append(helper.make_tensor_value_info("previous", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH]))
    with pytest.raises(ModelError, match="only one image"):
        fix_interface(model, input_name="input")
    with pytest.raises(ModelError, match="--input"):
        fix_interface(model)


def test_a_wrapping_that_computes_something_else_is_refused(tmp_path, monkeypatch):
    right = model_import.wrap

    def wrong(model, interface, preprocessing, shape):
        other = Preprocessing((0.485, 0.456, 0.416), preprocessing.std, preprocessing.scale)  # one digit off
        return right(model, interface, other, shape)

    monkeypatch.setattr(model_import, "wrap", wrong)
    with pytest.raises(ModelError, match=r"differs from .*source\.onnx"):
        imported(tmp_path, Foreign(), IMAGENET)
    assert [item.name for item in tmp_path.iterdir()] == ["source.onnx"]


def test_a_network_that_gives_only_nan_is_refused(tmp_path):
    model = model_proto(
        [
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1]),
            helper.make_node("Neg", ["mean"], ["negative"]),
            helper.make_node("Log", ["negative"], ["y"]),
        ],
        ("x", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH]),
        [("y", TensorProto.FLOAT, [1, 1, HEIGHT, WIDTH])],
        {},
        13,
    )
    onnx.save(model, tmp_path / "source.onnx")
    with pytest.raises(ModelError, match="aren't finite"):
        import_model(tmp_path / "source.onnx", tmp_path / "out.onnx", preprocessing=PLAIN, **FACTS)


def test_files_are_not_overwritten_and_missing_ones_are_named(tmp_path):
    source = Foreign().write(tmp_path / "source.onnx")
    with pytest.raises(ModelError, match="exists already"):
        import_model(source, source, preprocessing=IMAGENET, **FACTS)
    with pytest.raises(ModelError, match="no model file"):
        import_model(tmp_path / "gone.onnx", tmp_path / "out.onnx", preprocessing=IMAGENET, **FACTS)
    (tmp_path / "text.onnx").write_text("hello " * 99)
    with pytest.raises(ModelError, match=r"text\.onnx' (can't be read as|is not) ONNX"):
        import_model(tmp_path / "text.onnx", tmp_path / "out.onnx", preprocessing=IMAGENET, **FACTS)


def test_the_resize_of_the_check_is_the_graphs(tmp_path):
    """OpenCV (in the check) and ONNX Runtime (in the graph) agree on bilinear, up and down, border included."""
    foreign = Foreign(stride=2)
    depth = imported(tmp_path, foreign, PLAIN)[0]
    small = by_hand((0, 0, 0), (1, 1, 1), 1.0).reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(depth, cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), rtol=1e-5)
