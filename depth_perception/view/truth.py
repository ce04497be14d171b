"""A depth topic of a recording as truth: that of each image, in the pixels of the frame that came of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depth_perception import messages
from depth_perception.bags import Bag, RawMessage
from depth_perception.camera import CameraModel
from depth_perception.errors import BagError, MessageError
from depth_perception.stamp_buffer import StampBuffer

Float32 = NDArray[np.float32]
IMAGE = "sensor_msgs/msg/Image"
KEPT = 32  # messages: images wait for their measurements, and truth waits with them
TOLERANCE_NS = 20_000_000  # a robot that turns with 1 rad/s moves a picture of 500 px focal length by 10 px meanwhile


class RecordedTruth:
    """The newest few messages of a depth topic (16UC1 mm or 32FC1 m), each on the pixels of the camera's image.

    Raises:
        BagError: the topic isn't there or holds no images.
    """

    def __init__(self, bag: Bag, topic: str) -> None:
        kind = bag.topics[topic].type if topic in bag.topics else "nothing"
        if kind != IMAGE:
            of_kind = sorted(name for name, item in bag.topics.items() if item.type == IMAGE)
            raise BagError(
                f"{topic!r} is {kind} in {str(bag.path)!r}; as truth it must be a depth image of {of_kind!r}"
            )
        self._bag, self._topic = bag, topic
        self._depths: StampBuffer[Float32] = StampBuffer(KEPT)

    def add(self, raw: RawMessage) -> None:
        """Take a message. Raises BagError if it holds no depth: the wrong topic was named."""
        try:
            message = self._bag.decode(raw)
            self._depths.add(messages.stamp_ns(message.header), messages.decode_depth(message))
        except MessageError as error:
            raise BagError(f"{self._topic!r} can't be the truth: {error}") from error

    def reaches(self, stamp_ns: int) -> bool:
        """True once nothing nearer to that time will come."""
        newest_ns = self._depths.newest_ns()
        return newest_ns is not None and newest_ns >= stamp_ns

    def at(self, stamp_ns: int, height: int, width: int) -> tuple[Float32 | None, str]:
        """(height, width) metres, NaN unknown, of that moment; or None and why there is none."""
        nearest = self._depths.nearest(stamp_ns)
        if nearest is None or abs(nearest[0] - stamp_ns) > TOLERANCE_NS:
            apart = (
                "there is none" if nearest is None else f"the nearest is {abs(nearest[0] - stamp_ns) / 1e6:.0f} ms off"
            )
            return None, f"no truth for this image: {apart}"
        depth = nearest[1]
        if depth.shape != (height, width):
            found = f"{depth.shape[1]}x{depth.shape[0]}"
            return None, f"truth is {found} but the image {width}x{height}: it must lie on the image's pixels"
        return np.where(np.isfinite(depth), depth, np.float32(np.nan)), ""


def rectified_depth(depth: Float32, source: CameraModel) -> Float32:
    """(H, W) metres on the pixels of a distorted camera → the same on those of its rectified image; nearest neighbour.

    Convention: `source.R` turns points of the optical frame into the rectified one (p_rect = R @ p), as CameraInfo has
    it, and depth is along z of the respective frame: for R that isn't identity the numbers change, too. NaN where the
    source saw nothing.
    """
    rays = source.rectified().rays().reshape(-1, 3)
    seen = rays @ source.R.astype(np.float32)  # p_optical = R.T @ p_rect
    uv = np.rint(source.project(seen))
    inside = (uv[:, 0] >= 0) & (uv[:, 0] < source.width) & (uv[:, 1] >= 0) & (uv[:, 1] < source.height)
    column, row = uv[inside].astype(np.intp).T
    out = np.full(len(rays), np.nan, np.float32)
    out[inside] = depth[row, column] / seen[inside, 2]
    return out.reshape(source.height, source.width)
