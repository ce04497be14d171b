"""A stereo pair → anchors: align the rows, match, keep the surest pixel of each cell, measure in metres."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from depth_perception.anchors.blocks import image_blocks
from depth_perception.anchors.disparity import UNIT, DisparityMatcher, pixels
from depth_perception.anchors.stereo_geometry import StereoGeometry, stereo_geometry
from depth_perception.camera import CameraModel
from depth_perception.config import StereoConfig
from depth_perception.errors import CalibrationError, MessageError
from depth_perception.records import Anchors, Float32, Image, StereoPair

_WIDEST = 0.2  # of the image's width: disparities beyond are not searched
_FARTHEST_PX = 1.0  # a smaller disparity of the matched size measures no depth
_FEW = 0.15  # of the cells: with anchors in fewer, something is wrong
# Swapped pairs match by chance: in 17 to 38 % of the cells of streets, rooms and corridors; rightly in twice as many.
_DOUBTFUL, _CONVINCING = 0.5, 0.3  # of the cells: found; found the other way round
_ASK_EVERY = 10  # doubtful pairs: so often is the other way round tried


class StereoMatcher:
    """Anchors from one stereo pair after another; what depends on cameras and options is prepared once.

    `camera` is the geometry in which the anchors lie: the left camera's own rectified image at full size, without
    distortion. `nearest_m` is the nearest depth that is searched. Both are known from the first pair on.
    """

    camera: CameraModel | None = None
    nearest_m: float = math.nan

    def __init__(self) -> None:
        self._plan: _Plan | None = None
        self._doubtful = 0  # pairs in a row
        self._swapped = False

    def __call__(self, pair: StereoPair, config: StereoConfig) -> Anchors:
        """Up to `config.max_anchors` anchors, spread over the image, with the pair's stamp.

        There are none, and a note says why, while left and right look swapped.

        Raises:
            MessageError: left and right differ in size.
            CalibrationError: an image that isn't of its camera's size, no calibration, no baseline, a negative one.
        """
        plan = self.prepare(pair, config)
        left, right = plan.align(pair)
        disparity, sigma = plan.match(left, right)
        chosen = plan.choose(disparity, sigma)
        note = self._judge(plan, pair, len(chosen))
        if self._swapped:
            chosen = chosen[:0]
        return plan.measure(chosen, disparity, sigma, pair.stamp_ns, note)

    def prepare(self, pair: StereoPair, config: StereoConfig) -> _Plan:
        """Geometry, maps and matcher: those of the last pair if they serve."""
        _check_sizes(pair)
        if self._plan is None or not self._plan.serves(pair, config):
            self._plan = _Plan(pair, config)
            self.camera, self.nearest_m = self._plan.geometry.camera, self._plan.nearest_m
            self._doubtful, self._swapped = 0, False
        return self._plan

    def _judge(self, plan: _Plan, pair: StereoPair, count: int) -> str:
        """What a person should know about a pair in which little was found."""
        if count >= _DOUBTFUL * plan.cells:
            self._doubtful, self._swapped = 0, False
            return ""
        if self._doubtful % _ASK_EVERY == 0:
            other_way = replace(pair, left=pair.right, right=pair.left)
            self._swapped = plan.count(other_way) > max(2 * count, _CONVINCING * plan.cells)
        self._doubtful += 1
        if self._swapped:
            return (
                "left and right images look swapped: they match well the other way round only; swap the two topics "
                "(or the cables)"
            )
        if count >= _FEW * plan.cells:
            return ""
        return (
            f"stereo matched only {count} of {plan.cells} parts of the image: too dark, too little texture, nearer "
            f"than {plan.nearest_m:.2g} m, or the calibration is off"
        )


class _Plan:
    """How pairs of these cameras are matched with these options."""

    def __init__(self, pair: StereoPair, config: StereoConfig) -> None:
        self.config = config
        self._cameras = (pair.left_camera, pair.right_camera, pair.rectified)
        self._T_left_right = None if pair.T_left_right is None else np.array(pair.T_left_right)
        self.geometry: StereoGeometry = stereo_geometry(pair)
        full = self.geometry.left
        self.height, self.width = max(round(config.scale * full.height), 1), max(round(config.scale * full.width), 1)
        self.left = full.resized(self.height, self.width)
        self.offset = self.left.cx - self.geometry.right.resized(self.height, self.width).cx
        wanted = self.left.fx * self.geometry.baseline / config.min_depth + 1.0
        count = 16 * max(math.ceil(min(wanted, _WIDEST * self.width) / 16), 1)
        lowest = math.floor(self.offset)
        self.matcher = DisparityMatcher(lowest, count)
        self.nearest_m = self.left.fx * self.geometry.baseline / (lowest + count - 1 - self.offset)
        self.cell = _cell_size(self.height, self.width, config.max_anchors)
        self.cells = -(-self.height // self.cell) * -(-self.width // self.cell)
        self._covered = self._both_covered()

    def serves(self, pair: StereoPair, config: StereoConfig) -> bool:
        """Whether this plan is right for another pair."""
        same_T = (
            pair.T_left_right is None
            if self._T_left_right is None
            else pair.T_left_right is not None and np.array_equal(pair.T_left_right, self._T_left_right)
        )
        return (
            same_T and config == self.config and self._cameras == (pair.left_camera, pair.right_camera, pair.rectified)
        )

    def align(self, pair: StereoPair) -> tuple[Image, Image]:
        """Both images grey, with rows that agree, at the matched size."""
        import cv2

        images = []
        for i, image in enumerate((pair.left, pair.right)):
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
            if self.geometry.rectifiers is not None:
                grey = self.geometry.rectifiers[i](grey)  # type: ignore[arg-type]
            images.append(cv2.resize(grey, (self.width, self.height), interpolation=cv2.INTER_AREA))
        return images[0], images[1]  # type: ignore[return-value]

    def match(self, left: Image, right: Image) -> tuple[NDArray[np.int16], Float32]:
        """(H, W) disparities in 1/16 px of the matched size and their sigma in px; +Inf where there is no anchor."""
        disparity = self.matcher(left, right)
        sigma = self.matcher.sigma(left, disparity, self.config.sigma_px)
        sigma[disparity <= (self.offset + _FARTHEST_PX) * UNIT] = np.inf
        if self._covered is not None:
            sigma[~self._covered[0]] = np.inf
        return disparity, sigma

    def choose(self, disparity: NDArray[np.int16], sigma: Float32) -> NDArray[np.intp]:
        """(N,) flat indices of the surest pixel of each cell, where there is one and the right camera sees it too."""
        chosen = _surest(sigma, self.cell)
        if self._covered is None:
            return chosen
        row, column = np.divmod(chosen, self.width)
        match = (column - disparity.ravel()[chosen] / UNIT).round().astype(np.intp).clip(0, self.width - 1)
        return chosen[self._covered[1][row, match]]

    def count(self, pair: StereoPair) -> int:
        """How many anchors a pair gives."""
        return len(self.choose(*self.match(*self.align(pair))))

    def measure(
        self, chosen: NDArray[np.intp], disparity: NDArray[np.int16], sigma: Float32, stamp_ns: int, note: str
    ) -> Anchors:
        """Metres at the chosen pixels, in the geometry of the left camera's own rectified image.

        Convention: depth = fx * baseline / (disparity - offset), all in pixels of the matched size, and
        sigma = depth^2 / (fx * baseline) * sigma of the disparity.
        """
        row, column = np.divmod(chosen, self.width)
        reach = self.left.fx * self.geometry.baseline
        z = reach / (pixels(disparity.ravel()[chosen]) - self.offset)
        rays = np.stack(
            [(column - self.left.cx) / self.left.fx, (row - self.left.cy) / self.left.fy, np.ones(len(row))]
        )
        points = (self.geometry.R_camera_aligned @ (rays * z)).T
        uv, camera = self.geometry.camera.project(points), self.geometry.camera
        inside = (uv > -0.5).all(axis=1) & (uv[:, 0] < camera.width - 0.5) & (uv[:, 1] < camera.height - 0.5)
        uv32, depth, z = uv[inside].astype(np.float32), points[inside, 2].astype(np.float32), z[inside]
        relative = (z / reach * sigma.ravel()[chosen][inside]).astype(np.float32)
        group = image_blocks(uv32, camera.height, camera.width)
        return Anchors(uv32, depth, relative * depth, group, "stereo", stamp_ns, note)

    def _both_covered(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        """Where the aligned images (left, right) show something, less a margin for the window; None: all over."""
        import cv2

        if self.geometry.rectifiers is None or all(r.all_covered for r in self.geometry.rectifiers):
            return None
        covered = []
        for rectifier in self.geometry.rectifiers:
            small = cv2.resize(255 * rectifier.covered.astype(np.uint8), (self.width, self.height))
            eroded = cv2.erode(small, np.ones((7, 7), np.uint8), borderType=cv2.BORDER_REPLICATE)
            covered.append(eroded == 255)
        return covered[0], covered[1]


def _surest(sigma: Float32, cell: int) -> NDArray[np.intp]:
    """(N,) flat indices of the smallest finite value of each cell x cell square of (H, W), where there is one."""
    height, width = sigma.shape
    rows, columns = -(-height // cell), -(-width // cell)
    padded = np.full((rows * cell, columns * cell), np.inf, np.float32)
    padded[:height, :width] = sigma
    cells = padded.reshape(rows, cell, columns, cell).transpose(0, 2, 1, 3).reshape(rows * columns, cell * cell)
    inner = cells.argmin(axis=1)
    number = np.flatnonzero(np.isfinite(cells[np.arange(len(cells)), inner]))
    row = number // columns * cell + inner[number] // cell
    column = number % columns * cell + inner[number] % cell
    return row * width + column


def _cell_size(height: int, width: int, most: int) -> int:
    """Side of the smallest square cells of which an image has no more than `most`."""
    cell = math.ceil(math.sqrt(height * width / most))
    while -(-height // cell) * -(-width // cell) > most:
        cell += 1
    return cell


def _check_sizes(pair: StereoPair) -> None:
    left, right = pair.left.shape[:2], pair.right.shape[:2]
    if left != right:
        raise MessageError(
            f"left image is {left[1]}x{left[0]}, right image {right[1]}x{right[0]}: a stereo pair has one size; set "
            "both cameras to the same resolution"
        )
    for side, camera in (("left", pair.left_camera), ("right", pair.right_camera)):
        if (camera.height, camera.width) != left:
            raise CalibrationError(
                f"the {side} camera_info is for {camera.width}x{camera.height}, but its image is {left[1]}x{left[0]}; "
                "calibrate at this resolution or set the camera to the calibrated one"
            )
