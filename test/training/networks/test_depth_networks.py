"""What every depth network keeps: sizes, gradients, seeds, half precision, memory formats, compilation, its size."""

from __future__ import annotations

import pytest
import torch
from small_networks import SMALL, small_network

from depth_perception.errors import ConfigError
from training.networks.depth_network import NETWORKS, DepthNetwork, make_depth_network
from training.networks.mobile import parameter_count
from training.networks.operations import multiply_adds
from training.networks.packing import fix_packing
from training.networks.packnet import FULL, SLIM, PackNet
from training.networks.resnet_upprojection import ResNetUpProjection
from training.networks.student import StudentNet

PARAMETERS = {
    "packnet": 128_294_020,  # its authors: 128 M
    "packnet_slim": 76_997_796,
    "resnet50_upprojection": 80_766_209,  # Laina et al. without long skips: 63.6 M
    "resnet18_upprojection": 14_756_721,
    "real_time": 830_153,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameter_counts(name: str) -> None:
    with torch.device("meta"):
        assert parameter_count(make_depth_network(name)) == PARAMETERS[name]


def test_other_parameter_counts() -> None:
    with torch.device("meta"):
        assert parameter_count(ResNetUpProjection(50, skips=False)) == 63_563_009
        assert parameter_count(StudentNet()) == 74_369


def test_operations_of_packnet() -> None:
    """At the paper's size the composed network does half of the plain one's work, half of which is the first block."""
    with torch.device("meta"):
        image, network = torch.zeros(1, 3, 192, 640), PackNet(FULL)
        fixed, plain = multiply_adds(fix_packing(network), image), multiply_adds(PackNet(FULL, compose=False), image)
        trained = multiply_adds(network, image)
        slim = multiply_adds(PackNet(SLIM, compose=False), image)
    assert plain / 1e9 == pytest.approx(205.2, abs=0.1)
    assert fixed / 1e9 == pytest.approx(104.0, abs=0.1)
    assert fixed < trained < 0.6 * plain
    assert slim / 1e9 == pytest.approx(71.3, abs=0.1)
    assert 96 * 320 * (4 * 64 * 8 * 27 + 8 * 4 * 64 * 64 * 25) / plain == pytest.approx(0.5, abs=0.01)


def test_unknown_name() -> None:
    with pytest.raises(ConfigError, match=r"'packnett'.*packnet_slim"):
        make_depth_network("packnett")


@pytest.mark.parametrize("size", [(32, 64), (64, 96), (96, 32)])
def test_finest_map_has_the_said_size(network: DepthNetwork, size: tuple[int, int]) -> None:
    maps = network(torch.rand(2, 3, *size))
    for scale, inverse in enumerate(maps):
        factor = network.reduction * 2**scale
        assert inverse.shape == (2, 1, size[0] // factor, size[1] // factor)
        assert inverse.min() > 0
    assert len(maps) == (4 if isinstance(network, PackNet) else 1)


@pytest.mark.parametrize("shape", [(1, 3, 187, 621), (1, 3, 64, 80), (3, 64, 96), (1, 6, 64, 96), (1, 3, 0, 32)])
def test_other_sizes_are_refused(network: DepthNetwork, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"multiples of 32, not|takes \(B, 3, H, W\), not"):
        network(torch.zeros(shape))
    if shape[-1] == 621:
        with pytest.raises(ValueError, match=r"187x621.*to 192x608"):
            network(torch.zeros(shape))


def test_gradients_reach_every_parameter(network: DepthNetwork) -> None:
    maps = network(torch.rand(2, 3, 64, 96))
    sum(item.square().sum() for item in maps).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("name", ["packnet", "real_time"])
def test_overfits_one_batch(name: str) -> None:
    """Two images of noise with a ramp each, one the other's mirror image: what fits both without looking scores 0.2."""
    network, image = small_network(name), torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    ramp = torch.linspace(0.1, 0.9, 64).expand(1, 32, 64)
    target = torch.stack([ramp, ramp.flip(-1)])
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(40):
        optimiser.zero_grad()
        loss = (network(image)[0] - target).abs().mean()
        loss.backward()
        optimiser.step()
    assert loss < 0.1


@pytest.mark.parametrize("name", SMALL)
def test_a_seed_gives_the_same_network_and_step(name: str) -> None:
    """Weights, dropout and gradients."""
    image, gradients = torch.rand(1, 3, 64, 96), []
    for _ in range(2):
        network = small_network(name).train()
        network(image)[0].sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(network: DepthNetwork, dtype: torch.dtype) -> None:
    """Finite, float32 at the end, and near what float32 says."""
    network.eval()
    image = torch.rand(1, 3, 32, 64)
    expected = network(image)
    with torch.autocast("cpu", dtype):
        actual = network(image)
    sum(item.sum() for item in actual).backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters() if parameter.grad is not None)
    for one, other in zip(actual, expected, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0.2, atol=0.05)


def test_channels_last_changes_nothing(network: DepthNetwork) -> None:
    network.eval()
    image = torch.rand(2, 3, 64, 96)
    expected = network(image)
    network.to(memory_format=torch.channels_last)
    actual = network(image.contiguous(memory_format=torch.channels_last))
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_compiles_in_one_graph(network: DepthNetwork) -> None:
    """No breaks; what a compiler makes of the graph is its own business."""
    image = torch.rand(1, 3, 64, 96)
    network.eval()
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    maps = compiled(image)
    sum(item.sum() for item in maps).backward()
    for one, other in zip(maps, network(image), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_packnet_is_the_same_in_every_form() -> None:
    network = small_network("packnet").double()
    image = torch.rand(1, 3, 128, 160, dtype=torch.float64)
    trained, fixed = network(image), fix_packing(network)(image)
    for block in network.packings:
        block.compose = False
    for one, two, plain in zip(trained, fixed, network(image), strict=True):
        torch.testing.assert_close(one, plain, rtol=0, atol=1e-11)
        torch.testing.assert_close(two, plain, rtol=0, atol=1e-11)


def test_packnet_stays_within_its_range() -> None:
    network = small_network("packnet")
    for head in network.heads:
        torch.nn.init.normal_(head.convolution.weight, std=50)
    inverse = network(torch.rand(1, 3, 64, 64))[0]
    assert inverse.min().item() == pytest.approx(1 / 80, rel=1e-5)
    assert inverse.max().item() == pytest.approx(1 / 0.5, rel=1e-5)
