"""Every default of the recorder node, once (see depth_perception/config.py)."""

from __future__ import annotations

from dataclasses import dataclass, field

from depth_perception.config import option
from depth_perception.errors import ConfigError
from depth_perception.recording.roles import ROLES

_MOUNTING = " where no /tf_static is heard: 'x y z qx qy qz qw' (m, quaternion) or 'x y z roll pitch yaw' (m, rad)"


@dataclass(frozen=True)
class SplitConfig:
    max_mb: float = option(1000.0, "a new file after this many megabytes; 0 = never", low=0.0, high=1e6, live=False)
    max_s: float = option(300.0, "a new file after this many seconds; 0 = never", low=0.0, high=1e6, live=False)
    keep_files: int = option(
        0,
        "keep only the last so many files of a recording, and remove older ones; 0 = keep all",
        low=0,
        high=100000,
        live=False,
    )


@dataclass(frozen=True)
class SnapshotConfig:
    """The last seconds, in memory, for the service `~/snapshot` and for hard examples."""

    enabled: bool = option(False, "keep the last seconds in memory", live=False)
    seconds: float = option(10.0, "how far a snapshot reaches back, s", low=0.1, high=3600.0, live=False)
    max_mb: float = option(
        512.0, "memory for it; less time is kept if this is full (two raw VGA cameras at 30 Hz fill 55 MB/s)",
        low=1.0, high=1e6, live=False,
    )  # fmt: skip


@dataclass(frozen=True)
class HardConfig:
    """Snapshots of what the network finds hard, by the numbers on depth/quality. Needs snapshot.enabled."""

    enabled: bool = option(False, "take a snapshot when depth is bad", live=False)
    max_abs_rel: float = option(
        0.25, "depth is bad if its error on anchors left out is more than this share", low=0.0, high=10.0
    )
    min_inlier_share: float = option(
        0.5, "depth is bad if fewer than this share of the anchors agree with it", low=0.0, high=1.0
    )
    min_valid_share: float = option(
        0.0, "depth is bad if fewer than this share of the pixels have any", low=0.0, high=1.0
    )
    for_s: float = option(0.5, "it must be bad for so long, s: one bad frame is no example", low=0.0, high=60.0)
    cooldown_s: float = option(60.0, "no other such snapshot for so long, s", low=0.0, high=1e6)


@dataclass(frozen=True)
class LidarMounting:
    T_cam_lidar: str = option("", "LiDAR in the camera's optical frame" + _MOUNTING)


@dataclass(frozen=True)
class LaserMounting:
    T_cam_laser: str = option("", "laser scanner in the camera's optical frame; as lidar.T_cam_lidar")


@dataclass(frozen=True)
class StereoMounting:
    T_left_right: str = option("", "right camera in the left one's optical frame; as lidar.T_cam_lidar")
    T_cam_left: str = option("", "left camera in the camera's optical frame if that is another one")


@dataclass(frozen=True)
class OdometryMounting:
    T_cam_base: str = option("", "odom's child_frame_id in the camera's optical frame; as lidar.T_cam_lidar")


@dataclass(frozen=True)
class ImuMounting:
    T_cam_imu: str = option("", "IMU in the camera's optical frame; as lidar.T_cam_lidar")


@dataclass(frozen=True)
class RecorderConfig:
    """All of it. Topics of a role are changed by remapping, as the depth node's are."""

    directory: str = option("recordings", "folder that takes the recordings; made if it isn't there", live=False)
    name: str = option("drive", "recordings are called NAME_<date>-<time>, snapshots NAME_snapshot_…", live=False)
    roles: str = option(
        "camera stereo lidar odometry tf quality",
        f"what is recorded, by what it is for, separated by spaces: {' '.join(ROLES)}; topics are changed by remapping",
        live=False,
    )
    topics: str = option(
        "", "topics that are recorded besides, separated by spaces; * and ? stand for any letters", live=False
    )
    exclude: str = option("", "topics that are never recorded, as topics", live=False)
    image_transport: str = option(
        "raw", "record image or image/compressed (of the stereo pair too)", choices=("raw", "compressed"), live=False
    )
    record: bool = option(True, "record as soon as the node is active; false: wait for the service ~/start", live=False)
    compression: str = option("zstd", "of the chunks", choices=("none", "lz4", "zstd"), live=False)
    zstd_level: int = option(
        -1, "zstd's level: -1 packs raw images to 90 % at twice the speed of 1, which packs them to 80 %", low=-20,
        high=19, live=False,
    )  # fmt: skip
    chunk_mb: float = option(4.0, "a chunk is written when it is so large", low=0.1, high=256.0, live=False)
    chunk_s: float = option(1.0, "or so old: what a kill or a power cut may cost, s", low=0.1, high=60.0, live=False)
    queue_mb: float = option(
        256.0,
        "messages that wait for the disk; what comes while it is full is dropped and counted",
        low=1.0,
        high=1e5,
        live=False,
    )
    min_free_mb: float = option(
        1000.0, "recording stops cleanly when the disk has less than this left", low=0.0, high=1e7
    )
    autostart: bool = option(True, "configure and activate without a lifecycle manager", live=False)
    diagnostics_period_s: float = option(1.0, "period of /diagnostics, s", low=0.1, high=60.0, live=False)
    split: SplitConfig = field(default_factory=SplitConfig)
    snapshot: SnapshotConfig = field(default_factory=SnapshotConfig)
    hard: HardConfig = field(default_factory=HardConfig)
    lidar: LidarMounting = field(default_factory=LidarMounting)
    laser: LaserMounting = field(default_factory=LaserMounting)
    stereo: StereoMounting = field(default_factory=StereoMounting)
    odometry: OdometryMounting = field(default_factory=OdometryMounting)
    imu: ImuMounting = field(default_factory=ImuMounting)

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.roles.split()) - ROLES.keys()):
            raise ConfigError(f"roles names {unknown!r}; roles are {' '.join(ROLES)}")
        if not self.name or set(self.name) & set("/\\\0"):
            raise ConfigError(f"name = {self.name!r} can't be a folder's name")
        if self.hard.enabled and not self.snapshot.enabled:
            raise ConfigError("hard.enabled needs snapshot.enabled: a hard example is a snapshot")
