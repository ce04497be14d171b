"""Train a depth network on a dataset folder.

    python -m training.train config/training/robot.yaml --data DATASET --out RUN data.batch_size=8 epochs=20

CONFIG.yaml overrides the defaults of training/loop/configuration.py, and NAME=VALUE overrides both. DATASET comes from
training.make_dataset. training/loop/run_folder.py says what lies in RUN; `tensorboard --logdir RUN` shows curves and
depth pictures. Ctrl-C leaves a checkpoint, from which the same command with --resume goes on as if it had not stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from depth_perception.errors import DepthPerceptionError
from training.loop.configuration import TrainingConfig, read_config
from training.loop.guard import NotFiniteError
from training.loop.hardware import make_fabric
from training.loop.interrupt import Interrupt
from training.loop.training import Training

INTERRUPTED = 130


def train(config: TrainingConfig, data: Path, run: Path, resume: bool = False, stop_after: int | None = None) -> bool:
    """Train to the end, or until interrupted (False).

    Args:
        stop_after: stop with a checkpoint after so many more steps.

    Raises:
        ConfigError, ModelError: settings, dataset and weights don't fit together.
        NotFiniteError: training met NaN or infinity.
    """
    fabric = make_fabric(config)
    fabric.launch()
    with Interrupt() as interrupt:
        training = Training(fabric, config, data, run, resume)
        try:
            return training.fit(interrupt, stop_after)
        finally:
            training.log.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="such as optimiser.learning_rate=1e-3")
    parser.add_argument("--data", type=Path, required=True, metavar="DATASET")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN")
    parser.add_argument("--resume", action="store_true", help="go on from RUN where it has a checkpoint")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """0: trained to the end. 1: stopped by a number that isn't one. 2: nothing was tried. 130: interrupted."""
    options = _parser().parse_intermixed_args(arguments)
    try:
        config = read_config(options.config, options.settings)
        done = train(config, options.data, options.out, options.resume)
    except NotFiniteError as error:
        _say(f"train: {error}", everyone=True)
        return 1
    except DepthPerceptionError as error:
        _say(f"train: {error}")
        return 2
    except KeyboardInterrupt:
        done = False  # the second: whatever checkpoint there is
    if not done:
        _say("stopped: the same command with --resume goes on where this one was")
    return 0 if done else INTERRUPTED


def _say(text: str, everyone: bool = False) -> None:
    """On stderr, once for all processes that Lightning started, unless each has something of its own to say."""
    if everyone or os.environ.get("LOCAL_RANK", "0") == "0":
        print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
