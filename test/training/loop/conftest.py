"""One tiny dataset for all runs; nothing writes to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_runs import write_drives


@pytest.fixture(scope="session")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `training_runs.write_drives`."""
    return write_drives(tmp_path_factory.mktemp("drives"))
