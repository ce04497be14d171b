"""The composed packing equals the plain one everywhere, and does the work that was worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.networks.composition import Composed, compose, composed, plain
from training.networks.operations import multiply_adds
from training.networks.packing import Packing, Unpacking, fix_packing
from training.networks.volume import Volume

SIZES = [(6, 3, 4, 5, 7), (5, 5, 3, 2, 6), (5, 5, 3, 8, 7), (4, 3, 2, 1, 2)]  # C, k, O, H, W: also only borders


def factors(channels: int, kernel: int, outputs: int, filters: int = 3) -> tuple[Volume, nn.Conv2d]:
    torch.manual_seed(channels)
    volume = Volume(filters).double()
    nn.init.normal_(volume.bias)
    return volume, nn.Conv2d(filters * channels, outputs, kernel, padding=kernel // 2).double()


@pytest.mark.parametrize(("channels", "kernel", "outputs", "height", "width"), SIZES)
def test_composed_equals_plain_with_all_gradients(channels, kernel, outputs, height, width) -> None:
    volume, plane = factors(channels, kernel, outputs)
    x = torch.randn(2, channels, height, width, dtype=torch.float64, requires_grad=True)
    expected, actual = plain(x, volume, plane), composed(x, volume, plane)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-13)
    torch.testing.assert_close(Composed(volume, plane)(x), expected, rtol=0, atol=1e-13)
    sources = [x, *volume.parameters(), *plane.parameters()]
    weights = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, sources, weights)
    found = torch.autograd.grad(actual, sources, weights)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_composed_kernel_by_hand() -> None:
    """One filter that only looks at the channel above, one pixel to the left; then a tap one pixel down."""
    volume, plane = torch.zeros(1, 3, 3, 3), torch.zeros(1, 2, 3, 3)
    volume[0, 2, 1, 0] = 5.0  # channel c + 1, same row, column to the left
    plane[0, 0, 2, 1] = 7.0  # channel 0, row below, same column
    kernel = compose(volume, plane)
    assert kernel.shape == (1, 2, 5, 5)
    assert kernel[0, 1, 3, 1] == 35.0  # channel 1, one row below the centre (2, 2), one column to the left
    assert kernel.abs().sum() == 35.0


def test_the_border_matters() -> None:
    """Without the frame's share the composed form would be wrong at the border, and right inside."""
    volume, plane = factors(5, 3, 3)
    nn.init.zeros_(volume.bias)
    x = torch.randn(1, 5, 6, 8, dtype=torch.float64)
    naive = torch.nn.functional.conv2d(x, compose(volume.weight, plane.weight), plane.bias, padding=2)
    error = (naive - plain(x, volume, plane)).abs()
    assert error[..., 1:-1, 1:-1].max() < 1e-13
    assert error.max() > 1e-2


def test_composing_in_bfloat16_autocast_keeps_the_kernel_whole() -> None:
    volume, plane = factors(6, 3, 4)
    volume, plane = volume.float(), plane.float()
    with torch.autocast("cpu", torch.bfloat16):
        kernel = compose(volume.weight, plane.weight)
    assert kernel.dtype == torch.float32
    torch.testing.assert_close(kernel, compose(volume.weight, plane.weight), rtol=0, atol=0)


def test_operations_of_the_first_block_by_hand() -> None:
    """64 channels, kernel 5, 8 filters, 32x48 pixels packed to 16x24: 4.15 times fewer, and a little for the border."""
    with torch.device("meta"):
        block = Packing(64, 5, 8)
        x = torch.zeros(1, 64, 32, 48)
        pixels = 16 * 24
        volume = 4 * 64 * 8 * 27
        assert multiply_adds(lambda: plain(torch.zeros(1, 256, 16, 24), block.volume, block.plane)) == pixels * (
            volume + 8 * 4 * 64 * 64 * 25
        )
        inside = pixels * 4 * 64 * 64 * 7 * 7
        # Rows: 2 x 24 pixels from kernels of 2x7; columns: 16 x 2 of 7x2; corners: 2 x 2 of 2x2; biases: 5x5 of ones.
        border = 4 * 64 * 64 * (2 * 48 * 14 + 2 * 32 * 14 + 4 * 4 * 4)
        biases = pixels * 64 * 25
        assert multiply_adds(fix_packing(nn.Sequential(block)), x) == inside + border + biases
    assert pixels * (volume + 8 * 4 * 64 * 64 * 25) / inside == pytest.approx(4.15, abs=0.01)


def test_packing_composes_only_where_it_pays() -> None:
    with torch.device("meta"):
        free, bound = Packing(16, 3, 4), Packing(16, 3, 4, compose=False)
        large, small = torch.zeros(1, 16, 256, 256), torch.zeros(1, 16, 8, 8)
    assert multiply_adds(free, large) < 0.65 * multiply_adds(bound, large)
    assert multiply_adds(free, small) == multiply_adds(bound, small)


@pytest.mark.parametrize("size", [(8, 8), (96, 64)])
def test_packing_block_is_the_same_in_every_form(size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    block = Packing(16, 5, 4).double()
    x = torch.randn(1, 16, *size, dtype=torch.float64)
    forms = [block(x), fix_packing(nn.Sequential(block))(x)]
    block.compose = False
    for form in forms:
        torch.testing.assert_close(form, block(x), rtol=0, atol=1e-12)
    assert forms[0].shape == (1, 16, size[0] // 2, size[1] // 2)


def test_volume_as_a_plane_convolution() -> None:
    volume, _ = factors(5, 3, 1, filters=4)
    x = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(volume(x), volume.naive(x), rtol=0, atol=1e-13)
    torch.testing.assert_close(volume(x)[:, 5 + 2], volume.naive(x[:, 1:4])[:, 3 + 1], rtol=0, atol=1e-13)


def test_unpacking_doubles_the_size() -> None:
    assert Unpacking(32, 16, 4)(torch.randn(2, 32, 3, 5)).shape == (2, 16, 6, 10)
