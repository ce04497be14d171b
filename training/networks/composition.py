"""A 3-D convolution along the channels and the 2-D convolution after it, as one 2-D convolution.

Packing (Guizilini et al. 2020, figure 3) sends the C channels of its input through F filters of 3x3x3, with the
channels as the third axis, and the F C results through a 2-D convolution of k x k. Both are linear and nothing stands
between them, so that one 2-D convolution of (k + 2) x (k + 2) from the C channels themselves gives the same: (k + 2)² C
instead of (k² F + 27 F / O) C multiplications for each of the O outputs.

Away from the border the two are equal at once. At the border they are not: the plain form sets what the 3-D convolution
would give outside the image to zero before the second convolution pads. Its results outside are those on a frame of one
pixel around the image; each side of this frame depends on the outermost line of the input alone. So the frame's share
is computed from these lines and taken away again, which makes the composed form exact everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.volume import TAPS, Volume


class _Side(NamedTuple):
    """Along one axis: all of the image's surroundings taken as image, or one side of the frame around it."""

    lines: slice  # of the input that matter there
    volume: slice  # the 3-D convolution's taps that reach there from these lines
    plane: slice  # the 2-D convolution's taps that reach there from inside
    padding: int  # of the composed kernel
    at_end: bool
    sign: int


def _sides(kernel: int) -> tuple[_Side, _Side, _Side]:
    reach = kernel // 2
    every = slice(None)
    return (
        _Side(every, every, every, reach + 1, False, 1),
        _Side(slice(0, 1), slice(2, 3), slice(0, reach), reach - 1, False, -1),
        _Side(slice(-1, None), slice(0, 1), slice(reach + 1, kernel), reach - 1, True, -1),
    )


def _parts(kernel: int) -> Iterator[tuple[_Side, _Side]]:
    """Inside = (all - first - last) rows times (all - first - last) columns, multiplied out; all times all is first."""
    sides = _sides(kernel)
    return product(sides, sides)


def compose(volume: Tensor, plane: Tensor) -> Tensor:
    """The kernel of the 2-D convolution that equals two others in a row, where there is no border.

    Convention: kernels as torch applies them (cross-correlation). The channel f C + c of `plane` is filter f's result
    around channel c.

    Args:
        volume: (F, 3, m, n) of the 3-D convolution, the 3 along the channels with one zero beyond each end.
        plane: (O, F C, p, q) of the 2-D convolution that follows.

    Returns:
        (O, C, p + m - 1, q + n - 1); gradients reach both arguments.
    """
    if not plane.is_meta and torch.is_autocast_enabled(plane.device.type):  # rounding both factors would count twice
        with torch.autocast(plane.device.type, enabled=False):
            return compose(volume, plane)
    filters, _, *reach = volume.shape
    outputs, inputs, *taps = plane.shape
    channels, count = inputs // filters, taps[0] * taps[1]
    # What each tap of `plane` adds to the composed kernel, for each of the three shifts along the channels.
    unit = torch.eye(count, dtype=volume.dtype, device=volume.device).view(count, 1, *taps)
    spread = F.conv_transpose2d(unit, volume.reshape(1, filters * TAPS, *reach))
    size = spread.shape[-2:]
    spread = spread.view(count, filters, TAPS, -1).transpose(0, 1).reshape(filters * count, -1)
    rows = plane.reshape(outputs, filters, channels, count).transpose(1, 2).reshape(outputs * channels, -1)
    shifted = (rows @ spread).view(outputs, channels, TAPS, -1)
    below, same, above = shifted.unbind(2)  # meant for channel c - 1, c, c + 1
    kernel = same + F.pad(below[:, 1:], (0, 0, 0, 1)) + F.pad(above[:, :-1], (0, 0, 1, 0))
    return kernel.view(outputs, channels, *size)


def plain(x: Tensor, volume: Volume, plane: nn.Conv2d) -> Tensor:
    """The definition: the 3-D convolution, then the 2-D one over its stacked results."""
    return plane(volume(x))


def composed(x: Tensor, volume: Volume, plane: nn.Conv2d) -> Tensor:
    """`plain`, composed on the fly: the parameters stay the factors and get their gradients.

    Args:
        x: (B, C, H, W) with H and W at least half the kernel of `plane`.
    """
    total = F.conv2d(x, compose(volume.weight, plane.weight), padding=plane.kernel_size[0] // 2 + 1)
    for rows, columns in list(_parts(plane.kernel_size[0]))[1:]:
        total = total + rows.sign * columns.sign * _place(_frame(x, volume, plane, rows, columns), rows, columns, total)
    return total + _bias(x, volume, plane)


class Composed(nn.Module):
    """`composed` with its kernels fixed, for use without training: (B, C, H, W) → (B, O, H, W)."""

    bias: Tensor | None

    def __init__(self, volume: Volume, plane: nn.Conv2d) -> None:
        super().__init__()
        self.kernel_size = plane.kernel_size[0]
        with torch.no_grad():
            for number, (rows, columns) in enumerate(_parts(self.kernel_size)):
                part = compose(*_weights(volume, plane, rows, columns))
                self.register_buffer(f"kernel{number}", rows.sign * columns.sign * part)
            self.register_buffer("bias_kernel", _bias_kernel(volume, plane))
            self.register_buffer("bias", None if plane.bias is None else plane.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        parts = list(_parts(self.kernel_size))
        total = F.conv2d(x, self.get_buffer("kernel0"), self.bias, padding=self.kernel_size // 2 + 1)
        for number, (rows, columns) in enumerate(parts[1:], start=1):
            lines = x[:, :, rows.lines, columns.lines]
            part = F.conv2d(lines, self.get_buffer(f"kernel{number}"), padding=(rows.padding, columns.padding))
            total = total + _place(part, rows, columns, total)
        return total + _spread_bias(x, self.get_buffer("bias_kernel"))


def _weights(volume: Volume, plane: nn.Conv2d, rows: _Side, columns: _Side) -> tuple[Tensor, Tensor]:
    return volume.weight[..., rows.volume, columns.volume], plane.weight[..., rows.plane, columns.plane]


def _frame(x: Tensor, volume: Volume, plane: nn.Conv2d, rows: _Side, columns: _Side) -> Tensor:
    """What one part of the frame adds, in two steps: it is small, so composing its kernels would cost more."""
    volume_weight, plane_weight = _weights(volume, plane, rows, columns)
    lines = x[:, :, rows.lines, columns.lines].unsqueeze(1)
    padding = [0 if side.sign < 0 else 2 for side in (rows, columns)]
    outside = F.conv3d(lines, volume_weight.unsqueeze(1), padding=[1, *padding]).flatten(1, 2)
    return F.conv2d(outside, plane_weight, padding=plane.kernel_size[0] // 2 - 1)


def _place(part: Tensor, rows: _Side, columns: _Side, whole: Tensor) -> Tensor:
    """`part` at its side of a map of `whole`'s size, zero elsewhere."""
    high, wide = (whole.shape[axis] - part.shape[axis] for axis in (-2, -1))
    left, right = (wide, 0) if columns.at_end else (0, wide)
    top, bottom = (high, 0) if rows.at_end else (0, high)
    return F.pad(part, (left, right, top, bottom))


def _bias_kernel(volume: Volume, plane: nn.Conv2d) -> Tensor:
    """(O, 1, k, k): what the 3-D convolution's biases become, as a convolution of an image of ones."""
    weight = plane.weight.reshape(plane.out_channels, len(volume.bias), -1, *plane.kernel_size)
    return torch.einsum("ofcyx,f->oyx", weight, volume.bias).unsqueeze(1)


def _spread_bias(x: Tensor, kernel: Tensor) -> Tensor:
    ones = torch.ones(1, 1, x.shape[-2], x.shape[-1], dtype=kernel.dtype, device=x.device)
    return F.conv2d(ones, kernel, padding=kernel.shape[-1] // 2)


def _bias(x: Tensor, volume: Volume, plane: nn.Conv2d) -> Tensor:
    """(1, O, H, W): both convolutions' biases, less near the border, where fewer taps see the first's."""
    spread = _spread_bias(x, _bias_kernel(volume, plane))
    return spread if plane.bias is None else spread + plane.bias.view(1, -1, 1, 1)
