"""KITTI's files: calibration, scans, time stamps, GPS/IMU poses, lists of frames. Layouts are in the two neighbours."""

from __future__ import annotations

import lzma
import re
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from depth_perception.bags.transforms import quaternion
from depth_perception.camera import CameraModel
from depth_perception.errors import CalibrationError, ConfigError, MessageError
from depth_perception.extrinsics import Float64, rotation_from_quaternion, rotation_from_rpy
from depth_perception.records import Float32, Image

_EARTH_M = 6378137.0  # WGS 84's larger half axis, as KITTI's development kit has it
_DRIVE = re.compile(r"\d{4}_\d{2}_\d{2}_drive_\d{4}(?:_sync)?")
_NUMBER = re.compile(r"(?<!\d)(\d{10})(?!\d)")


def read_calibration(path: Path) -> dict[str, Float64]:
    """'name: numbers' lines; others are left out. Raises CalibrationError: the file isn't there."""
    if not path.is_file():
        raise CalibrationError(f"{str(path)!r} isn't there: KITTI's calibration files belong beside the drive")
    found: dict[str, Float64] = {}
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        try:
            found[name.strip()] = np.array([float(word) for word in rest.split()])
        except ValueError:
            continue
    return found


def camera_from(P: Float64, height: int, width: int) -> tuple[CameraModel, Float64]:
    """The rectified camera of P (3, 4), and T_camera_cam0 (4, 4).

    Convention: P = K [I | t], and p_camera = p_cam0 + t, t = (P[0, 3] / P[0, 0], 0, 0): rectified cameras lie on one
    line, x. What KITTI's files have in t besides (0.3 mm of y, 2.7 mm of z) is left out, as in the bags that are made
    of them, so that a drive and its bag give the same pixels.
    """
    P = P.reshape(3, 4)
    T = np.eye(4)
    T[0, 3] = P[0, 3] / P[0, 0]
    return CameraModel(height, width, P[:, :3], P=P), T


def rigid(R: Float64, t: Float64) -> Float64:
    """(4, 4) of the rotation nearest to R, which is printed with seven digits, and t."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation_from_quaternion(np.array(quaternion(R.reshape(3, 3)))), t
    return T


def read_image(path: Path) -> Image:
    """(H, W, 3) RGB or (H, W) grey uint8. Raises MessageError: it can't be decoded."""
    import cv2

    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise MessageError(f"{path.name!r} is no 8-bit picture, or cut short")
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def image_size(path: Path) -> tuple[int, int]:
    """Height, width. Raises MessageError."""
    height, width = read_image(path).shape[:2]
    return height, width


def read_scan(path: Path) -> Float32:
    """(N, 4) float32 x y z reflectance of a `.bin`, or of one packed as `.bin.xz`. Raises MessageError."""
    data = path.read_bytes()
    try:
        data = lzma.decompress(data) if path.suffix == ".xz" else data
    except lzma.LZMAError as error:
        raise MessageError(f"{path.name!r} is damaged: {error}") from error
    if len(data) % 16:
        raise MessageError(f"{path.name!r} has {len(data)} bytes, no multiple of 16: it is cut short")
    return np.frombuffer(data, np.float32).reshape(-1, 4)


def numbered(folder: Path, suffixes: tuple[str, ...]) -> dict[int, Path]:
    """Frame number → file."""
    if not folder.is_dir():
        return {}
    files = (path for path in sorted(folder.iterdir()) if path.name.endswith(suffixes))
    return {int(path.name.partition(".")[0]): path for path in files if path.name.partition(".")[0].isdigit()}


def read_stamps(path: Path) -> list[int]:
    """ns since 1970 of lines such as '2011-09-26 13:02:25.964389445' (taken as UTC); [] if there is no such file."""
    if not path.is_file():
        return []
    stamps = []
    for line in path.read_text().split("\n"):
        whole, _, fraction = line.strip().partition(".")
        if whole:
            moment = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
            stamps.append(int(moment.timestamp()) * 10**9 + int(fraction.ljust(9, "0")[:9] or 0))
    return stamps


def oxts_pose(values: Float64, latitude_0: float) -> Float64:
    """T_world_imu (4, 4) of one oxts packet: lat, lon (deg), alt (m), roll, pitch, yaw (rad), …

    Convention: Mercator's projection scaled at the drive's first latitude; R = Rz(yaw) Ry(pitch) Rx(roll); yaw 0 is
    east, counter-clockwise (KITTI's development kit, convertOxtsToPose).
    """
    latitude, longitude, altitude, roll, pitch, yaw = values[:6].tolist()
    scale = np.cos(np.deg2rad(latitude_0))
    T = np.eye(4)
    T[:3, :3] = rotation_from_rpy(roll, pitch, yaw)
    x = scale * _EARTH_M * np.deg2rad(longitude)
    y = scale * _EARTH_M * np.log(np.tan(np.pi * (90.0 + latitude) / 360.0))
    T[:3, 3] = x, y, altitude
    return T


def read_list(path: str) -> set[tuple[str, int]]:
    """(drive, frame number) of a list as Eigen et al. and their followers write it; the drive '' if a line has none.

    A line names a drive (`2011_09_26_drive_0001_sync`) and a frame of ten digits, alone or within a path; which camera
    it names doesn't matter, for both eyes are in the dataset.

    Raises:
        ConfigError: no such file, or a line without a frame number.
    """
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"list {path!r} isn't there")
    found = set()
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip():
            continue
        drive, frame = _DRIVE.search(line), _NUMBER.search(line)
        short = next((word for word in line.split() if word.isdigit()), None)
        if frame is None and short is None:
            raise ConfigError(f"list {path!r}, line {number}: {line!r} names no frame, such as 0000000005")
        found.add((drive[0].removesuffix("_sync") if drive else "", int(frame[1] if frame else short or 0)))
    return found
