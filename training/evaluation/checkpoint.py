"""Weights of training.train, answering in torch at the size that they were trained at."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.errors import ModelError
from depth_perception.pipeline import shrink
from depth_perception.records import DepthKind
from depth_perception.upsample import Upsampler
from training.dataset_folder import Image
from training.evaluation.protocol import Cap
from training.loop.configuration import TrainingConfig
from training.loop.run_folder import load_networks
from training.losses.stereo_objective import StereoConfig
from training.networks.exported import contract_module, depth_kind

Float32 = NDArray[np.float32]


class TorchPredictor:
    """The depth network of a weights file, on the CPU; it takes the camera for the one that it was trained on.

    Raises:
        ModelError: the file isn't there, or not one of training.train.
    """

    backend = "torch/cpu"

    def __init__(self, path: Path) -> None:
        networks, config = load_networks(path)
        self.name = path.name
        self.kind = kind_of(config)
        self.range = Cap(config.network.min_depth, config.network.max_depth)
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self._size = config.data.height, config.data.width
        self._module = contract_module(networks.depth, self.kind, self.range.low, self.range.high)

    @torch.no_grad()
    def __call__(self, image: Image, camera: CameraModel) -> Float32:
        """See `predictor.Predictor`. Depth is limited to the training's range, as in the exported file."""
        batch = torch.from_numpy(shrink(image, *self._size)[None])
        size = (image.shape[0], image.shape[1])
        values = np.ascontiguousarray(self._module(batch)[0].float().numpy())
        if self.kind is DepthKind.RELATIVE_INVERSE:
            full: Float32 = cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        else:
            full = Upsampler((values.shape[0], values.shape[1]), size)(values)
        if np.isnan(values).any():
            raise ModelError(f"{self.name!r} says NaN for an image: its training broke; take an earlier checkpoint")
        return full


def kind_of(config: TrainingConfig) -> DepthKind:
    """What a network trained so can know. A teacher's labels alone count as relative: the settings don't say more."""
    one = config.objective
    if isinstance(one, StereoConfig):
        return DepthKind.METRIC  # a baseline, or measured depth
    if any((one.supervised, one.reprojected, one.velocity)) or (one.photometric and one.stereo):
        return depth_kind(scale_seen=True)
    if one.photometric:
        return depth_kind(scale_seen=config.network.motion == "odometry")
    return DepthKind.RELATIVE_INVERSE
