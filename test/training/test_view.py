"""The report of a dataset folder: its numbers are the folder's, its pictures show what lies where."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from dataset_folders import Rig, depth_of, write_dataset

from depth_perception.records import DepthKind
from training.dataset_folder import Rejected, SequenceCalibration, sequences
from training.dataset_writer import SequenceWriter, write_json
from training.report.bars import bars, histogram
from training.report.numbers import count
from training.report.pictures import CAPTION, GAP, TILE_WIDTH, Ends, overlay, sheet
from training.teacher_labels import TeacherLabel, write_label
from training.view import choose, main, write_report


class Reader(HTMLParser):
    """Collects rows of tables, pictures, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.sources: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open:
            self.rows[-1][-1] += data

    def row(self, first: str) -> list[str]:
        return next(row for row in self.rows if row and row[0] == first)


class TestNumbers:
    def test_they_are_the_folders(self, tmp_path: Path) -> None:
        rig = Rig(frames=6, right_context=False, beams=(0, 16))
        (recording,) = sequences(write_dataset(tmp_path / "set", rig, supervised=[1, 4]))
        found = count(recording)
        assert len(found.samples) == 6 and found.split == {"train": 6, "val": 0, "test": 0}
        assert found.supervised == 2 and found.right == 3 and found.with_depth == {"left": 6, "right": 3}
        assert found.whole_context == 4 and found.with_pose == 6 and found.labelled == {"left": 0, "right": 0}
        points = int(np.isfinite(depth_of(0, "left", rig)).sum())
        assert (found.points["left"].mean, found.points["left"].count) == (points, 6)
        assert found.sync_ms["lidar"].mean == pytest.approx(0.5) and found.sync_ms["lidar"].low == -2.0
        assert found.sync_ms["right"].count == 3 and found.motion_m.mean == 0.25
        assert found.rejected == {"static": 2, "no LiDAR": 1} and found.examples["static"] == "moved 0.01 m"
        assert found.beams == (0, 16)

    def test_depth_histogram_holds_every_measured_pixel(self, tmp_path: Path) -> None:
        rig = Rig(frames=3)
        (recording,) = sequences(write_dataset(tmp_path / "set", rig))
        depth = count(recording).summary["depth"]["left"]
        measured = np.concatenate([depth_of(n, "left", rig)[np.isfinite(depth_of(n, "left", rig))] for n in range(3)])
        assert depth["counts"] == np.histogram(measured, depth["edges_m"])[0].tolist()
        assert sum(depth["counts"]) == len(measured)


class TestPage:
    def test_it_says_the_folders_numbers(self, tmp_path: Path) -> None:
        rig = Rig(frames=6, right_context=False)
        out = write_dataset(tmp_path / "set", rig, supervised=[1, 4])
        write_dataset(out, Rig(frames=2, name="walk", right=False, split="val", odometry=False))
        text = write_report(out, tmp_path / "report").read_text()
        page = Reader(text)
        assert not page.open
        #             samples train val test  S    U   depth stereo poses teacher rejected
        assert page.row("drive")[1:] == ["6", "6", "0", "0", "2", "4", "6", "3", "6", "0", "3"]
        assert page.row("walk")[1:] == ["2", "0", "2", "0", "0", "2", "2", "0", "0", "0", "3"]
        assert page.row("all")[1:] == ["8", "6", "2", "0", "2", "6", "8", "3", "6", "0", "6"]
        assert page.row("static") == ["static", "2", "moved 0.01 m"]
        assert page.row("no LiDAR")[2] == "nearest is <0.4 s> away"  # escaped
        assert page.row("lidar") == ["lidar", "6", "+0.50", "-2.00", "+3.00"]
        assert page.row("left")[3:7] == ["50.00", "60.00", "30.00", "17.00"]
        assert page.row("moved, m")[1] == "mean 0.25, 0.25 to 0.25 (6 samples)"
        assert "no odometry" in [cell for row in page.rows for cell in row]

    def test_it_needs_nothing_else(self, tmp_path: Path) -> None:
        path = write_report(write_dataset(tmp_path / "set"), tmp_path / "report")
        page = Reader(path.read_text())
        pictures = [source for source in page.sources if not source.startswith("#")]
        assert len(pictures) == 1 and all(source.startswith("data:image/jpeg;base64,") for source in pictures)
        assert not re.search(r"https?:|<script|url\(", path.read_text())
        data = np.frombuffer(base64.b64decode(pictures[0].partition(",")[2]), np.uint8)
        png = cv2.imread(str(tmp_path / "report" / "drive.png"))
        assert cv2.imdecode(data, cv2.IMREAD_COLOR).shape == png.shape

    def test_beams_are_points_a_frame(self, tmp_path: Path) -> None:
        text = write_report(write_dataset(tmp_path / "set"), tmp_path / "report").read_text()
        chart = text[text.index("points of each beam") :]
        assert re.findall(r"<title>(\d): ([\d.]+)</title>", chart)[:4] == [
            ("0", "1"), ("1", "2"), ("2", "3"), ("3", "4"),
        ]  # fmt: skip

    def test_a_sequence_without_samples_and_a_failed_one_are_told(self, tmp_path: Path) -> None:
        out = write_dataset(tmp_path / "set")
        (calibration,) = (recording.calibration for recording in sequences(out))
        with SequenceWriter(out, "nothing", "jpg") as writer:
            writer.reject(Rejected(1, "static", "0.1 of 255"))
            writer.finish(SequenceCalibration(calibration.cameras, "jpg"), [], {"notes": ["no LiDAR & no odometry"]})
            writer.publish()
        write_json(out / "manifest.json", {"failed": {"broken.mcap": "it ends at once"}})
        text = write_report(out, tmp_path / "report").read_text()
        page = Reader(text)
        assert page.row("nothing")[1] == "0" and "no LiDAR &amp; no odometry" in text
        assert "broken.mcap failed: it ends at once" in text
        assert not (tmp_path / "report" / "nothing.png").exists()

    def test_two_runs_give_the_same_bytes(self, tmp_path: Path) -> None:
        out = write_dataset(tmp_path / "set")
        assert write_report(out, tmp_path / "a").read_bytes() == write_report(out, tmp_path / "b").read_bytes()


class TestPictures:
    def test_a_dot_lies_on_its_pixel(self) -> None:
        image, depth = np.zeros((20, 100, 3), np.uint8), np.full((20, 100), np.nan, np.float32)
        depth[5, 30] = 2.0  # its centre: (30.5 * 8 - 0.5, 5.5 * 8 - 0.5)
        out = overlay(image, depth, Ends(1.0, 10.0))
        v, u = np.nonzero(out.any(axis=2))
        assert out.shape == (160, TILE_WIDTH, 3)
        assert (u.mean(), v.mean()) == pytest.approx((30.5 * 8 - 0.5, 5.5 * 8 - 0.5), abs=0.51)

    def test_the_nearest_is_on_top(self) -> None:
        depth = np.full((40, 1600), np.nan, np.float32)  # two pixels share a dot's place
        depth[10, 100], depth[10, 101] = 2.0, 9.0
        ends = Ends(1.0, 10.0)
        out = overlay(np.zeros((40, 1600, 3), np.uint8), depth, ends)
        near = (out == ends.colours(np.array([2.0], np.float32))[0]).all(axis=2)
        far = (out == ends.colours(np.array([9.0], np.float32))[0]).all(axis=2)
        assert near.sum() == 16 and far.sum() <= 4

    def test_near_is_warm_far_is_cold_unknown_is_black(self) -> None:
        near, far, none = Ends(1.0, 10.0).colours(np.array([1.0, 10.0, np.nan], np.float32)).astype(int)
        assert near[0] > near[2] and far[2] > far[0] and not none.any()

    def test_much_is_thinned(self) -> None:
        image = np.full((300, TILE_WIDTH, 3), 200, np.uint8)
        out = overlay(image, np.full((300, TILE_WIDTH), 3.0, np.float32), Ends(1.0, 10.0))
        assert 0.5 < (out == 110).all(axis=2).mean() < 0.95  # the dim picture, between the dots

    def test_a_sheet_holds_what_there_is(self, tmp_path: Path) -> None:
        (recording,) = sequences(write_dataset(tmp_path / "set", Rig(width=80)))
        line = 40 * TILE_WIDTH // 80 + CAPTION + GAP
        for samples in (1, 2):  # 4 tiles each, 2 in a line, and a scale
            picture = sheet(recording, recording.samples()[:samples])
            assert picture.shape == (2 * samples * line + CAPTION + 18, 2 * (TILE_WIDTH + GAP), 3)

    @pytest.mark.parametrize("kind", [DepthKind.METRIC, DepthKind.RELATIVE_INVERSE])
    def test_a_teachers_label_and_its_confidence_are_shown(self, tmp_path: Path, kind: DepthKind) -> None:
        (recording,) = sequences(write_dataset(tmp_path / "set", Rig(right=False)))
        before = sheet(recording, recording.samples()[:1])
        half = np.zeros((40, 64), np.uint8)
        half[:, 32:] = 255
        label = TeacherLabel(np.full((40, 64), 0.1, np.float16), half, kind, "", "")
        write_label(recording.teacher_path(0), label)
        after = sheet(recording, recording.samples()[:1])
        line = 40 * TILE_WIDTH // 64 + CAPTION + GAP
        assert after.shape == (before.shape[0] + line, before.shape[1], 3)
        confidence = after[line + CAPTION : 2 * line - GAP, TILE_WIDTH + GAP : 2 * TILE_WIDTH + GAP]
        assert confidence[:, 100].max() == 0 and confidence[:, 700].min() == 255


def test_choice_is_seeded_and_prefers_depth(tmp_path: Path) -> None:
    (recording,) = sequences(write_dataset(tmp_path / "set", Rig(frames=8)))
    samples = recording.samples()
    first = choose(samples, 3, seed=1)
    assert len(first) == 3 and [sample.index for sample in first] == sorted(sample.index for sample in first)
    assert first == choose(samples, 3, seed=1) and len(choose(samples, 20, seed=1)) == 8
    assert len({tuple(sample.index for sample in choose(samples, 3, seed)) for seed in range(9)}) > 3


def test_bars_are_as_high_as_their_values() -> None:
    text = bars("a < b", ["x", "y"], [1.0, 4.0], "m")
    assert "a &lt; b, m" in text
    assert [float(tall) for tall in re.findall(r'height="([\d.]+)" fill', text)] == pytest.approx([27.5, 110.0])
    assert re.findall(r"<title>(.*?)</title>", text) == ["x: 1", "y: 4"]
    assert "<rect" in bars("nothing", ["x"], [0.0])


def test_labels_do_not_touch() -> None:
    for labels in ([f"{n:.5f}" for n in range(12)], [str(n) for n in range(64)], ["1", "2"]):
        text = bars("", labels, [1.0] * len(labels))
        found = re.findall(r'<text x="(\d+)" y="140" font-size="10">(.*?)<', text)
        assert len(found) >= 2 and found[0][1] == labels[0]
        for (x, label), (following, _) in pairwise(found):
            assert int(x) + 6 * len(label) <= int(following)


def test_a_histogram_counts_all() -> None:
    text = histogram("moved", [0.0, 1.0, 1.0, 3.0], "m")
    assert sum(float(value) for value in re.findall(r"<title>.*?: ([\d.]+)</title>", text)) == 4
    assert re.findall(r"<title>(.*?)</title>", histogram("moved", [0.25] * 5, "m")) == ["0.25: 5"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = write_dataset(tmp_path / "set")
    assert main([str(out), "--samples", "2"]) == 0
    assert capsys.readouterr().out.strip() == str(out / "report" / "index.html")
    assert len(sequences(out)) == 1  # the report is no sequence
    assert main([str(tmp_path / "empty")]) == 1
    assert "make_dataset" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(out), "--samples", "0"])
