"""`depth-perception view` as a user meets it."""

from __future__ import annotations

import base64
import re
import sys
from pathlib import Path

import camera_bags as cam
import cv2
import numpy as np
import pytest
from bags import recordings as rec
from bags.recordings import JAZZY, T0
from tiny_model import tiny_model

from depth_perception.cli import main
from depth_perception.view.recording import chosen

TRUTH = "/cam/depth"


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(tiny_model(tmp_path / "m.onnx"))


def truth_message(metres: float, stamp_ns: int, size: tuple[int, int] = (cam.HEIGHT, cam.WIDTH)) -> object:
    """16UC1 millimetres."""
    data = np.full(size, round(1000 * metres), "<u2")
    return JAZZY.types["sensor_msgs/msg/Image"](
        header=rec.header(JAZZY, stamp_ns, "lens"), height=size[0], width=size[1], encoding="16UC1", is_bigendian=0,
        step=2 * size[1], data=data.reshape(-1).view(np.uint8),
    )  # fmt: skip


def truth_messages(reds: list[int], factor: float, late_ns: int = 30_000_000) -> list[tuple[str, int, object]]:
    """Truth is `factor` times what `tiny_model` says, logged after its image."""
    stamps = [T0 + i * cam.STEP_NS for i in range(len(reds))]
    return [
        (TRUTH, stamp + late_ns, truth_message(factor * cam.expected_depth(red), stamp))
        for stamp, red in zip(stamps, reds, strict=True)
    ]


def pictures(page: Path) -> list[np.ndarray]:
    """The images in the page, decoded."""
    data = re.findall(r'src="data:image/png;base64,([^"]+)"', page.read_text())
    return [cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_COLOR) for one in data]


def test_draws_evenly_spread_frames_and_a_page_that_needs_nothing_else(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bag, out = cam.camera_bag(tmp_path / "in<b>", [10, 20, 30, 40, 50, 60]), tmp_path / "out"
    assert main(["view", str(bag), "--out", str(out), "--model", model, "--frames", "3"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["000001.png", "000003.png", "000005.png", "index.html"]
    page = (out / "index.html").read_text()
    assert "in&lt;b&gt;: /cam/image_rect" in page and page.count("<img") == 3
    assert not re.search(r"https?:|//|<script|<link|url\(", re.sub(r"base64,[^\"]+", "", page))
    inside = pictures(out / "index.html")
    assert [picture.shape for picture in inside] == 3 * [inside[0].shape] and inside[0].shape[1] == 1860
    assert np.array_equal(inside[1], cv2.imread(str(out / "000003.png")))
    said = capsys.readouterr().out
    assert "000001.png: scale from the model alone, measured by no sensor; std 20% of depth" in said
    assert f"3 of 6 images of /cam/image_rect -> {out / 'index.html'}" in said


def test_error_against_a_truth_topic(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from depth_perception.view import recording

    drawn = []
    keep = recording.sheet
    monkeypatch.setattr(recording, "sheet", lambda *args: drawn.append(keep(*args)) or drawn[-1])
    reds = [10, 200, 30, 140]
    recorded = sorted([*cam.camera_messages(reds), *truth_messages(reds, 0.8)], key=lambda item: item[1])
    bag, out = rec.rosbag2(tmp_path / "in", recorded), tmp_path / "out"
    arguments = ["view", str(bag), "--out", str(out), "--model", model, "--every", "1", "--truth", TRUTH]
    assert main(arguments) == 0
    titles = [axes.get_title() for figure in drawn for axes in figure.axes if axes.get_title().startswith("depth /")]
    # 1 / 0.8 - 1 in each, so each found the truth of its own stamp; δ1 is on its edge and not asked for.
    assert [title.split(",")[0] for title in titles] == 4 * ["depth / truth − 1: AbsRel 0.250"]


@pytest.mark.parametrize(
    ("message", "missing"),
    [
        (truth_message(2.0, T0 + 900_000_000), "no truth for this image: the nearest is 900 ms off"),
        (truth_message(2.0, T0, (12, 16)), "truth is 16x12 but the image 160x120"),
    ],
)
def test_missing_truth_is_said_and_costs_only_the_error(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str], message: object, missing: str
) -> None:
    bag = cam.camera_bag(tmp_path / "in", [10], [(TRUTH, T0, message)])
    assert main(["view", str(bag), "--out", str(tmp_path / "out"), "--model", model, "--truth", TRUTH]) == 0
    assert f"warning: {missing}" in capsys.readouterr().out
    assert missing in (tmp_path / "out" / "index.html").read_text()


def test_a_bad_image_passes_its_turn_to_the_next(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = cam.camera_messages([10, 20, 30, 40])
    recorded[2][2].encoding = "cmyk"
    bag, out = rec.rosbag2(tmp_path / "in", recorded), tmp_path / "out"
    assert main(["view", str(bag), "--out", str(out), "--model", model, "--frames", "2"]) == 0
    assert sorted(path.name for path in out.glob("*.png")) == ["000002.png", "000003.png"]
    assert "note: 1 images without a frame: bad image message" in capsys.readouterr().out


def test_chosen_frames_are_the_middles_of_equal_parts() -> None:
    assert chosen(30, 3, None) == [5, 15, 25]
    assert chosen(2, 6, None) == [0, 1]
    assert chosen(7, 6, 3) == [0, 3, 6]
    assert chosen(0, 6, None) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["missing"], "missing' does not exist"),
        (["m.onnx"], "m.onnx"),
        (["in", "--image", "/nope"], "'/nope' isn't there"),
        (["in", "--lidar", "/nope"], "'/nope' is nothing"),
        (["in", "--truth", "/nope"], "'/nope' is nothing in 'in'; as truth it must be a depth image"),
        (["in", "--truth", "/cam/camera_info"], "is sensor_msgs/msg/CameraInfo"),
        (["in", "--truth", "/cam/image_rect"], "'/cam/image_rect' is in use as image"),
        (["in", "--truth", "/colour"], "'/colour' can't be the truth"),
        (["in", "--out", "full"], "'full' exists and isn't empty"),
        (["in", "--out", "m.onnx"], "'m.onnx' exists"),
        (["in", "--model", "gone.onnx"], "gone.onnx"),
    ],
)
def test_errors_are_one_line_and_exit_code_1(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    reason: str,
) -> None:
    cam.camera_bag(tmp_path / "in", [10], [("/colour", T0, rec.image(3))])
    tiny_model(tmp_path / "m.onnx")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    monkeypatch.chdir(tmp_path)
    assert main(["view", "--model", "m.onnx", "--image", "/cam/image_rect", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and reason in error
    assert not (tmp_path / "view").exists()


def test_no_frame_at_all_is_an_error(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    recorded = cam.camera_messages([10])
    recorded[0][2].step = 7
    bag = rec.rosbag2(tmp_path / "in", recorded)
    arguments = ["view", str(bag), "--image", "/cam/image_rect", "--out", str(tmp_path / "out"), "--model", model]
    assert main(arguments) == 1
    assert "no frame came out of" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_matplotlib_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["view", str(tmp_path / "any")]) == 1
    error = capsys.readouterr().err
    assert "pip install 'depth_perception[view]'" in error and error.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--frames", "0"], ["--every", "-1"], ["--frames", "2", "--every", "2"]])
def test_impossible_counts_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["view", "bag", *arguments])
    assert "must be 1 or more" in (error := capsys.readouterr().err) or "not allowed with" in error


def cloud_message(metres: float, stamp_ns: int) -> object:
    """Points of a wall in the optical frame, seen on every tenth pixel of each tenth row."""
    types = JAZZY.types
    rows, columns = np.mgrid[5 : cam.HEIGHT : 10, 5 : cam.WIDTH : 10]
    rays = np.stack([columns.ravel(), rows.ravel(), np.ones(rows.size)]).astype(np.float64)
    xyz = (metres * np.linalg.inv(cam.K) @ rays).T.astype("<f4")
    fields = [types["sensor_msgs/msg/PointField"](name, 4 * i, 7, 1) for i, name in enumerate("xyz")]
    return types["sensor_msgs/msg/PointCloud2"](
        rec.header(JAZZY, stamp_ns, "lens"), 1, len(xyz), fields, False, 12, 12 * len(xyz),
        np.frombuffer(xyz.tobytes(), np.uint8), True,
    )  # fmt: skip


def test_a_lidar_gives_the_scale_and_is_drawn(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from depth_perception.view import recording

    drawn = []
    keep = recording.sheet
    monkeypatch.setattr(recording, "sheet", lambda *args: drawn.append(keep(*args)) or drawn[-1])
    reds = [60, 61, 62, 63, 64, 65]
    stamps = [T0 + i * cam.STEP_NS for i in range(len(reds))]
    clouds = [
        ("/points", stamp + 10_000_000, cloud_message(2 * cam.expected_depth(red), stamp))
        for stamp, red in zip(stamps, reds, strict=True)
    ]
    recorded = sorted([*cam.camera_messages(reds), *clouds], key=lambda item: item[1])
    bag, out = rec.rosbag2(tmp_path / "in", recorded), tmp_path / "out"
    arguments = ["--model", model, "--frames", "1", "--lidar", "/points", "--T-cam-lidar", "0 0 0 0 0 0 1"]
    assert main(["view", str(bag), "--out", str(out), *arguments]) == 0
    said = capsys.readouterr().out
    assert "000003.png: scale from lidar: × 2, 192 anchors, 100% agree, 0.00 s old; " in said
    axes = {axes.get_title().split(":")[0]: axes for axes in drawn[0].axes}
    assert axes["anchors"].get_title().endswith("× 0 refused")
    forward = np.asarray(axes["from above"].collections[1].get_offsets())[:, 0]
    assert forward == pytest.approx(2 * cam.expected_depth(63), rel=1e-4)
