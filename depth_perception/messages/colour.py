"""`sensor_msgs/Image` of any encoding → RGB for the network."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import MessageError
from depth_perception.messages.image import LAYOUTS, decode_image, describe, encoding_of

# OpenCV's conversion to RGB. Its four-letter Bayer names are those of ROS: the first two rows of the mosaic from its
# first pixel. (Its two-letter names start at the second row and column: BayerBG is ROS's rggb.)
_TO_RGB: dict[str, str] = {
    "mono8": "COLOR_GRAY2RGB",
    "8uc1": "COLOR_GRAY2RGB",
    "bgr8": "COLOR_BGR2RGB",
    "8uc3": "COLOR_BGR2RGB",
    "rgba8": "COLOR_RGBA2RGB",
    "bgra8": "COLOR_BGRA2RGB",
    "bayer_rggb8": "COLOR_BayerRGGB2RGB",
    "bayer_bggr8": "COLOR_BayerBGGR2RGB",
    "bayer_gbrg8": "COLOR_BayerGBRG2RGB",
    "bayer_grbg8": "COLOR_BayerGRBG2RGB",
    "yuv422": "COLOR_YUV2RGB_UYVY",
    "uyvy": "COLOR_YUV2RGB_UYVY",
    "yuv422_yuy2": "COLOR_YUV2RGB_YUY2",
    "yuyv": "COLOR_YUV2RGB_YUY2",
    "nv12": "COLOR_YUV2RGB_NV12",
    "nv21": "COLOR_YUV2RGB_NV21",
}


def decode_rgb(msg: Any) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB. rgb8 is a view of `msg.data`; everything else is converted once, at full size.

    Converting bgr8 costs about 0.1 ms at 640x480. A view with reversed channels would save that and cost more later:
    OpenCV copies arrays of negative stride element by element (5 ms).

    8UC3 is read as BGR and 8UC1 as grey, OpenCV's habit. yuv and nv images are BT.601 of limited range (16 to 235), as
    cv_bridge and V4L2 have it. Grey of more than 8 bits is scaled by a constant, so that brightness doesn't jump from
    frame to frame: mono16 and 16UC1 by 255 / 65535, 32FC1 from [0, 1] to [0, 255] with NaN as 0.

    Raises:
        MessageError: as `decode_image`; a Bayer mosaic under 3x3; or an encoding that neither we nor an installed
            cv_bridge know.
    """
    encoding = encoding_of(msg)
    if encoding not in LAYOUTS:
        return _through_cv_bridge(msg)
    array = decode_image(msg)
    if encoding == "rgb8":
        return array
    return to_rgb(array, encoding)


def to_rgb(array: NDArray[Any], encoding: str) -> NDArray[np.uint8]:
    """Pixels in the layout of `encoding` (a key of `LAYOUTS` except rgb8) → (H, W, 3) uint8 RGB, a new array."""
    import cv2

    if encoding.startswith("bayer") and min(array.shape) < 3:
        raise MessageError(f"a {array.shape[1]}x{array.shape[0]} {encoding} mosaic is too small: needs 3x3 pixels")
    if array.dtype != np.uint8:
        array, encoding = grey8(array), "mono8"
    return cv2.cvtColor(array, getattr(cv2, _TO_RGB[encoding]))  # type: ignore[return-value]


def grey8(array: NDArray[Any]) -> NDArray[np.uint8]:
    """uint16 of full range, or float32 in [0, 1] (NaN = 0) → uint8 of the same shape."""
    import cv2

    if array.dtype == np.uint16:
        return cv2.convertScaleAbs(array, alpha=255.0 / 65535.0)  # type: ignore[return-value]
    inside = np.minimum(np.fmax(array, np.float32(0.0)), np.float32(1.0))  # fmax: NaN becomes 0
    return cv2.convertScaleAbs(inside, alpha=255.0)  # type: ignore[return-value]


def _through_cv_bridge(msg: Any) -> NDArray[np.uint8]:
    known = f"known here: {', '.join(LAYOUTS)}"
    if not cv_bridge_works():
        raise MessageError(
            f"{describe(msg)}: unknown encoding, and cv_bridge, which may know it, isn't installed or doesn't work "
            f"beside numpy {np.__version__}; {known}. Set the camera driver to one of these"
        )
    from cv_bridge import CvBridge

    try:
        image = np.asarray(CvBridge().imgmsg_to_cv2(msg, "rgb8"))
    except Exception as error:  # cv_bridge raises whatever it meets: CvBridgeError, TypeError, RuntimeError
        raise MessageError(
            f"{describe(msg)}: unknown encoding, and cv_bridge refused it ({error}); {known}. "
            "Set the camera driver to one of these"
        ) from error
    expected = (msg.height, msg.width, 3)
    if image.shape != expected or image.dtype != np.uint8:
        raise MessageError(f"{describe(msg)}: cv_bridge made {image.dtype} {image.shape} of it, not uint8 {expected}")
    return image


_PROBE = """
from types import SimpleNamespace
from cv_bridge import CvBridge
pixel = SimpleNamespace(height=1, width=1, encoding="bgr16", step=6, is_bigendian=0, data=bytes([3, 3, 2, 2, 1, 1]))
assert CvBridge().imgmsg_to_cv2(pixel, "rgb8").tolist() == [[[1, 2, 3]]]
"""


@functools.cache
def cv_bridge_works() -> bool:
    """True if cv_bridge is installed and survives one conversion.

    It is tried in a process of its own: built against numpy 1, it can take the process down beside numpy 2
    (vision_opencv#535). The answer is kept; the first call takes about a second where cv_bridge is installed.
    """
    if importlib.util.find_spec("cv_bridge") is None:
        return False
    try:
        probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0
