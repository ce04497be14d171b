"""Bring a foreign depth network into the model contract, and prove that it still computes the same."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.contract import Contract
from depth_perception.errors import ModelError
from depth_perception.foreign_model import (
    OUTPUT_TYPES,
    Interface,
    Preprocessing,
    fix_interface,
    load_foreign,
    wrap,
)
from depth_perception.model import DepthModel, load_model, write_contract
from depth_perception.records import DepthKind


def import_model(
    source: str | Path,
    out: str | Path,
    *,
    kind: DepthKind,
    min_depth: float,
    max_depth: float,
    licence: str,
    preprocessing: Preprocessing,
    size: tuple[int, int] | None = None,
    input_name: str | None = None,
    output_name: str | None = None,
    canonical_focal: float | None = None,
    relative_std: float = math.nan,
    training: str = "not stated",
    name: str = "",
) -> DepthModel:
    """Wrap the network of the ONNX file `source` into the contract, check it against the original, write it to `out`.

    Taken: one image [1, 3, H, W] or [1, H, W, 3] of float32, float16 or uint8; one depth output of any rank whose sizes
    but two are 1, at any resolution. The output's values stay as they are, `kind` says what they mean.

    Args:
        size: (height, width) to run at, where the network leaves it open.
        input_name, output_name: needed where the graph has several.
        kind, min_depth, max_depth, licence, canonical_focal, relative_std, training, name: as in `Contract`.

    Raises:
        ModelError: `out` exists, the network doesn't fit, or the wrapped network computes something else.
    """
    source, out = Path(source), Path(out)
    if out.exists():
        raise ModelError(f"{str(out)!r} exists already: delete it, or choose another name")
    if not source.is_file():
        raise ModelError(f"there is no model file {str(source)!r}")
    network = load_foreign(source)
    interface = fix_interface(network, input_name, output_name, size)
    _check_preprocessing(preprocessing, interface)
    contract = Contract(
        kind=kind,
        height=interface.height,
        width=interface.width,
        min_depth=min_depth,
        max_depth=max_depth,
        licence=licence,
        canonical_focal=canonical_focal,
        relative_std=relative_std,
        training=training,
        name=name or source.stem,
    )
    black = np.zeros((interface.height, interface.width, 3), np.uint8)
    shape = _Original(source, interface, preprocessing).run(black).shape
    unchecked = out.with_name(out.name + ".unchecked")
    try:
        write_contract(wrap(network, interface, preprocessing, shape), contract, unchecked)
        verify_import(source, unchecked, interface, preprocessing)
        unchecked.replace(out)
    finally:
        unchecked.unlink(missing_ok=True)
    return load_model(out)


def verify_import(
    original: Path, wrapped: Path, interface: Interface, preprocessing: Preprocessing, n: int = 3
) -> float:
    """Run `n` random images through the original, prepared in numpy, and through the wrapped network; compare.

    Returns:
        The greatest difference as a share of the original's span of values.

    Raises:
        ModelError: ONNX Runtime can't run one of them, or the difference exceeds rounding (1e-3; 1e-2 for float16).
    """
    reference = _Original(original, interface, preprocessing)
    session = _session(wrapped)
    rng = np.random.default_rng(0)
    expected, actual = [], []
    for _ in range(n):
        image = rng.integers(0, 256, (interface.height, interface.width, 3), dtype=np.uint8)
        expected.append(_to_size(reference.run(image), interface))
        actual.append(_run(session, "depth", {"image": image[None]}, wrapped)[0])
    wanted, got = np.stack(expected), np.stack(actual)
    finite = np.isfinite(wanted)
    if not finite.any() or not np.array_equal(finite, np.isfinite(got)):
        raise ModelError(
            f"{str(original)!r} gives {1 - finite.mean():.0%} values that aren't finite on random images, "
            f"wrapped {1 - np.isfinite(got).mean():.0%}: check mean, std and scale"
        )
    span = float(np.ptp(wanted[finite])) + 1e-2 * float(np.abs(wanted[finite]).max()) + 1e-30
    error = float(np.abs(got - wanted)[finite].max()) / span
    limit = 1e-2 if "float16" in (interface.input_type, reference.output_type) else 1e-3
    if error > limit:
        raise ModelError(
            f"the wrapped network differs from {str(original)!r} by {error:.2g} of its span of values, "
            f"{limit:g} would be rounding: please report it with the file"
        )
    return error


class _Original:
    """The foreign network under ONNX Runtime, with the preparation of its input done in numpy, apart from `wrap`."""

    def __init__(self, path: Path, interface: Interface, preprocessing: Preprocessing) -> None:
        self._path, self._interface, self._preprocessing = path, interface, preprocessing
        self._session = _session(path)
        self.output_type = ""

    def run(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """(H, W, 3) uint8 RGB → the raw output."""
        x: NDArray[Any] = image[..., ::-1] if self._preprocessing.channel_order == "bgr" else image
        if self._interface.input_type != "uint8":
            mean, std = np.array(self._preprocessing.mean), np.array(self._preprocessing.std)
            x = ((x * self._preprocessing.scale - mean) / std).astype(self._interface.input_type)
        if self._interface.channels_first:
            x = x.transpose(2, 0, 1)
        feed = {self._interface.input_name: np.ascontiguousarray(x[None])}
        output = _run(self._session, self._interface.output_name, feed, self._path)
        self.output_type = str(output.dtype)
        if self.output_type not in OUTPUT_TYPES:
            raise ModelError(
                f"the network's output {self._interface.output_name!r} is {self.output_type}, supported "
                f"are {OUTPUT_TYPES}: a quantised output needs its scale inside the graph"
            )
        return output


def _to_size(output: NDArray[Any], interface: Interface) -> NDArray[np.float32]:
    import cv2

    plane = output.reshape([size for size in output.shape if size != 1]).astype(np.float32)
    if plane.shape == (interface.height, interface.width):
        return plane
    # OpenCV's linear interpolation has half-pixel centres and repeats the border, as the contract's Resize does
    return cv2.resize(plane, (interface.width, interface.height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _session(path: Path) -> Any:
    try:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # what matters comes as an exception
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"ONNX Runtime can't load {str(path)!r}: {error}") from error


def _run(session: Any, output: str, feed: dict[str, NDArray[Any]], path: Path) -> NDArray[Any]:
    try:
        return session.run([output], feed)[0]  # type: ignore[no-any-return]
    except Exception as error:
        shapes = {key: list(value.shape) for key, value in feed.items()}
        raise ModelError(f"{str(path)!r} fails on an image {shapes}: {error}; another --size may suit it") from error


def _check_preprocessing(preprocessing: Preprocessing, interface: Interface) -> None:
    mean, std = preprocessing.mean, preprocessing.std
    if preprocessing.channel_order not in ("rgb", "bgr"):
        raise ModelError(f"channel order {preprocessing.channel_order!r} must be 'rgb' or 'bgr'")
    if interface.input_type == "uint8":
        if mean is not None or std is not None:
            raise ModelError(f"the network takes uint8: mean {mean!r} and std {std!r} can't be applied, leave them out")
        return
    if mean is None or std is None or len(mean) != 3 or len(std) != 3 or 0.0 in std or preprocessing.scale == 0.0:
        raise ModelError(
            f"the network takes {interface.input_type}: mean {mean!r} and std {std!r} need three numbers each, std and "
            f"scale ({preprocessing.scale!r}) not 0, as its authors say (0 0 0 and 1 1 1 if they say none)"
        )
