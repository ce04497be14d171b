"""The depth networks by name. One training loop and one export serve them all.

Each maps RGB (B, 3, H, W) in [0, 1] to a tuple of inverse depth maps, finest first, and has `reduction`: how many
pixels of the input a pixel of the finest map is wide.
"""

from __future__ import annotations

from pathlib import Path

from depth_perception.errors import ConfigError
from training.networks.encoder_weights import load_encoder
from training.networks.packnet import FULL, SLIM, PackNet
from training.networks.real_time import RealTimeDepth
from training.networks.resnet_upprojection import ResNetUpProjection

DepthNetwork = PackNet | ResNetUpProjection | RealTimeDepth

RESNETS = {"resnet50_upprojection": 50, "resnet18_upprojection": 18}
PACKNETS = {"packnet": FULL, "packnet_slim": SLIM}
NETWORKS = (*PACKNETS, *RESNETS, "real_time")


def make_depth_network(
    name: str, min_depth: float = 0.5, max_depth: float = 100.0, encoder_weights: str | Path | None = None
) -> DepthNetwork:
    """A network with fresh weights.

    Args:
        name: one of `NETWORKS`.
        min_depth, max_depth: metres, or the unit that training will choose; built into PackNet alone.
        encoder_weights: a file in torchvision's layout, for a ResNet, which then halves images where torchvision does.

    Raises:
        ConfigError: there is no network of that name, or it takes no encoder weights.
        ModelError: the file doesn't fit.
    """
    if name not in NETWORKS:
        raise ConfigError(f"there is no depth network {name!r}: choose from {sorted(NETWORKS)!r}")
    if encoder_weights is not None and name not in RESNETS:
        raise ConfigError(
            f"network {name!r} takes no encoder weights ({str(encoder_weights)!r}): leave them out, or choose from "
            f"{sorted(RESNETS)!r}"
        )
    if name in PACKNETS:
        return PackNet(PACKNETS[name], min_depth, max_depth)
    if name not in RESNETS:
        return RealTimeDepth()
    network = ResNetUpProjection(RESNETS[name], strided_kernel=1 if encoder_weights is None else 3)
    if encoder_weights is not None:
        load_encoder(network.encoder, encoder_weights)
    return network
