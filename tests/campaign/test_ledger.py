"""The contact ledger: what was acknowledged is kept once, on disk, and can be forgotten."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from churn_assets.campaign.contacts.event import Event, Kind
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.campaign.contacts.taken import keep_taken, taken
from churn_assets.campaign.errors import LedgerError

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def event(key: str, kind: Kind = "sent", days: float = 0.0, customer: str = "A1") -> Event:
    """An event so many days before `NOW`."""
    return Event(
        event_key=key,
        customer_id=customer,
        kind=kind,
        occurred_at=NOW - timedelta(days=days),
        channel="email" if kind == "sent" else None,
        offer_percentage=10,
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ledger's URL: a file of this test's, or a real server that the tests start."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    return str(request.getfixturevalue("postgresql"))


def test_an_event_is_kept_once_and_for_good(url: str) -> None:
    """Another process's ledger finds it; telling it again changes nothing."""
    first = Ledger(url)
    assert first.is_empty()
    assert first.record([event("e1"), event("e2", "accepted", -0.1)]) == 2
    assert first.record([event("e1"), event("e2", "accepted", -0.1)]) == 0
    first.close()
    again = Ledger(url)
    assert not again.is_empty()
    [contact] = again.histories(["A1", "nobody"])["A1"].contacts
    assert (contact.when, contact.channel, contact.answer) == (NOW, "email", "accepted")
    assert set(again.histories()) == {"A1"}
    again.close()


@pytest.mark.parametrize("answer", ["accepted", "refused"])
def test_an_answer_of_the_same_instant_is_its_contacts(url: str, answer: Kind) -> None:
    """Whatever the events are called: the name says nothing about what came first."""
    ledger = Ledger(url)
    ledger.record([event("a"), event("b", answer), event("d", customer="B2")])
    ledger.record([event("c", answer, customer="B2").model_copy(update={"offer_percentage": None})])
    for history in ledger.histories().values():
        [contact] = history.contacts
        assert contact.answer == answer
        assert [each.percentage for each in history.acceptances] == (
            [10] if answer == "accepted" else []
        )
    ledger.close()


def test_what_ends_contacts_comes_last_of_an_instant(url: str) -> None:
    """Nobody is contacted because a name sorts before another."""
    ledger = Ledger(url)
    for customer, names in (("A1", "abc"), ("B2", "fed")):
        kinds: tuple[Kind, ...] = ("opted_out", "churned", "opted_in")
        told = [event(n, k, customer=customer) for n, k in zip(names, kinds, strict=True)]
        ledger.record(told)
        assert ledger.histories()[customer].opted_out
        assert ledger.histories()[customer].churned == NOW
    ledger.close()


def test_a_ledger_of_the_first_version_is_read_and_written(url: str) -> None:
    """What contacts were expected to cost is unknown there, and kept from now on."""
    old = sa.create_engine(url)
    with old.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE TABLE contact_events (event_key VARCHAR(160) PRIMARY KEY, "
                "customer_id VARCHAR(64) NOT NULL, kind VARCHAR(16) NOT NULL, "
                "occurred_at VARCHAR(32) NOT NULL, channel VARCHAR(64), offer_percentage INTEGER, "
                "plan_id VARCHAR(64))"
            )
        )
        connection.execute(
            sa.text(
                "INSERT INTO contact_events VALUES ('plan:P:A1', 'A1', 'sent', "
                "'2026-03-01T09:00:00.000000+00:00', 'email', 10, 'P')"
            )
        )
    old.dispose()
    for _ in range(2):
        ledger = Ledger(url)
        money = {"expected_cost": 2.5, "cost_of_percent": 7.0, "accept_prob": 0.1}
        ledger.record([event("plan:Q:B2", customer="B2").model_copy(update=money)])
        contacts = {name: one.contacts for name, one in ledger.histories().items()}
        assert [contact.expected_cost for contact in contacts["A1"]] == [None]
        assert [contact.expected_cost for contact in contacts["B2"]] == [2.5]
        assert [contacts[name][0].cost_of_percent for name in ("A1", "B2")] == [None, 7.0]
        assert [contacts[name][0].accept_prob for name in ("A1", "B2")] == [None, 0.1]
        ledger.record([event("late", days=9).model_copy(update={"decision_id": "P:A1"})])
        assert len(ledger.histories()["A1"].contacts) == 1
        ledger.close()


def test_many_writers_lose_nothing(url: str) -> None:
    """Eight threads with ledgers of their own, half of the events told twice."""

    def tell(writer: int) -> int:
        ledger = Ledger(url)
        numbers = range(10 * (writer // 2), 10 * (writer // 2) + 10)
        new = sum(ledger.record([event(f"e{i}", customer=f"C{i}")]) for i in numbers)
        ledger.close()
        return new

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(tell, range(8))) == 40
    ledger = Ledger(url)
    assert len(ledger.histories()) == 40
    ledger.close()


def test_a_customer_can_be_forgotten(url: str) -> None:
    """Theirs only."""
    ledger = Ledger(url)
    ledger.record([event("e1"), event("e2"), event("e3", customer="B2")])
    assert ledger.erased(["A1", "B2"]) == {}
    before = datetime.now(UTC)
    assert ledger.erase("A1") == 2
    assert ledger.erase("A1") == 0
    assert set(ledger.histories()) == {"B2"}
    ledger.close()
    again = Ledger(url)
    [(customer, erasure)] = again.erased(["A1", "B2"]).items()
    assert customer == "A1"
    assert before <= erasure.at <= datetime.now(UTC)
    assert not erasure.opted_out
    again.close()


def test_a_no_outlives_an_erasure(url: str) -> None:
    """A second one as well; until they opt in again, and anew when they opt out after that."""
    ledger = Ledger(url)
    told = [event("e1"), event("e2", "opted_in", 3), event("e3", "opted_out", 2), event("e4")]
    ledger.record([*told, event("e5", "opted_out", 3, "B2"), event("e6", "opted_in", 2, "B2")])
    assert [ledger.erase(customer) for customer in ("A1", "A1", "B2", "C3")] == [4, 0, 2, 0]

    def objecting() -> list[str]:
        erased = ledger.erased(["A1", "B2", "C3", *(f"D{i}" for i in range(600))])
        assert {*erased} == {"A1", "B2", "C3"}
        return [customer for customer, erasure in erased.items() if erasure.opted_out]

    assert objecting() == ["A1"]
    assert ledger.histories(["A1", "B2", "C3"]) == {"A1": History(opted_out=True)}
    assert ledger.histories() == {}
    hours = (datetime.now(UTC) - NOW) / timedelta(hours=1)
    ledger.record([event("e7", "opted_in", 1), event("e8", "sent", -(hours + 1) / 24)])
    assert objecting() == ["A1"]
    assert ledger.histories(["A1"])["A1"].opted_out
    ledger.record([event("e9", "opted_in", -(hours + 1) / 24)])
    assert objecting() == []
    assert not ledger.histories(["A1"])["A1"].opted_out
    ledger.record([event("e10", "opted_out", -(hours + 2) / 24)])
    assert ledger.histories(["A1"])["A1"].opted_out
    ledger.erase("A1")
    assert objecting() == ["A1"]
    ledger.close()


def test_erasures_of_an_earlier_version_are_kept(url: str) -> None:
    """What those customers had said nobody knows; what others say from now on is kept."""
    old = sa.create_engine(url)
    with old.begin() as connection:
        made = "CREATE TABLE contact_erasures (digest VARCHAR(64) PRIMARY KEY, at VARCHAR(32))"
        connection.execute(sa.text(made))
        row = {"id": hashlib.sha256(b"A1").hexdigest(), "at": "2026-03-01T09:00:00.000000+00:00"}
        connection.execute(sa.text("INSERT INTO contact_erasures VALUES (:id, :at)"), row)
    old.dispose()
    for _ in range(2):
        ledger = Ledger(url)
        ledger.record([event("e1", "opted_out", customer="B2")])
        ledger.erase("B2")
        erased = ledger.erased(["A1", "B2"])
        assert erased["A1"] == (datetime(2026, 3, 1, 9, tzinfo=UTC), False, None)
        assert erased["B2"].opted_out
        ledger.close()


def test_what_lists_had_is_noted_once_and_can_be_forgotten(url: str) -> None:
    """By the day; a contact that a later list has, too, stays as the first had it."""
    ledger = Ledger(url)
    first, second = event("e1"), event("e2", customer="B2")
    later = first.model_copy(update={"occurred_at": NOW + timedelta(hours=3)})
    with ledger.writing() as connection:
        keep_taken(connection, NOW.date(), [first])
        keep_taken(connection, NOW.date(), [later, second])
    with ledger.reading() as connection:
        assert taken(connection, NOW.date()) == [first, second]
        assert taken(connection, NOW.date() + timedelta(days=1)) == []
    assert ledger.histories() == {}
    ledger.erase("A1")
    with ledger.reading() as connection:
        assert taken(connection, NOW.date()) == [second]
    ledger.close()


def test_all_of_a_write_or_nothing(url: str) -> None:
    """A process that is killed in the middle has written nothing."""
    ledger = Ledger(url)
    ledger.record([event("e0", customer="B2")])
    program = (
        "import sys, time\n"
        "from churn_assets.campaign.contacts.ledger import Ledger, insert_events\n"
        "from tests.campaign.test_ledger import event\n"
        "with Ledger(sys.argv[1]).writing() as connection:\n"
        "    insert_events(connection, [event(f'k{i}') for i in range(50)])\n"
        "    print('half', flush=True)\n"
        "    time.sleep(600)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"half\n"
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=120)
    child.stdout.close()
    assert ledger.record([event(f"k{i}") for i in range(100)]) == 100
    assert len(ledger.histories()["A1"].contacts) == 100
    ledger.close()


def test_reading_makes_no_file_and_writing_a_private_one(tmp_path: Path) -> None:
    """Whom a company contacts is nobody else's business."""
    ledger = Ledger.open("", tmp_path / "home")
    assert ledger.is_empty()
    assert ledger.histories() == {}
    assert ledger.plan() is None
    assert not (tmp_path / "home").exists()
    ledger.record([event("e1")])
    file = tmp_path / "home" / "ledger.sqlite3"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.unlink()
    assert ledger.is_empty()
    assert ledger.record([event("e2")]) == 1
    ledger.close()


def test_a_late_ledger_is_opened_when_there_is_one(tmp_path: Path) -> None:
    """A service that nobody has reported a contact to does without; one that another process writes
    beside it is found all the same."""
    late = LateLedger("", tmp_path)
    assert late.is_absent()
    assert not any(tmp_path.iterdir())
    other = Ledger.open("", tmp_path)
    other.record([event("e1")])
    assert not late.is_absent()
    assert len(late.opened().histories()["A1"].contacts) == 1
    assert late.opened() is late.opened()
    late.close()
    other.close()
    at_once = LateLedger("", tmp_path)
    assert not at_once.opened().is_empty()
    at_once.close()


def test_a_late_ledger_says_at_once_that_a_setting_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="can't be used"):
        LateLedger("nonsense", tmp_path)


def test_what_is_wrong_is_said_in_one_line_without_a_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A variable that isn't set, a file that is no database, a server that isn't there."""
    monkeypatch.delenv("CHURN_NOT_SET", raising=False)
    with pytest.raises(LedgerError, match="names the variable CHURN_NOT_SET, which is not set"):
        Ledger("postgresql+psycopg2://u:${CHURN_NOT_SET}@h/d")
    with pytest.raises(LedgerError, match="can't be used"):
        Ledger("nonsense")
    broken = tmp_path / "broken.sqlite3"
    broken.write_bytes(os.urandom(4096))
    with pytest.raises(LedgerError, match="file is not a database"):
        Ledger(f"sqlite:///{broken}").is_empty()
    monkeypatch.setenv("CHURN_NOT_SET", "s3cret-of-nobody")
    secret = "${CHURN_NOT_SET}"
    for given in (f"u:{secret}@/d?host={tmp_path}", f"u@/d?host={tmp_path}&password={secret}"):
        gone = Ledger(f"postgresql+psycopg2://{given}")
        with pytest.raises(LedgerError) as error:
            gone.is_empty()
        assert "s3cret" not in str(error.value)
        assert "\n" not in str(error.value)


def test_a_history_is_what_predict_takes() -> None:
    """Counts of the period, the days since, the answers; contacts before the period apart."""
    history = History.of(
        [
            event("a", days=40),
            event("b", "refused", 39),
            event("c", days=9),
            event("d", "refused", 8),
            event("e", days=4),
            event("f", "accepted", 3.5),
        ]
    )
    assert history.fields(NOW, cooldown_days=7) == {
        "days_since_contact": 4,
        "contacts_this_period": 2,
        "acceptances_this_period": 1,
        "refusals_this_period": 1,
        "acceptances_in_cooldown": 1,
        "acceptances_without_discount": 0,
        "previous_contacts": 1,
        "previous_outcome": "failure",
        "contact_channel": None,
    }
    assert history.days([]) == [
        (date(2026, 1, 29), "email"),
        (date(2026, 3, 1), "email"),
        (date(2026, 3, 6), "email"),
    ]


@pytest.mark.parametrize(
    ("events", "contacts", "outcome"),
    [
        ([], 0, "nonexistent"),
        ([("sent", 5), ("accepted", 4)], 0, "nonexistent"),
        ([("accepted", 50)], 0, "nonexistent"),
        ([("sent", 30)], 1, "failure"),
        ([("sent", 50), ("sent", 40)], 2, "failure"),
        ([("sent", 40), ("accepted", 2)], 1, "success"),
        ([("sent", 50), ("accepted", 49), ("sent", 40)], 2, "success"),
        ([("sent", 50), ("accepted", 49), ("sent", 5), ("refused", 4)], 1, "success"),
        ([("sent", 50), ("accepted", 49), ("sent", 40), ("refused", 4)], 2, "failure"),
    ],
)
def test_the_previous_outcome_is_of_contacts_before_the_period(
    events: list[tuple[Kind, float]], contacts: int, outcome: str
) -> None:
    """Why: an acceptance of days ago made the next one much likelier, though what a period's
    answers do is the environment's part; and a contact without an answer had no outcome."""
    history = History.of([event(f"e{days}", kind, days) for kind, days in events])
    told = history.fields(NOW, cooldown_days=7)
    assert (told["previous_contacts"], told["previous_outcome"]) == (contacts, outcome)


def test_a_day_is_the_latest_that_it_was_anywhere() -> None:
    """No limit that counts days ends early: not in Auckland, where the morning is yesterday's
    evening in UTC, and not in Los Angeles, where the evening is tomorrow's morning there."""
    evening = event("a").model_copy(update={"occurred_at": NOW.replace(hour=20)})
    history = History.of([evening])
    assert [day for day, _ in history.days(["Pacific/Auckland"])] == [date(2026, 3, 11)]
    assert [day for day, _ in history.days(["America/Los_Angeles"])] == [date(2026, 3, 10)]
    night = event("a").model_copy(update={"occurred_at": NOW.replace(hour=3)})
    assert History.of([night]).days(["America/Los_Angeles"]) == [(date(2026, 3, 10), "email")]


def test_a_contact_that_two_systems_tell_of_is_one() -> None:
    """The plan's hand-over, then the sending system's report; a report without a plan is another's.

    Two reports of one system are two contacts, however near."""
    planned = event("plan:P:A1", days=1).model_copy(update={"expected_cost": 2.5})
    told = event("crm-1", days=0.8)
    later = planned.model_copy(update={"occurred_at": NOW - timedelta(days=0.5)})
    for events in ([planned, told], [told, later]):
        [contact] = History.of(events).contacts
        assert (contact.when, contact.expected_cost) == (events[1].occurred_at, 2.5)
    assert len(History.of([told, planned.model_copy(update={"occurred_at": NOW})]).contacts) == 1
    assert len(History.of([planned, event("crm-2", days=-2)]).contacts) == 2
    assert len(History.of([event("crm-1", days=0.9), event("crm-2", days=0.8)]).contacts) == 2


def test_opting_out_and_in_again_and_complaints() -> None:
    """The newest of them holds."""
    gone = [event("a", "opted_out", 3), event("b", "complained", 2)]
    assert (History.of(gone).opted_out, History.of(gone).complained) == (
        True,
        NOW - timedelta(days=2),
    )
    assert not History.of([*gone, event("c", "opted_in", 1)]).opted_out
