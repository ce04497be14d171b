"""KITTI raw as Eigen et al. 2014 test on it: drives, a list of frames, depth of the scan or KITTI's annotated depth.

Known where this differs from published tables: `original` is depth along the camera's axis at the nearest pixel;
`published` repeats what Godard et al. 2017's evaluation, from which most tables come, computes: the LiDAR's forward
distance, which lies 0.27 m behind the camera and so reads more, one pixel further up and left. Both leave out the 3 mm
by which KITTI's P moves a camera off the line that all of them lie on (see `kitti_files.camera_from`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.errors import BagError, ConfigError
from depth_perception.extrinsics import Float64
from training.dataset_folder import read_depth
from training.evaluation.cases import Case
from training.preparation.kitti_files import read_image, read_list, read_scan
from training.preparation.kitti_raw import drives, kitti_raw
from training.preparation.kitti_source import KittiLayout
from training.preparation.options import DatasetOptions

Float32 = NDArray[np.float32]
DEPTHS = ("original", "published", "annotated")


class KittiCases:
    """Left colour images of KITTI raw at their own size; every point counts, hidden or not, the nearest one a pixel.

    Args:
        root: a drive, or the folder of drives.
        frames: file that lists drives and frames, as Eigen's test_files; None: all frames that have depth.
        depth: original, published or annotated.
        annotated: root of KITTI's annotated depth, if it isn't in the drives.

    Raises:
        ConfigError: no such list or depth, or nothing to test. CalibrationError: a drive isn't whole.
    """

    def __init__(self, root: Path, frames: str = "", depth: str = "original", annotated: str = "") -> None:
        if depth not in DEPTHS:
            raise ConfigError(f"--depth {depth!r} isn't known: say one of {DEPTHS!r}")
        options = DatasetOptions(depth="annotated" if depth == "annotated" else "original", annotated=annotated)
        listed = read_list(frames) if frames else None
        self.name, self.reference = root.resolve().name, depth
        self.part = f"frames of {Path(frames).name}" if frames else "all frames"
        self._places: list[tuple[str, KittiLayout, int]] = []
        images, reasons = 0, []
        for drive in drives(root):
            numbers = None if listed is None else _numbers(listed, drive)
            if numbers is not None and not numbers:
                continue
            try:
                layout = kitti_raw(drive, options)
            except BagError as error:  # a drive without annotated depth: KITTI leaves out some
                reasons.append(str(error))
                continue
            images += len(layout.images["left"])
            self._places += [
                (drive.name, layout, number)
                for number in sorted(_with_depth(layout, depth) & layout.images["left"].keys())
                if numbers is None or number in numbers
            ]
        self.skipped = (images if listed is None else len(listed)) - len(self._places)
        if not self._places:
            raise ConfigError(
                f"{str(root)!r} holds no frame with {depth} depth" + (f" that {frames!r} lists: " if frames else ": ") +
                (reasons[0] if reasons else "it must hold KITTI raw drives with velodyne_points and their calibration")
            )  # fmt: skip

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, place: int) -> Case:
        name, layout, number = self._places[place]
        image, camera = read_image(layout.images["left"][number]), layout.rig.left
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=2)
        if image.shape[:2] != (camera.height, camera.width):
            camera = CameraModel(image.shape[0], image.shape[1], camera.K)
        if self.reference == "annotated":
            target = read_depth(layout.annotated["left"][number])
        else:
            assert layout.rig.T_left_lidar is not None  # or there would be no such place
            xyz = read_scan(layout.scans[number])[:, :3]
            target = scan_depth(xyz, layout.rig.T_left_lidar, camera, published=self.reference == "published")
        return Case(f"{name}/{number}", image, camera, target, None)

    def __iter__(self) -> Iterator[Case]:
        return (self[place] for place in range(len(self)))


def _numbers(listed: set[tuple[str, int]], drive: Path) -> set[int]:
    """Frames of a drive that a list names."""
    name = drive.name.removesuffix("_sync")
    return {number for where, number in listed if where in ("", name)}


def _with_depth(layout: KittiLayout, depth: str) -> set[int]:
    if depth == "annotated":
        return set(layout.annotated.get("left", ()))
    return set(layout.scans) if layout.rig.T_left_lidar is not None else set()


def scan_depth(xyz: Float32, T_left_lidar: Float64, camera: CameraModel, published: bool = False) -> Float32:
    """(H, W) metres of a scan (N, 3) before the LiDAR, the nearest point of each pixel; NaN where none falls.

    Convention: p_left = T_left_lidar @ p_lidar. Pixel (0, 0) is the centre of the first one: a point belongs to the
    pixel round(u, v), its depth is z in the left optical frame. `published`: pixel round(u, v) - 1, and depth is x in
    the LiDAR's frame (forward), as in Godard et al. 2017's evaluation.
    """
    xyz = xyz[xyz[:, 0] >= 0].astype(np.float64)
    seen = xyz @ T_left_lidar[:3, :3].T + T_left_lidar[:3, 3]
    before = seen[:, 2] > 0
    xyz, seen = xyz[before], seen[before]
    K = camera.K
    u = np.round(K[0, 0] * seen[:, 0] / seen[:, 2] + K[0, 2]).astype(np.int64) - published
    v = np.round(K[1, 1] * seen[:, 1] / seen[:, 2] + K[1, 2]).astype(np.int64) - published
    inside = (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
    depth = np.full(camera.height * camera.width, np.inf)
    np.minimum.at(depth, (v * camera.width + u)[inside], (xyz[:, 0] if published else seen[:, 2])[inside])
    depth[np.isinf(depth)] = np.nan
    return depth.reshape(camera.height, camera.width).astype(np.float32)
