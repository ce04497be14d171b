"""Inference backends behind one protocol. `load_engine` chooses one and says why.

Adding a backend is adding one file `engines/<name>_engine.py` with

- `RANKS: dict[str, int]`: its devices, each with its place in `auto`'s order (lower goes first);
- `unusable(device) -> str`: why it can't run there on this machine, with the remedy; empty if it may;
- `create(model, device, threads) -> Engine`: raises `EngineError` with the reason if it can't.

Such a file is imported to be ranked, so it imports its backend inside these functions.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from depth_perception.config import EngineConfig
from depth_perception.engines.golden import check_golden
from depth_perception.errors import EngineError
from depth_perception.model import DepthModel

_SUFFIX = "_engine"
REFERENCE = "onnxruntime/cpu"  # what every other backend is compared with


class Engine(Protocol):
    """A loaded model that is ready to run. One thread at a time may call it."""

    name: str  # of the backend, as in `EngineConfig.backend`
    device: str  # as in `EngineConfig.device`, never "auto"

    def infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 RGB of the model's size → (H, W) float32, what the model's contract says.

        The array is the caller's: later calls don't touch it.

        Raises:
            EngineError: the image has another shape or type, the backend failed, or the engine is closed.
        """

    def close(self) -> None:
        """Give memory and threads back; may be called twice."""


class _Backend(Protocol):
    RANKS: dict[str, int]

    def unusable(self, device: str) -> str: ...

    def create(self, model: DepthModel, device: str, threads: int) -> Engine: ...


@dataclass(frozen=True)
class Choice:
    """The engine that runs, and why this one and none of those before it."""

    engine: Engine
    reason: str

    @property
    def label(self) -> str:
        """'<backend>/<device>', as `load_engine`'s `exclude` takes it."""
        return f"{self.engine.name}/{self.engine.device}"


class Availability(NamedTuple):
    """One backend on one device of this machine."""

    name: str  # '<backend>/<device>'
    usable: bool
    reason: str  # why not, with the remedy; empty if usable


@dataclass(frozen=True)
class _Candidate:
    name: str
    device: str
    backend: _Backend

    @property
    def label(self) -> str:
        return f"{self.name}/{self.device}"


def load_engine(model: DepthModel, config: EngineConfig | None = None, exclude: frozenset[str] = frozenset()) -> Choice:
    """Load `model` into the first backend, in `auto`'s order, that suits `config`, loads and computes the right thing.

    A backend other than ONNX Runtime on the CPU must agree with it on a fixed image (where ONNX Runtime is installed);
    one that disagrees is refused.

    Args:
        exclude: backends ('onnxruntime') or backends on a device ('onnxruntime/cuda') that failed while they ran. If
            they are all that `config` allows, the others stand in: the robot should keep its depth.

    Raises:
        EngineError: an unknown backend or device, or none that works; the message has the reason for each.
    """
    config = config or EngineConfig()
    every = _candidates()
    _check_known("backend", config.backend, (item.name for item in every))
    _check_known("device", config.device, (item.device for item in every))
    named = [item for item in every if config.backend in ("auto", item.name)]
    wanted = [item for item in named if config.device in ("auto", item.device)]
    chosen = [item for item in wanted if not exclude & {item.name, item.label}]
    if exclude and not chosen:
        chosen = [item for item in every if not exclude & {item.name, item.label}]
    passed_over: list[str] = [f"{name}: failed while it ran" for name in sorted(exclude)]
    for candidate in chosen:
        try:
            engine, agreement = _start(candidate, model, config.threads)
        except EngineError as error:
            passed_over.append(" ".join(f"{candidate.label}: {error}".split()))  # backends write whole pages
            continue
        asked = f"backend {config.backend!r} on device {config.device!r}"
        reason = "; ".join([f"{candidate.label} for {asked}, {agreement}", *passed_over])
        return Choice(engine, reason)
    if not wanted:
        passed_over.append(f"this backend knows the devices {sorted(item.device for item in named)}")
    raise EngineError(
        f"no engine for {str(model.path)!r} with backend {config.backend!r} on device "
        f"{config.device!r}: " + "; ".join(passed_over)
    )


def available() -> list[Availability]:
    """Every backend on every device that it knows, in `auto`'s order, and whether it can run here."""
    found = []
    for item in _candidates():
        reason = _unusable(item)
        found.append(Availability(item.label, not reason, reason))
    return found


def _candidates() -> list[_Candidate]:
    """All backends on all their devices, best first."""
    ranked: list[tuple[int, str, _Candidate]] = []
    for module in pkgutil.iter_modules(__path__):
        if not module.name.endswith(_SUFFIX):
            continue
        backend = cast(_Backend, importlib.import_module(f"{__name__}.{module.name}"))
        name = module.name.removesuffix(_SUFFIX)
        ranked.extend((rank, name, _Candidate(name, device, backend)) for device, rank in backend.RANKS.items())
    return [item for _, _, item in sorted(ranked, key=lambda entry: entry[:2])]


def _check_known(what: str, value: str, known: Iterable[str]) -> None:
    choices = ["auto", *sorted(set(known))]
    if value not in choices:
        raise EngineError(f"unknown {what} {value!r}: choose one of {choices}")


def _unusable(candidate: _Candidate) -> str:
    try:
        return candidate.backend.unusable(candidate.device)
    except ImportError as error:
        return f"it is installed but can't be imported: {error}"


def _start(candidate: _Candidate, model: DepthModel, threads: int) -> tuple[Engine, str]:
    """The candidate's engine for `model` and how it compares with the reference; `EngineError` if it won't do."""
    reason = _unusable(candidate)
    if reason:
        raise EngineError(reason)
    try:
        engine = candidate.backend.create(model, candidate.device, threads)
    except ImportError as error:
        raise EngineError(f"it is installed but can't be imported: {error}") from error
    if candidate.label == REFERENCE:
        return engine, "which is the reference"
    reference = next(item for item in _candidates() if item.label == REFERENCE)
    reason = _unusable(reference)
    if reason:
        return engine, f"not compared with {REFERENCE}: {reason}"
    try:
        truth = reference.backend.create(model, reference.device, threads)
    except (EngineError, ImportError) as error:
        return engine, f"not compared with {REFERENCE}: {error}"
    try:
        difference = check_golden(engine, truth, model)
    except EngineError:
        engine.close()
        raise
    finally:
        truth.close()
    return engine, f"within {difference:.2g} of {REFERENCE}"
