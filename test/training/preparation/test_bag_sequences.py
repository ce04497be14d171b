"""A recording of a wall in closed form: what belongs together, and where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bags.recordings import T0
from made_sequences import made
from rig_bags import (
    BASELINE_M,
    IMAGE,
    LEFT,
    ODOM,
    STEP_NS,
    T_LEFT_BODY,
    T_LEFT_LIDAR,
    RigBag,
    picture,
    wall_depth,
)

from depth_perception import messages


def test_images_context_pose_and_origin(tmp_path: Path) -> None:
    sequence, _ = made(tmp_path, RigBag(frames=6))
    samples = sequence.samples()
    assert [sample.index for sample in samples] == list(range(6))
    assert [sample.context for sample in samples] == [(None, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, None)]
    assert [sample.stamp_ns for sample in samples] == [T0 + i * STEP_NS for i in range(6)]
    for i, sample in enumerate(samples):
        assert np.array_equal(sequence.image(i), picture(i))
        assert sample.source == {"file": "bag", "topic": IMAGE, "number": i}
        assert sample.motion_m == pytest.approx(0.1, abs=1e-6) and sample.motion_rad == pytest.approx(0.0, abs=1e-6)
    before, this, after = samples[2].T_odom_left
    step = np.linalg.inv(this) @ after
    np.testing.assert_allclose(step, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.1], [0, 0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(np.linalg.inv(before) @ this, step, atol=1e-6)
    np.testing.assert_allclose(sequence.calibration.T_left_lidar, T_LEFT_LIDAR, atol=1e-6)
    np.testing.assert_allclose(sequence.calibration.T_left_body, T_LEFT_BODY, atol=1e-6)
    assert sequence.calibration.cameras["left"] == LEFT


@pytest.mark.parametrize("point_times", [True, False])
def test_depth_is_that_of_the_image_s_time(tmp_path: Path, point_times: bool) -> None:
    """The turn is 40 ms late and takes 100 ms, in which the wall comes 0.14 m nearer; odometry takes that out."""
    sequence, _ = made(tmp_path, RigBag(frames=5, point_times=point_times))
    for sample in sequence.samples():
        depth = sequence.depth(sample.index)
        assert sample.depth["left"] == np.isfinite(depth).sum() > 500
        np.testing.assert_allclose(depth[np.isfinite(depth)], wall_depth(sample.index), atol=0.5 / 256 + 1e-3)
        assert sample.sync_ms == {"lidar": 40.0, "odometry": 0.0}


def test_without_odometry_the_points_stay_where_they_were_measured(tmp_path: Path) -> None:
    sequence, outcome = made(tmp_path, RigBag(frames=4, odom=False, point_times=False))
    depth = sequence.depth(2)
    np.testing.assert_allclose(depth[np.isfinite(depth)], wall_depth(2) - 0.04, atol=0.5 / 256 + 1e-3)
    assert sequence.samples()[1].motion_m is None and sequence.calibration.T_left_body is None
    assert outcome.summary is not None and outcome.summary["rejected"] == {}


def test_stereo_partner_has_its_own_depth(tmp_path: Path) -> None:
    sequence, _ = made(tmp_path, RigBag(frames=4, stereo=True))
    calibration = sequence.calibration
    assert calibration.cameras["right"].P[0, 3] == pytest.approx(-80.0 * BASELINE_M)
    np.testing.assert_allclose(calibration.T_left_right[:3, 3], [BASELINE_M, 0, 0], atol=1e-9)
    sample = sequence.samples()[1]
    assert sample.right and sample.sync_ms == {"right": 0.0, "lidar": 40.0, "odometry": 0.0}
    left, right = sequence.depth(1), sequence.depth(1, "right")
    np.testing.assert_allclose(right[np.isfinite(right)], wall_depth(1), atol=0.5 / 256 + 1e-3)
    # Each eye sees the same point at its own column: fx * baseline / depth = 80 * 0.2 / 5.9 = 2.7 px further left
    shift = np.nonzero(np.isfinite(left))[1].min() - np.nonzero(np.isfinite(right))[1].min()
    assert abs(shift - 80.0 * BASELINE_M / wall_depth(1)) <= 1.0 or np.nonzero(np.isfinite(right))[1].min() == 0


def test_beams_are_thinned_before_projection(tmp_path: Path) -> None:
    full, _ = made(tmp_path / "a", RigBag(frames=3))
    thin, outcome = made(tmp_path / "b", RigBag(frames=3), beams=4, beam_offset=1)
    assert thin.samples()[0].beams == (1, 5, 9, 13) and full.samples()[0].beams == ()
    assert outcome.summary is not None and outcome.summary["lidar_beams"] == 16
    seen = {int(beam) for beam in outcome.summary["points_of_beam"] if outcome.summary["points_of_beam"][beam]}
    assert seen <= {1, 5, 9, 13} and len(seen) >= 3
    few, all_of_them = np.isfinite(thin.depth(1)), np.isfinite(full.depth(1))
    assert 0.15 < few.sum() / all_of_them.sum() < 0.35 and not (few & ~all_of_them).any()


def test_a_share_of_the_points_is_drawn_anew_in_each_frame(tmp_path: Path) -> None:
    full, _ = made(tmp_path / "a", RigBag(frames=3, odom=False, point_times=False))
    half, _ = made(tmp_path / "b", RigBag(frames=3, odom=False, point_times=False), point_share=0.5)
    again, _ = made(tmp_path / "c", RigBag(frames=3, odom=False, point_times=False), point_share=0.5, seed=1)
    share = half.samples()[1].depth["left"] / full.samples()[1].depth["left"]
    assert 0.45 < share < 0.6  # a pixel with two points is lost only if both are
    for other in (half.depth(2), again.depth(1)):
        assert not np.array_equal(np.isfinite(half.depth(1)), np.isfinite(other))


def test_stride_and_size(tmp_path: Path) -> None:
    sequence, _ = made(tmp_path, RigBag(frames=6), stride=2, size="48x64", beams=8)
    assert [sample.context for sample in sequence.samples()][:3] == [(None, 2), (None, 3), (0, 4)]
    assert sequence.samples()[2].motion_m == pytest.approx(0.2, abs=1e-6)
    assert sequence.image(0).shape == (48, 64, 3) and sequence.depth(0).shape == (48, 64)
    assert sequence.calibration.cameras["left"].fx == 40.0


def test_a_robot_that_stands_still_gives_context_only(tmp_path: Path) -> None:
    """Frames 4 and 5 are where frame 3 is: they are no samples, but frame 3 keeps 4 as its context."""
    bag = RigBag(frames=8, lidar=False)

    def stands(topic: str, log: int, message: Any) -> tuple[str, int, Any]:
        stamp = messages.stamp_ns(message.header) if topic == ODOM else 0
        if topic == ODOM and stamp > T0 + 3 * STEP_NS:
            held = bag.odometry(max(T0 + 3 * STEP_NS, stamp - 2 * STEP_NS))
            held.header = message.header
            return topic, log, held
        return topic, log, message

    sequence, _ = made(tmp_path, [stands(*item) for item in bag.messages()])
    assert [sample.index for sample in sequence.samples()] == [0, 1, 2, 3, 6, 7]
    assert [rejected.reason for rejected in sequence.rejected()] == ["static", "static"]
    contexts = {sample.index: sample.context for sample in sequence.samples()}
    assert contexts[3] == (2, 4) and contexts[6] == (5, 7) and sequence.image_path(4).is_file()
    kept, _ = made(tmp_path / "b", [stands(*item) for item in bag.messages()], keep_static=True)
    assert len(kept.samples()) == 8


def test_a_gap_in_time_has_no_context(tmp_path: Path) -> None:
    bag = RigBag(frames=8)
    late = [item for item in bag.messages() if not T0 + 2.5 * STEP_NS < item[1] < T0 + 7 * STEP_NS or item[0] == ODOM]
    sequence, _ = made(tmp_path, late, max_gap_s=0.25)
    contexts = {sample.index: sample.context for sample in sequence.samples()}
    assert contexts == {0: (None, 1), 1: (0, 2), 2: (1, None), 3: (None, None)}
