"""What the scale's outputs carry: std, confidence, quality and anchors, for rosbags' message classes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from depth_perception import messages
from depth_perception.bags.types import jazzy
from depth_perception.camera import CameraModel
from depth_perception.confidence import confidence
from depth_perception.config import DepthConfig, ScaleConfig
from depth_perception.errors import MessageError
from depth_perception.outputs import OutputBuilder
from depth_perception.records import Anchors, DepthFrame, DepthKind, Quality, Use, UsedAnchors

CAMERA = CameraModel(6, 8, np.array([[20.0, 0, 3.0], [0, 25.0, 2.0], [0, 0, 1]]))
SCALE_TOPICS = ("depth/std", "depth/confidence", "depth/quality", "depth/anchors")


def anchors(depth: list[float], source: str = "lidar") -> UsedAnchors:
    count = len(depth)
    uv = np.array([[7.0, 4.0], [3.0, 2.0], [0.0, 0.0]], np.float32)[:count]
    sigma = np.full(count, 0.05, np.float32)
    record = Anchors(uv, np.array(depth, np.float32), sigma, np.zeros(count, np.int32), source, stamp_ns=5)
    return UsedAnchors(record, np.array([Use.FITTED, Use.REFUSED, Use.HELD_OUT][:count], np.uint8))


def frame(depth: float | None = 2.0, used: tuple[UsedAnchors, ...] = (), **quality: object) -> DepthFrame:
    facts = {"source": "lidar", "relative_std": 0.1, "valid_share": 1.0} | quality
    shape = (6, 8)
    return DepthFrame(
        depth=None if depth is None else np.full(shape, depth, np.float32),
        prediction=np.ones((3, 4), np.float32), kind=DepthKind.METRIC, stamp_ns=7_000_000_001, frame_id="lens",
        camera=CAMERA, image=np.zeros((*shape, 3), np.uint8), quality=Quality(**facts),  # type: ignore[arg-type]
        std=None if depth is None else np.full(shape, 0.2, np.float32), anchors=used,
    )  # fmt: skip


def build(of: DepthFrame, config: DepthConfig | None = None) -> dict[str, object]:
    config = config or DepthConfig(scale=ScaleConfig(confidence=True))
    return dict(OutputBuilder(messages.recorded(jazzy()))(of, config, SCALE_TOPICS))


def values(message: object) -> dict[str, str]:
    return {pair.key: pair.value for pair in message.status[0].values}  # type: ignore[attr-defined]


def test_std_is_metres_and_confidence_is_the_chance_of_ten_percent() -> None:
    out = build(frame())
    assert out["depth/std"].encoding == "32FC1" and out["depth/confidence"].encoding == "mono8"
    np.testing.assert_array_equal(messages.decode_image(out["depth/std"]), np.float32(0.2))
    # std is a tenth of depth: one standard deviation, 68.27 %
    np.testing.assert_array_equal(messages.decode_image(out["depth/confidence"]), round(255 * 0.6827))
    assert "depth/confidence" not in build(frame(), DepthConfig())


def test_confidence_of_unknown_certain_and_hopeless() -> None:
    depth = np.array([[2.0, np.nan, np.inf, 2.0, 2.0, 2.0]], np.float32)
    std = np.array([[0.0, np.nan, np.nan, 0.1, 2.0, 50.0]], np.float32)
    within = [round(255 * math.erf(0.1 / (r * math.sqrt(2)))) for r in (0.05, 1.0)]
    np.testing.assert_array_equal(confidence(depth, std), [[255, 0, 0, within[0], within[1], within[1]]])


def test_quality_carries_the_numbers_with_the_images_stamp() -> None:
    out = build(frame(count=50, inlier_share=0.9, scale=1.25, abs_rel=0.04321987, held_out=9))["depth/quality"]
    assert messages.stamp_ns(out.header) == 7_000_000_001 and out.header.frame_id == "lens"
    assert (out.status[0].level, out.status[0].message) == (0, "scale from lidar")
    got = values(out)
    assert got["abs_rel"] == "0.04322" and got["scale"] == "1.25" and got["count"] == "50" and got["held_out"] == "9"
    assert got["held"] == "false" and math.isnan(float(got["rmse"]))


@pytest.mark.parametrize(
    ("facts", "depth", "level", "message"),
    [
        ({"held": True}, 2.0, 1, "scale from lidar, held from an earlier frame"),
        ({"warnings": ("lidar: stale",)}, 2.0, 1, "scale from lidar; lidar: stale"),
        ({"source": "prior"}, 2.0, 0, "scale from the model alone (prior): not measured by a sensor"),
        ({"source": "none", "reason": "nothing measures it"}, None, 2, "no metric depth: nothing measures it"),
    ],
)
def test_quality_says_how_bad_it_is(facts: dict, depth: float | None, level: int, message: str) -> None:
    out = build(frame(depth, **facts))
    assert (out["depth/quality"].status[0].level, out["depth/quality"].status[0].message) == (level, message)
    assert ("depth/std" in out) == (depth is not None)


def test_anchors_are_points_with_their_pixel_sigma_and_use() -> None:
    used = (anchors([4.0, 2.0, np.nan]), anchors([10.0], "stereo"))
    cloud = build(frame(None, used, source="none"))["depth/anchors"]
    points = messages.decode_cloud(cloud)[0]
    assert (cloud.point_step, cloud.width, len(points)) == (28, 3, 3)  # the NaN is left out
    np.testing.assert_allclose([points["x"][0], points["y"][0], points["z"][0]], [4 / 20 * 4.0, 2 / 25 * 4.0, 4.0])
    np.testing.assert_allclose([points["u"][0], points["v"][0], points["sigma"][0]], [7, 4, 0.05], rtol=1e-6)
    assert points["use"].tolist() == [Use.FITTED, Use.REFUSED, Use.FITTED] and points["source"].tolist() == [1, 1, 3]
    assert build(frame())["depth/anchors"].width == 0


def test_a_field_that_pointfield_does_not_know_is_refused() -> None:
    with pytest.raises(MessageError, match="<c8"):
        messages.points_message(messages.recorded(jazzy()), np.zeros(2, [("wave", "<c8")]), 0, "lens")
