"""The arguments of `python -m api`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from api import __main__ as program


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    """With what it would serve."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setenv("CHURN_HOME", str(tmp_path))
    monkeypatch.setattr(program, "serve", lambda config, *given: calls.append(given))
    return calls


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--log-level loud", "argument --log-level: invalid choice: 'loud'"),
        ("--port 99999", "argument --port: 99999 isn't from 0 to 65535"),
        ("--port -1", "argument --port: -1 isn't from 0 to 65535"),
        ("--port http", "argument --port: invalid whole number value: 'http'"),
        ("--workers 0", "argument --workers: 0 isn't at least 1"),
    ],
)
def test_what_can_t_work_is_refused_in_a_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    served: list[tuple[Any, ...]],
    given: str,
    said: str,
) -> None:
    """Why: a word for the log level ended in a traceback, and another port seemed to be served."""
    monkeypatch.setattr(sys, "argv", ["api", *given.split()])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert served == []


def test_what_can_work_is_served(
    monkeypatch: pytest.MonkeyPatch, served: list[tuple[Any, ...]]
) -> None:
    """Settings are what isn't given."""
    arguments = "--port 0 --workers 2 --log-level warning"
    for given in (arguments, ""):
        monkeypatch.setattr(sys, "argv", ["api", *given.split()])
        program.main()
    assert served == [("127.0.0.1", 0, 2, "warning"), ("127.0.0.1", 8000, None, "info")]
