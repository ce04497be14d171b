"""The simulator node's parameters, once; its YAML and its ROS declarations come from here."""

from __future__ import annotations

from dataclasses import dataclass

from depth_perception.config import option
from depth_perception.sim.setup import CameraSetup, LidarSetup, SimConfig

ANY = "any"


@dataclass(frozen=True)
class SimulatorConfig:
    """What a user may choose; everything else about the robot is in `sim.setup`."""

    seed: int = option(7, "seed of the world: same seed, same world", low=0, high=2**31 - 1, live=False)
    kind: str = option(
        ANY, "kind of world; any = the seed chooses", choices=(ANY, "room", "corridor", "yard", "street"), live=False
    )
    drive_s: float = option(
        4.0, "length of the drive; it is played to and fro for ever, s", low=1.0, high=600.0, live=False
    )
    ahead: bool = option(
        True,
        "render the whole drive first and then play it in real time; false = show each frame as it is rendered",
        live=False,
    )
    rate: float = option(10.0, "rate of the camera, Hz", low=0.5, high=60.0, live=False)
    height: int = option(480, "height of the camera image, pixels", low=48, high=1080, live=False)
    width: int = option(640, "width of the camera image, pixels", low=64, high=1920, live=False)
    hfov_deg: float = option(69.0, "horizontal field of view of the camera, degrees", low=30.0, high=120.0, live=False)
    stereo: bool = option(True, "also render the right camera", live=False)
    lidar_beams: int = option(16, "beams of the LiDAR; 0 = none", low=0, high=128, live=False)

    def sim_config(self) -> SimConfig:
        """The drive to render."""
        camera = CameraSetup(
            height=self.height, width=self.width, hfov_deg=self.hfov_deg, rate_hz=self.rate, right=self.stereo
        )
        lidar = LidarSetup(beams=self.lidar_beams) if self.lidar_beams else None
        kind = None if self.kind == ANY else self.kind
        # Anti-aliasing and fine shadows are left to training renders: here the demo's waiting time counts.
        return SimConfig(
            seed=self.seed,
            kind=kind,
            duration_s=self.drive_s,
            camera=camera,
            lidar=lidar,
            oversample=1.0,
            shadow_map=1024,
        )
