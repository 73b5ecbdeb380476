"""`churn data upload` moves feedback and contacts, too: a "no" told before holds after the move."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from typer.testing import CliRunner

from churn_assets.campaign.contacts.erasures import ERASURES
from churn_assets.campaign.contacts.feed import LedgerFeed
from churn_assets.campaign.contacts.known import excluded_by
from churn_assets.campaign.contacts.ledger import STEPS, TABLES, Ledger
from churn_assets.campaign.contacts.moving import move_ledger
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.campaign.contacts.taken import keep_taken
from churn_assets.cli import app
from churn_assets.serving.bucket_feedback import StoreFeedbackLog
from churn_assets.serving.feedback import FILE, SqliteFeedbackLog
from churn_assets.settings import load_settings
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.opening import open_store
from tests.campaign.test_ledger import NOW, event, url

__all__ = ["url"]  # a fixture
Upload = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a store, and an unsubscribed and a contacted customer."""
    home = tmp_path / "home"
    LocalArtifactStore(home / "store").write_pointer("switches/force_baseline", b"off")
    report(home, "e1", "A1", "unsubscribed")
    report(home, "e2", "B2", "sent", channel="email", offer_percentage=10)
    return home


def report(home: Path, event_id: str, customer: str, kind: str, **facts: object) -> None:
    """What `POST /feedback` does on the local store; without `facts` as an early version wrote."""
    content = {"event_id": event_id, "customer_id": customer, "kind": kind}
    told = json.dumps({**content, "occurred_at": NOW.isoformat(), **facts})
    with closing(LateLedger("", home)) as ledger:
        feed = LedgerFeed(SqliteFeedbackLog(home / FILE), ledger)
        with closing(feed):
            feed.record(event_id, told)


@pytest.fixture
def upload(home: Path, emulator: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upload]:
    """Runs `churn data upload` to a bucket of its own, with this ledger."""
    monkeypatch.setenv("CHURN_HOME", str(home))
    monkeypatch.setenv("CHURN_STORE", f"gs://churn-artifacts/{uuid.uuid4().hex}")

    def run(ledger: str = "") -> Result:
        monkeypatch.setenv("CHURN_CAMPAIGN__LEDGER", ledger)
        load_settings.cache_clear()
        return CliRunner().invoke(app, ["data", "upload"], env={"COLUMNS": "400"})

    yield run
    load_settings.cache_clear()  # or a later test of this process would look into the bucket


def in_bucket() -> dict[str, str]:
    """The events of the bucket's feedback log, by id."""
    events = StoreFeedbackLog(open_store(load_settings().store)).events()
    return {json.loads(each)["event_id"]: each for each in events}


def test_feedback_goes_along_once(home: Path, upload: Upload) -> None:
    """Ids and times stay; uploading again changes nothing."""
    with closing(SqliteFeedbackLog(home / FILE)) as log:
        told = dict(log.everything())
    done = upload()
    assert done.exit_code == 0, done.output
    assert "feedback: 2 events copied" in done.output
    assert "contact ledger" not in done.output  # it stays where it is, in the home folder
    assert in_bucket() == told
    again = upload()
    assert again.exit_code == 0, again.output
    assert "feedback: 0 events copied" in again.output
    assert "2 were there" in again.output
    assert in_bucket() == told


def test_nothing_was_reported(home: Path, upload: Upload) -> None:
    """No file is made by looking for one."""
    for file in home.glob("*.sqlite3*"):
        file.unlink()
    done = upload()
    assert done.exit_code == 0, done.output
    assert "feedback" not in done.output
    assert not list(home.glob("*.sqlite3"))


def test_a_no_from_before_the_move_holds_after_it(upload: Upload, url: str) -> None:
    """The customer who had opted out headed the next plan."""
    for _ in range(2):
        done = upload(url)
        assert done.exit_code == 0, done.output
        with closing(Ledger(url)) as ledger:
            assert excluded_by(ledger.histories()) == {"A1": "opt_out"}
            assert set(ledger.histories()) == {"A1", "B2"}
    assert "contact ledger" not in done.output


def test_who_was_erased_after_the_move_stays_erased(upload: Upload, url: str) -> None:
    """The home folder still has their events."""
    assert upload(url).exit_code == 0
    with closing(LateLedger(url, Path("nowhere"))) as late:
        LedgerFeed(StoreFeedbackLog(open_store(load_settings().store)), late).erase("B2")
    again = upload(url)
    assert again.exit_code == 0, again.output
    assert "1 left out: their customers were erased since" in again.output
    assert set(in_bucket()) == {"e1"}


def test_two_ledgers_with_contacts_are_not_mixed(home: Path, upload: Upload, url: str) -> None:
    """What was reported is told to the other all the same: an opt-out holds. The rest is named."""
    with closing(Ledger.open("", home)) as ours, closing(Ledger(url)) as theirs:
        ours.record([event("import:1", customer="C3")])
        theirs.record([event("x", customer="X9")])
        done = upload(url)
        assert done.exit_code == 1
        assert "contacts, so the ledger was not copied: 1 events of the file" in done.output
        assert "churn campaign import" in done.output
        assert set(theirs.histories()) == {"A1", "B2", "X9"}
        assert excluded_by(theirs.histories()) == {"A1": "opt_out"}


def test_the_home_folders_own_file_by_url_is_no_other(home: Path, upload: Upload) -> None:
    done = upload(f"sqlite:///{home}/../home/ledger.sqlite3")
    assert done.exit_code == 0, done.output
    assert "contact ledger" not in done.output


def test_a_ledger_is_copied_whole(home: Path, url: str) -> None:
    """Plans, lists and erasures as well; what follows in the copy is kept, too."""
    with closing(Ledger.open("", home)) as source, closing(Ledger(url)) as target:
        source.add_plan("p1", "{}", "Ann")
        source.add_plan("p2", "{}", "Bob")
        source.record([event("gone", "opted_out", customer="D4")])
        source.erase("D4")
        with source.writing() as connection:
            keep_taken(connection, NOW.date(), [event("listed")])
        rows = move_ledger(source, target)
        assert rows["campaign_plans"] == rows["campaign_steps"] == 2
        assert rows["campaign_listed"] == rows[ERASURES.name] == 1
        for table in TABLES:
            kept = [c for c in table.columns if c is not STEPS.c.number]
            query = sa.select(*kept).order_by(*table.primary_key.columns)
            with source.reading() as one, target.reading() as other:
                assert one.execute(query).all() == other.execute(query).all()
        assert target.erased(["D4"])["D4"].opted_out
        target.add_plan("p3", "{}", "Cy")
        assert [plan for plan, *_ in target.plans(9)] == ["p3", "p2", "p1"]
        assert target.steps("p1")[0].at <= datetime.now(UTC)
        assert not move_ledger(source, target)
