"""Score a model file on the frozen test worlds, through the engine that drives, beside baselines that see no image.

`python -m training.evaluate_default TEST --train DATA [--model FILE]` prints the table (Markdown) and the spread that
goes into the contract. TEST holds the worlds of config/sim_test_seeds.yaml, DATA the training worlds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depth_perception.config import EngineConfig
from depth_perception.contract import Contract
from depth_perception.engines import load_engine
from depth_perception.errors import ConfigError
from depth_perception.model import load_model, resolve_model
from training.baselines import fit_baselines
from training.metrics import DepthMetrics, depth_metrics, mean_metrics, median_scale
from training.sim_augmentation import Sample, central_view
from training.sim_dataset import World, complete_worlds

TEST_SEEDS = Path(__file__).parent.parent / "config" / "sim_test_seeds.yaml"
BASELINE_FRAMES = 1000
PIXELS_FOR_SPREAD = 2000  # of each frame

Float32 = NDArray[np.float32]
Predict = Callable[[Sample], Float32]  # metres at the sample's size


@dataclass(frozen=True)
class Score:
    """Means over frames of one predictor on one group of worlds."""

    predictor: str
    group: str  # kind of world, or "all"
    frames: int
    plain: DepthMetrics
    aligned: DepthMetrics  # after multiplying each frame's prediction by median(target) / median(prediction)


def frozen_seeds(path: Path = TEST_SEEDS) -> set[int]:
    """Seeds of the test worlds.

    Raises:
        ConfigError: the list is missing or isn't one.
    """
    import yaml

    try:
        frozen = yaml.safe_load(path.read_text())
        return set(range(int(frozen["first_seed"]), int(frozen["last_seed"]) + 1))
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"list of test seeds {str(path)!r} can't be read: {error}") from error


def views(worlds: list[World], contract: Contract, stride: int = 1) -> Iterator[tuple[World, Sample]]:
    """Every `stride`-th frame of the worlds, as the model gets it: at its input's size, K following."""
    for world in worlds:
        for index in range(0, world.frames, stride):
            yield world, central_view(world.frame(index), (contract.height, contract.width))


def model_predictor(path: Path, backend: str = "onnxruntime") -> Predict:
    """The model file behind the engine that the node uses; metres, limited to the contract's range."""
    model = load_model(path)
    engine = load_engine(model, EngineConfig(backend=backend)).engine
    contract = model.contract

    def predict(view: Sample) -> Float32:
        scale = 1.0 if contract.canonical_focal is None else float(view.K[0, 0]) / contract.canonical_focal
        return np.clip(engine.infer(view.image) * np.float32(scale), contract.min_depth, contract.max_depth)

    return predict


def baseline_predictors(worlds: list[World], contract: Contract) -> dict[str, Predict]:
    """Constant and mean map, fitted on training worlds, in metres and in canonical metres."""
    stride = max(1, sum(world.frames for world in worlds) // BASELINE_FRAMES)
    focal = contract.canonical_focal or 1.0
    metres = fit_baselines((view.depth for _, view in views(worlds, contract, stride)), contract.max_depth)
    canonical = fit_baselines(
        (_canonical(view, contract, focal) for _, view in views(worlds, contract, stride)), np.inf
    )
    shape = (contract.height, contract.width)
    return {
        "constant": lambda view: np.full(shape, metres.constant, np.float32),
        "constant, canonical focal": lambda view: np.full(shape, canonical.constant * view.K[0, 0] / focal, np.float32),
        "mean map": lambda view: metres.mean_map,
        "mean map, canonical focal": lambda view: canonical.mean_map * np.float32(view.K[0, 0] / focal),
    }


def _canonical(view: Sample, contract: Contract, focal: float) -> Float32:
    near = np.where(view.depth <= contract.max_depth, view.depth, np.float32(np.nan))
    return near * np.float32(focal / view.K[0, 0])


def score(name: str, predict: Predict, worlds: list[World], contract: Contract) -> list[Score]:
    """Scores for each kind of world and for all of them; sky and depth beyond the contract's range don't count."""
    results: dict[str, list[tuple[DepthMetrics, DepthMetrics]]] = {}
    for world, view in views(worlds, contract):
        valid = np.isfinite(view.depth) & (view.depth <= contract.max_depth)
        prediction = predict(view)
        plain = depth_metrics(prediction, view.depth, valid)
        scale = np.float32(median_scale(prediction, view.depth, valid))
        aligned = depth_metrics(prediction * scale, view.depth, valid) if np.isfinite(scale) else plain
        for group in ("all", world.kind):
            results.setdefault(group, []).append((plain, aligned))
    return [
        Score(name, group, len(rows), mean_metrics([row[0] for row in rows]), mean_metrics([row[1] for row in rows]))
        for group, rows in results.items()
    ]


def relative_std(predict: Predict, worlds: list[World], contract: Contract) -> float:
    """Half-width that holds 68.27 % of |prediction / target - 1|, not aligned: one sigma that outliers don't rule."""
    rng, errors = np.random.default_rng(0), []
    for _, view in views(worlds, contract):
        known = np.isfinite(view.depth) & (view.depth <= contract.max_depth)
        if known.any():
            ratio = predict(view)[known] / view.depth[known]
            errors.append(np.abs(rng.choice(ratio, PIXELS_FOR_SPREAD) - 1.0))
    return float(np.quantile(np.concatenate(errors), 0.6827))


def sky_shares(predict: Predict, worlds: list[World], contract: Contract) -> tuple[float, float]:
    """(share of sky pixels said to be beyond range, share of other pixels within range said so)."""
    counts = np.zeros(4)
    for _, view in views(worlds, contract):
        far, sky = predict(view) >= contract.max_depth, np.isinf(view.depth)
        surface = np.isfinite(view.depth) & (view.depth <= contract.max_depth)
        counts += [np.sum(far & sky), np.sum(sky), np.sum(far & surface), np.sum(surface)]
    return float(counts[0] / max(counts[1], 1)), float(counts[2] / max(counts[3], 1))


def table(scores: list[Score]) -> str:
    """Markdown: one row a predictor and group; the columns after the bar are median-aligned."""
    columns = ("abs_rel", "rmse", "rmse_log", "delta1", "silog")
    names = [*columns, *(f"{name} (aligned)" for name in ("abs_rel", "rmse", "delta1"))]
    lines = ["| worlds | predictor | frames | " + " | ".join(names) + " |", "|---" * (len(names) + 3) + "|"]
    for item in sorted(scores, key=lambda item: item.group):
        values = [getattr(item.plain, name) for name in columns]
        values += [getattr(item.aligned, name) for name in ("abs_rel", "rmse", "delta1")]
        cells = " | ".join(f"{value:.3f}" for value in values)
        lines.append(f"| {item.group} | {item.predictor} | {item.frames} | {cells} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", type=Path)
    parser.add_argument("--train", type=Path, required=True, help="training worlds, for the baselines")
    parser.add_argument("--model", default="default", help="ONNX file, or 'default'")
    parser.add_argument("--backend", default="onnxruntime")
    options = parser.parse_args(arguments)
    path = resolve_model(options.model)
    contract, seeds = load_model(path).contract, frozen_seeds()
    test = [world for world in complete_worlds(options.test) if world.seed in seeds]
    train = [world for world in complete_worlds(options.train) if world.seed not in seeds]
    if not test or not train:
        raise ConfigError(f"{len(test)!r} test and {len(train)!r} training worlds found; run training.render_sim first")
    predict = model_predictor(path, options.backend)
    scores = score(path.name, predict, test, contract)
    for name, baseline in baseline_predictors(train, contract).items():
        scores += score(name, baseline, test, contract)
    print(table(scores))
    found, false = sky_shares(predict, test, contract)
    print(f"\n{len(test)} of {len(seeds)} test worlds; {100 * found:.1f} % of the sky is beyond range, and so is "
          f"{100 * false:.2f} % of what isn't sky")  # fmt: skip
    print(f"relative_std {relative_std(predict, test, contract):.4f}")


if __name__ == "__main__":
    main()
