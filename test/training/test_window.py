"""Crop, resize and mirror: K, transforms and depth follow the pixels. fx != fy, W != H, principal point off centre."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from dataset_folders import K_LEFT, K_RIGHT, T_LEFT_RIGHT
from hypothesis import given, settings
from hypothesis import strategies as st

from training.dataset import DECODE
from training.window import Window, pyramid, random_window, reduction, whole

HEIGHT, WIDTH = 40, 64


def windows() -> st.SearchStrategy[Window]:
    def make(seed: int, out: tuple[int, int], narrowest: float, mirrored: bool) -> Window:
        return random_window((HEIGHT, WIDTH), out, narrowest, False, mirrored, np.random.default_rng(seed))

    sizes = st.sampled_from([(40, 64), (24, 80), (16, 16), (64, 96)])
    return st.builds(make, st.integers(0, 9999), sizes, st.sampled_from([1.0, 0.5, 0.3]), st.booleans())


def project(K: np.ndarray, points: np.ndarray) -> np.ndarray:
    uvw = points @ K.T
    return uvw[:, :2] / uvw[:, 2:]


class TestByHand:
    def test_crop_and_resize(self) -> None:
        # rows 6 to 25, columns 10 to 41, x halves, y doubles
        K = Window(10, 6, 32, 20, out_width=16, out_height=40).intrinsics(K_LEFT)
        expected = [[25.0, 0, 0.5 * (30 - 10 + 0.5) - 0.5], [0, 120.0, 2 * (17 - 6 + 0.5) - 0.5], [0, 0, 1]]
        assert np.allclose(K, expected)
        assert K[0, 2] == 9.75 and K[1, 2] == 22.5  # plain multiplication: 10 and 22

    def test_mirror(self) -> None:
        K = Window(0, 0, 64, 40, 64, 40, mirrored=True).intrinsics(K_LEFT)
        assert np.allclose(K, [[50.0, 0, 63 - 30], [0, 60.0, 17], [0, 0, 1]])  # 64 - 30 would be a pixel off

    def test_crop_resize_and_mirror(self) -> None:
        K = Window(10, 6, 32, 20, 16, 40, mirrored=True).intrinsics(K_LEFT)
        assert K[0, 0] == 25.0 and K[0, 2] == 15 - 9.75

    def test_skew_changes_its_sign_in_a_mirror(self) -> None:
        K = K_LEFT + np.array([[0, 2.0, 0], [0, 0, 0], [0, 0, 0]])
        assert Window(0, 0, 64, 40, 64, 40, mirrored=True).intrinsics(K)[0, 1] == -2.0

    def test_pyramid(self) -> None:
        K = pyramid(K_LEFT, 40, 64, 4)
        assert K.shape == (4, 3, 3) and (K[0] == K_LEFT).all()
        assert K[1, 0].tolist() == [25.0, 0, 14.75] and K[1, 1].tolist() == [0, 30.0, 8.25]
        assert K[3, 0].tolist() == [6.25, 0, 3.3125] and K[3, 1].tolist() == [0, 7.5, 1.6875]

    def test_a_mirrored_rig_has_its_partner_on_the_other_side(self) -> None:
        T = np.eye(4)
        T[0, 3] = -0.54
        mirrored = Window(0, 0, 64, 40, 64, 40, mirrored=True).transform(T)
        assert mirrored[0, 3] == 0.54 and np.linalg.det(mirrored[:3, :3]) == pytest.approx(1.0)
        assert (whole((40, 64), (40, 64), False).transform(T) == T).all()


class TestPointsAndPixelsAgree:
    """Warping a projected point with the image equals projecting it with what follows the image."""

    points = np.random.default_rng(0).uniform([-2, -1, 2], [2, 1, 9], (50, 3))

    @settings(max_examples=60, deadline=None)
    @given(windows())
    def test_in_the_target(self, window: Window) -> None:
        uv = project(K_LEFT, self.points)
        warped = (np.c_[uv, np.ones(len(uv))] @ window.matrix().T)[:, :2]
        seen = self.points * ([-1, 1, 1] if window.mirrored else [1, 1, 1])
        assert np.allclose(project(window.intrinsics(K_LEFT), seen), warped)

    @settings(max_examples=60, deadline=None)
    @given(windows())
    def test_in_the_partner(self, window: Window) -> None:
        """Lift a pixel of the augmented target, carry it over by the augmented T, project by the augmented K."""
        T = np.linalg.inv(T_LEFT_RIGHT)
        truth = project(K_RIGHT, self.points @ T[:3, :3].T + T[:3, 3])
        warped = (np.c_[truth, np.ones(len(truth))] @ window.matrix().T)[:, :2]
        uv = np.c_[project(K_LEFT, self.points), np.ones(50)] @ window.matrix().T
        lifted = uv @ np.linalg.inv(window.intrinsics(K_LEFT)).T * self.points[:, 2:]  # depth: the stored one
        T = window.transform(T)
        assert np.allclose(project(window.intrinsics(K_RIGHT), lifted @ T[:3, :3].T + T[:3, 3]), warped)

    @settings(max_examples=40, deadline=None)
    @given(windows())
    def test_the_image_goes_where_the_matrix_says(self, window: Window) -> None:
        v, u = np.mgrid[:HEIGHT, :WIDTH]
        image = np.stack([3 * u, 5 * v, 0 * u], axis=-1).astype(np.uint8)  # linear: resizing keeps it so
        out = window.image(image)
        assert out.shape == (window.out_height, window.out_width, 3) and out.flags.c_contiguous
        row, column = window.out_height // 2, window.out_width // 2
        u, v, _ = np.linalg.inv(window.matrix()) @ [column, row, 1]
        assert out[row, column, :2] == pytest.approx([3 * u, 5 * v], abs=1.2)  # half a pixel would be 1.5 and 2.5


class TestSparseDepth:
    rng = np.random.default_rng(1)
    codes = np.where(rng.random((HEIGHT, WIDTH)) < 0.2, rng.integers(1, 65535, (HEIGHT, WIDTH)), 0).astype(np.uint16)

    @settings(max_examples=60, deadline=None)
    @given(windows())
    def test_every_value_was_measured_and_lies_where_the_matrix_says(self, window: Window) -> None:
        out = window.sparse(self.codes)
        assert out.shape == (window.out_height, window.out_width) and out.dtype == np.uint16
        v, u = np.nonzero(self.codes)
        exact = np.c_[u, v, np.ones(len(u))] @ window.matrix().T
        rows, columns = (np.floor(exact[:, axis] + 0.5 + 1e-9).astype(int) for axis in (1, 0))
        if window.mirrored:  # a centre between two pixels goes with the one that it would without the mirror
            columns = np.ceil(exact[:, 0] - 0.5 - 1e-9).astype(int)
        expected = np.zeros_like(out)
        for value, row, column in sorted(zip(self.codes[v, u], rows, columns, strict=True), reverse=True):
            if 0 <= row < out.shape[0] and 0 <= column < out.shape[1]:
                expected[row, column] = value
        assert (out == expected).all()

    def test_the_nearest_surface_stays(self) -> None:
        codes = np.zeros((4, 4), np.uint16)
        codes[0, 0], codes[1, 1], codes[2, 3] = 900, 300, 500
        out = whole((4, 4), (2, 2), False).sparse(codes)
        assert out.tolist() == [[300, 0], [0, 500]]

    def test_a_larger_view_has_gaps_not_copies(self) -> None:
        codes = np.full((4, 4), 512, np.uint16)
        assert np.count_nonzero(whole((4, 4), (8, 8), False).sparse(codes)) == 16

    def test_nothing_measured(self) -> None:
        assert not whole((4, 4), (2, 2), False).sparse(np.zeros((4, 4), np.uint16)).any()

    def test_dense_maps_take_the_nearest(self) -> None:
        values = np.arange(16, dtype=np.float16).reshape(4, 4)
        assert Window(0, 0, 4, 4, 2, 2).dense(values).tolist() == [[5, 7], [13, 15]]
        assert Window(1, 0, 2, 4, 2, 4, mirrored=True).dense(values)[0].tolist() == [2, 1]


class TestDecodingSmaller:
    def test_a_jpeg_is_decoded_no_smaller_than_the_view(self) -> None:
        assert [reduction(720, width, (192, 640)) for width in (1279, 1280, 2560, 9000)] == [1, 2, 2, 2]
        assert reduction(192 * 8, 640 * 8, (192, 640)) == 8

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 9999), st.booleans())
    def test_it_shows_the_same_rays(self, seed: int, upright: bool) -> None:
        """On a grey ramp, whose brightness colour coding doesn't touch."""
        slope = np.broadcast_to(np.arange(128, dtype=np.float32) * 1.9, (128, 128))
        ramp = (slope.T if upright else slope).astype(np.uint8)
        data = cv2.imencode(".jpg", np.dstack([ramp] * 3), [cv2.IMWRITE_JPEG_QUALITY, 100])[1]
        window = random_window((128, 128), (24, 24), 0.6, True, bool(seed % 2), np.random.default_rng(seed))
        assert window.reduction in (2, 4) and window.left % window.reduction == 0
        out = window.image(cv2.imdecode(data, DECODE[window.reduction]))
        u, v, _ = np.linalg.inv(window.matrix()) @ [10, 14, 1]
        assert out[14, 10, 0] == pytest.approx(1.9 * (v if upright else u), abs=1.5)  # a reduced pixel is 3.8 or 7.6

    def test_the_whole_image_stays_whole(self) -> None:
        window = whole((375, 1280), (94, 320), True)
        assert (window.width, window.height, window.reduction) == (1280, 375, 1)  # 375 is odd
        assert whole((720, 1280), (180, 320), True).reduction == 4
        assert whole((720, 1280), (180, 320), False).reduction == 1
