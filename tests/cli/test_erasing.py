"""`churn outcomes erase` and `churn campaign forget` say truly what was erased."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.customers import strangers
from churn_assets.serving.decision_log import parts
from churn_assets.serving.feedback import open_feedback_log
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact
from tests.cli.test_strangers import put_ids, run
from tests.release.small_release import publish

COMMANDS = pytest.mark.parametrize("command", [("outcomes", "erase"), ("campaign", "forget")])
RECEIPT = "events about this customer are erased, and what the contact ledger had of them"


@pytest.fixture
def home(own_home: Path) -> Path:
    """A home with a release and three customers, nothing of whom is recorded."""
    publish(LocalArtifactStore(own_home / "store"), own_home / "published", "Acme")
    put_ids(own_home, "predictions", "0008308", "00-8308", "0008309")
    return own_home


def reported(home: Path, *customers: str) -> None:
    with closing(open_feedback_log(LocalArtifactStore(home / "store"), home)) as log:
        for customer in customers:
            log.record(f"e-{customer}", json.dumps({"customer_id": customer}))


@COMMANDS
def test_the_erasure_of_nobody_is_no_success(home: Path, command: tuple[str, str]) -> None:
    """Why: of a mistyped id it said that 0 decisions and 0 events are erased, and exited with 0: a
    receipt for a customer whose records were all there. A second try is no receipt either."""
    for _ in range(2):
        code, said = run(*command, "8308")
        assert code == 1
        assert said == (
            "nothing is kept about '8308', so nothing is erased; no customer in the latest "
            "predictions or the history has the id '8308': is '00-8308', '0008308' meant?\n"
        )
    code, said = run(*command, "999")
    assert (code, said.endswith("has the id '999'\n"), "erased, and" in said) == (1, True, False)


@COMMANDS
def test_a_customer_of_whom_nothing_is_kept_is_erased(home: Path, command: tuple[str, str]) -> None:
    """They are known, so the id is right: what is imported later of before is left out."""
    assert run(*command, "0008308") == (0, f"0 decisions and 0 {RECEIPT}\n")


@COMMANDS
def test_what_was_told_of_a_misspelt_id_is_erased(home: Path, command: tuple[str, str]) -> None:
    """As one takes out what an import spoilt; that nobody has the id is said. So it is of what the
    ledger alone was told."""
    reported(home, "8308")
    when = datetime(2026, 1, 5, tzinfo=UTC)
    with closing(Ledger.open("", home)) as ledger:
        ledger.record([Event(event_key="1", customer_id="8309", kind="sent", occurred_at=when)])
    for customer, events in (("8308", 1), ("8309", 0)):
        code, said = run(*command, customer)
        receipt, stranger = said.splitlines()
        assert (code, receipt) == (0, f"0 decisions and {events} {RECEIPT}")
        assert stranger.startswith("no customer in the latest predictions or the history has the")
        code, said = run(*command, customer)  # so it was an erasure, and another try is none
        assert (code, said.splitlines()[0].startswith(f"{customer!r} was erased before")) == (
            0,
            True,
        )
        assert ("is '00-8308', '0008308' meant?" in said) == (customer == "8308")
    with closing(Ledger.open("", home)) as ledger:
        assert ledger.histories() == {}


@COMMANDS
def test_several_are_erased_whatever_one_of_them_is(home: Path, command: tuple[str, str]) -> None:
    """A receipt for each; the one that is misspelt makes the command fail, and stops no other."""
    reported(home, "0008308", "0008309", "8310")
    code, said = run(*command, "0008308", "8308", "0008309", "8310", "0008308")
    assert code == 1
    assert said.count(f"0 decisions and 1 {RECEIPT}\n") == 3
    assert f"0008309: 0 decisions and 1 {RECEIPT}\n" in said
    assert said.count("nothing is kept about '8308'") == 1
    with closing(open_feedback_log(LocalArtifactStore(home / "store"), home)) as log:
        assert log.events() == []


def test_log_and_tables_are_read_once_for_all(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are erased by one command."""
    customers = ["0008308", "00-8308", "0008309", *(f"new-{i}" for i in range(20))]
    reported(home, *customers)
    passes: list[str] = []
    for module, name in ((parts, "erase"), (strangers, "_ids")):
        asked = getattr(module, name)

        def counted(*given: Any, asked: Any = asked, name: str = name) -> Any:
            passes.append(name)
            return asked(*given)

        monkeypatch.setattr(module, name, counted)
    code, said = run("outcomes", "erase", *customers)
    assert (code, said.count(f"0 decisions and 1 {RECEIPT}\n")) == (0, len(customers))
    assert sorted(passes) == ["_ids", "erase"]  # of predictions, the only table that is there


def test_where_nobody_can_look_it_up_that_is_said(home: Path) -> None:
    """What was there is erased all the same; of nothing there is no receipt."""
    lost = Artifact(name="customer_history", sha256="0" * 64)
    pointer = asset_pointer("customer_history")
    LocalArtifactStore(home / "store").write_pointer(pointer, lost.model_dump_json().encode())
    reported(home, "8308")
    code, said = run("outcomes", "erase", "8308")
    assert (code, said.splitlines()[0]) == (0, f"0 decisions and 1 {RECEIPT}")
    assert "whether the ids are of customers couldn't be looked up: " in said
    code, said = run("outcomes", "erase", "8309")  # nothing was there; the id may be right
    assert (code, said.splitlines()[0]) == (0, f"0 decisions and 0 {RECEIPT}")


@COMMANDS
def test_an_erasure_may_be_repeated(home: Path, command: tuple[str, str]) -> None:
    """Why: a list of erasures that runs every night failed for good once its customers were out of
    the tables, with "so nothing is erased". Also of an id of which nothing had been there."""
    reported(home, "left")
    assert run(*command, "left", "0008308")[0] == 0
    assert run(*command, "longago")[0] == 1  # nobody knows it: it may be misspelt
    for _ in range(2):
        code, said = run(*command, "left", "0008308", "longago")
        assert code == 0
        for customer in ("left", "0008308", "longago"):
            assert f"{customer!r} was erased before, and nothing was kept since\n" in said
        assert "nothing is erased" not in said
    reported(home, "left")
    assert f"0 decisions and 1 {RECEIPT}\n" in run(*command, "left")[1]


@COMMANDS
def test_before_predictions_nobody_can_tell(home: Path, command: tuple[str, str]) -> None:
    """That there are none is said; it is no reason to fail."""
    LocalArtifactStore(home / "store").delete_pointer(asset_pointer("predictions"))
    code, said = run(*command, "8308")
    receipt, unsure = said.splitlines()
    assert (code, receipt) == (0, f"0 decisions and 0 {RECEIPT}")
    assert unsure == "no predictions yet: nobody can tell whether a customer has the id"
