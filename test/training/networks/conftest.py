"""Each depth network in turn."""

from __future__ import annotations

import pytest
from small_networks import SMALL, small_network

from training.networks.depth_network import DepthNetwork


@pytest.fixture(params=SMALL)
def network(request: pytest.FixtureRequest) -> DepthNetwork:
    """Each depth network, small, with fresh weights."""
    return small_network(request.param)
