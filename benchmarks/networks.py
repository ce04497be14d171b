"""Times the depth networks against their plain forms: composed packing, unpooling without zeros. One thread.

    python -m benchmarks.networks [--size 192x640] [--batch 1] [--calls 3] [--only packing]

`forward` is evaluation, `step` forward and backward. Times are CPU time of this process, the least of several calls;
calls of the forms that are compared are interleaved. `fixed` has its kernels composed beforehand, as an exported file
has. Plain packing runs its 3-D convolution as torch does, plain unpacking too. Weights are random: time doesn't depend
on them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from unittest import mock

import torch
from torch import Tensor, nn

from training.networks.depth_network import NETWORKS, make_depth_network
from training.networks.operations import multiply_adds
from training.networks.packing import Packing, fix_packing
from training.networks.packnet import FIRST_PACKING, FULL, OTHER_PACKING, SLIM, PackNet
from training.networks.upprojection import UnpoolConvolution
from training.networks.volume import Volume

UPPROJECTIONS = ((1024, 512), (1536, 256), (768, 128), (384, 64))  # channels in, out of ResNet-50's, coarsest first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="192x640", help="HxW of the network's input")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--calls", type=int, default=3)
    parser.add_argument("--only", choices=("packing", "packnet", "upprojection", "networks"))
    options = parser.parse_args()
    height, width = (int(part) for part in options.size.split("x"))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    image = torch.rand(options.batch, 3, height, width)
    print(f"torch {torch.__version__}, {options.batch} x {height}x{width}, milliseconds, least of {options.calls}")
    print("| what | form | Gmultiply-adds | forward | step | plain / this, forward | step |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for name, compare in (
        ("packing", packing_blocks),
        ("packnet", packnets),
        ("upprojection", upprojections),
        ("networks", networks),
    ):
        if options.only in (None, name):
            compare(image, options.calls)


def packing_blocks(image: Tensor, calls: int) -> None:
    """Each of PackNet's five packing blocks at the size where it stands."""
    batch, _, height, width = image.shape
    for level, channels in enumerate(FULL.stages):
        block = Packing(channels, OTHER_PACKING if level else FIRST_PACKING, FULL.filters)
        x = torch.randn(batch, channels, height >> level, width >> level, requires_grad=True)
        report(
            f"packing {level + 1}",
            {
                "plain": (with_form(block, compose=False), True),
                "composed": (with_form(block, compose=True), True),
                "fixed": (fix_packing(nn.Sequential(block)), False),
            },
            x,
            calls,
        )


def packnets(image: Tensor, calls: int) -> None:
    """The whole networks."""
    for name, widths in (("PackNet", FULL), ("PackNet slim", SLIM)):
        network = PackNet(widths)
        report(
            name,
            {
                "plain": (with_form(network, compose=False), True),
                "composed": (with_form(network, compose=True), True),
                "fixed": (fix_packing(network), False),
            },
            image,
            calls,
        )


def upprojections(image: Tensor, calls: int) -> None:
    """The up-convolutions of ResNet-50's decoder."""
    batch, _, height, width = image.shape
    for number, (inputs, outputs) in enumerate(UPPROJECTIONS):
        convolution = UnpoolConvolution(inputs, outputs)
        x = torch.randn(batch, inputs, height >> 5 - number, width >> 5 - number, requires_grad=True)
        report(f"unpooling {number + 1}", {"plain": (convolution.naive, True), "fast": (convolution, True)}, x, calls)


def networks(image: Tensor, calls: int) -> None:
    """Every network by name, as it is trained."""
    for name in NETWORKS:
        report(name, {"as trained": (make_depth_network(name), True)}, image, calls)


def with_form(module: nn.Module, compose: bool) -> Callable[[Tensor], object]:
    """`module` with all packing and unpacking in the wanted form for the time of each call."""
    blocks = [block for block in module.modules() if isinstance(block, Packing)]

    def call(x: Tensor) -> object:
        for block in blocks:
            block.compose = compose
        with nullcontext() if compose else plain_volumes():
            return module(x)

    return call


def plain_volumes() -> AbstractContextManager[object]:
    """3-D convolutions as torch does them."""
    return mock.patch.object(Volume, "forward", Volume.naive)


def report(name: str, forms: dict[str, tuple[Callable[[Tensor], object], bool]], x: Tensor, calls: int) -> None:
    """One row for each form; the first is what the others are compared with. `True`: it can be trained."""
    forward = {form: float("inf") for form in forms}
    step = dict(forward)
    for _ in range(calls):
        for form, (function, trained) in forms.items():
            forward[form] = min(forward[form], spent(evaluated(function), x))
            if trained:
                step[form] = min(step[form], spent(stepped(function), x))
    first = next(iter(forms))
    for form, (function, trained) in forms.items():
        ratio = f"{forward[first] / forward[form]:.2f} | " + (f"{step[first] / step[form]:.2f}" if trained else "-")
        times = f"{forward[form] * 1e3:.0f} | " + (f"{step[form] * 1e3:.0f}" if trained else "-")
        print(
            f"| {name} | {form} | {multiply_adds(evaluated(function), x) / 1e9:.2f} | {times} | {ratio} |", flush=True
        )


def evaluated(function: Callable[[Tensor], object]) -> Callable[[Tensor], object]:
    def call(x: Tensor) -> object:
        with torch.no_grad():
            return function(x)

    return call


def stepped(function: Callable[[Tensor], object]) -> Callable[[Tensor], object]:
    def call(x: Tensor) -> None:
        result = function(x)
        maps = result if isinstance(result, tuple) else (result,)
        torch.stack([item.mean() for item in maps]).sum().backward()

    return call


def spent(function: Callable[[Tensor], object], x: Tensor) -> float:
    start = time.process_time()
    function(x)
    return time.process_time() - start


if __name__ == "__main__":
    main()
