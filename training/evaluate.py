"""How good is a model's depth: every metric of the field, on a dataset folder or on KITTI as Eigen et al. test on it.

    python -m training.evaluate MODEL DATASET --split test --crop garg --cap 80 --align median --out FOLDER

MODEL is 'default', an ONNX file with our contract, or a checkpoint of training.train_default (.pt, exported first): it
runs through the pipeline and engine that drive the robot. Or the weights of training.train (.safetensors), which run
in torch. DATASET is a folder made by training.make_dataset, or KITTI raw (a drive, or a folder of drives) with --frames
LIST and --depth. Prints tables (Markdown): means over images, each of equal weight. With --out also FOLDER/result.json
and FOLDER/index.html, which holds its pictures: the best and the worst images.
The same model, data and options give the same bytes on one machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2

from depth_perception.errors import ConfigError, DepthPerceptionError
from depth_perception.progress_line import ProgressLine
from training.dataset_folder import SPLITS
from training.evaluation.cases import ALL, REFERENCES, Cases, DatasetCases
from training.evaluation.kitti_cases import DEPTHS, KittiCases
from training.evaluation.models import open_model
from training.evaluation.page import page
from training.evaluation.predictor import Predictor
from training.evaluation.protocol import ALIGNMENTS, CROPS, NONE, Protocol, parse_cap
from training.evaluation.run import BANDS_M, Result, evaluate
from training.evaluation.tables import entry, markdown
from training.preparation.kitti_raw import drives


def find_cases(given: argparse.Namespace) -> Cases:
    """What DATASET holds.

    Raises:
        ConfigError: no dataset, or options that belong to the other kind of it.
    """
    folder: Path = given.dataset
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {str(folder)!r}: make a dataset with training.make_dataset")
    is_kitti = not any(folder.glob("*/calibration.json")) and bool(drives(folder))
    for_dataset = {"--split": given.split, "--reference": given.reference, "--trained-on": given.trained_on}
    for_kitti = {"--frames": given.frames, "--depth": given.depth, "--annotated": given.annotated}
    wrong = [name for name, value in (for_dataset if is_kitti else for_kitti).items() if value]
    if wrong:
        kinds = ("KITTI raw", "a dataset folder") if is_kitti else ("a dataset folder", "KITTI raw")
        raise ConfigError(f"{str(folder)!r} is {kinds[0]}; {', '.join(wrong)} belong to {kinds[1]}")
    if is_kitti:
        return KittiCases(folder, given.frames, given.depth or "original", given.annotated)
    return DatasetCases(folder, given.split or "test", given.reference or "auto", given.trained_on)


def run(given: argparse.Namespace) -> tuple[Result, Cases, Predictor]:
    """Score the model. Raises DepthPerceptionError: the input can't be evaluated, and why."""
    protocol = Protocol(given.crop, parse_cap(given.cap), given.min_depth, given.align)
    cases = find_cases(given)
    with tempfile.TemporaryDirectory() as folder, ProgressLine() as progress:
        predictor = open_model(given.model, given.backend, cases[0].camera, Path(folder))
        result = evaluate(predictor, cases, protocol, given.bands, progress)
        return result, cases, predictor


def write(result: Result, cases: Cases, predictor: Predictor, out: Path) -> Path:
    """result.json, index.html and its pictures as PNG; returns the page's path."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "result.json").write_text(json.dumps(entry(result), indent=1, allow_nan=False) + "\n")
    text, pictures = page(result, cases, predictor)
    for name, picture in pictures.items():
        cv2.imwrite(str(out / f"{name}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    path = out / "index.html"
    path.write_text(text, encoding="utf-8")
    return path


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("model", help="'default', an ONNX file, or a checkpoint")
    add("dataset", type=Path, help="a folder made by training.make_dataset, or KITTI raw")
    add("--split", choices=(*SPLITS, ALL), help="of a dataset folder [test]")
    add("--reference", choices=REFERENCES, help="of a dataset folder; auto: a simulator's truth where it is [auto]")
    add("--trained-on", type=Path, metavar="DATASET",
        help="the same recordings with the depth that training saw: scores inside and outside of it")  # fmt: skip
    add("--frames", default="", metavar="LIST", help="of KITTI: file that lists the frames, as Eigen's test_files")
    add("--depth", choices=DEPTHS, default="",
        help="of KITTI; published: as in most tables, see training/evaluation/kitti_cases.py [original]")  # fmt: skip
    add("--annotated", default="", metavar="ROOT", help="of KITTI: annotated depth, if it isn't in the drives")
    add("--crop", choices=(*CROPS, NONE), default=NONE,
        help="part of the image that counts: shares of it as it lies there, so the papers' only for KITTI's "
        "own images, not cropped [%(default)s]")  # fmt: skip
    add("--cap", default="80", metavar="M", help="depth that counts, and limit of predictions: 80, 1-50, none [80]")
    add("--min-depth", type=float, metavar="M", help="references nearer than this don't count")
    add("--align", choices=ALIGNMENTS, default=NONE,
        help="each image's prediction to its reference: scale by the median, or scale and shift of inverse depth, for "
        "bands, coverage and pictures; the first table shows all that the model allows [%(default)s]")  # fmt: skip
    add(
        "--bands", type=_bands, default=BANDS_M, metavar="M,M,…", help="edges of the bands of depth [0,2,5,10,20,40,80]"
    )
    add("--backend", default="onnxruntime", help="engine [%(default)s]")
    add("--out", type=Path, metavar="FOLDER", help="write result.json, index.html and its pictures there")
    return parser.parse_args(arguments)


def _bands(text: str) -> tuple[float, ...]:
    edges = tuple(float(word) for word in text.split(","))
    if len(edges) < 2 or sorted(set(edges)) != list(edges):
        raise argparse.ArgumentTypeError(f"{text!r} must be rising numbers of metres, such as 0,10,80")
    return edges


def main(arguments: Sequence[str] | None = None) -> int:
    """Console entry: 1 and the reason on an error that a user can act on."""
    given = parse(arguments)
    try:
        result, cases, predictor = run(given)
        print(markdown(result))
        if given.out:
            print(f"\n{write(result, cases, predictor, given.out)}")
    except (DepthPerceptionError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
