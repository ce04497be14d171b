"""Every default of the depth node and of `convert`, once. ROS parameters are declared from these dataclasses.

A field's metadata holds its description, its range or choices, and whether it can change while the node runs. A nested
group becomes a dotted parameter name: `DepthConfig.engine.backend` is the ROS parameter `engine.backend`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from depth_perception.errors import ConfigError

Value = bool | int | float | str


def option(
    default: Value,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = True,
    transform: bool = False,
) -> Any:
    """One parameter: its default, what it does, what it may be, and whether it may change while the node is active.

    A `transform` is empty or a text that `parse_transform` takes.
    """
    metadata = {"description": description, "low": low, "high": high, "choices": choices, "live": live}
    return field(default=default, metadata={**metadata, "transform": transform})


def _check_order(group: str, **limits: float) -> None:
    """Two limits, the lower one first; raises ConfigError if they aren't in order."""
    (low_name, low), (high_name, high) = limits.items()
    if low >= high:
        raise ConfigError(f"{group}{low_name} = {low!r} must be less than {group}{high_name} = {high!r}")


@dataclass(frozen=True)
class ModelConfig:
    path: str = option(
        "default",
        "ONNX file that keeps the model contract; 'default' is the model that ships, in the shape nearest the camera's",
        live=False,
    )


@dataclass(frozen=True)
class EngineConfig:
    backend: str = option(
        "auto", "inference backend: auto, or the name of one file in engines/ without '_engine'", live=False
    )
    device: str = option("auto", "device of the backend: auto, cpu, cuda, gpu", live=False)
    threads: int = option(
        0, "threads for inference on a CPU; 0 = the backend's own choice", low=0, high=256, live=False
    )


@dataclass(frozen=True)
class PointsConfig:
    stride: int = option(1, "publish every n-th row and column of the cloud", low=1, high=32)
    rgb: bool = option(True, "give the cloud's points the image's colour")
    voxel: float = option(
        0.0, "keep one point in each cube of this side, m: a cloud in no order; 0 = organised cloud", low=0.0, high=10.0
    )
    max_relative_std: float = option(
        0.5, "points whose standard deviation is more than this share of their depth are left out", low=0.0, high=100.0
    )


@dataclass(frozen=True)
class ScanConfig:
    output_frame: str = option(
        "camera_scan", "frame of depth/scan: at the camera, x forward, z up, level; connect it to your tf tree"
    )
    height_min: float = option(0.2, "lowest height above the ground that is an obstacle, m", low=-10.0, high=10.0)
    height_max: float = option(1.5, "greatest height above the ground that is an obstacle, m", low=-10.0, high=20.0)
    camera_height: float = option(0.5, "height of the camera above the ground, m", low=-5.0, high=20.0)
    camera_pitch: float = option(0.0, "pitch of the camera, rad, positive = looks down", low=-1.57, high=1.57)
    camera_roll: float = option(0.0, "roll of the camera, rad, positive = right side down", low=-3.15, high=3.15)
    range_min: float = option(0.2, "smallest range, m", low=0.0, high=100.0)
    range_max: float = option(
        10.0, "greatest range, m; a ray seen to be clear up to here is +Inf", low=0.1, high=1000.0
    )
    max_relative_std: float = option(
        0.5,
        "pixels whose standard deviation is more than this share of their depth are unknown: neither hit nor clear",
        low=0.0,
        high=100.0,
    )

    def __post_init__(self) -> None:
        _check_order("scan.", height_min=self.height_min, height_max=self.height_max)
        _check_order("scan.", range_min=self.range_min, range_max=self.range_max)


@dataclass(frozen=True)
class ScaleConfig:
    """How anchors make the model's output metric (alignment.py)."""

    enabled: bool = option(True, "let LiDAR, laser scan, stereo and ground correct the model's scale")
    min_anchors: int = option(12, "fewer usable anchors than this give no fit", low=3, high=100000)
    min_inlier_share: float = option(0.5, "a fit with a smaller share of inliers is refused", low=0.1, high=1.0)
    max_jump: float = option(
        1.0, "a scale that changes by more than this share between frames must prove itself first", low=0.01, high=10.0
    )
    time_constant_s: float = option(
        0.5, "the filter forgets old fits within about this time; 0 = no filter", low=0.0, high=60.0
    )
    hold_s: float = option(2.0, "without a new fit the last one is used for so long, s", low=0.0, high=600.0)
    when_lost: str = option(
        "nan",
        "when nothing measures the scale any more: nan (publish unknown depth) or prior (the model's own metres, if it "
        "has any)",
        choices=("nan", "prior"),
    )
    correct_metric: bool = option(
        True, "correct a model that has metres of its own; false: only measure how wrong it is"
    )
    residual_field: bool = option(True, "pull the depth onto the anchors locally")
    field_reach: float = option(
        0.7, "how far an anchor's pull reaches, as a share of the image's width", low=0.01, high=2.0
    )
    held_out_share: float = option(
        0.2,
        "share of the anchors' beams or image blocks that each frame leaves out to measure quality",
        low=0.0,
        high=0.5,
    )
    check_extrinsics: bool = option(
        True, "warn if the LiDAR's range doesn't jump where the image has edges: its extrinsic is wrong"
    )
    confidence: bool = option(False, "publish depth/confidence (mono8, 255 = sure) beside depth/std")


@dataclass(frozen=True)
class LidarConfig:
    enabled: bool = option(False, "take the scale from a LiDAR: subscribe to lidar/points", live=False)
    T_cam_lidar: str = option(
        "",
        "LiDAR in the camera's optical frame where tf doesn't say: 'x y z qx qy qz qw' (m, quaternion) or 'x y z roll "
        "pitch yaw' (m, rad; rotation Rz(yaw) Ry(pitch) Rx(roll))",
        transform=True,
    )
    clock_offset_s: float = option(
        0.0, "added to the LiDAR's stamps to get the camera's clock, s", low=-10.0, high=10.0
    )
    max_age_s: float = option(
        0.15, "a cloud measured longer before or after the image isn't used, s", low=0.0, high=10.0
    )
    min_range: float = option(0.5, "points nearer to the LiDAR are its own robot, m", low=0.0, high=100.0)
    max_range: float = option(100.0, "points farther from the LiDAR are dropped, m", low=0.1, high=1000.0)
    sigma: float = option(0.03, "standard deviation of a range, m", low=0.0, high=10.0)
    deskew: bool = option(True, "undo the robot's motion during the turn (needs odometry and per-point time)")

    def __post_init__(self) -> None:
        _check_order("lidar.", min_range=self.min_range, max_range=self.max_range)


@dataclass(frozen=True)
class LaserConfig:
    """The 2-D laser scanner that measures (`lidar/scan`); `scan` is the one that we publish."""

    enabled: bool = option(False, "take the scale from a laser scanner: subscribe to lidar/scan", live=False)
    T_cam_laser: str = option(
        "", "laser scanner in the camera's optical frame where tf doesn't say; as lidar.T_cam_lidar", transform=True
    )
    clock_offset_s: float = option(
        0.0, "added to the scanner's stamps to get the camera's clock, s", low=-10.0, high=10.0
    )
    max_age_s: float = option(
        0.15, "a scan measured longer before or after the image isn't used, s", low=0.0, high=10.0
    )
    sigma: float = option(0.03, "standard deviation of a range, m", low=0.0, high=10.0)


@dataclass(frozen=True)
class StereoConfig:
    enabled: bool = option(False, "take the scale from a stereo pair: subscribe to right/image", live=False)
    separate_left: bool = option(
        False,
        "the left eye is another camera than the one that depth is made for: subscribe to left/image too",
        live=False,
    )
    tolerance_s: float = option(0.01, "left, right and camera image belong together within this, s", low=0.0, high=1.0)
    scale: float = option(0.5, "match at this share of the image's size", low=0.1, high=1.0)
    min_depth: float = option(
        0.5,
        "nearest depth that is searched, m: twice as near costs twice the time; disparities of more than a fifth of "
        "the image's width aren't searched, so nothing nearer than 5 * fx * baseline / width, whatever this says",
        low=0.05,
        high=50.0,
    )
    max_anchors: int = option(2000, "anchors of a pair, spread over the image", low=16, high=100000)
    sigma_px: float = option(0.15, "standard deviation of a disparity, px of the matched size", low=0.01, high=5.0)
    T_left_right: str = option(
        "",
        "right camera in the left one's optical frame, if camera_info has no baseline; as lidar.T_cam_lidar",
        transform=True,
    )
    T_cam_left: str = option(
        "",
        "left camera in the depth camera's optical frame if that is another one; as lidar.T_cam_lidar",
        transform=True,
    )


@dataclass(frozen=True)
class GroundConfig:
    enabled: bool = option(False, "take the scale from ground that the camera sees: scan.camera_height must be right")
    sigma_height: float = option(0.02, "standard deviation of scan.camera_height, m", low=0.0, high=1.0)
    sigma_pitch: float = option(0.01, "standard deviation of pitch and roll, rad", low=0.0, high=0.5)
    max_anchors: int = option(500, "anchors on the ground", low=16, high=100000)


@dataclass(frozen=True)
class OdometryConfig:
    """Odometry undoes the robot's motion during a LiDAR's turn and since its end."""

    enabled: bool = option(False, "subscribe to odom", live=False)
    T_cam_base: str = option(
        "",
        "the frame that moves (odom's child_frame_id) in the camera's optical frame where tf doesn't say; as "
        "lidar.T_cam_lidar",
        transform=True,
    )


@dataclass(frozen=True)
class ImuConfig:
    """An IMU's gravity tells the camera's pitch and roll, instead of scan.camera_pitch and scan.camera_roll."""

    enabled: bool = option(False, "subscribe to imu", live=False)
    T_cam_imu: str = option(
        "",
        "IMU in the camera's optical frame where tf doesn't say; as lidar.T_cam_lidar (only its rotation counts)",
        transform=True,
    )


@dataclass(frozen=True)
class PreviewConfig:
    min_depth: float = option(0.0, "depth of the near end of the colours, m; 0 = from each frame", low=0.0, high=1000.0)
    max_depth: float = option(0.0, "depth of the far end of the colours, m; 0 = from each frame", low=0.0, high=1000.0)


@dataclass(frozen=True)
class WatchConfig:
    stale_after_s: float = option(2.0, "diagnostics warn when no image came for this long, s", low=0.1, high=600.0)
    info_timeout_s: float = option(
        2.0, "diagnostics name a missing camera_info after this long, s", low=0.1, high=600.0
    )
    frozen_after: int = option(30, "identical images in a row that mean a frozen camera; 0 = never", low=0, high=100000)
    dark_below: float = option(
        4.0, "mean brightness (0-255) below which the image counts as black", low=0.0, high=255.0
    )
    flat_below: float = option(
        1.5, "contrast (standard deviation, 0-255) below which the camera counts as covered", low=0.0, high=128.0
    )
    saturated_above: float = option(
        251.0, "mean brightness (0-255) above which the image counts as saturated", low=0.0, high=256.0
    )


@dataclass(frozen=True)
class DepthConfig:
    """All of it. `rectify`: `auto` rectifies unless the image's topic name says `rect` (design §2)."""

    rectify: str = option(
        "auto", "rectify the image before the network", choices=("auto", "always", "never"), live=False
    )
    image_transport: str = option(
        "raw", "subscribe to the raw image or to image/compressed", choices=("raw", "compressed"), live=False
    )
    max_depth: float = option(0.0, "depth beyond this is +Inf, m; 0 = the model's own limit", low=0.0, high=10000.0)
    min_depth: float = option(0.0, "depth below this is -Inf, m; 0 = the model's own limit", low=0.0, high=100.0)
    publish_mm: bool = option(False, "also publish depth/image_mm, 16UC1 millimetres")
    process_bad_images: bool = option(
        False, "publish depth of black, covered, saturated or frozen images too (diagnostics say so either way)"
    )
    autostart: bool = option(True, "configure and activate without a lifecycle manager", live=False)
    diagnostics_period_s: float = option(1.0, "period of /diagnostics, s", low=0.1, high=60.0, live=False)
    model: ModelConfig = field(default_factory=ModelConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    points: PointsConfig = field(default_factory=PointsConfig)
    scan: ScanConfig = field(default_factory=ScanConfig)
    scale: ScaleConfig = field(default_factory=ScaleConfig)
    lidar: LidarConfig = field(default_factory=LidarConfig)
    laser: LaserConfig = field(default_factory=LaserConfig)
    stereo: StereoConfig = field(default_factory=StereoConfig)
    ground: GroundConfig = field(default_factory=GroundConfig)
    odometry: OdometryConfig = field(default_factory=OdometryConfig)
    imu: ImuConfig = field(default_factory=ImuConfig)
    preview: PreviewConfig = field(default_factory=PreviewConfig)
    watch: WatchConfig = field(default_factory=WatchConfig)

    def __post_init__(self) -> None:
        if self.max_depth > 0.0:
            _check_order("", min_depth=self.min_depth, max_depth=self.max_depth)


@dataclass(frozen=True)
class Option:
    """One parameter as ROS sees it."""

    name: str  # dotted
    default: Value
    description: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    live: bool
    transform: bool


def options(cls: type = DepthConfig, prefix: str = "") -> Iterator[Option]:
    """Every parameter of a configuration class, nested groups dotted."""
    for item in dataclasses.fields(cls):
        if item.metadata:
            assert isinstance(item.default, (bool, int, float, str))
            yield Option(prefix + item.name, item.default, **item.metadata)
        else:
            assert callable(item.default_factory)
            yield from options(type(item.default_factory()), f"{prefix}{item.name}.")


def check(item: Option, value: Any) -> Value:
    """`value` as the option's type, or `ConfigError` with the reason it can't be taken."""
    wanted = type(item.default)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not wanted:
        raise ConfigError(f"parameter {item.name!r} = {value!r} must be a {wanted.__name__}")
    if item.choices and value not in item.choices:
        raise ConfigError(f"parameter {item.name!r} = {value!r} must be one of {item.choices!r}")
    if isinstance(value, (int, float)) and not _inside(float(value), item):
        raise ConfigError(f"parameter {item.name!r} = {value!r} is outside [{item.low}, {item.high}]")
    if item.transform and value:
        _check_transform(item.name, str(value))
    return value  # type: ignore[no-any-return]


def _check_transform(name: str, text: str) -> None:
    from depth_perception.extrinsics import parse_transform

    try:
        parse_transform(text)
    except ConfigError as error:
        raise ConfigError(f"parameter {name!r}: {error}") from error


def _inside(value: float, item: Option) -> bool:
    """False for NaN too."""
    low = -float("inf") if item.low is None else item.low
    high = float("inf") if item.high is None else item.high
    return low <= value <= high


def from_flat(values: Mapping[str, Any], cls: type = DepthConfig) -> Any:
    """A configuration from dotted names; what isn't named keeps its default.

    Raises:
        ConfigError: an unknown name (the nearest known one is suggested), a wrong type, or a value out of range.
    """
    known = {item.name: item for item in options(cls)}
    for name in values:
        if name not in known:
            import difflib

            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"unknown parameter {name!r}{hint}")
    return _build(cls, {name: check(known[name], value) for name, value in values.items()}, "")


def _build(cls: type, values: Mapping[str, Value], prefix: str) -> Any:
    arguments: dict[str, Any] = {}
    for item in dataclasses.fields(cls):
        name = prefix + item.name
        if item.metadata:
            if name in values:
                arguments[item.name] = values[name]
        else:
            assert callable(item.default_factory)
            arguments[item.name] = _build(type(item.default_factory()), values, f"{name}.")
    return cls(**arguments)


def to_flat(config: Any, prefix: str = "") -> dict[str, Value]:
    """Dotted name → value of every parameter: what is written beside a result."""
    flat: dict[str, Value] = {}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        flat.update({prefix + item.name: value} if item.metadata else to_flat(value, f"{prefix}{item.name}."))
    return flat


def read_parameters(path: str | Path, node: str = "depth") -> dict[str, Any]:
    """Dotted parameters of one node from a ROS parameter file (`/**:` or the node's name → `ros__parameters`).

    Raises:
        ConfigError: the file is missing, isn't YAML, or has no `ros__parameters` for this node.
    """
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"parameter file {str(path)!r} can't be read: {error}") from error
    flat: dict[str, Any] = {}
    sections = content.items() if isinstance(content, dict) else ()
    matches = [body for key, body in sections if key in ("/**", node, f"/{node}", f"/**/{node}")]
    if not matches:
        raise ConfigError(f"parameter file {str(path)!r} has no section '/**' or {node!r}")
    for body in matches:
        if not isinstance(body, dict) or not isinstance(body.get("ros__parameters"), dict):
            raise ConfigError(f"parameter file {str(path)!r}: a node's section must hold 'ros__parameters'")
        flat.update(_flatten(body["ros__parameters"]))
    return flat


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat.update(_flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value})
    return flat
