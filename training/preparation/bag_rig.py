"""The cameras of a recording and where its sensors sit, from the first message of each topic and /tf_static."""

from __future__ import annotations

import numpy as np

from depth_perception import messages
from depth_perception.bags import Bag
from depth_perception.bags.camera_topics import COMPRESSED
from depth_perception.bags.transforms import transform_tree
from depth_perception.camera import CameraModel
from depth_perception.errors import BagError, CalibrationError, MessageError
from depth_perception.extrinsics import Float64
from depth_perception.mountings import Mountings
from depth_perception.pipeline import wants_rectification
from training.preparation.bag_topics import RigTopics
from training.preparation.options import DatasetOptions
from training.preparation.source_frame import Rig


def find_rig(bag: Bag, topics: RigTopics, options: DatasetOptions, notes: list[str]) -> Rig:
    """What isn't known but can be done without goes into `notes`, with the remedy.

    Raises:
        BagError: no image can be decoded, or the left camera has no calibration.
        ConfigError: an option is no transform.
    """
    mountings = Mountings(transform_tree(bag).lookup)
    height, width, left_frame = _first_image(bag, topics.image)
    left = _left_camera(bag, topics, options, height, width)
    frame_ids = {"left": left_frame}

    def mounted(sensor: str, topic: str, flag: str, text: str, effect: str) -> Float64 | None:
        frame_ids[sensor] = _frame_of(bag, topic, sensor)
        try:
            return mountings.required(f"--{flag}", text, left_frame, frame_ids[sensor])
        except CalibrationError as error:
            notes.append(f"{effect}: {error}")
            return None

    right, T_left_right = None, None
    if topics.right is not None:
        right = _right_camera(bag, topics.right_info, notes)
        frame_ids["right"] = _frame_of(bag, topics.right, "right")
        T_left_right = mountings.known("--T-left-right", options.T_left_right, left_frame, frame_ids["right"])
    T_left_lidar = T_left_body = None
    if topics.lidar is not None:
        T_left_lidar = mounted("lidar", topics.lidar, "T-cam-lidar", options.T_cam_lidar, "the LiDAR is left out")
    if topics.odom is not None:
        T_left_body = mounted(
            "body", topics.odom, "T-cam-base", options.T_cam_base, "odometry tells motion only, no pose of the camera"
        )
    rectified = not wants_rectification(options.rectify, topics.image)
    return Rig(left, right, rectified, T_left_right, T_left_lidar, T_left_body, frame_ids)


def _first_image(bag: Bag, topic: str) -> tuple[int, int, str]:
    """Height, width and frame of the first image that can be read."""
    problem = "there is none"
    for raw in bag.raw([topic]):
        try:
            message = bag.decode(raw)
            if raw.channel.type == COMPRESSED:
                height, width = messages.decode_compressed(message).shape[:2]
            else:
                height, width = int(message.height), int(message.width)
        except MessageError as error:
            problem = str(error)
            continue
        return height, width, str(message.header.frame_id)
    raise BagError(f"no image on {topic!r} of {bag.path.name!r} can be read: {problem}")


def _left_camera(bag: Bag, topics: RigTopics, options: DatasetOptions, height: int, width: int) -> CameraModel:
    if options.focal is not None:
        fx, fy, cx, cy = options.focal
        return CameraModel(height, width, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]))
    remedy = "record its camera_info, or give --intrinsics 'FX FY CX CY' of the rectified image"
    if topics.camera_info is None:
        raise BagError(f"{bag.path.name!r} holds no camera_info for {topics.image!r}: {remedy}")
    camera = _first_camera(bag, topics.camera_info)
    if isinstance(camera, str):
        raise BagError(f"no camera_info on {topics.camera_info!r} of {bag.path.name!r} is usable: {camera}; {remedy}")
    if (camera.height, camera.width) != (height, width):
        raise BagError(
            f"{topics.camera_info!r} is for {camera.width}x{camera.height}, but the images of {topics.image!r} are "
            f"{width}x{height}: choose the camera_info that belongs to them (--camera-info TOPIC)"
        )
    return camera


def _right_camera(bag: Bag, topic: str | None, notes: list[str]) -> CameraModel | None:
    if topic is None:
        notes.append("the right camera is left out: it has no camera_info; say --right-info TOPIC")
        return None
    camera = _first_camera(bag, topic)
    if isinstance(camera, str):
        notes.append(f"the right camera is left out: no camera_info on {topic!r} is usable: {camera}")
        return None
    return camera


def _first_camera(bag: Bag, topic: str) -> CameraModel | str:
    """The first calibration of a topic that can be used; else what was wrong with the last one."""
    problem = "there is no message"
    for raw in bag.raw([topic]):
        try:
            camera = messages.decode_camera_info(bag.decode(raw))
        except (MessageError, CalibrationError) as error:
            problem = str(error)
            continue
        if camera.is_calibrated:
            return camera
        problem = "K is 0, so the camera is uncalibrated"
    return problem


def _frame_of(bag: Bag, topic: str, sensor: str) -> str:
    """The frame that a sensor's first readable message names: of odometry its child frame."""
    for raw in bag.raw([topic]):
        try:
            message = bag.decode(raw)
        except MessageError:
            continue
        return str(message.child_frame_id if sensor == "body" else message.header.frame_id)
    return ""
