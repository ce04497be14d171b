"""Messages that we build, read back through the wire by the other side."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest

from depth_perception.camera import CameraModel
from depth_perception.errors import MessageError
from depth_perception.messages import (
    camera_info_message,
    cloud_message,
    cloud_xyz,
    compressed_image_message,
    decode_camera_info,
    decode_cloud,
    decode_compressed,
    decode_depth,
    decode_image,
    decode_rgb,
    decode_scan,
    image_message,
    live,
    recorded,
    scan_message,
    stamp_ns,
)

STAMP, FRAME = 1_700_000_000_987_654_321, "front_camera_optical_frame"
RNG = np.random.default_rng(1)


@pytest.fixture(params=["live", "recorded"])
def ros(request: pytest.FixtureRequest) -> Any:
    """(types, sent): the classes to build with, and the trip through the wire format of the same family."""
    if request.param == "live":
        pytest.importorskip("sensor_msgs.msg", reason="ROS message packages are not installed")
        serialization = pytest.importorskip("rclpy.serialization", reason="rclpy is not installed")

        def sent(message: Any) -> Any:
            return serialization.deserialize_message(serialization.serialize_message(message), type(message))

        return live(), sent
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_KILTED)

    def written(message: Any) -> Any:
        raw = store.serialize_cdr(message, message.__msgtype__)
        return store.deserialize_cdr(bytes(raw), message.__msgtype__)

    return recorded(store), written


def check_header(message: Any) -> None:
    assert (stamp_ns(message.header), message.header.frame_id) == (STAMP, FRAME)


IMAGES = {
    "32FC1": np.array([[np.nan, 1.5, np.inf], [-np.inf, 0.25, 80.0]], np.float32),
    "16UC1": np.array([[0, 1500, 65535], [1, 2, 3]], np.uint16),
    "mono8": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "rgb8": np.arange(18, dtype=np.uint8).reshape(2, 3, 3),
    "bgr8": np.arange(18, dtype=np.uint8).reshape(2, 3, 3),
    "rgba8": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
}


@pytest.mark.parametrize("encoding", IMAGES)
@pytest.mark.parametrize("contiguous", [True, False])
def test_image(ros: Any, encoding: str, contiguous: bool) -> None:
    types, sent = ros
    pixels = IMAGES[encoding] if contiguous else IMAGES[encoding][:, ::-1][:, :2]
    message = sent(image_message(types, pixels, encoding, STAMP, FRAME))
    check_header(message)
    height, width = pixels.shape[:2]
    step = width * pixels[0, 0].nbytes
    assert (message.height, message.width, message.step, len(message.data)) == (height, width, step, height * step)
    assert (message.encoding, message.is_bigendian) == (encoding, 0)
    np.testing.assert_array_equal(decode_image(message), pixels)


def test_image_is_what_others_take_for_depth(ros: Any) -> None:
    types, sent = ros
    message = sent(image_message(types, IMAGES["32FC1"], "32FC1", STAMP, FRAME))
    np.testing.assert_array_equal(decode_depth(message), IMAGES["32FC1"])


@pytest.mark.parametrize(
    ("encoding", "shape", "dtype"),
    [("32FC1", (2, 3), np.float64), ("rgb8", (2, 3), np.uint8), ("16UC1", (2, 3), np.int16), ("nv12", (3, 2), np.uint8),
     ("mono8", (2, 3, 3), np.uint8), ("unheard", (2, 3), np.uint8)],
)  # fmt: skip
def test_image_of_another_type(ros: Any, encoding: str, shape: tuple[int, ...], dtype: Any) -> None:
    with pytest.raises(MessageError, match=f"'{encoding}'"):
        image_message(ros[0], np.zeros(shape, dtype), encoding, STAMP, FRAME)


def test_live_data_is_an_array_of_its_own() -> None:
    """Anything but an array.array costs 65 ms at 640x480 in the generated setter."""
    pytest.importorskip("sensor_msgs.msg", reason="ROS message packages are not installed")
    pixels = np.zeros((4, 5, 3), np.uint8)
    message = image_message(live(), pixels, "rgb8", STAMP, FRAME)
    assert isinstance(message.data, array.array)
    pixels[:] = 9
    assert set(message.data) == {0}


def test_recorded_data_is_a_view() -> None:
    from rosbags.typesys import Stores, get_typestore

    pixels = np.zeros((4, 5), np.float32)
    message = image_message(recorded(get_typestore(Stores.ROS2_HUMBLE)), pixels, "32FC1", STAMP, FRAME)
    assert np.shares_memory(message.data, pixels)
    assert message.data.dtype == np.uint8


CAMERAS = {
    "ideal": CameraModel(376, 1241, [[718.0, 0, 607.0], [0, 719.0, 185.0], [0, 0, 1]]),
    "plumb_bob": CameraModel(
        480, 752, [[458, 0, 367], [0, 457, 248], [0, 0, 1]], np.array([-0.28, 0.07, 2e-4, 2e-5, 0]), "plumb_bob",
        R=np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
        P=np.array([[435, 0, 367, -47.9], [0, 435, 252, 0], [0, 0, 1, 0]]),
    ),
    "fisheye": CameraModel(1208, 1920, np.diag([900.0, 901.0, 1.0]), np.array([0.1, 0.2, 0.3, 0.4]), "equidistant"),
    "rational": CameraModel(720, 1280, np.diag([600.0, 601.0, 1.0]), np.arange(8) / 10, "rational_polynomial"),
    "uncalibrated": CameraModel(480, 640, np.zeros((3, 3))),
}  # fmt: skip


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
def test_camera_info(ros: Any, camera: CameraModel) -> None:
    types, sent = ros
    message = sent(camera_info_message(types, camera, STAMP, FRAME))
    check_header(message)
    back = decode_camera_info(message)
    for name in ("height", "width", "K", "R", "P"):
        np.testing.assert_array_equal(getattr(back, name), getattr(camera, name))
    assert (message.binning_x, message.binning_y, message.roi.width, message.roi.do_rectify) == (0, 0, 0, False)
    if camera.distortion_model == "none":
        assert (message.distortion_model, list(message.d)) == ("plumb_bob", [0.0] * 5)
    else:
        assert back == camera


def test_camera_info_does_not_share_memory_with_the_camera(ros: Any) -> None:
    camera = CAMERAS["plumb_bob"]
    message = camera_info_message(ros[0], camera, STAMP, FRAME)
    assert not np.shares_memory(np.asarray(message.k), camera.K)


XYZ = RNG.normal(size=(3, 5, 3)).astype(np.float32)
XYZ[1, 2] = np.nan
COLOURS = RNG.integers(0, 256, (3, 5, 3), np.uint8)
COLOURS[0, 0] = (255, 128, 1)


def test_cloud(ros: Any) -> None:
    types, sent = ros
    message = sent(cloud_message(types, XYZ, None, STAMP, FRAME))
    check_header(message)
    assert (message.height, message.width, message.point_step, message.row_step) == (3, 5, 12, 60)
    assert (message.is_dense, message.is_bigendian) == (False, False)
    np.testing.assert_array_equal(cloud_xyz(message), XYZ.reshape(-1, 3))


@pytest.mark.parametrize("count", [4, 0])
def test_cloud_in_no_order(ros: Any, count: int) -> None:
    """What thinning leaves: one row, no NaN, perhaps no point at all."""
    types, sent = ros
    xyz, colours = XYZ[:1, :count], COLOURS[:1, :count]
    message = sent(cloud_message(types, xyz, colours, STAMP, FRAME, is_dense=True))
    assert (message.height, message.width, message.is_dense) == (1, count, True)
    np.testing.assert_array_equal(cloud_xyz(message), xyz.reshape(-1, 3))


@pytest.mark.parametrize("contiguous", [True, False])
def test_cloud_with_colour(ros: Any, contiguous: bool) -> None:
    types, sent = ros
    xyz, colours = (XYZ, COLOURS) if contiguous else (XYZ[:, ::2], COLOURS[:, ::2])
    message = sent(cloud_message(types, xyz, colours, STAMP, FRAME))
    width = xyz.shape[1]
    assert (message.height, message.width, message.point_step, message.row_step) == (3, width, 16, 16 * width)
    assert [(f.name, f.offset, f.datatype, f.count) for f in message.fields] == [
        ("x", 0, 7, 1), ("y", 4, 7, 1), ("z", 8, 7, 1), ("rgb", 12, 7, 1)]  # fmt: skip
    np.testing.assert_array_equal(cloud_xyz(message), xyz.reshape(-1, 3))
    packed = np.ascontiguousarray(decode_cloud(message)["rgb"]).view(np.uint32)
    red, green, blue = (colours[..., i].astype(np.uint32) for i in range(3))
    np.testing.assert_array_equal(packed, red << 16 | green << 8 | blue)


def test_bright_red_is_not_nan(ros: Any) -> None:
    """With 255 above red, (255, 128, 1) would be the NaN 0xFFFF8001, and skip_nans readers would drop the point."""
    message = cloud_message(ros[0], XYZ, COLOURS, STAMP, FRAME)
    assert not np.isnan(decode_cloud(message)["rgb"]).any()


@pytest.mark.parametrize(
    ("xyz", "rgb"),
    [
        (np.zeros((4, 3), np.float32), None),
        (np.zeros((2, 4, 3)), None),
        (np.zeros((2, 0, 3), np.float32), None),
        (np.zeros((2, 4, 4), np.float32), None),
        (np.zeros((2, 4, 3), np.float32), np.zeros((4, 2, 3), np.uint8)),
        (np.zeros((2, 4, 3), np.float32), np.zeros((2, 4, 3), np.float32)),
    ],
)
def test_cloud_of_another_shape(ros: Any, xyz: Any, rgb: Any) -> None:
    with pytest.raises(MessageError, match=r"\(H, W, 3\)"):
        cloud_message(ros[0], xyz, rgb, STAMP, FRAME)


def test_scan(ros: Any) -> None:
    types, sent = ros
    ranges = np.array([np.nan, np.inf, 2.0, -np.inf], np.float32)
    message = sent(scan_message(types, ranges, -0.5, 0.25, 0.2, 10.0, 1 / 30, STAMP, FRAME))
    check_header(message)
    assert message.angle_max == pytest.approx(0.25)  # the last ray's angle, not one beyond
    assert message.scan_time == pytest.approx(1 / 30)
    rays = decode_scan(message)
    np.testing.assert_array_equal(rays.ranges, ranges)
    np.testing.assert_allclose(rays.angles, [-0.5, -0.25, 0.0, 0.25])
    assert (rays.range_min, rays.range_max) == (pytest.approx(0.2), 10.0)
    assert not rays.times_s.any()


def test_compressed_image(ros: Any) -> None:
    types, sent = ros
    v, u = np.mgrid[:24, :40]
    image = np.stack([u * 6, v * 10, np.full_like(u, 30)], -1).astype(np.uint8)
    message = sent(compressed_image_message(types, image, STAMP, FRAME, 98))
    check_header(message)
    assert message.format == "rgb8; jpeg compressed bgr8"
    assert np.abs(decode_compressed(message).astype(int) - image).max() <= 6


def test_rgb_there_and_back_is_the_same_in_both_families() -> None:
    pytest.importorskip("sensor_msgs.msg", reason="ROS message packages are not installed")
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_KILTED)
    ours = image_message(live(), COLOURS, "bgr8", STAMP, FRAME)
    theirs = image_message(recorded(store), COLOURS, "bgr8", STAMP, FRAME)
    np.testing.assert_array_equal(decode_rgb(ours), decode_rgb(theirs))
    serialization = pytest.importorskip("rclpy.serialization", reason="rclpy is not installed")
    back = store.deserialize_cdr(bytes(serialization.serialize_message(ours)), theirs.__msgtype__)
    assert (back.header, back.encoding, back.step) == (theirs.header, theirs.encoding, theirs.step)
    np.testing.assert_array_equal(back.data, theirs.data)


def test_importing_messages_is_cheap() -> None:
    import subprocess
    import sys

    heavy = ("cv2", "rclpy", "sensor_msgs", "rosbags", "torch", "onnxruntime")
    code = f"import sys, depth_perception.messages; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
