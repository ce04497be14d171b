"""Fast up-projection equals the naive one; paper 2's network starts near zero."""

from __future__ import annotations

import pytest
import torch

from training.networks.operations import multiply_adds
from training.networks.resnet_upprojection import ResNetUpProjection
from training.networks.upprojection import UnpoolConvolution, unpool


def test_unpool_by_hand() -> None:
    x = torch.tensor([[1.0, 2.0]]).view(1, 1, 1, 2)
    assert unpool(x).tolist() == [[[[1.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]]


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (6, 5)])
def test_fast_equals_naive_with_gradients(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    convolution = UnpoolConvolution(3, 4).double()
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    fast, naive = convolution(x), convolution.naive(x)
    assert fast.shape == (2, 4, 2 * size[0], 2 * size[1])
    torch.testing.assert_close(fast, naive, rtol=0, atol=1e-13)
    sources = [x, *convolution.parameters()]
    weights = torch.randn_like(fast)
    for one, other in zip(
        torch.autograd.grad(fast, sources, weights), torch.autograd.grad(naive, sources, weights), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_a_quarter_of_the_operations() -> None:
    with torch.device("meta"):
        convolution, x = UnpoolConvolution(8, 4), torch.zeros(1, 8, 6, 10)
        assert multiply_adds(convolution, x) == 6 * 10 * 8 * 4 * 25
        assert multiply_adds(convolution.naive, x) == 4 * 6 * 10 * 8 * 4 * 25


@pytest.mark.parametrize("linear", [False, True])
def test_starts_at_about_100_metres(linear: bool) -> None:
    torch.manual_seed(0)
    network = ResNetUpProjection(18, linear_output=linear)
    (inverse,) = network(torch.rand(2, 3, 64, 96))
    assert inverse.shape == (2, 1, 32, 48)
    assert inverse.min() > 1 / 120 and inverse.max() < 1 / 85


def test_skips_change_what_is_seen() -> None:
    torch.manual_seed(0)
    network = ResNetUpProjection(18, skips=False).eval()
    assert network(torch.rand(1, 3, 32, 64))[0].shape == (1, 1, 16, 32)
    assert [up.long2.in_channels for up in network.ups] == [128, 64, 32, 16]
    joined = ResNetUpProjection(18)
    assert [up.short.kinds[0].in_channels for up in joined.ups] == [256, 128 + 256, 64 + 128, 32 + 64]


def test_channels_of_table_1() -> None:
    with torch.device("meta"):
        network = ResNetUpProjection(50)
        features = network.encoder(torch.zeros(1, 3, 192, 640))
    assert [tuple(item.shape[1:]) for item in features] == [
        (256, 48, 160),
        (512, 24, 80),
        (1024, 12, 40),
        (2048, 6, 20),
    ]
    assert [(up.long2.in_channels, up.short.kinds[0].in_channels) for up in network.ups] == [
        (512, 1024),
        (256, 512 + 1024),
        (128, 256 + 512),
        (64, 128 + 256),
    ]
