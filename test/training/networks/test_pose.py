"""The pose network: its size, how small it starts, half precision."""

from __future__ import annotations

import pytest
import torch

from training.networks.pose import OUTPUT_SCALE, PoseNet


@pytest.fixture(scope="module")
def network() -> PoseNet:
    torch.manual_seed(0)
    return PoseNet()


def test_parameters(network: PoseNet) -> None:
    """By hand: sum of (inputs k² + 1) outputs over 7 convolutions and the 1x1 one."""
    layers = [(6, 7, 16), (16, 5, 32), (32, 3, 64), (64, 3, 128), (128, 3, 256), (256, 3, 256), (256, 3, 256)]
    by_hand = sum((inputs * kernel**2 + 1) * outputs for inputs, kernel, outputs in layers) + 257 * 6
    assert sum(parameter.numel() for parameter in network.parameters()) == by_hand == 1_586_774


@pytest.mark.parametrize("size", [(32, 64), (75, 33)])
def test_six_small_numbers_for_any_size(network: PoseNet, size: tuple[int, int]) -> None:
    target, source = torch.rand(2, 3, 3, *size)
    pose = network(target, source)
    assert pose.shape == (3, 6)
    assert 0 < pose.abs().max() < 0.05
    assert not torch.allclose(pose, network(source, target))  # the order matters


def test_average_and_scale(network: PoseNet) -> None:
    target, source = torch.rand(2, 1, 3, 256, 384)
    maps = network.head(network.layers(torch.cat([target, source], dim=1)))
    assert maps.shape == (1, 6, 2, 3)
    torch.testing.assert_close(network(target, source), OUTPUT_SCALE * maps.sum(dim=(2, 3)) / 6)


def test_gradients_reach_every_parameter(network: PoseNet) -> None:
    network.zero_grad()
    network(*torch.rand(2, 2, 3, 64, 96)).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(network: PoseNet, dtype: torch.dtype) -> None:
    target, source = torch.rand(2, 1, 3, 64, 96)
    expected = network(target, source)
    with torch.autocast("cpu", dtype):
        pose = network(target, source)
    assert pose.dtype == torch.float32
    torch.testing.assert_close(pose, expected, rtol=0.1, atol=1e-5)


def test_different_sizes_are_refused(network: PoseNet) -> None:
    with pytest.raises(ValueError, match=r"\(1, 3, 32, 64\) and source \(1, 3, 32, 32\)"):
        network(torch.zeros(1, 3, 32, 64), torch.zeros(1, 3, 32, 32))


def test_compiles_in_one_graph(network: PoseNet) -> None:
    target, source = torch.rand(2, 1, 3, 64, 96)
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(target, source), network(target, source))
