"""Inference backends: which can run here, and how fast the default model is on each."""

from __future__ import annotations

import statistics
import time

import numpy as np

from depth_perception.config import EngineConfig
from depth_perception.doctor.finding import Finding, Level
from depth_perception.engines import Availability, available, load_engine
from depth_perception.errors import EngineError, ModelError
from depth_perception.model import DepthModel, load_model, resolve_model

WARM_UP = 3


def look(model_name: str, runs: int) -> list[Finding]:
    """The model, then each backend with its speed, best first; the first that is OK is what `auto` takes."""
    model: DepthModel | None = None
    try:
        model = load_model(resolve_model(model_name))
        contract = model.contract
        shape = f"{contract.height}x{contract.width}"
        finding = Finding("model", Level.OK, f"{model.path.name}: {contract.kind.value} at {shape}")
    except ModelError as error:
        finding = Finding("model", Level.BAD, str(error))
    return [finding, *(_backend(item, model, runs) for item in available())]


def can_infer(findings: list[Finding]) -> bool:
    """True if a backend works."""
    return any(finding.level is Level.OK for finding in findings if "/" in finding.name)


def _backend(item: Availability, model: DepthModel | None, runs: int) -> Finding:
    if not item.usable:
        reason, _, remedy = item.reason.rpartition(": ")
        return Finding(item.name, Level.ABSENT, reason, remedy)
    if model is None:
        return Finding(item.name, Level.OK, "installed; not timed without a model")
    name, device = item.name.split("/")
    try:
        choice = load_engine(model, EngineConfig(backend=name, device=device))
    except EngineError as error:
        return Finding(item.name, Level.BAD, str(error))
    image = np.random.default_rng(0).integers(0, 256, (model.contract.height, model.contract.width, 3), np.uint8)
    try:
        milliseconds = []
        for _ in range(WARM_UP + runs):
            start = time.perf_counter()
            choice.engine.infer(image)
            milliseconds.append((time.perf_counter() - start) * 1e3)
    except EngineError as error:
        return Finding(item.name, Level.BAD, str(error))
    finally:
        choice.engine.close()
    timed = milliseconds[WARM_UP:]
    median = statistics.median(timed)
    text = (
        f"{median:.1f} ms a frame (slowest of {runs}: {max(timed):.1f}), {1e3 / median:.0f} a second; {choice.reason}"
    )
    return Finding(item.name, Level.OK, text)
