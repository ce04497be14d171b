"""The simulated robot's sensors give the depth node its scale, mounted as config/depth_simulated.yaml says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from ros_harness import ROOT, Robot, running
from sensor_msgs.msg import Image

from depth_perception import messages
from depth_perception.bringup import SIMULATED, parameters, remappings

pytest.importorskip("mujoco", reason="mujoco is not installed: pip install 'depth_perception[sim]'")
WORLD = {"seed": 3, "kind": "room", "drive_s": 1.0, "rate": 5.0, "height": 240, "width": 320}
FRAMES = 4


def node_of(given: dict[str, str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Parameters and ROS arguments, as `depth-perception up --sim` passes them."""
    files = ("--params-file", str(ROOT / SIMULATED["params_file"]))
    rules = tuple(part for name, topic in remappings(given) for part in ("-r", f"{name}:={topic}"))
    return {**parameters(given), "engine.backend": "onnxruntime"}, (*files, *rules)


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ({"lidar": "lidar/points", "odom": "odom"}, "lidar"),
        ({"right": "right/image", "scan": "lidar/scan"}, "scan+stereo"),
    ],
)
def test_depth_is_the_truths_at_the_median(robot: Robot, given: dict[str, str], source: str) -> None:
    camera = {name: SIMULATED[name] for name in ("use_sim_time", "image", "camera_info")}
    values, arguments = node_of({**camera, **given})
    # The scale of the model changes a lot before a near wall: each frame's own fit is judged here.
    values |= {"scale.max_jump": 10.0, "scale.time_constant_s": 0.0}
    heard = {topic: robot.listen(Image, topic, 50) for topic in ("truth/depth", "depth/image")}
    quality = robot.listen(DiagnosticArray, "depth/quality", 50)
    found: dict[int, dict[str, str]] = {}

    def scaled() -> bool:
        for message in quality:
            pairs = {pair.key: pair.value for pair in message.status[0].values}
            if pairs["source"] == source and pairs["held"] == "false":
                found[messages.stamp_ns(message.header)] = pairs
        common = {messages.stamp_ns(m.header) for m in heard["depth/image"]} & set(found)
        return len(common & {messages.stamp_ns(m.header) for m in heard["truth/depth"]}) >= FRAMES

    with (
        running("depth_perception.nodes.depth_node", values, arguments),
        running("depth_perception.nodes.simulator_node", WORLD),
    ):
        robot.until(scaled, f"{FRAMES} frames with a scale from {source}", 120.0)
    truth = {messages.stamp_ns(m.header): messages.decode_depth(m) for m in heard["truth/depth"]}
    ratios = []
    for message in heard["depth/image"]:
        stamp = messages.stamp_ns(message.header)
        if stamp in found and stamp in truth:
            depth = messages.decode_image(message)
            known = np.isfinite(depth) & np.isfinite(truth[stamp])
            ratios.append(float(np.median(depth[known] / truth[stamp][known])))
    np.testing.assert_allclose(ratios, 1.0, atol=0.1)
    assert np.median([float(pairs["abs_rel"]) for pairs in found.values()]) < 0.15
