"""A stage's process: nothing of what it said is lost, nothing of it is left behind."""

from __future__ import annotations

import os
import pickle
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from churn_assets.stages.child_process import StageError, run_child
from tests.processes import read_when_there, wait_until_gone


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_success_returns_and_copies_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    """The output still reaches the log of whoever runs the graph."""
    run_child(python("import os; print('hello', os.environ['GIVEN'])"), {"GIVEN": "value"})
    assert "hello value" in capsys.readouterr().err


def test_an_error_carries_the_last_lines_and_no_more() -> None:
    """What an engineer needs first is the traceback's end, not the whole log."""
    code = "import sys\nfor i in range(100): print('line', i)\nsys.exit('it broke')"
    with pytest.raises(StageError) as caught:
        run_child(python(code), {}, log_lines=5)
    assert caught.value.message == "ended with exit code 1: it broke"
    assert caught.value.log.splitlines() == [*(f"line {i}" for i in range(96, 100)), "it broke"]


def test_a_killed_child_is_named_as_such() -> None:
    """The out-of-memory killer leaves no traceback; the signal's name says what happened."""
    with pytest.raises(StageError, match="killed by SIGKILL"):
        run_child(python("import os; os.kill(os.getpid(), 9)"), {})


def test_the_error_survives_pickling() -> None:
    """Modal carries a container's exception to the caller as a pickle."""
    error = pickle.loads(pickle.dumps(StageError("ended", "last line")))  # noqa: S301
    assert (error.message, error.log) == ("ended", "last line")


@pytest.mark.parametrize("deaf", [False, True])
def test_an_interruption_leaves_no_process(tmp_path: Path, deaf: bool) -> None:
    """A cancelled stage frees its memory and GPU, even if it ignores signals or has children."""
    pids = tmp_path / "pids"
    code = (
        "import os, signal, subprocess, time, pathlib\n"
        + ("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if deaf else "")
        + "p = subprocess.Popen(['sleep', '3600'])\n"
        + f"pathlib.Path({str(tmp_path / 'x')!r}).write_text(f'{{os.getpid()}} {{p.pid}}')\n"
        + f"os.rename({str(tmp_path / 'x')!r}, {str(pids)!r})\n"
        + "time.sleep(3_600)"
    )

    def cancel() -> None:
        if pids.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_child(python(code), {}, grace_seconds=0.3, poll_seconds=0.05, on_poll=cancel)
    wait_until_gone([int(pid) for pid in pids.read_text().split()])


def test_a_grandchild_that_keeps_the_output_open_does_not_block(tmp_path: Path) -> None:
    """A stage's forgotten worker must not keep a finished stage waiting."""
    pid = tmp_path / "pid"
    code = (
        "import subprocess, pathlib\n"
        "p = subprocess.Popen(['sleep', '3600'])\n"
        f"pathlib.Path({str(pid)!r}).write_text(str(p.pid))"
    )
    run_child(python(code), {})
    wait_until_gone([int(pid.read_text())])


@pytest.mark.parametrize("deaf", [False, True])
def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path, deaf: bool) -> None:
    """`kill -9` of the Dagster worker must not leave a training run behind."""
    pid = tmp_path / "pid"
    child = (
        "import os, pathlib, signal, time\n"
        "from churn_assets.stages.child_process import end_with_parent\n"
        "end_with_parent(grace_seconds=0.3)\n"
        f"if {deaf}: signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(tmp_path / 'x')!r}).write_text(str(os.getpid()))\n"
        f"os.rename({str(tmp_path / 'x')!r}, {str(pid)!r})\n"
        "time.sleep(3_600)"
    )
    parent = (
        "import sys\nfrom churn_assets.stages.child_process import run_child\n"
        f"run_child([sys.executable, '-c', {child!r}], {{}})"
    )
    process = subprocess.Popen(python(parent))
    child_pid = int(read_when_there(pid))
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until_gone([child_pid])


def test_a_child_shares_the_cores_as_whoever_started_it_is_told_to(tmp_path: Path) -> None:
    """Linux divides the cores among sessions before it looks at `nice`: a child in a session of its
    own had as much of them as whatever it should have stood back for."""
    seen = tmp_path / "seen"
    code = (
        "import os, pathlib\n"
        "leads = os.getpgrp() == os.getpid()\n"
        f"pathlib.Path({str(seen)!r}).write_text(f'{{os.getsid(0)}} {{leads}}')"
    )
    run_child(python(code), {})
    assert seen.read_text() == f"{os.getsid(0)} True"


def test_a_child_that_asks_the_terminal_gets_an_error(tmp_path: Path) -> None:
    """As it would without one: nobody answers a program that the terminal isn't listening to."""
    child = (
        "from churn_assets.stages.child_process import end_with_parent\n"
        "end_with_parent()\n"
        "open('/dev/tty').readline()"
    )
    ended = tmp_path / "ended"
    parent = (
        "import os, pathlib, sys\n"
        "from churn_assets.stages.child_process import StageError, run_child\n"
        f"try: run_child([sys.executable, '-c', {child!r}], {{}})\n"
        "except StageError as error:\n"
        f"    pathlib.Path({str(tmp_path / 'x')!r}).write_text(str(error))\n"
        f"    os.rename({str(tmp_path / 'x')!r}, {str(ended)!r})"
    )
    process, terminal = pty.fork()
    if not process:
        os.execv(sys.executable, python(parent))  # noqa: S606 - our own program, in a terminal
    try:
        assert "OSError" in read_when_there(ended)
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)
