"""A drive of KITTI raw (synchronised, rectified): `<date>/<date>_drive_<nnnn>_sync/`, calibration in `<date>/`.

image_02/data/0000000000.png   left colour (03: right); image_00 and image_01, grey, where there is no colour
image_02/timestamps.txt        one line a frame; without it frames are 0.1 s apart
velodyne_points/data/*.bin     scans, or .bin.xz
oxts/data/*.txt                GPS/IMU, from which the motion comes
proj_depth/groundtruth/        annotated depth, or under --annotated ROOT/{train,val}/<drive>/
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from depth_perception.errors import BagError
from depth_perception.extrinsics import Float64
from training.preparation.kitti_files import (
    camera_from,
    image_size,
    numbered,
    oxts_pose,
    read_calibration,
    read_list,
    read_stamps,
    rigid,
)
from training.preparation.kitti_source import KittiLayout
from training.preparation.options import DatasetOptions
from training.preparation.source_frame import Rig

PAIRS = (("02", "03"), ("00", "01"))  # left, right: colour, grey
PERIOD_NS = 100_000_000
_PICTURES = (".png", ".jpg")


def drives(folder: Path) -> list[Path]:
    """The drives in a folder: itself, or those of a date, or of all dates."""
    if _pair(folder):
        return [folder]
    return sorted(path for pattern in ("*", "*/*") for path in folder.glob(pattern) if path.is_dir() and _pair(path))


def kitti_raw(drive: Path, options: DatasetOptions) -> KittiLayout:
    """Raises BagError: no images. CalibrationError: a calibration file isn't there."""
    pair = _pair(drive)
    if pair is None:
        raise BagError(f"{str(drive)!r} holds no image_02/data or image_00/data with pictures")
    folder = drive if (drive / "calib_cam_to_cam.txt").is_file() else drive.parent
    cameras = read_calibration(folder / "calib_cam_to_cam.txt")
    images = {
        side: numbered(drive / f"image_{camera}" / "data", _PICTURES)
        for side, camera in zip(("left", "right"), pair, strict=True)
    }
    notes: list[str] = []
    others = [folder / "calib_cam_to_cam.txt"]
    rig = _rig(folder, cameras, pair, images, others, notes)
    stamps = _stamps(drive, f"image_{pair[0]}", others)
    if not stamps:
        notes.append("no timestamps.txt: frames are taken to be 0.1 s apart")
    scan_stamps = _stamps(drive, "velodyne_points", others)
    poses = _oxts(drive)
    if not poses:
        notes.append("no oxts: motion is told by the pictures")
    return KittiLayout(
        folder, rig, {side: files for side, files in images.items() if files},
        numbered(drive / "velodyne_points" / "data", (".bin", ".bin.xz")), _at(stamps), _at(scan_stamps or stamps),
        poses.get, _annotated(drive, pair, options), (*others, *numbered(drive / "oxts" / "data", (".txt",)).values()),
        tuple(notes), _splits(drive, options),
    )  # fmt: skip


def _pair(drive: Path) -> tuple[str, str] | None:
    return next((pair for pair in PAIRS if numbered(drive / f"image_{pair[0]}" / "data", _PICTURES)), None)


def _rig(
    folder: Path, cameras: dict[str, Float64], pair: tuple[str, str], images: dict[str, dict[int, Path]],
    others: list[Path], notes: list[str],
) -> Rig:  # fmt: skip
    height, width = image_size(next(iter(images["left"].values())))
    left, T_left_cam0 = camera_from(cameras[f"P_rect_{pair[0]}"], height, width)
    right = camera_from(cameras[f"P_rect_{pair[1]}"], height, width)[0] if images["right"] else None
    T_left_lidar = T_left_body = None
    if (folder / "calib_velo_to_cam.txt").is_file():
        velo = read_calibration(folder / "calib_velo_to_cam.txt")
        others.append(folder / "calib_velo_to_cam.txt")
        T_left_lidar = T_left_cam0 @ rigid(cameras["R_rect_00"], np.zeros(3)) @ rigid(velo["R"], velo["T"])
    else:
        notes.append("the LiDAR is left out: no calib_velo_to_cam.txt beside the drive")
    if T_left_lidar is not None and (folder / "calib_imu_to_velo.txt").is_file():
        imu = read_calibration(folder / "calib_imu_to_velo.txt")
        others.append(folder / "calib_imu_to_velo.txt")
        T_left_body = T_left_lidar @ rigid(imu["R"], imu["T"])
    frame_ids = {"left": f"image_{pair[0]}", "right": f"image_{pair[1]}", "lidar": "velodyne_points", "body": "oxts"}
    return Rig(left, right, True, None, T_left_lidar, T_left_body, frame_ids)


def _stamps(drive: Path, sensor: str, others: list[Path]) -> list[int]:
    path = drive / sensor / "timestamps.txt"
    stamps = read_stamps(path)
    if stamps:
        others.append(path)
    return stamps


def _at(stamps: list[int]) -> Callable[[int], int]:
    """Frame number → stamp; at the usual rate where the file has no line for it."""
    return lambda number: stamps[number] if number < len(stamps) else PERIOD_NS * number + (stamps[0] if stamps else 0)


def _oxts(drive: Path) -> dict[int, Float64]:
    files = numbered(drive / "oxts" / "data", (".txt",))
    packets = {number: np.array(path.read_text().split(), np.float64) for number, path in files.items()}
    if not packets:
        return {}
    latitude_0 = float(packets[min(packets)][0])
    return {number: oxts_pose(values, latitude_0) for number, values in packets.items()}


def _annotated(drive: Path, pair: tuple[str, str], options: DatasetOptions) -> dict[str, dict[int, Path]]:
    """Left, right → frame number → file; {} unless annotated depth is asked for. Raises BagError: there is none."""
    if options.depth != "annotated":
        return {}
    root = Path(options.annotated) if options.annotated else drive
    places = [drive, root, *(root / split / drive.name for split in ("", "train", "val"))]
    for place in places:
        folder = place / "proj_depth" / "groundtruth"
        found = {
            side: numbered(folder / f"image_{camera}", (".png",))
            for side, camera in zip(("left", "right"), pair, strict=True)
        }
        if any(found.values()):
            return {side: files for side, files in found.items() if files}
    raise BagError(
        f"no annotated depth of {drive.name!r} under {[str(place) for place in places]!r}: say --annotated ROOT"
    )


def _splits(drive: Path, options: DatasetOptions) -> dict[int, str]:
    name = drive.name.removesuffix("_sync")
    listed = {split: read_list(path) for split, path in options.lists.items()}
    return {number: split for split, frames in listed.items() for where, number in frames if where in ("", name)}
