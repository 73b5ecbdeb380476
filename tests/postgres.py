"""A real PostgreSQL for tests (Debian: `postgresql`)."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "p4ssw0rd-of-nobody"


def _programs() -> Path:
    """The newest PostgreSQL's folder of programs; skips where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    return found[-1].parent


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of a running PostgreSQL with the password in a variable, reached by a socket."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="churn-pg-"))
    prefix: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("no user postgres to run PostgreSQL as: apt-get install postgresql")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        prefix = ["runuser", "-u", "postgres", "--"]
    data = folder / "data"
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)

    def run(name: str, *arguments: str) -> None:
        # Its output to a file: the server keeps it open as long as it lives.
        with (folder.parent / f"{folder.name}.log").open("ab") as log:
            subprocess.run(
                [*prefix, str(programs / name), *arguments],
                check=True, stdout=log, stderr=log, cwd="/",
            )  # fmt: skip

    try:
        given = ["-U", "churn", "--pwfile", str(secret), "-A", "scram-sha-256", "-E", "UTF8"]
        run("initdb", "-D", str(data), "--no-sync", *given)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-D", str(data), "-w", "-o", options, "start")
        yield f"postgresql+psycopg2://churn:${{CHURN_TEST_PASSWORD}}@/postgres?host={folder}"
    finally:
        if (data / "postmaster.pid").exists():
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)
