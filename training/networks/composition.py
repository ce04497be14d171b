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

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.volume import TAPS, Volume


class _Side(NamedTuple):
    """Along one axis: the whole image with what lies beyond it, or one side of the frame around it."""

    lines: slice  # of the input that matter there
    volume: slice  # the 3-D convolution's taps that reach there from these lines
    plane: slice  # the 2-D convolution's taps that reach there from inside
    margin: int  # zeros around these lines for the 3-D convolution alone
    padding: int  # zeros around these lines for the composed kernel
    at_end: bool


def _sides(kernel: int) -> tuple[_Side, _Side, _Side]:
    """All, first, last: inside the image is all less first less last, along both axes."""
    reach = kernel // 2
    every = slice(None)
    return (
        _Side(every, every, every, 2, reach + 1, False),
        _Side(slice(0, 1), slice(2, 3), slice(0, reach), 0, reach - 1, False),
        _Side(slice(-1, None), slice(0, 1), slice(reach + 1, kernel), 0, reach - 1, True),
    )


def _inside(x: Tensor, kernel: int, convolve: Callable[[Tensor, _Side, _Side], Tensor]) -> Tensor:
    """(all - first - last) rows times (all - first - last) columns of what `convolve` gives for each pair."""
    every, *edges = _sides(kernel)

    def along_columns(rows: _Side) -> Tensor:
        lines = x[:, :, rows.lines]
        part = convolve(lines, rows, every)
        for columns in edges:
            part = part - _place(convolve(lines[..., columns.lines], rows, columns), columns, part, axis=-1)
        return part

    total = along_columns(every)
    for rows in edges:
        total = total - _place(along_columns(rows), rows, total, axis=-2)
    return total


def _place(part: Tensor, side: _Side, whole: Tensor, axis: int) -> Tensor:
    """`part` at its side of a map as long as `whole` along `axis`, zero elsewhere."""
    rest = whole.shape[axis] - part.shape[axis]
    padding = (rest, 0) if side.at_end else (0, rest)
    return F.pad(part, padding if axis == -1 else (0, 0, *padding))


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
    kernel = plane.kernel_size[0]
    every = _sides(kernel)[0]

    def convolve(lines: Tensor, rows: _Side, columns: _Side) -> Tensor:
        factors = _factors(volume, plane, rows, columns)
        if rows == every and columns == every:
            return F.conv2d(lines, compose(*factors), padding=every.padding)
        # The frame is small: composing its kernels would cost more than two steps.
        margins = (1, rows.margin, columns.margin)
        outside = F.conv3d(lines.unsqueeze(1), factors[0].unsqueeze(1), padding=margins).flatten(1, 2)
        return F.conv2d(outside, factors[1], padding=kernel // 2 - 1)

    total = _inside(x, kernel, convolve) + _spread_bias(x, _bias_kernel(volume, plane))
    return total if plane.bias is None else total + plane.bias.view(1, -1, 1, 1)


class Composed(nn.Module):
    """`composed` with its kernels fixed, for use without training: (B, C, H, W) → (B, O, H, W)."""

    bias: Tensor | None

    def __init__(self, volume: Volume, plane: nn.Conv2d) -> None:
        super().__init__()
        self.kernel_size = plane.kernel_size[0]
        sides = _sides(self.kernel_size)
        with torch.no_grad():
            for rows, columns in product(sides, sides):
                self.register_buffer(self._name(rows, columns), compose(*_factors(volume, plane, rows, columns)))
            self.register_buffer("bias_kernel", _bias_kernel(volume, plane))
            self.register_buffer("bias", None if plane.bias is None else plane.bias.detach().clone())

    def _name(self, rows: _Side, columns: _Side) -> str:
        sides = _sides(self.kernel_size)
        return f"kernel_{sides.index(rows)}{sides.index(columns)}"

    def forward(self, x: Tensor) -> Tensor:
        def convolve(lines: Tensor, rows: _Side, columns: _Side) -> Tensor:
            kernel = self.get_buffer(self._name(rows, columns))
            return F.conv2d(lines, kernel, padding=(rows.padding, columns.padding))

        total = _inside(x, self.kernel_size, convolve) + _spread_bias(x, self.get_buffer("bias_kernel"))
        return total if self.bias is None else total + self.bias.view(1, -1, 1, 1)


def _factors(volume: Volume, plane: nn.Conv2d, rows: _Side, columns: _Side) -> tuple[Tensor, Tensor]:
    return volume.weight[..., rows.volume, columns.volume], plane.weight[..., rows.plane, columns.plane]


def _bias_kernel(volume: Volume, plane: nn.Conv2d) -> Tensor:
    """(O, 1, k, k): what the 3-D convolution's biases become, as a convolution of an image of ones."""
    weight = plane.weight.reshape(plane.out_channels, len(volume.bias), -1, *plane.kernel_size)
    return torch.einsum("ofcyx,f->oyx", weight, volume.bias).unsqueeze(1)


def _spread_bias(x: Tensor, kernel: Tensor) -> Tensor:
    """(1, O, H, W): less near the border, where fewer taps see the 3-D convolution's biases."""
    ones = torch.ones(1, 1, x.shape[-2], x.shape[-1], dtype=kernel.dtype, device=x.device)
    return F.conv2d(ones, kernel, padding=kernel.shape[-1] // 2)
