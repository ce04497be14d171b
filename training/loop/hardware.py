"""Where and how a run computes: Lightning's Fabric, and how weights lie in memory."""

from __future__ import annotations

import torch
from lightning.fabric import Fabric

from training.loop.configuration import TrainingConfig

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def make_fabric(config: TrainingConfig) -> Fabric:
    """Lightning's Fabric for these settings: device, precision, processes. It isn't launched yet."""
    hardware = config.hardware
    return Fabric(
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        strategy="ddp" if hardware.devices > 1 else "auto",
        precision=PRECISIONS[hardware.precision],  # type: ignore[arg-type]
    )


def channels_last(module: torch.nn.Module) -> None:
    """Weights of 2-D convolutions as batches lie in memory; those of 3-D ones have no such form."""
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
