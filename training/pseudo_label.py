"""Label the samples of a dataset folder by a teacher, any model file that our engines read.

    python -m training.pseudo_label MODEL DATASET

Writes DATASET/<sequence>/teacher/<camera>/<n>.npz: float16 inverse depth at the image's size and how far the teacher
agrees with itself on the mirrored image. A label names the model and the image that it was made of; one that is there
and names these is kept, so a run that was killed goes on, and a changed model or image is labelled anew.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from depth_perception.camera import CameraModel
from depth_perception.errors import DepthPerceptionError, ModelError
from depth_perception.model import resolve_model
from depth_perception.progress_line import ProgressLine
from depth_perception.records import DepthKind
from training.dataset_folder import CAMERAS, Image, sequences
from training.dataset_folder import Sequence as Recording
from training.flip_consistency import flip_confidence
from training.teacher import Teacher
from training.teacher_labels import TeacherLabel, read_origin, write_label

METHOD = "flip consistency 1"  # part of a label's origin: another way to make it is another label
FLOAT16_END = 65504.0


class _Task(NamedTuple):
    """An image to label."""

    recording: Recording
    camera: str
    n: int


def label_dataset(
    teacher: Teacher, folder: Path, cameras: Sequence[str] = CAMERAS, progress: Callable[[int, int], None] | None = None
) -> Counter[str]:
    """Label every sample's image of `cameras` that has no such label yet; returns how many were `kept` and `made`.

    Raises:
        ConfigError: no dataset, or an image that can't be read.
        ModelError: a label doesn't fit float16.
    """
    tasks, counts = list(_tasks(folder, cameras)), Counter(kept=0, made=0)
    for number, task in enumerate(tasks):
        camera = task.recording.calibration.cameras[task.camera]
        path = task.recording.teacher_path(task.n, task.camera)
        image = hashlib.sha256(task.recording.image_path(task.n, task.camera).read_bytes()).hexdigest()
        origin = origin_of(teacher, camera), image
        if read_origin(path) == origin:
            counts["kept"] += 1
        else:
            write_label(path, make_label(teacher, task.recording.image(task.n, task.camera), camera, *origin))
            counts["made"] += 1
        if progress is not None:
            progress(number + 1, len(tasks))
    return counts


def origin_of(teacher: Teacher, camera: CameraModel) -> str:
    """sha256 of all that makes a label except the image."""
    return hashlib.sha256(f"{teacher.identity} {teacher.focal_factor(camera)!r} {METHOD}".encode()).hexdigest()


def make_label(teacher: Teacher, image: Image, camera: CameraModel, origin: str, image_hash: str) -> TeacherLabel:
    """The label of (H, W, 3) uint8 RGB; a metric teacher's is in 1/m for this camera.

    Raises:
        ModelError: a value doesn't fit float16.
    """
    label = teacher(image) * np.float32(teacher.focal_factor(camera))
    of_mirrored = cv2.flip(teacher(cv2.flip(image, 1)), 1) * np.float32(teacher.focal_factor(camera))  # type: ignore[arg-type]
    known = label[np.isfinite(label)]
    if known.size and np.abs(known).max() > FLOAT16_END:
        raise ModelError(f"a label is {known.max()!r}, float16 ends at {FLOAT16_END!r}: give a smaller --unit")
    confidence = flip_confidence(label, of_mirrored, teacher.kind)
    return TeacherLabel(label.astype(np.float16), confidence, teacher.kind, origin, image_hash)


def _tasks(folder: Path, cameras: Sequence[str]) -> Iterator[_Task]:
    for recording in sequences(folder):
        for sample in recording.samples():
            for camera in cameras:
                if camera == "left" or sample.right:
                    yield _Task(recording, camera, sample.index)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.pseudo_label",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="a file, or 'default' for the model that ships")
    parser.add_argument("dataset", type=Path, help="a folder made by training.make_dataset")
    parser.add_argument("--cameras", nargs="+", choices=CAMERAS, default=list(CAMERAS), help="[both]")
    kinds = [kind.value for kind in DepthKind]
    without = "of a model without contract (TFLite, OpenVINO IR): "
    parser.add_argument(
        "--kind", choices=kinds, default=DepthKind.METRIC.value, help=without + "what its output is [metric_depth]"
    )
    parser.add_argument("--unit", type=float, default=1.0, help=without + "its factor to metres or 1/m [1]")
    parser.add_argument("--threads", type=int, default=0, help="[one a core]")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Console entry: 1 and the reason on an error that a user can act on."""
    given = parse(arguments)
    try:
        camera = sequences(given.dataset)[0].calibration.cameras["left"]
        path = resolve_model(given.model, camera.height, camera.width)
        teacher = Teacher(path, DepthKind(given.kind), given.unit, given.threads)
        with ProgressLine() as progress:
            counts = label_dataset(teacher, given.dataset, given.cameras, progress)
    except DepthPerceptionError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{counts['made']} images labelled by {path.name} ({teacher.kind.value}), {counts['kept']} were already")
    return 0


if __name__ == "__main__":
    sys.exit(main())
