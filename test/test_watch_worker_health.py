"""Camera faults, the newest-wins slot, and the diagnostics that say why nothing comes out."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from depth_perception.config import WatchConfig
from depth_perception.health import Health, Level
from depth_perception.records import DepthFrame, DepthKind, Quality
from depth_perception.watch import ImageWatch, StampWatch
from depth_perception.worker import NewestWins

WATCH = WatchConfig(frozen_after=3)


def noisy(seed: int, level: int = 120) -> np.ndarray:
    return np.random.default_rng(seed).integers(level - 40, level + 40, (48, 64, 3)).astype(np.uint8)


def test_black_saturated_and_covered_cameras_are_named() -> None:
    watch = ImageWatch()
    assert "black" in watch.complaint(np.zeros((48, 64, 3), np.uint8), WATCH)
    assert "saturated" in watch.complaint(np.full((48, 64, 3), 255, np.uint8), WATCH)
    assert "covered" in watch.complaint(np.full((48, 64, 3), 90, np.uint8), WATCH)
    assert watch.complaint(noisy(0), WATCH) == ""


def test_frozen_camera_is_named_and_recovers() -> None:
    watch = ImageWatch()
    complaints = [watch.complaint(noisy(1), WATCH) for _ in range(5)]
    assert complaints[:3] == ["", "", ""] and "frozen" in complaints[3] and "frozen" in complaints[4]
    assert watch.complaint(noisy(2), WATCH) == ""
    never = ImageWatch()
    assert not any(never.complaint(noisy(1), WatchConfig(frozen_after=0)) for _ in range(50))


def test_reordered_stamps_are_refused_and_resets_are_accepted() -> None:
    watch = StampWatch()
    assert watch.accept(10_000_000_000)
    assert not watch.accept(9_900_000_000)
    assert watch.accept(10_100_000_000) and watch.resets == 0
    assert watch.accept(1_000_000_000) and watch.resets == 1
    assert watch.accept(1_100_000_000)


def test_newest_item_wins_and_the_rest_is_counted() -> None:
    entered, release, done = threading.Event(), threading.Event(), threading.Event()
    seen: list[int] = []

    def work(item: int) -> None:
        seen.append(item)
        entered.set()
        assert release.wait(10)
        if item == 4:
            done.set()

    worker = NewestWins(work, lambda error: None, "test")
    worker.put(0)
    assert entered.wait(10)
    for item in (1, 2, 3, 4):
        worker.put(item)
    release.set()
    assert done.wait(10)
    worker.stop()
    assert seen == [0, 4] and worker.dropped == 3


def test_worker_survives_an_error() -> None:
    errors: list[Exception] = []
    done = threading.Event()

    def work(item: int) -> None:
        if item == 0:
            raise ValueError("bad frame")
        done.set()

    failed = threading.Event()
    worker = NewestWins(work, lambda error: (errors.append(error), failed.set()), "test")  # type: ignore[func-returns-value]
    worker.put(0)
    assert failed.wait(10)
    worker.put(1)
    assert done.wait(10)
    worker.stop()
    assert [str(error) for error in errors] == ["bad frame"]


def status(health: Health, name: str, now_s: float, wanted: bool = True):
    return next(s for s in health.report(now_s, WATCH, wanted, 0) if s.name == name)


def test_diagnostics_say_that_no_image_came() -> None:
    health = Health(started_s=0.0)
    assert status(health, "input", 1.0).level is Level.OK
    late = status(health, "input", 5.0)
    assert late.level is Level.ERROR and "no image" in late.message


def test_diagnostics_name_a_missing_camera_info_and_the_rates() -> None:
    health = Health(started_s=0.0)
    for i in range(50):
        health.arrived("image", i * 0.1)
    report = status(health, "input", 5.0)
    assert report.level is Level.WARN and "no camera_info" in report.message
    assert report.values["image rate (Hz)"] == "9.8" or report.values["image rate (Hz)"] == "10.0"


def test_diagnostics_keep_the_reason_while_nothing_is_published() -> None:
    health = Health(started_s=0.0)
    health.arrived("image", 9.0)
    health.dropped("black image", 9.0, "black image (mean brightness 0.0 of 255): lens cap")
    report = status(health, "output", 9.5)
    assert report.level is Level.ERROR and "lens cap" in report.message
    assert report.values["dropped: black image"] == "1"
    assert status(health, "output", 9.5, wanted=False).message == "idle: nobody subscribes"


def test_qos_mismatch_is_a_standing_warning_until_taken_back() -> None:
    health = Health(started_s=0.0)
    health.arrived("image", 0.5)
    health.arrived("camera_info", 0.5)
    health.note("image", "incompatible QoS (reliability)")
    assert "incompatible QoS" in status(health, "input", 1.0).message
    health.note("image", "")
    assert status(health, "input", 1.0).level is Level.OK


@pytest.mark.parametrize(
    ("quality", "level", "words"),
    [
        (Quality("none", float("nan"), 0.0, "no sensor measures the scale"), Level.ERROR, "no sensor measures"),
        (Quality("lidar", 0.1, 1.0, held=True, age_s=1.25), Level.WARN, "scale from lidar, held for 1.2 s"),
        (Quality("prior", 0.4, 1.0), Level.OK, "prior"),
        (Quality("prior", 0.4, 1.0, warnings=("lidar: no cloud yet",)), Level.WARN, "lidar: no cloud yet"),
        (Quality("lidar", 0.1, 1.0, warnings=("stereo: off",)), Level.WARN, "scale from lidar, but stereo: off"),
        (Quality("lidar+stereo", 0.1, 1.0), Level.OK, "scale from lidar+stereo"),
    ],
)
def test_diagnostics_say_where_the_scale_comes_from(quality: Quality, level: Level, words: str) -> None:
    health = Health(0.0)
    depth, image = np.ones((4, 6), np.float32), np.zeros((4, 6, 3), np.uint8)
    health.published(DepthFrame(depth, depth, DepthKind.METRIC, 0, "camera", None, image, quality), 0.0, 0.0)
    (scale,) = (s for s in health.report(0.0, WatchConfig(), True, 0) if s.name == "scale")
    assert scale.level is level and words in scale.message
