"""`churn campaign import` reads a file in the contract's words, as `churn outcomes import` does."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.settings import load_settings
from churn_assets.storage.local import LocalArtifactStore
from tests.cli.test_strangers import put_ids, run
from tests.customers.conftest import CONTRACT
from tests.release.small_release import publish

EVENTS = """\
events:
  columns: {customer_id: cliente, occurred_at: cuando, kind: que, channel: canal, release_id: version}
  kinds: {enviado: sent, aceptado: accepted}
"""  # noqa: E501
FILE = (
    "id;cliente;que;cuando\n"
    "e1;A10001;Enviado;2026-01-05T10:00:00Z\ne2;A10001;aceptado;2026-01-06T10:00:00Z\n"
)


@pytest.fixture
def home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a release and a customer, under a contract that says how files are read."""
    publish(LocalArtifactStore(own_home / "store"), own_home / "published", "Acme")
    put_ids(own_home, "predictions", "A10001")
    (own_home / "customers.yaml").write_text(CONTRACT + EVENTS)
    monkeypatch.setenv("CHURN_CUSTOMERS", str(own_home / "customers.yaml"))
    load_settings.cache_clear()
    (own_home / "contacts.csv").write_text(FILE)
    return own_home


def told(home: Path) -> list[tuple[str, str]]:
    with closing(Ledger.open("", home)) as ledger:
        found = ledger.events(["import:e1", "import:e2"])
    return sorted((event.customer_id, event.kind) for event in found.values())


@pytest.mark.parametrize("command", ["campaign", "outcomes"])
def test_one_file_is_read_by_both(home: Path, command: str) -> None:
    """Why: of a file that the other command had taken it said that it has no column customer_id."""
    file = str(home / "contacts.csv")
    code, said = run(command, "import", file, "--column", "event_id=id")
    assert (code, "2 " in said, "added, 0 were there already" in said) == (0, True, True), said
    assert "no column canal: no row says its channel" in said
    if command == "campaign":
        assert told(home) == [("A10001", "accepted"), ("A10001", "sent")]


def test_what_is_said_with_the_command_comes_first(home: Path) -> None:
    file = home / "contacts.csv"
    file.write_text(FILE.replace("cliente", "cuenta"))
    code, said = run("campaign", "import", str(file), "--column", "event_id=id")
    assert code == 1
    assert "has no column cliente" in said
    code, said = run("campaign", "import", str(file), "--column", "event_id=id",
                     "--column", "customer_id=cuenta")  # fmt: skip
    assert code == 0, said
    assert told(home) == [("A10001", "accepted"), ("A10001", "sent")]


def test_another_s_word_is_refused(home: Path) -> None:
    (home / "contacts.csv").write_text(FILE.replace("aceptado", "comprado"))
    code, said = run("campaign", "import", str(home / "contacts.csv"), "--column", "event_id=id")
    assert (code, "row 2: kind: " in said) == (1, True)
