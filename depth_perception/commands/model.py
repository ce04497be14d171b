"""`depth-perception model info|import`: what a model file is, and bringing a foreign network into the contract."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from depth_perception.records import DepthKind

_EXAMPLE = """example (MiDaS v2.1 small):
  depth-perception model import midas_small.onnx midas.onnx --kind relative_inverse_depth --size 256x256 \\
      --mean 0.485 0.456 0.406 --std 0.229 0.224 0.225 --range 0.1 80 --licence MIT"""


def add_parser(subparsers: Any) -> None:
    """Add `model` and its two subcommands."""
    parser = subparsers.add_parser("model", help="look at a model file, or import a foreign network")
    commands = parser.add_subparsers(dest="model_command", required=True, metavar="COMMAND")
    info = commands.add_parser("info", help="print what a model file says about itself")
    info.add_argument("file", help="ONNX file, or 'default'")
    info.set_defaults(func=_info)
    _add_import(commands)


def _add_import(commands: Any) -> None:
    parser = commands.add_parser(
        "import",
        help="wrap a foreign ONNX network into the model contract",
        description="Wrap a foreign depth network (ONNX) into the model contract, and check it against the original.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(func=_import)
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the network's ONNX file")
    parser.add_argument("out", type=Path, metavar="OUT", help="file to write; must not exist")
    add = parser.add_argument
    add("--kind", required=True, choices=[kind.value for kind in DepthKind], help="what the output means")
    add(
        "--range",
        required=True,
        nargs=2,
        type=float,
        metavar=("MIN", "MAX"),
        help="depth that the network can be trusted for, m (kinds without scale: after alignment)",
    )
    add("--licence", required=True, help="licence of the weights")
    add("--mean", nargs=3, type=float, metavar="X", help="mean of each channel, in the network's channel order")
    add("--std", nargs=3, type=float, metavar="X", help="standard deviation of each channel")
    add("--scale", type=float, default=1 / 255, help="factor on 0-255 values before mean and std (default 1/255)")
    add("--channel-order", choices=("rgb", "bgr"), default="rgb", help="channels that the network takes")
    add("--size", type=_size, metavar="HxW", help="input size, where the network leaves it open")
    add("--input", help="name of the image input, if the graph has several")
    add("--output", help="name of the depth output, if the graph has several")
    add(
        "--canonical-focal",
        type=float,
        metavar="PX",
        help="focal length, in pixels of the input, that the network believes every camera to have",
    )
    add("--relative-std", type=float, default=math.nan, help="one standard deviation as a share of depth, if measured")
    add("--training", default="not stated", help="how and on which data it was trained")
    add("--name", default="", help="name of the model (default: SOURCE's)")


def _size(text: str) -> tuple[int, int]:
    height, separator, width = text.partition("x")
    if not (separator and height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write HEIGHTxWIDTH, as in 256x320")
    return int(height), int(width)


def _info(args: argparse.Namespace) -> int:
    from depth_perception.model import load_model, resolve_model

    _print_model(load_model(resolve_model(args.file)))
    return 0


def _import(args: argparse.Namespace) -> int:
    from depth_perception.errors import ModelError

    try:
        from depth_perception.foreign_model import Preprocessing
        from depth_perception.model_import import import_model
    except ImportError as error:
        raise ModelError(
            f"importing a model needs a package that isn't installed ({error.name}): pip install onnx onnxruntime"
        ) from error
    preprocessing = Preprocessing(
        mean=tuple(args.mean) if args.mean else None,
        std=tuple(args.std) if args.std else None,
        scale=args.scale,
        channel_order=args.channel_order,
    )
    model = import_model(
        args.source,
        args.out,
        kind=DepthKind(args.kind),
        min_depth=args.range[0],
        max_depth=args.range[1],
        licence=args.licence,
        preprocessing=preprocessing,
        size=args.size,
        input_name=args.input,
        output_name=args.output,
        canonical_focal=args.canonical_focal,
        relative_std=args.relative_std,
        training=args.training,
        name=args.name,
    )
    print("the wrapped network computes what the original does")
    _print_model(model)
    return 0


def _print_model(model: Any) -> None:
    from depth_perception.onnx_header import read_header

    contract, header = model.contract, read_header(model.path)
    focal = contract.canonical_focal
    rows = {
        "file": f"{model.path} ({model.path.stat().st_size / 1e6:.1f} MB)",
        "sha256": model.sha256,
        "name": contract.name or "not stated",
        "output": contract.kind.value,
        "input": f"{contract.height}x{contract.width} (height x width)",
        "canonical focal": "none: depth doesn't follow the focal length" if focal is None else f"{focal:g} px",
        "depth range": f"{contract.min_depth:g} to {contract.max_depth:g} m",
        "relative std": "not measured" if math.isnan(contract.relative_std) else f"{contract.relative_std:.3f}",
        "licence": contract.licence,
        "training": contract.training,
        "format": f"contract {contract.version}, ONNX opset {header.opset}, IR {header.ir_version}",
    }
    for key, value in rows.items():
        print(f"{key + ':':17}{value}")
