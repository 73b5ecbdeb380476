"""A process that has loaded the product once, and the commands and servers that are forked from it.

`python -m churn_assets.cli` or `python -m api` spends a second on its imports before it does
anything; hundreds of them do so in the tests. What is forked is a process of its own like theirs:
its memory, working folder, environment, files, signals and exit code are nobody else's.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from churn_assets.settings import PROJECT, load_settings

LONGEST_REQUEST = 1 << 20  # bytes
LOADED = {
    "churn_assets.cli": ("churn_assets.definitions", "churn_assets.cli", "httpx"),
    # No pandas and no file systems of Arrow's: a server has none, or fewer of them
    # (`churn_assets.storage.arrow`), and tests look at what it has in memory.
    "api": ("api.connections", "api.main", "churn_assets.campaign.contacts.ledger", "pyarrow"),
}
"""Each program that can be forked, and the modules that are loaded before: its own, and those that
it imports while it works."""
NEW = {
    "churn_assets.cli": ("-c", "from churn_assets.cli import app; app()"),
    "api": ("-m", "api"),
}
"""How an interpreter of its own is told to run each."""
AT_START = (
    "PYTHON",
    "LANG",
    "LC_",
    "OMP_",
    "OPENBLAS_",
    "MKL_",
    "MALLOC_",
    "LD_",
    "TZ",
    "COVERAGE",
)
"""Beginnings of variables that an interpreter or a library reads once, when it starts."""


Files = tuple[IO[Any], IO[Any], IO[Any]]
"""Standard input, output and error of a process."""


class ForkedProcess:
    """A process that was forked for a test, with what `subprocess.Popen` has for it.

    Attributes:
        pid: its id.
        returncode: as `Popen`'s: None while it runs, negative for the signal that ended it.
    """

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self._turn = threading.Lock()
        self.pid = int(told.recv(64))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended; `subprocess.TimeoutExpired` after `timeout` seconds."""
        if (code := self._ended(timeout)) is None:
            raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0.0)
        return code

    def _ended(self, seconds: float | None) -> int | None:
        with self._turn:
            if self.returncode is None and select.select([self._told], [], [], seconds)[0]:
                self.returncode = os.waitstatus_to_exitcode(int(self._told.recv(64)))
                self._told.close()
            return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing happens where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = subprocess.Popen[Any] | ForkedProcess


class ForkServer:
    """The loaded process, which ends with this one."""

    def __init__(self, program: str) -> None:
        self._asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._turn = threading.Lock()
        self._at_start = at_start(os.environ)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fork_server", program, str(theirs.fileno())],
            cwd=PROJECT,
            env={k: v for k, v in os.environ.items() if not k.startswith(("CHURN_", "DAGSTER_"))},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

    def like(self, environment: Mapping[str, str]) -> bool:
        """Whether a process with these variables would start as this one did."""
        return at_start(environment) == self._at_start

    def fork(
        self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], files: Files
    ) -> ForkedProcess:
        """A new process that runs the program with these arguments."""
        request = {"arguments": arguments, "cwd": str(cwd), "environment": {**environment}}
        mine, theirs = socket.socketpair()
        with theirs, self._turn:
            fds = [*(file.fileno() for file in files), theirs.fileno()]
            socket.send_fds(self._asked, [json.dumps(request).encode()], fds)
        return ForkedProcess(mine)

    def end(self) -> None:
        """Nothing is forked any more; what was goes on."""
        self._asked.close()
        self._process.wait()


_servers: dict[str, ForkServer] = {}


def at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that are read once; where our packages are is known to what is forked."""
    found = {k: v for k, v in environment.items() if k.startswith(AT_START)}
    folders = found.pop("PYTHONPATH", "").split(os.pathsep)
    return found | {
        "PYTHONPATH": os.pathsep.join(f for f in folders if f not in ("", str(PROJECT)))
    }


def fork_server(program: str) -> ForkServer:
    """This process's own server for the program, started when it is first needed."""
    if program not in _servers:
        _servers[program] = ForkServer(program)
    return _servers[program]


def end_fork_servers() -> None:
    """Wait for the end of all of this process's, which write down what coverage saw of them."""
    while _servers:
        _servers.popitem()[1].end()


def started(
    program: str,
    arguments: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    files: Files,
) -> Process:
    """A process that runs the program: forked, if with these variables that is the same as new."""
    server = fork_server(program)
    if server.like(environment):
        return server.fork(arguments, cwd, environment, files)
    command = [sys.executable, *NEW[program], *arguments]
    stdin, stdout, stderr = files
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=stdin, stdout=stdout, stderr=stderr
    )


def run(
    program: str,
    arguments: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    text: str = "",
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run`: what the program wrote and its exit code, once it has read `text` and
    ended."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as given,
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8") as err,
    ):
        given.write(text)
        given.seek(0)
        code = started(program, arguments, cwd, environment, (given, out, err)).wait()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess([program, *arguments], code, out.read(), err.read())


def _next_program(asked: socket.socket) -> dict[str, Any] | None:
    """What a forked process is to run, in that process; None in the server, at its end."""
    while True:
        request, fds, _, _ = socket.recv_fds(asked, LONGEST_REQUEST, 4)
        if not request:
            return None
        if os.fork() == 0:
            asked.close()
            _keep(socket.socket(fileno=fds[3]))
            for place, fd in enumerate(fds[:3]):
                os.dup2(fd, place)
                os.close(fd)
            return dict(json.loads(request))
        for fd in fds:
            os.close(fd)


def _keep(told: socket.socket) -> None:
    """Fork once more, and return in the new process; this one says how that ends, and ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        told.close()
        return
    os.closerange(0, told.fileno())
    told.send(str(pid).encode())
    _, status = os.waitpid(pid, 0)
    told.send(str(status).encode())
    os._exit(0)


def main(program: str, asked: int) -> None:
    """Serve until nobody can ask any more; in a forked process, run the program to its end."""
    for module in LOADED[program]:
        importlib.import_module(module)
    # A thread or what was read of the settings would be wrong in each process.
    assert threading.active_count() == 1
    assert load_settings.cache_info().currsize == 0
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    request = _next_program(socket.socket(fileno=asked))
    if request is None:
        return
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    sys.argv = [program, *request["arguments"]]
    if program == "churn_assets.cli":
        importlib.import_module(program).app()
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
