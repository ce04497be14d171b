"""A recording → sheets of some of its frames and the page that holds them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from depth_perception.bags import Bag, RawMessage, open_bag
from depth_perception.bags.camera_topics import CameraTopics, find_camera
from depth_perception.bags.transforms import transform_tree
from depth_perception.config import DepthConfig
from depth_perception.errors import BagError, CalibrationError
from depth_perception.overlap import ReadAhead
from depth_perception.pipeline import Pipeline
from depth_perception.recorded_frames import BAD_INFO, RecordedFrame, RecordedFrames
from depth_perception.recorded_sensors import RecordedSensors, find_sensors, image_topics, with_sensors
from depth_perception.records import DepthFrame
from depth_perception.view.page import Sheet, write_page
from depth_perception.view.sheet import check_matplotlib, sheet
from depth_perception.view.truth import RecordedTruth, rectified_depth
from depth_perception.view.words import describe

PAGE = "index.html"
QUEUE = 4  # frames read ahead
MOST_WAITING = 8  # drawn frames that wait for truth

Progress = Callable[[int, int], None]


@dataclass
class ViewSummary:
    """What became of a recording."""

    page: Path
    image_topic: str
    recorded: int = 0  # images in the recording
    images: int = 0  # read: none after the last that was wanted
    sheets: list[Sheet] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)  # reason → images that gave no frame
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Drawable:
    """A frame that was chosen, and may wait for its truth."""

    number: int  # of the image in the recording
    recorded: RecordedFrame
    frame: DepthFrame


def view(
    source: str | Path,
    out: str | Path,
    *,
    image: str | None = None,
    camera_info: str | None = None,
    sensors: Mapping[str, str] | None = None,
    truth: str | None = None,
    frames: int = 6,
    every: int | None = None,
    config: DepthConfig | None = None,
    progress: Progress | None = None,
) -> ViewSummary:
    """Draw frames of a recording into the new folder `out`: a PNG sheet each, and `index.html` with all of them.

    Where something measures the scale every image goes through the pipeline, for its filter remembers; else only those
    that are drawn. An image that can't be read passes its turn to the next one.

    Args:
        image, camera_info, sensors, config, progress: as in `convert`.
        truth: a depth topic on the pixels of the image (a simulator's, or an RGB-D camera's registered depth).
        frames: how many, evenly spread over the recording.
        every: every so many images instead.

    Raises:
        DepthPerceptionError: matplotlib isn't installed.
        BagError: the recording can't be read, a topic isn't there or is of another type, `out` isn't empty, or no
            image gave a frame.
        ModelError, EngineError: the model or every backend can't be loaded, or failed.
    """
    check_matplotlib()
    config, out = config or DepthConfig(), Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BagError(f"{str(out)!r} exists and isn't empty; choose another folder with --out, or remove it")
    with open_bag(source) as bag:
        sensors = sensors or {}
        topics = find_camera(bag, image or sensors.get("left/image"), camera_info, image_topics(sensors))
        found = find_sensors(bag, sensors, topics.image)
        if truth in (topics.image, *found.values()):
            raise BagError(f"{truth!r} is in use as image or sensor; truth must be another topic")
        recorded_truth = RecordedTruth(bag, truth) if truth else None
        pipeline = Pipeline(with_sensors(config, found), topics.image)
        summary = ViewSummary(out / PAGE, topics.image, bag.topics[topics.image].count, notes=list(topics.notes))
        try:
            viewing = _Viewing(bag, topics, found, pipeline, recorded_truth, summary)
            viewing.run(truth, chosen(summary.recorded, frames, every), progress)
        finally:
            pipeline.close()
        if not summary.sheets:
            lost = "; ".join(f"{count} × {reason}" for reason, count in summary.lost.items())
            raise BagError(f"no frame came out of {str(source)!r}: {lost}")
        summary.notes += bag.problems
        summary.notes += [f"{count} images without a frame: {reason}" for reason, count in summary.lost.items()]
        write_page(summary.page, f"{Path(source).name}: {topics.image}", summary.notes, summary.sheets)
    return summary


def chosen(count: int, frames: int, every: int | None) -> list[int]:
    """Numbers of the images to draw: the middles of `frames` equal parts of the recording, or every so many."""
    if every is not None:
        return list(range(0, count, every))
    frames = min(frames, count)
    return [int((i + 0.5) * count / frames) for i in range(frames)]


class _Viewing:
    """One run."""

    def __init__(
        self,
        bag: Bag,
        topics: CameraTopics,
        found: Mapping[str, str],
        pipeline: Pipeline,
        truth: RecordedTruth | None,
        summary: ViewSummary,
    ) -> None:
        self._bag, self._topics, self._found, self._pipeline = bag, topics, found, pipeline
        self._config = pipeline.config
        self._truth, self._summary = truth, summary
        self._waiting: deque[_Drawable] = deque()

    def run(self, truth_topic: str | None, numbers: list[int], progress: Progress | None) -> None:
        """Read up to the last image of `numbers`, draw these."""
        total = self._bag.topics[self._topics.image].count
        copied = [truth_topic] if truth_topic else []
        frames = RecordedFrames(self._bag, self._topics, self._config, copied, self._sensors())
        due = deque(numbers)
        with ReadAhead(frames, QUEUE) as reading:
            for item in reading:
                if isinstance(item, RawMessage):
                    assert self._truth is not None
                    self._truth.add(item)
                elif due:
                    due = self._process(item, due)
                self._draw_ready()
                if progress is not None:
                    progress(self._summary.images, total)
                if not due and not self._waiting:
                    break
        while self._waiting:
            self._draw(self._waiting.popleft())

    def _sensors(self) -> RecordedSensors | None:
        if not self._found:
            return None
        tree = transform_tree(self._bag)
        return RecordedSensors(self._bag, self._found, self._config, tree.lookup, self._topics.image)

    def _process(self, recorded: RecordedFrame, due: deque[int]) -> deque[int]:
        """Put an image through the pipeline where that matters; returns what is still due."""
        number = self._summary.images
        self._summary.images += 1
        wanted = number >= due[0]
        if not wanted and not self._remembers:
            return due
        if recorded.frame is None:
            self._summary.lost[recorded.reason] += 1
            return due
        self._pipeline.config = recorded.selection.configured(self._config)
        try:
            frame = self._pipeline.process(recorded.frame, recorded.selection.measurements)
        except CalibrationError:
            self._summary.lost[BAD_INFO] += 1
            return due
        if not wanted:
            return due
        self._waiting.append(_Drawable(number, recorded, recorded.selection.noted(frame)))
        return deque(other for other in due if other > number)

    @property
    def _remembers(self) -> bool:
        """True if earlier images have a say in a frame: what measures the scale is filtered over time."""
        return bool(self._found) or self._config.ground.enabled

    def _draw_ready(self) -> None:
        while self._waiting:
            stamp_ns = self._waiting[0].frame.stamp_ns
            if self._truth is not None and not self._truth.reaches(stamp_ns) and len(self._waiting) <= MOST_WAITING:
                return
            self._draw(self._waiting.popleft())

    def _draw(self, drawable: _Drawable) -> None:
        frame, number = drawable.frame, drawable.number
        truth, missing = self._truth_of(drawable)
        title = f"image {number} of {self._topics.image}, {frame.stamp_ns / 1e9:.3f} s"
        warnings = (*dict.fromkeys(frame.quality.warnings), *([missing] if missing else []))
        figure = sheet(frame, truth, title if not missing else f"{title} ({missing})")
        self._summary.page.parent.mkdir(parents=True, exist_ok=True)
        png = self._summary.page.with_name(f"{number:06d}.png")
        figure.savefig(png)
        self._summary.sheets.append(Sheet(png, title, describe(frame), warnings))

    def _truth_of(self, drawable: _Drawable) -> tuple[np.ndarray | None, str]:
        source = drawable.recorded.frame
        if self._truth is None or source is None:
            return None, ""
        height, width = source.image.shape[:2]
        depth, missing = self._truth.at(drawable.frame.stamp_ns, height, width)
        camera = source.camera
        undistorted = self._pipeline.rectifies and camera is not None and camera.is_calibrated and camera.is_distorted
        if depth is not None and camera is not None and undistorted:
            depth = rectified_depth(depth, camera)
        return depth, missing
