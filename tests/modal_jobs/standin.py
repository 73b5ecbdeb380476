"""A stand-in for `modal.Function` at the narrowest seam: look up, spawn, get, cancel.

Everything else is the real thing: the app's function runs in a process of its own (the "container")
by `.local()`, and messages travel through the storage emulator.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import modal
import pytest
from modal import Function

from churn_assets.orchestration.modal import calls  # before a test takes what it is made of away
from churn_assets.orchestration.sources import deployed_from
from modal_jobs import app

assert calls.Call  # imported for good
ENDS_THE_CALL = (modal.exception.FunctionTimeoutError, modal.exception.InternalFailure)


def process_tree(root: int) -> list[int]:
    """A process and all its descendants: what lives in its container."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
    tree = [root]
    for pid in tree:
        tree += [child for child, parent in parents.items() if parent == pid]
    return tree


class StandInCall:
    """A call of a function: `modal.FunctionCall` as the backend uses it."""

    def __init__(
        self, process: subprocess.Popen[bytes], outcome: Path, modal: StandInModal
    ) -> None:
        self.process = process
        self.outcome = outcome
        self.object_id = f"fc-{process.pid}"
        self.modal = modal
        self.canceled: list[str] = []

    def get(self, timeout: float | None = None) -> Any:
        self.modal.answer()
        if isinstance(self.modal.error, ENDS_THE_CALL):
            self._kill()
            raise self.modal.error
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self.modal.error or TimeoutError from None
        if self.canceled:
            raise modal.exception.RemoteError("cancelled")
        if not self.outcome.exists():
            raise modal.exception.InternalFailure("the container ended without an outcome")
        value, error = pickle.loads(self.outcome.read_bytes())  # noqa: S301 (our own file)
        if error is not None:
            raise error
        return value

    def cancel(self, terminate_containers: bool = False) -> None:
        self.modal.answer()
        self.canceled.append("terminated" if terminate_containers else "asked")
        if terminate_containers:
            self._kill()
        elif self.process.poll() is None:
            self.process.send_signal(signal.SIGUSR1)  # as Modal's worker tells the container

    def _kill(self) -> None:
        for pid in process_tree(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


class StandInFunction:
    """A deployed function: `modal.Function` as the backend uses it."""

    def __init__(self, name: str, modal: StandInModal) -> None:
        self.name = name
        self.modal = modal

    def spawn(self, bootstrap: dict[str, str]) -> StandInCall:
        self.modal.answer()
        folder = self.modal.folder
        outcome = folder / f"outcome-{len(list(folder.iterdir()))}"
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.modal_jobs.container_main",
                self.name,
                json.dumps(bootstrap),
                str(outcome),
                self.modal.program,
            ]
        )
        self.modal.calls.append(StandInCall(process, outcome, self.modal))
        return self.modal.calls[-1]

    def map(
        self, inputs: Iterable[Any], *, order_outputs: bool, return_exceptions: bool
    ) -> Iterator[Any]:
        """Every input is worked on, whatever becomes of the others, as containers do."""
        assert order_outputs
        assert return_exceptions, "without this the others' results are lost with the first error"
        for position, given in enumerate(inputs):
            if position in self.modal.broken_inputs:
                yield RuntimeError(f"input {position} failed")
            else:
                yield getattr(app, self.name).local(given)


class StandInModal:
    """Takes the place of the classes `modal.Function`, `modal.App` and `modal.FunctionCall`.

    Attributes:
        folder: where the containers leave their outcomes.
        program: the module that runs a stage: the real one, or a test's.
        error: what Modal answers instead of "still running".
        outages: errors that the next requests to Modal end with, whatever was asked.
        broken_inputs: positions of a map's inputs that fail.
        tags: those of the deployed app.
        calls: those that were started.
    """

    def __init__(
        self,
        folder: Path,
        program: str = "churn_assets.stages",
        broken_inputs: Container[int | None] = (),
    ) -> None:
        self.folder = folder
        self.program = program
        self.broken_inputs = broken_inputs
        self.error: Exception | None = None
        self.outages: list[Exception] = []
        self.tags = deployed_from()
        self.calls: list[StandInCall] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> StandInModal:
        """Let the backend meet this one in Modal's place."""
        for name in ("Function", "App", "FunctionCall"):
            monkeypatch.setattr(modal, name, self)
        return self

    def answer(self) -> None:
        if self.outages:
            raise self.outages.pop(0)

    def lookup(self, app_name: str, *, environment_name: str) -> StandInModal:
        self.answer()
        if app_name != app.app.name or environment_name != "dev":
            raise modal.exception.NotFoundError(f"{environment_name}: {app_name}")
        return self

    def get_tags(self) -> dict[str, str]:
        return self.tags

    def from_id(self, call_id: str) -> StandInCall:
        return next(call for call in self.calls if call.object_id == call_id)

    def from_name(self, app_name: str, name: str, *, environment_name: str) -> StandInFunction:
        """Look a function up among those of the real app, as deployed to `dev`."""
        known = isinstance(getattr(app, name, None), Function)
        if app_name != app.app.name or environment_name != "dev" or not known:
            raise modal.exception.NotFoundError(f"{environment_name}: {app_name}/{name}")
        return StandInFunction(name, self)
