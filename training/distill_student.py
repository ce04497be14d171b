"""Paper 3 in one command: one image, 300 augmentations, a teacher's labels, every variant of the student, one table.

python -m training.distill_student [--config config/train_student.yaml] [--image … --teacher … --size 128 …]
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import logging
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from depth_perception.config import options, to_flat
from depth_perception.errors import ConfigError, DepthPerceptionError
from depth_perception.records import DepthKind
from training.student_config import StudentConfig, load_config
from training.student_data import Augmentation, StudentData, make_data, warp_nearest
from training.student_fit import RUNS, Run, fit, targets
from training.student_photo import FASTDEPTH, Photo, load_photo
from training.student_sheet import contact_sheet
from training.student_table import Row, baselines, format_table, make_row, verdict
from training.teacher import LabelCache, Teacher

log = logging.getLogger("distill_student")
Float32 = NDArray[np.float32]
Losses = tuple[int, float, float]  # epoch, training loss, validation loss
SHEET_VIEWS = 4


def choose_teacher(photo: Photo, config: StudentConfig) -> tuple[str, Callable[[Augmentation], Float32]]:
    """Name of the teacher and the function that labels a view with inverse depth.

    Raises:
        ConfigError: exact depth is asked for but the image has none.
        ModelError, EngineError: the teacher's file can't be used.
    """
    name = config.teacher
    if name == "auto":
        name = "exact" if photo.depth is not None else str(FASTDEPTH)
    if name != "exact":
        model = Teacher(Path(name), DepthKind(config.teacher_kind), config.teacher_unit, config.threads)
        cache = LabelCache(model, model.identity, Path(config.teacher_cache))
        return Path(name).name, lambda view: cache(view.image)
    if photo.depth is None:
        raise ConfigError(f"image {photo.source!r} has no exact depth; give --teacher MODEL_FILE or a rendered frame")
    with np.errstate(divide="ignore"):
        inverse = np.reciprocal(photo.depth)  # 0 for sky
    return "exact depth", lambda view: warp_nearest(inverse, view)


def baseline_rows(data: StudentData) -> list[Row]:
    """Constant and mean map of the raw targets, mean map of the normalised ones."""
    labels, rows = data.labels[data.validation], []
    for normalised in (False, True):
        target = targets(data, normalised)
        for name, maps in baselines(target, data.train, len(labels)).items():
            label = f"{name}, {'normalised' if normalised else 'raw'}"
            rows.append(make_row(label, 0, maps, target[data.validation], labels, normalised))
    return rows


def train_rows(
    run: Run, data: StudentData, config: StudentConfig, out: Path
) -> tuple[list[Row], list[Losses], Float32]:
    """Train one variant; its rows, its losses by epoch, its last predictions. The weights are written to `out`."""
    labels, target = data.labels[data.validation], targets(data, run.normalised)[data.validation]
    rows: list[Row] = []
    history: list[Losses] = []
    last = np.empty(0, np.float32)
    for epoch in fit(run, data, config):
        log.info(
            "%s, epoch %d: training loss %.6g, validation loss %.6g",
            run.name,
            epoch.number,
            epoch.train_loss,
            epoch.validation_loss,
        )
        history.append((epoch.number, epoch.train_loss, epoch.validation_loss))
        last = epoch.predictions
        if epoch.number in (config.epochs_short, config.epochs_long):
            rows.append(make_row(run.name, epoch.number, last, target, labels, run.normalised))
            log.info("%s, epoch %d: aligned δ1 %.3f", run.name, epoch.number, rows[-1].aligned.delta1)
            name = run.name.replace(", ", "_").replace(" + ", "_")
            torch.save(epoch.network.state_dict(), out / f"student_{name}_{epoch.number}.pt")
    return rows, history, last


def distill(config: StudentConfig) -> str:
    """Run everything, write the results beside each other in `config.output`, return the table as text."""
    if config.threads:
        torch.set_num_threads(config.threads)
    out = Path(config.output)
    out.mkdir(parents=True, exist_ok=True)
    photo = load_photo(config.image)
    teacher, label = choose_teacher(photo, config)
    log.info("labelling %d views of %s by %s", config.augmentations, photo.source, teacher)
    data = make_data(photo.image, label, config)
    rows, histories, pictures = baseline_rows(data), {}, {}
    for run in RUNS:
        run_rows, histories[run.name], pictures[run.name] = train_rows(run, data, config, out)
        rows += run_rows
    text = report(rows, photo, teacher, config)
    _write(out, text, rows, histories, config)
    views = data.validation[:SHEET_VIEWS]
    shown = {name: maps[: len(views)] for name, maps in pictures.items()}
    sheet = contact_sheet(data.images[views], data.labels[views], shown)
    cv2.imwrite(str(out / "contact_sheet.png"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    return text


def report(rows: Sequence[Row], photo: Photo, teacher: str, config: StudentConfig) -> str:
    """Table with what it was made of above and whether normalising helped below."""
    made = (
        f"{photo.source}, teacher {teacher}, {config.augmentations} views of {config.size}x{config.size}, "
        f"seed {config.seed}; {datetime.date.today().isoformat()}, {platform.machine()}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    units = (
        f"RMSE, MAE and plain δ in the unit learnt (raw: {config.label_scale:g} x inverse depth; normalised: mean "
        "absolute deviations), as the paper's table 1. Aligned: scale and shift a view by least squares on "
        "inverse depth, in raw units."
    )
    return "\n\n".join([made, units, format_table(rows), verdict(rows)])


def _write(
    out: Path, text: str, rows: Sequence[Row], histories: Mapping[str, Sequence[Losses]], config: StudentConfig
) -> None:
    (out / "table.md").write_text(text + "\n")
    result = {
        "config": to_flat(config),
        "rows": [dataclasses.asdict(row) for row in rows],
        "losses": histories,
    }
    (out / "result.json").write_text(json.dumps(result, indent=1) + "\n")


def parse(arguments: Sequence[str] | None = None) -> StudentConfig:
    """The configuration that a command line means: every option of `StudentConfig` is a flag."""
    parser = argparse.ArgumentParser(
        prog="python -m training.distill_student",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, help="YAML recipe; flags override it")
    for item in options(StudentConfig):
        flag = "--" + item.name.replace("_", "-")
        parser.add_argument(
            flag,
            dest=item.name,
            type=type(item.default),
            choices=item.choices or None,
            help=f"{item.description} [{item.default}]".replace("%", "%%"),
        )
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    return load_config(given.pop("config", None), given)


def main(arguments: Sequence[str] | None = None) -> int:
    """Console entry: print the table; 1 and the reason on an error that a user can act on."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        print(distill(parse(arguments)))
    except DepthPerceptionError as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
