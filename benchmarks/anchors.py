"""Time from a LiDAR's message to anchors, stage by stage, on one core.

    OMP_NUM_THREADS=1 python -m benchmarks.anchors

Wanted: at most 5 ms of 113 000 points. A scan of KITTI's HDL-64 where it lies beside the checkout (../shared/data),
else a turn of 64 beams in a street canyon. Times are the processor's, of all threads together. The extrinsic is
checked at most five times a second.
"""

from __future__ import annotations

import lzma
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from depth_perception import messages
from depth_perception.alignment.misalignment import MisalignmentWatch
from depth_perception.anchors.deskew import Motion, OdometryTrack, deskew
from depth_perception.anchors.lidar import point_anchors
from depth_perception.anchors.occlusion import occluded, point_grid
from depth_perception.anchors.projection import project_points
from depth_perception.anchors.sweep import cloud_points, cloud_sweep
from depth_perception.camera import CameraModel
from depth_perception.extrinsics import parse_transform

KITTI = Path(__file__).resolve().parents[2] / "shared" / "data" / "kitti_raw_0926_cam2_velo" / "velodyne_points"
K = np.array([[721.5, 0, 609.6], [0, 721.5, 172.9], [0, 0, 1]])
PINHOLE = CameraModel(375, 1242, K)
DISTORTED = CameraModel(375, 1242, K, np.array([-0.3, 0.1, 1e-3, 1e-3, 0.0]), "plumb_bob")
FISHEYE = CameraModel(375, 1242, K, np.array([-0.05, -0.08, 0.1, -0.05]), "equidistant")
T_CAMERA_LIDAR = np.linalg.inv(parse_transform("0.27 0.06 -0.07 -0.5 0.5 -0.5 0.5"))


def kitti_points() -> np.ndarray | None:
    """(N, 4) float32 x y z intensity of the first scan; None if it isn't there."""
    files = sorted(KITTI.rglob("*.bin.xz"))
    return np.frombuffer(lzma.decompress(files[0].read_bytes()), np.float32).reshape(-1, 4) if files else None


def street_points() -> np.ndarray:
    """(113 000, 4) of a turn, beam after beam: road 1.73 m below, house fronts 9 m to the left and right."""
    elevation = np.deg2rad(np.linspace(2.0, -24.0, 64))[:, None]
    azimuth = np.linspace(0.0, 2.0 * np.pi, 1766)[None]
    rays = np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth)], axis=2)
    rays = np.concatenate([rays, np.broadcast_to(np.sin(elevation)[..., None], (64, 1766, 1))], axis=2).reshape(-1, 3)
    with np.errstate(divide="ignore"):
        road = np.where(rays[:, 2] < 0.0, -1.73 / rays[:, 2], np.inf)
        front = 9.0 / np.abs(rays[:, 1])
    xyz = rays * np.minimum(np.minimum(road, front), 80.0)[:, None]
    return np.column_stack([xyz, np.ones(len(xyz))]).astype(np.float32)[:113_000]


def message(points: np.ndarray) -> Any:
    """A PointCloud2 without ring, as KITTI's is."""
    from rosbags.typesys import Stores, get_typestore

    types = messages.recorded(get_typestore(Stores.ROS2_JAZZY))
    fields = [
        types.new("sensor_msgs/msg/PointField", name=name, offset=4 * i, datatype=7, count=1)
        for i, name in enumerate(("x", "y", "z", "intensity"))
    ]
    return types.new(
        "sensor_msgs/msg/PointCloud2",
        header=messages.header_message(types, 0, "lidar"),
        height=1,
        width=len(points),
        fields=fields,
        is_bigendian=False,
        point_step=16,
        row_step=16 * len(points),
        data=np.frombuffer(points.tobytes(), np.uint8),
        is_dense=True,
    )


def best_ms(call: Callable[[], Any], repeats: int = 60) -> float:
    """Shortest processor time: what is longer was disturbed by something else."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        call()
        best = min(best, 1e3 * (time.process_time() - start))
    return best


def main() -> None:
    import cv2

    cv2.setNumThreads(1)
    real = kitti_points()
    points = street_points() if real is None else real
    print(
        f"{len(points)} points of {'a street in closed form' if real is None else 'a KITTI scan'}, 1242 x 375 image\n"
    )
    msg = message(points)
    sweep = cloud_sweep(msg, T_CAMERA_LIDAR, 0)
    stages: dict[str, Callable[[], Any]] = {"message -> points and beams": lambda: cloud_points(msg)}
    for name, camera in {"undistorted": PINHOLE, "plumb_bob": DISTORTED, "equidistant": FISHEYE}.items():
        stages[f"project, {name}"] = lambda camera=camera: project_points(sweep.xyz, T_CAMERA_LIDAR, camera)
    seen = project_points(sweep.xyz, T_CAMERA_LIDAR, PINHOLE)
    beam, depth = sweep.beam[seen.index], seen.xyz[2]
    stages["cell size for hidden points"] = lambda: point_grid(seen.uv, beam, PINHOLE)
    grid = point_grid(seen.uv, beam, PINHOLE)
    stages["find hidden points"] = lambda: occluded(seen.uv, depth, grid, PINHOLE)

    def whole(camera: CameraModel) -> Any:
        sweep = cloud_sweep(msg, T_CAMERA_LIDAR, 0)
        return point_anchors(sweep, camera, sigma=0.03, min_range=0.5, max_range=100.0)

    for name, camera in {"undistorted": PINHOLE, "plumb_bob": DISTORTED, "equidistant": FISHEYE}.items():
        stages[f"message -> anchors, {name}"] = lambda camera=camera: whole(camera)
    few = sweep.beam % 4 == 1
    sweeps = {"": sweep, ", 16 beams": replace(sweep, xyz=sweep.xyz[few], beam=sweep.beam[few])}
    vga = CameraModel.pinhole(480, 640, 80.0)
    noise = np.random.default_rng(0).integers(0, 255, (vga.height, vga.width, 3)).astype(np.uint8)
    for name, some in sweeps.items():
        stages[f"check the extrinsic, 640x480{name}"] = lambda some=some: MisalignmentWatch().complaint(
            noise, vga, some, 0.5
        )
    track = OdometryTrack()
    for i in range(20):
        track.add(i * 20_000_000, parse_transform(f"{0.2 * i} 0 0 0 0 {0.02 * i}"))
    times = np.tile(np.linspace(0.0, 0.1, len(points) // 64 + 1, dtype=np.float32), 64)[: len(points)]
    motion = Motion(track, np.eye(4), 120_000_000)
    stages["deskew (only with odometry)"] = lambda: deskew(sweep.xyz, times, 50_000_000, motion)
    for name, call in stages.items():
        print(f"{name:<38}{best_ms(call):7.2f} ms")
    print(f"\n{len(seen.index)} points in the image, {len(whole(PINHOLE))} anchors")


if __name__ == "__main__":
    main()
