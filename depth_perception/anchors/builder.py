"""Every measurement of a frame → anchors in its image; what goes wrong with one source never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from depth_perception.anchors.ground import ground_anchors
from depth_perception.anchors.lidar import point_anchors
from depth_perception.anchors.stereo import StereoMatcher
from depth_perception.anchors.transfer import carried_over
from depth_perception.camera import CameraModel
from depth_perception.config import DepthConfig
from depth_perception.errors import DepthPerceptionError
from depth_perception.mount import Mount
from depth_perception.records import Anchors, DepthKind, Float32, Measurement, StereoPair


class AnchorBuilder:
    """Keeps the stereo maps and buffers between frames."""

    def __init__(self) -> None:
        self._stereo = StereoMatcher()

    def __call__(
        self, measurements: Sequence[Measurement], camera: CameraModel, prediction: Float32, kind: DepthKind,
        stamp_ns: int, config: DepthConfig,
    ) -> list[Anchors]:  # fmt: skip
        """One `Anchors` a source, in pixels of `camera`, which describes the image that depth is made for.

        `prediction` (h, w) is the network's output, in which ground is looked for (`ground.enabled`).
        """
        made = [self._made(item, camera, config) for item in measurements]
        if config.ground.enabled:
            scan = config.scan
            mount = Mount(scan.camera_height, scan.camera_pitch, scan.camera_roll)
            made.append(ground_anchors(prediction, kind, camera, mount, config.ground, stamp_ns))
        return made

    def _made(self, item: Measurement, camera: CameraModel, config: DepthConfig) -> Anchors:
        if isinstance(item, StereoPair):
            return _or_note("stereo", item.stamp_ns, lambda: self._stereo_anchors(item, camera, config))
        lidar = config.lidar
        sigma = lidar.sigma if item.source == "lidar" else config.laser.sigma
        # A laser scan's own limits were applied when it was decoded.
        low, high = (lidar.min_range, lidar.max_range) if item.source == "lidar" else (0.0, np.inf)
        return _or_note(
            item.source,
            item.stamp_ns,
            lambda: point_anchors(item, camera, sigma=sigma, min_range=low, max_range=high),
        )

    def _stereo_anchors(self, pair: StereoPair, camera: CameraModel, config: DepthConfig) -> Anchors:
        anchors = self._stereo(pair, config.stereo)
        if pair.T_camera_left is None:
            return anchors
        assert self._stereo.camera is not None
        return carried_over(anchors, self._stereo.camera, pair.T_camera_left, camera)


def _or_note(source: str, stamp_ns: int, make: Callable[[], Anchors]) -> Anchors:
    """What `make` gives, or no anchors and its error as their note."""
    try:
        return make()
    except DepthPerceptionError as error:
        none, groups = np.zeros(0, np.float32), np.zeros(0, np.int32)
        return Anchors(np.zeros((0, 2), np.float32), none, none, groups, source, stamp_ns, str(error))
