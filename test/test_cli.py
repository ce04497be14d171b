"""The command line: subcommands, exit codes, and `up`'s processes."""

from __future__ import annotations

import argparse
import os
import pkgutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from depth_perception import __version__, cli, commands
from depth_perception.bringup import ARGUMENTS
from depth_perception.commands.up import LAUNCH_ONLY, add_parser, depth_command, simulator_command
from depth_perception.errors import ConfigError, ModelError

ROOT = Path(__file__).resolve().parent.parent
UNBLOCK = "import signal; signal.pthread_sigmask(signal.SIG_UNBLOCK, (2, 15))"
SLEEP = f"import time; {UNBLOCK}; time.sleep(60)"


def run_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "depth_perception.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_help_names_every_subcommand() -> None:
    done = run_cli("--help")
    assert done.returncode == 0
    names = [module.name for module in pkgutil.iter_modules(commands.__path__)]
    assert {"doctor", "up"} <= set(names)
    for name in names:
        assert f"\n    {name} " in done.stdout


def test_version() -> None:
    assert run_cli("--version").stdout == f"depth-perception {__version__}\n"


def test_a_wrong_subcommand_and_none_are_usage_errors() -> None:
    assert run_cli("fly").returncode == 2
    assert run_cli().returncode == 2


def fake_command(monkeypatch: pytest.MonkeyPatch, raises: BaseException | None) -> None:
    def func(args: argparse.Namespace) -> int:
        if raises is not None:
            raise raises
        return 3

    parser = argparse.ArgumentParser()
    parser.set_defaults(func=func)
    monkeypatch.setattr(cli, "build_parser", lambda: parser)


def test_the_commands_answer_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_command(monkeypatch, None)
    assert cli.main([]) == 3


def test_our_errors_are_one_line_on_stderr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fake_command(monkeypatch, ModelError("no model 'x.onnx'; give another"))
    assert cli.main([]) == 1
    assert capsys.readouterr() == ("", "error: no model 'x.onnx'; give another\n")


def test_an_interrupt_is_what_a_shell_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_command(monkeypatch, KeyboardInterrupt())
    assert cli.main([]) == 130


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_command(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        cli.main([])


def test_a_bad_argument_of_a_real_command_ends_with_the_reason() -> None:
    done = run_cli("up", "--camera-height", "high")
    assert (done.returncode, done.stderr) == (1, "error: argument 'camera_height' = 'high' must be a number\n")


def test_up_takes_the_launch_arguments() -> None:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    flags = [f"--{a.name.replace('_', '-')}" for a in ARGUMENTS if a.name not in LAUNCH_ONLY]
    values = ["true" if "true" in a.choices else "raw" if "raw" in a.choices else "auto" for a in ARGUMENTS]
    values = [value for value, a in zip(values, ARGUMENTS, strict=True) if a.name not in LAUNCH_ONLY]
    args = parser.parse_args(["up", *[part for pair in zip(flags, values, strict=True) for part in pair]])
    for argument in ARGUMENTS:
        assert argument.name in LAUNCH_ONLY or getattr(args, argument.name) in values


def test_the_nodes_command_line_has_the_file_first_and_the_arguments_after() -> None:
    arguments = {
        "namespace": "/robot/",
        "params_file": "mine.yaml",
        "camera_height": "1",
        "model": "7",
        "image": "/cam/image",
        "log_level": "debug",
    }
    assert depth_command(arguments)[1:] == [
        *("-m", "depth_perception.nodes.depth_node", "--ros-args", "--params-file", "mine.yaml"),
        *("-p", "ground.enabled:=true", "-p", "scan.camera_height:=1.0", "-p", 'model.path:="7"'),
        *("-r", "image:=/cam/image", "-r", "image/compressed:=/cam/image/compressed"),
        *("-r", "__ns:=/robot", "--log-level", "debug"),
    ]
    file = str(ROOT / "config" / "simulator.yaml")
    expected = ["-m", "depth_perception.nodes.simulator_node", "--ros-args", "--params-file", file]
    assert simulator_command({}, "")[1:] == expected
    with pytest.raises(ConfigError):
        depth_command({"rectify": "perhaps"})


def run_together(*codes: str, patience_s: float = 5.0) -> subprocess.Popen[str]:
    """`processes.run_together` of Python one-liners, in a process of its own."""
    children = {f"child{number}": [sys.executable, "-c", code] for number, code in enumerate(codes)}
    program = (
        "import sys; from depth_perception import processes\n"
        f"sys.exit(processes.run_together({children!r}, {{'GREETING': 'hello'}}, {patience_s!r}))"
    )
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


def test_when_a_child_ends_the_rest_is_stopped_and_its_code_returned() -> None:
    start = time.monotonic()
    process = run_together("raise SystemExit(7)", SLEEP)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 7
    assert errors.startswith("child0 ended with exit code 7")
    assert time.monotonic() - start < 20


def test_a_child_that_a_signal_killed_counts_as_in_a_shell() -> None:
    process = run_together("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", SLEEP)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_every_child_and_a_clean_end_is_zero(number: signal.Signals) -> None:
    # One write a line: the children share the pipe.
    code = (
        f"import os, sys, time; {UNBLOCK}\n"
        "def on_signal(number, _):\n"
        "    os.write(1, f'got {number} {os.environ[\"GREETING\"]}\\n'.encode())\n"
        "    sys.exit(0)\n"
        f"signal.signal({int(number)}, on_signal)\n"
        "os.write(1, b'ready\\n')\n"
        "time.sleep(60)"
    )
    process = run_together(code, code)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
    os.kill(process.pid, number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert output == f"got {int(number)} hello\n" * 2


def test_a_signal_that_comes_while_a_child_starts_ends_it_cleanly() -> None:
    """A child that hasn't got its handlers yet, as a node that imports: the signal waits, and no second one is sent."""
    code = (
        "import os, signal, sys, time\n"
        "os.write(1, b'starting\\n')\n"
        "while not signal.sigpending(): time.sleep(0.01)\n"
        "signal.signal(2, lambda *_: sys.exit(0))\n"
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, (2, 15))\n"
        "time.sleep(60)"
    )
    process = run_together(code)
    assert process.stdout is not None and process.stdout.readline() == "starting\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0 and errors == ""


def test_a_child_that_does_not_listen_is_killed() -> None:
    deaf = (
        "import signal, time\nfor n in (2, 15): signal.signal(n, signal.SIG_IGN)\n"
        "print('ready', flush=True)\ntime.sleep(60)"
    )
    process = run_together(deaf, patience_s=0.3)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGKILL
