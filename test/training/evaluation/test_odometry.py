"""Errors of trajectories in closed form."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from depth_perception.errors import ConfigError
from training.evaluation.odometry import (
    LENGTHS_M,
    absolute_error_m,
    chained,
    main,
    read_poses,
    scale_of,
    scaled,
    segment_errors,
)


def turn(angle: float) -> np.ndarray:
    """(4, 4) about y."""
    T = np.eye(4)
    T[0, 0] = T[2, 2] = math.cos(angle)
    T[0, 2], T[2, 0] = math.sin(angle), -math.sin(angle)
    return T


def step(metres: float, angle: float = 0.0) -> np.ndarray:
    T = turn(angle)
    T[2, 3] = metres
    return T


def straight(frames: int = 1001, metres: float = 1.0, angle: float = 0.0) -> np.ndarray:
    return chained(np.stack([step(metres, angle)] * (frames - 1)))


def drive(frames: int = 400) -> np.ndarray:
    """A drive with bends, 2 m a frame, in a world that is turned and far away."""
    motion = [step(2.0, 0.02 * math.sin(n / 30)) for n in range(frames - 1)]
    T = turn(0.7)
    T[:3, 3] = 50.0, -3.0, 20.0
    return T @ chained(np.stack(motion))


class TestSegments:
    def test_what_is_right_has_no_error(self) -> None:
        found = segment_errors(drive(), drive())
        assert (found.t_rel, found.r_rel) == pytest.approx((0.0, 0.0), abs=1e-5) and found.segments > 100

    def test_a_scale_of_102_percent(self) -> None:
        # 1 m a frame: a segment of L m ends at the first frame farther than L, L + 1 m away, and is 0.02 (L + 1) off.
        found = segment_errors(straight(), straight(metres=1.02))
        counts = [len([first for first in range(0, 1001, 10) if first + length + 1 <= 1000]) for length in LENGTHS_M]
        error = [0.02 * (length + 1) / length for length in LENGTHS_M]
        assert counts[0] == 90 and counts[-1] == 20 and found.segments == sum(counts)
        assert found.t_rel == pytest.approx(100 * np.average(error, weights=counts))
        assert found.r_rel == pytest.approx(0.0, abs=1e-9)

    def test_a_drift_of_yaw(self) -> None:
        drift = 1e-4  # rad a frame, 1 m each
        found = segment_errors(straight(400), straight(400, angle=drift), lengths=(200.0,))
        assert found.r_rel == pytest.approx(100 * math.degrees(drift * 201 / 200), rel=1e-6)

    def test_error_is_seen_from_the_estimated_end(self) -> None:
        # The end is at the right place but turned by 90 degrees: no error of translation. The other order,
        # true @ inv(estimated), would give 101 * sqrt(2) m.
        truth = straight(102)
        estimate = truth.copy()
        estimate[-1] = truth[-1] @ turn(math.pi / 2)
        found = segment_errors(truth, estimate, lengths=(100.0,))
        assert found.segments == 1 and found.t_rel == pytest.approx(0.0, abs=1e-9)
        assert found.r_rel == pytest.approx(90.0)

    def test_the_way_is_the_truths(self) -> None:
        found = segment_errors(straight(102, metres=2.0), straight(102, metres=1.0), lengths=(100.0,))
        # ends 51 frames (102 m) later: 51 m off; from frames 0, 10, ... 50
        assert found.segments == 6 and found.t_rel == pytest.approx(51.0)

    def test_the_world_does_not_matter(self) -> None:
        noisy = drive() @ turn(0.001)
        other = np.linalg.inv(drive()[7]) @ noisy
        one, two = segment_errors(drive(), noisy), segment_errors(drive(), other)
        assert (one.t_rel, one.r_rel) == pytest.approx((two.t_rel, two.r_rel), abs=1e-6) and one.t_rel > 0.05

    def test_a_short_drive_has_none(self) -> None:
        found = segment_errors(straight(100), straight(100))
        assert found.segments == 0 and math.isnan(found.t_rel) and math.isnan(found.r_rel)
        assert segment_errors(straight(100), straight(100), lengths=(10.0,)).segments == 9

    def test_trajectories_that_do_not_belong_together(self) -> None:
        with pytest.raises(ConfigError, match=r"\(5, 4, 4\) and \(6, 4, 4\)"):
            segment_errors(straight(5), straight(6))
        bad = straight(5)
        bad[2, 0, 3] = np.nan
        with pytest.raises(ConfigError, match="NaN"):
            absolute_error_m(straight(5), bad)


class TestAbsolute:
    SQUARE = np.tile(np.eye(4), (4, 1, 1))
    SQUARE[:, :3, 3] = [[1, 0, 1], [1, 0, -1], [-1, 0, -1], [-1, 0, 1]]

    def test_a_rigid_motion_is_no_error(self) -> None:
        assert absolute_error_m(drive(), step(3.0, 1.0) @ drive()) == pytest.approx(0.0, abs=1e-9)

    def test_twice_the_size(self) -> None:
        double = scaled(self.SQUARE, 2.0)
        assert absolute_error_m(self.SQUARE, double) == pytest.approx(math.sqrt(2))  # each corner is sqrt(2) away
        assert absolute_error_m(self.SQUARE, double, scale=True) == pytest.approx(0.0, abs=1e-12)

    def test_a_mirror_image_is_wrong(self) -> None:
        corner = np.tile(np.eye(4), (4, 1, 1))
        corner[:, :3, 3] = [[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]]
        mirrored = corner.copy()
        mirrored[:, 0, 3] *= -1
        assert absolute_error_m(corner, mirrored, scale=True) > 0.3

    def test_scale_of_positions_from_the_first_frame(self) -> None:
        moved = step(9.0, 1.0) @ scaled(np.linalg.inv(drive()[0]) @ drive(), 0.25)
        assert scale_of(drive(), moved) == pytest.approx(4.0)
        assert math.isnan(scale_of(straight(3), straight(3, metres=0.0)))


def test_chaining_is_previous_from_current() -> None:
    # forward 1, turn 90 degrees about y (z to x), forward 1: the wrong order would end at (0, 0, 2) or (-1, 0, 1)
    found = chained(np.stack([step(1.0, math.pi / 2), step(1.0)]))
    assert found.shape == (3, 4, 4) and found[0].tolist() == np.eye(4).tolist()
    assert found[2, :3, 3] == pytest.approx([1.0, 0.0, 1.0])


class TestCommand:
    def write(self, path: Path, trajectory: np.ndarray) -> str:
        np.savetxt(path, trajectory[:, :3].reshape(-1, 12))
        return str(path)

    def test_it_prints_a_table(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        truth = self.write(tmp_path / "truth.txt", straight())
        estimate = self.write(tmp_path / "estimate.txt", straight(metres=0.5))
        assert read_poses(truth) == pytest.approx(straight())
        assert main([truth, estimate, "--scale"]) == 0
        assert capsys.readouterr().out.splitlines()[2].split(" | ")[:6] == [
            "| estimate", "1001", "1000.0", "2.0000", "440", "0.0000",
        ]  # fmt: skip
        assert main([truth, estimate]) == 0
        assert float(capsys.readouterr().out.splitlines()[2].split(" | ")[5]) == pytest.approx(50.17, abs=0.05)

    def test_what_cannot_be_read(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        truth = self.write(tmp_path / "truth.txt", straight(5))
        (tmp_path / "words.txt").write_text("a b c\n")
        (tmp_path / "few.txt").write_text("1 2 3\n")
        for name, reason in (("nothing.txt", "isn't there"), ("words.txt", "can't be read"), ("few.txt", "12 a line")):
            assert main([truth, str(tmp_path / name)]) == 1
            assert reason in capsys.readouterr().err
        assert main([truth, truth]) == 0
        assert "shorter than 100 m" in capsys.readouterr().err
        assert main([truth, truth, "--lengths", "2,3"]) == 0
        assert capsys.readouterr().err == ""
        with pytest.raises(SystemExit):
            main([truth, truth, "--lengths", "0"])
