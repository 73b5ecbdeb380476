"""A process beside a stage's own: its result comes back, and it never outlives the stage."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from churn_assets.settings import PROJECT
from churn_assets.stages.beside import running_beside
from churn_assets.stages.stopping import stop_between_steps
from tests.processes import read_when_there, wait_until, wait_until_gone


def product(a: int, b: int) -> int:
    if b == 0:
        raise ZeroDivisionError("of the other process")
    return a * b


def work_in_steps(folder: Path) -> None:
    """Endless steps, the last one saved."""
    with stop_between_steps() as stopping:
        say_pid(folder)
        wait_until(stopping)
        (folder / "saved").touch()


def work_in_one_piece(folder: Path) -> None:
    say_pid(folder)
    time.sleep(1_000)


def say_pid(folder: Path) -> None:
    (folder / "fresh").write_text(str(os.getpid()))
    (folder / "fresh").rename(folder / "pid")


def stopped_stage(work: Callable[[Path], None], folder: Path) -> None:
    """Is stopped while `work` is at work beside it."""
    with running_beside(work, folder):
        read_when_there(folder / "pid")
        raise KeyboardInterrupt


def test_the_result_or_the_error_comes_back() -> None:
    with running_beside(product, 6, b=7) as made:
        assert made.result() == 42
    with (
        pytest.raises(ZeroDivisionError, match="of the other process"),
        running_beside(product, 6, 0) as made,
    ):
        made.result()


@pytest.mark.parametrize("work", [work_in_steps, work_in_one_piece])
def test_leaving_early_stops_the_work_which_saves_its_last_step(
    tmp_path: Path, work: Callable[[Path], None]
) -> None:
    """Why: a stop request reaches one of the two processes; the other would work on to its end, and
    be killed then with all that it had learnt."""
    with pytest.raises(KeyboardInterrupt):
        stopped_stage(work, tmp_path)
    assert not multiprocessing.active_children()
    assert (tmp_path / "saved").exists() is (work is work_in_steps)


def test_work_stops_where_whoever_started_the_stage_ignores_stop_requests(tmp_path: Path) -> None:
    """Why: what is ignored is inherited, and the stage waited for the other process for ever."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt):
            stopped_stage(work_in_one_piece, tmp_path)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not multiprocessing.active_children()


def test_work_does_not_outlive_a_killed_stage(tmp_path: Path) -> None:
    """Why: an orphan would go on writing checkpoints beside the next attempt's."""
    code = (
        "from pathlib import Path\n"
        "from churn_assets.stages.beside import running_beside\n"
        "from tests.stages.test_beside import work_in_one_piece\n"
        "if __name__ == '__main__':\n"
        f"    with running_beside(work_in_one_piece, Path({str(tmp_path)!r})) as made:\n"
        "        made.result()"
    )
    (tmp_path / "stage.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(
        [sys.executable, tmp_path / "stage.py"], env=environment, stderr=subprocess.DEVNULL
    )
    pid = int(read_when_there(tmp_path / "pid"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until_gone([pid])
