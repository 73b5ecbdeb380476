"""The contact ledger's file: whole as soon as it is there, and an empty one is refused."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from churn_assets.campaign.contacts import files
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.contacts.opening import FILE, LateLedger
from churn_assets.campaign.errors import LedgerError
from tests.campaign.test_ledger import event

BEGIN = (
    "import sys\n"
    "from churn_assets.campaign.contacts.ledger import Ledger\n"
    "from tests.campaign.test_ledger import event\n"
    "ledger = Ledger(sys.argv[1])\n"
    "print('there', flush=True)\n"
    "sys.stdin.readline()\n"
    "ledger.record([event(sys.argv[2])])\n"
)


def test_a_file_of_no_bytes_is_no_ledger(tmp_path: Path) -> None:
    """As a copy onto a full disk leaves it: who had opted out would be contacted."""
    (tmp_path / FILE).touch()
    with closing(Ledger.open("", tmp_path)) as ledger:
        for ask in (
            ledger.is_empty,
            ledger.histories,
            ledger.plan,
            ledger.all_events,
            lambda: ledger.record([event("e1")]),
            lambda: ledger.erase("A1"),
        ):
            with pytest.raises(LedgerError, match=f"{FILE} is empty, as no ledger is: restore it"):
                ask()
    with closing(LateLedger("", tmp_path)) as late, pytest.raises(LedgerError, match="remove it"):
        late.opened().is_empty()
    assert (tmp_path / FILE).stat().st_size == 0
    (tmp_path / FILE).unlink()
    with closing(Ledger.open("", tmp_path)) as ledger:
        assert ledger.record([event("e1")]) == 1


def test_one_that_is_emptied_while_it_is_in_use(tmp_path: Path) -> None:
    with closing(Ledger.open("", tmp_path)) as ledger:
        ledger.record([event("e1", "opted_out")])
        (tmp_path / FILE).write_bytes(b"")
        with pytest.raises(LedgerError, match="is empty"):
            ledger.histories(["A1"])


def test_nobody_ever_sees_a_ledger_that_is_begun(tmp_path: Path) -> None:
    """Whoever looks while others begin one again and again finds none, or a whole one."""
    seen: set[int] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            try:
                seen.add((tmp_path / FILE).stat().st_size)
            except FileNotFoundError:
                continue

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for i in range(20):
            with closing(Ledger.open("", tmp_path)) as ledger:
                ledger.record([event(f"e{i}")])
            (tmp_path / FILE).unlink()
    finally:
        stop.set()
        looking.join()
    assert min(seen) > 0
    assert not list(tmp_path.iterdir())


def test_processes_that_begin_at_once_keep_all(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / FILE}"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", BEGIN, url, f"e{i}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for i in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"there\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=120)
        assert child.returncode == 0
    with closing(Ledger(url)) as ledger:
        assert set(ledger.events([f"e{i}" for i in range(4)])) == {"e0", "e1", "e2", "e3"}
    assert [file.name for file in tmp_path.iterdir()] == [FILE]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(files.os, "link", refused)
    with closing(Ledger.open("", tmp_path)) as ledger:
        assert ledger.record([event("e1")]) == 1
    assert [file.name for file in tmp_path.iterdir()] == [FILE]
