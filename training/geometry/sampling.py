"""An image at pixels that are not whole numbers."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from training.full_precision import full_precision


@full_precision
def sample(image: Tensor, uv: Tensor) -> Tensor:
    """Bilinear value of `image` at pixels `uv`, the nearest border pixel outside.

    Convention: the first pixel's centre is (0, 0), so sampling at the pixel grid gives the image itself. grid_sample
    counts from -1 to 1 between the outer *edges* of the border pixels (align_corners=False): (2 u + 1) / W - 1. The
    coordinates for align_corners=True, 2 u / (W - 1) - 1, would be off by up to half a pixel at the borders.

    Args:
        image: (..., C, H, W).
        uv: (..., H', W', 2), with the same leading dimensions. A NaN takes the image's middle.

    Returns:
        (..., C, H', W').
    """
    height, width = image.shape[-2:]
    per_pixel, first = uv.new_tensor([2 / width, 2 / height]), uv.new_tensor([1 / width - 1, 1 / height - 1])
    grid = first.addcmul(uv, per_pixel).nan_to_num(0.0).flatten(0, -4)  # NaN would crash grid_sample's backward pass
    values = grid_sample(image.flatten(0, -4), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return values.unflatten(0, image.shape[:-3])


@full_precision
def upsample(maps: Tensor, height: int, width: int) -> Tensor:
    """(B, C, h, w) -> (B, C, height, width), bilinear, in one step whatever the ratio (guizilini2019 §3.1).

    Convention: pixel areas are kept together, u' = (u + 0.5) width / w - 0.5, as for K's pyramid.
    """
    if maps.shape[-2:] == (height, width):
        return maps
    return interpolate(maps, size=(height, width), mode="bilinear", align_corners=False)
