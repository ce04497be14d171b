"""Run one lifecycle node until SIGINT or SIGTERM, and leave without aborting."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from depth_perception.errors import DepthPerceptionError

ENDING = (signal.SIGINT, signal.SIGTERM)
POLL_S = 0.2  # a signal that arrives inside the middleware's wait is seen this late


_end: list[int] = []


def end(code: int) -> None:
    """Ask `run` to leave with this exit code; any thread may call it."""
    _end.append(code)


def run(make_node: Callable[[], Node], start: Callable[[Node], None], args: list[str] | None = None) -> int:
    """Make the node, `start` it, spin. Returns the process's exit code; errors of ours are printed, not raised."""
    stop: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        stop.append(number)  # launch and the terminal may both send one: the second changes nothing

    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    for number in ENDING:
        signal.signal(number, on_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)  # `processes` starts us with them blocked
    node, executor = None, SingleThreadedExecutor()
    try:
        node = make_node()
        executor.add_node(node)
        if not stop:
            start(node)
        while not stop and not _end and rclpy.ok():
            executor.spin_once(timeout_sec=POLL_S)
    except ExternalShutdownException:
        pass
    except DepthPerceptionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        # Nothing may use ROS once it is shut down, or the process aborts: threads first, then entities, then the rest.
        if node is not None:
            node.destroy_node()
        executor.shutdown()
        rclpy.try_shutdown()
        # Python gives handlers of ours back to the system before it ends: a second signal would then kill what has
        # finished its work. What is ignored stays ignored.
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
    return _end[0] if _end else 0
