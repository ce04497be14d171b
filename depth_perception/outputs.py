"""DepthFrame → messages, by topic name; the live node and the bag runner publish exactly the same."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception import messages
from depth_perception.anchor_points import anchor_points
from depth_perception.camera import CameraModel
from depth_perception.confidence import confidence
from depth_perception.config import DepthConfig, ScanConfig
from depth_perception.points import PointCloudBuilder, one_per_voxel, without_uncertain
from depth_perception.preview import preview
from depth_perception.quality_report import quality_status
from depth_perception.records import DepthFrame
from depth_perception.scan import ScanBuilder

NEEDS_DEPTH = (
    "depth/image", "depth/camera_info", "depth/image_mm", "depth/std", "depth/confidence", "depth/points", "depth/scan",
)  # fmt: skip


class OutputBuilder:
    """Builds the messages of one frame, and only those that are wanted; keeps rays and scan tables between frames."""

    def __init__(self, types: messages.RosTypes | None = None) -> None:
        """`types` makes the messages: live ROS 2 classes by default, or those of a bag's type store."""
        self._types = messages.live() if types is None else types
        self._points = PointCloudBuilder()
        self._scan: ScanBuilder | None = None
        self._last_stamp_ns: int | None = None

    def __call__(self, frame: DepthFrame, config: DepthConfig, wanted: Collection[str]) -> Iterator[tuple[str, Any]]:
        """(topic, message) of every wanted output that this frame can give.

        A frame without metric depth gives preview, quality and anchors only; a camera without calibration neither
        cloud nor scan nor anchors nor camera_info.
        """
        makers = {
            "depth/image": self._image,
            "depth/camera_info": self._camera_info,
            "depth/image_mm": self._image_mm,
            "depth/std": self._std,
            "depth/confidence": self._confidence,
            "depth/quality": self._quality,
            "depth/anchors": self._anchors,
            "depth/points": self._cloud,
            "depth/scan": self._laser_scan,
            "depth/preview": self._preview,
        }
        for topic, make in makers.items():
            if topic not in wanted or (frame.depth is None and topic in NEEDS_DEPTH):
                continue
            started = time.perf_counter()
            message = make(frame, config)
            frame.stages_ms[topic] = (time.perf_counter() - started) * 1e3
            if message is not None:
                yield topic, message
        self._last_stamp_ns = frame.stamp_ns

    def _image(self, frame: DepthFrame, _config: DepthConfig) -> Any:
        assert frame.depth is not None
        return messages.image_message(self._types, frame.depth, "32FC1", frame.stamp_ns, frame.frame_id)

    def _camera_info(self, frame: DepthFrame, _config: DepthConfig) -> Any:
        if frame.camera is None:
            return None
        return messages.camera_info_message(self._types, frame.camera, frame.stamp_ns, frame.frame_id)

    def _image_mm(self, frame: DepthFrame, config: DepthConfig) -> Any:
        if not config.publish_mm:
            return None
        assert frame.depth is not None
        return messages.image_message(self._types, millimetres(frame.depth), "16UC1", frame.stamp_ns, frame.frame_id)

    def _std(self, frame: DepthFrame, _config: DepthConfig) -> Any:
        if frame.std is None:
            return None
        return messages.image_message(self._types, frame.std, "32FC1", frame.stamp_ns, frame.frame_id)

    def _confidence(self, frame: DepthFrame, config: DepthConfig) -> Any:
        if not config.scale.confidence or frame.std is None:
            return None
        assert frame.depth is not None
        picture = confidence(frame.depth, frame.std)
        return messages.image_message(self._types, picture, "mono8", frame.stamp_ns, frame.frame_id)

    def _quality(self, frame: DepthFrame, _config: DepthConfig) -> Any:
        status = quality_status(frame)
        return messages.diagnostics_message(
            self._types, int(status.level), status.name, status.message, status.values, frame.frame_id, frame.stamp_ns
        )

    def _anchors(self, frame: DepthFrame, _config: DepthConfig) -> Any:
        if frame.camera is None or not frame.camera.is_calibrated:
            return None
        points = anchor_points(frame.anchors, frame.camera)
        return messages.points_message(self._types, points, frame.stamp_ns, frame.frame_id)

    def _cloud(self, frame: DepthFrame, config: DepthConfig) -> Any:
        if frame.camera is None or not frame.camera.is_calibrated:
            return None
        assert frame.depth is not None
        stride, voxel = config.points.stride, config.points.voxel
        depth = frame.depth[::stride, ::stride]
        if frame.std is not None:
            depth = without_uncertain(depth, frame.std[::stride, ::stride], config.points.max_relative_std)
        xyz = self._points(depth, frame.camera, stride)
        rgb = frame.image[::stride, ::stride] if config.points.rgb else None
        if voxel > 0.0:
            kept = one_per_voxel(xyz.reshape(-1, 3), voxel)
            xyz = xyz.reshape(1, -1, 3)[:, kept]
            rgb = None if rgb is None else rgb.reshape(1, -1, 3)[:, kept]
        return messages.cloud_message(self._types, xyz, rgb, frame.stamp_ns, frame.frame_id, is_dense=voxel > 0.0)

    def _laser_scan(self, frame: DepthFrame, config: DepthConfig) -> Any:
        if frame.camera is None or not frame.camera.is_calibrated:
            return None
        assert frame.depth is not None
        scan = self._scan_builder(frame.camera, config.scan, frame.prediction.shape)(frame.depth, frame.std)
        since = 0 if self._last_stamp_ns is None else max(frame.stamp_ns - self._last_stamp_ns, 0)
        return messages.scan_message(
            self._types, scan.ranges, scan.angle_min, scan.angle_increment, scan.range_min, scan.range_max,
            scan_time=since * 1e-9, stamp_ns=frame.stamp_ns, frame_id=config.scan.output_frame,
        )  # fmt: skip

    def _scan_builder(self, camera: CameraModel, config: ScanConfig, seen_at: tuple[int, ...]) -> ScanBuilder:
        key = (camera, config, seen_at)
        if self._scan is None or (self._scan.camera, self._scan.config, self._scan.seen_at) != key:
            self._scan = ScanBuilder(camera, config, (seen_at[0], seen_at[1]))
        return self._scan

    def _preview(self, frame: DepthFrame, config: DepthConfig) -> Any:
        picture = preview(frame, config.preview)
        return messages.image_message(self._types, picture, "rgb8", frame.stamp_ns, frame.frame_id)


def millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """(H, W) metres → uint16 millimetres; 0 where unknown, infinite, or beyond 65.535 m (REP-118)."""
    known = np.isfinite(depth) & (depth > 0.0) & (depth < 65.5355)
    return np.where(known, np.rint(np.where(known, depth, 0.0) * 1000.0), 0.0).astype(np.uint16)
