"""A MuJoCo world from a seed, with a robot, a stereo camera, LiDAR, scan, odometry and exact depth. Knows no ROS.

`frames(SimConfig(...))` yields the frames of a drive; `record_drive(SimConfig(...)).replay()` plays rendered ones.
MuJoCo is imported when the first world is rendered, not before.
"""

from depth_perception.sim.frames import SimFrame, frames
from depth_perception.sim.lidar import LidarSample, ScanSample
from depth_perception.sim.odometry import OdometrySample
from depth_perception.sim.recording import Recording, record_drive
from depth_perception.sim.setup import CameraSetup, LidarSetup, OdometrySetup, ScanSetup, SimConfig
from depth_perception.sim.world import KINDS, World, build_world

__all__ = [
    "KINDS",
    "CameraSetup",
    "LidarSample",
    "LidarSetup",
    "OdometrySample",
    "OdometrySetup",
    "Recording",
    "ScanSample",
    "ScanSetup",
    "SimConfig",
    "SimFrame",
    "World",
    "build_world",
    "frames",
    "record_drive",
]
