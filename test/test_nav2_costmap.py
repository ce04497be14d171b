"""The costmap snippet: topics that we publish, and only keys that Nav2 reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from depth_perception.config import ScanConfig
from depth_perception.outputs import NEEDS_DEPTH

SNIPPET = Path(__file__).parent.parent / "config" / "nav2_costmap.yaml"

# Parameters that each plugin declares: nav2_costmap_2d of navigation2 (humble, jazzy, kilted and main of 2026-08 have
# them all), files plugins/obstacle_layer.cpp, plugins/voxel_layer.cpp, plugins/inflation_layer.cpp,
# src/costmap_2d_ros.cpp. Nav2 ignores other keys in silence.
COSTMAP = {"transform_tolerance", "plugins"}
OBSTACLE = {
    "plugin", "enabled", "footprint_clearing_enabled", "min_obstacle_height", "max_obstacle_height",
    "combination_method", "observation_sources",
}  # fmt: skip
VOXEL = (OBSTACLE - {"min_obstacle_height"}) | {  # humble's voxel layer has no min_obstacle_height
    "z_voxels", "origin_z", "z_resolution", "unknown_threshold", "mark_threshold", "publish_voxel_map",
}  # fmt: skip
INFLATION = {
    "plugin", "enabled", "inflation_radius", "cost_scaling_factor", "inflate_unknown", "inflate_around_unknown",
}  # fmt: skip
SOURCE = {
    "topic", "sensor_frame", "observation_persistence", "expected_update_rate", "data_type", "min_obstacle_height",
    "max_obstacle_height", "inf_is_valid", "marking", "clearing", "obstacle_max_range", "obstacle_min_range",
    "raytrace_max_range", "raytrace_min_range",
}  # fmt: skip
LAYERS = {
    "nav2_costmap_2d::ObstacleLayer": OBSTACLE,
    "nav2_costmap_2d::VoxelLayer": VOXEL,
    "nav2_costmap_2d::InflationLayer": INFLATION,
}


@pytest.fixture
def costmap() -> dict[str, Any]:
    return yaml.safe_load(SNIPPET.read_text())["local_costmap"]["local_costmap"]["ros__parameters"]


def sources(costmap: dict[str, Any]) -> dict[str, dict[str, Any]]:
    layers = (costmap[name] for name in costmap["plugins"])
    return {source: layer[source] for layer in layers for source in layer.get("observation_sources", "").split()}


def test_nav2_knows_every_key(costmap: dict[str, Any]) -> None:
    assert set(costmap) == COSTMAP | set(costmap["plugins"])
    for name in costmap["plugins"]:
        layer = costmap[name]
        own = set(layer.get("observation_sources", "").split())
        assert set(layer) - own <= LAYERS[layer["plugin"]], name
        for source in own:
            assert set(layer[source]) <= SOURCE, source


def test_it_listens_to_what_we_publish(costmap: dict[str, Any]) -> None:
    types = {"depth/scan": "LaserScan", "depth/points": "PointCloud2"}
    topics = {source["topic"] for source in sources(costmap).values()}
    assert topics == set(types) and topics <= set(NEEDS_DEPTH)
    for source in sources(costmap).values():
        assert source["data_type"] == types[source["topic"]]


def test_clear_rays_clear(costmap: dict[str, Any]) -> None:
    """+Inf counts only with inf_is_valid, and only for a scan; what was marked must be within reach of clearing."""
    scan = sources(costmap)["depth_scan"]
    assert scan["inf_is_valid"] and scan["clearing"] and scan["marking"]
    assert scan["obstacle_max_range"] < scan["raytrace_max_range"] <= ScanConfig().range_max
    clear, mark = (sources(costmap)[f"depth_points_{what}"] for what in ("clear", "mark"))
    assert clear["clearing"] and not clear["marking"] and mark["marking"] and not mark["clearing"]
    assert mark["obstacle_max_range"] < clear["raytrace_max_range"]


def test_heights_keep_the_floor_for_clearing_and_out_of_marking(costmap: dict[str, Any]) -> None:
    clear, mark = (sources(costmap)[f"depth_points_{what}"] for what in ("clear", "mark"))
    assert clear["min_obstacle_height"] < 0.0 < mark["min_obstacle_height"]
    layer = costmap["depth_points_layer"]
    assert layer["z_voxels"] <= 16
    top = layer["origin_z"] + layer["z_voxels"] * layer["z_resolution"]
    assert layer["max_obstacle_height"] <= top + 1e-9
    for source in sources(costmap).values():
        assert source["max_obstacle_height"] > source["min_obstacle_height"], "a source's default of 0 refuses all"
        assert 0.0 < source["expected_update_rate"] <= 1.0, "a period: longer than a frame, and soon enough to stop"
