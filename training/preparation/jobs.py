"""Many sequences side by side: each is one call of `make_sequence`, here, in processes or on a Ray cluster."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from depth_perception.errors import ConfigError, DepthPerceptionError
from training.dataset_writer import SequenceWriter, write_json
from training.folder_lock import locked
from training.preparation import manifest
from training.preparation.options import DatasetOptions
from training.preparation.sequence import SequenceBuilder
from training.preparation.sources import Found, open_source

log = logging.getLogger(__name__)
_LOOK_S = 0.5

Progress = Callable[[int], None]  # images more


@dataclass(frozen=True)
class Job:
    """One sequence to make."""

    found: Found
    out: str
    options: DatasetOptions


@dataclass(frozen=True)
class Outcome:
    """What became of it."""

    name: str
    summary: dict[str, Any] | None = None  # None: it was there already, or failed
    error: str = ""
    there: bool = False


def make_sequence(job: Job, progress: Progress = lambda images: None) -> Outcome:
    """Make one sequence, or find it made. What goes wrong is in the outcome, and nothing half-written stays."""
    try:
        return _make(job, progress)
    except (DepthPerceptionError, OSError) as error:
        return Outcome(job.found.name, error=str(error))
    except Exception as error:  # a fault of ours must not cost the other sequences
        log.exception("%s", job.found.name)
        return Outcome(job.found.name, error=f"a fault in make_dataset: {error!r}; please report it")


def _make(job: Job, progress: Progress) -> Outcome:
    out, found, options = Path(job.out), job.found, job.options
    with contextlib.closing(open_source(found, options)) as source:
        out.mkdir(parents=True, exist_ok=True)
        with locked(out / f".{found.name}.lock"):
            if (out / found.name).exists():
                manifest.check_same(out / found.name, found, options, source)
                progress(source.total)
                return Outcome(found.name, there=True)
            with (
                SequenceWriter(out, found.name, options.image_format) as writer,
                manifest.InputHashes(source) as hashes,
            ):
                summary = SequenceBuilder(source, writer, options).run(progress)
                content = manifest.sequence_manifest(found, options, hashes.entry(), dict(writer.hashes))
                write_json(writer.folder / manifest.NAME, content)
                writer.publish()
    return Outcome(found.name, summary)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What is wrong with a bag stands in the report, once: the log would say it at each opening."""
    bags = logging.getLogger("depth_perception.bags")
    before = bags.level
    bags.setLevel(logging.ERROR)
    try:
        yield
    finally:
        bags.setLevel(before)


def run_here(jobs: Sequence[Job], progress: Progress) -> list[Outcome]:
    """One after the other."""
    return [make_sequence(job, progress) for job in jobs]


def run_in_processes(jobs: Sequence[Job], count: int, progress: Progress) -> list[Outcome]:
    """At most `count` at a time, each in a process of its own, so that one that dies costs only its sequence."""
    spawn = multiprocessing.get_context("spawn")
    images = spawn.Value("q", 0)
    outcomes: dict[int, Outcome] = {}
    running: dict[int, tuple[Any, Connection]] = {}
    waiting, told = list(range(len(jobs)))[::-1], 0
    try:
        while waiting or running:
            while waiting and len(running) < count:
                number = waiting.pop()
                ours, theirs = spawn.Pipe(duplex=False)
                process = spawn.Process(target=_in_process, args=(jobs[number], theirs, images, os.getpid()))
                process.start()
                theirs.close()
                running[number] = process, ours
            multiprocessing.connection.wait([ours for _, ours in running.values()], timeout=_LOOK_S)
            for number in [number for number, (_, ours) in running.items() if ours.poll()]:
                process, ours = running.pop(number)
                outcomes[number] = _received(jobs[number], process, ours)
            progress(images.value - told)
            told = images.value
    finally:
        _stop([process for process, _ in running.values()])
    return [outcomes[number] for number in range(len(jobs))]


def run_on_ray(jobs: Sequence[Job], address: str, progress: Progress) -> list[Outcome]:
    """On a Ray cluster; sources and OUT must lie where every node finds them. The bytes are those of `run_here`.

    Raises:
        ConfigError: Ray isn't installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigError(f"--cluster ray needs Ray ({error}): pip install 'depth_perception[cluster]'") from error
    checkout = str(Path(__file__).resolve().parents[2])
    ray.init(address=address or None, runtime_env={"env_vars": {"PYTHONPATH": checkout}}, log_to_driver=False)
    try:
        remote = ray.remote(num_cpus=1)(make_sequence)
        asked = {remote.remote(job): number for number, job in enumerate(jobs)}
        outcomes: dict[int, Outcome] = {}
        waiting = list(asked)
        while waiting:
            done, waiting = ray.wait(waiting)
            for reference in done:
                number = asked[reference]
                outcomes[number] = _from_ray(ray, reference, jobs[number])
                summary = outcomes[number].summary
                progress(summary["frames"] if summary else 0)
    finally:
        ray.shutdown()
    return [outcomes[number] for number in range(len(jobs))]


def _from_ray(ray: Any, reference: Any, job: Job) -> Outcome:
    try:
        return ray.get(reference)  # type: ignore[no-any-return]
    except ray.exceptions.RayError as error:
        return Outcome(job.found.name, error=f"its worker died: {error}; run the same command again")


def _in_process(job: Job, connection: Connection, images: Any, parent: int) -> None:
    import cv2

    cv2.setNumThreads(1)  # there is a process for each core
    signal.signal(signal.SIGINT, _interrupted)
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()

    def count(more: int) -> None:
        with images.get_lock():
            images.value += more

    with contextlib.suppress(KeyboardInterrupt), quiet():
        connection.send(make_sequence(job, count))


def _interrupted(*_: object) -> None:
    """Once: Ctrl-C reaches us from the terminal and from the command, and cleaning up must not be interrupted."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _watch_parent(parent: int) -> None:
    """Stop as for Ctrl-C when the command itself was killed, so that two runs never write the same sequence."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os.kill(os.getpid(), signal.SIGINT)


def _received(job: Job, process: Any, connection: Connection) -> Outcome:
    try:
        outcome: Outcome = connection.recv()
    except EOFError:
        process.join()
        how = f"its process died (exit code {process.exitcode})"
        return Outcome(job.found.name, error=f"{how}: out of memory? Run the same command again, with fewer --jobs")
    process.join()
    return outcome


def _stop(processes: list[Any]) -> None:
    """End what still runs; each removes what it has half written."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGINT)
    for process in processes:
        process.join()
