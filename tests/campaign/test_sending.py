"""A day's list on its way to the sending system: in a folder or bucket, and in the ledger, once."""

from __future__ import annotations

import csv
import io
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from churn_assets.campaign import sending
from churn_assets.campaign.config import CampaignConfig, Channel
from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.errors import CampaignError
from churn_assets.campaign.sending import HandOver, key_of
from churn_assets.campaign.workflow import Campaigns
from churn_assets.storage.gcs import storage_client
from churn_assets.storage.protocol import ArtifactError
from tests.campaign.test_workflow import NOW, TODAY, Desk, customers_of, desk, sent

__all__ = ["desk"]  # a fixture

Approved = Callable[..., Campaigns]


@pytest.fixture
def approved(desk: Desk) -> Approved:
    """Makes campaigns with an approved plan of eight contacts a day."""

    def make(**changes: Any) -> Campaigns:
        campaigns = desk(**changes)
        campaigns.plan(NOW, "Ana", curves=False)
        campaigns.approve(None, "Eva", NOW)
        return campaigns

    return make


def names_in(content: str) -> set[str]:
    """The customers of a list."""
    return {row["customer_id"] for row in csv.DictReader(io.StringIO(content, newline=""))}


def test_a_delivery_is_in_the_folder_and_in_the_ledger(approved: Approved, tmp_path: Path) -> None:
    """Once: the next one has nothing to send and leaves the file as it is."""
    campaigns = approved(deliver_to=str(tmp_path / "out"))
    plan, _ = campaigns.show()
    done = campaigns.deliver(TODAY, NOW, "the schedule")
    file = tmp_path / "out" / f"contacts-{plan.plan_id}-{TODAY}.csv"
    assert (done.file, done.handed_over.new) == (str(file), 8)
    content = file.read_text(encoding="utf-8")
    assert names_in(content) == set(customers_of(plan, TODAY)) == set(campaigns.ledger.histories())
    again = campaigns.deliver(TODAY, NOW + timedelta(hours=1), "the schedule")
    assert (again.file, again.handed_over.new, again.handed_over.already) == (None, 0, 8)
    assert file.read_text(encoding="utf-8") == content
    assert [s.step for s in campaigns.ledger.steps(plan.plan_id)].count(f"handed over {TODAY}") == 1


def test_who_can_be_sent_later_on_the_day_is_in_a_file_of_their_own(
    approved: Approved, tmp_path: Path
) -> None:
    """The first file stays as it was: nobody knows whether it has been taken."""
    campaigns = approved(deliver_to=str(tmp_path / "out"))
    plan, _ = campaigns.show()
    back = customers_of(plan, TODAY)[0]
    out = sent(back, NOW).model_copy(update={"kind": "opted_out"})
    campaigns.ledger.record([out])
    first = campaigns.deliver(TODAY, NOW, "the schedule")
    again = out.model_copy(
        update={"kind": "opted_in", "event_key": "in", "occurred_at": NOW + timedelta(minutes=5)}
    )
    campaigns.ledger.record([again])
    second = campaigns.deliver(TODAY, NOW + timedelta(hours=1), "the schedule")
    assert first.file is not None
    assert second.file == first.file.replace(".csv", "-2.csv")
    names = [names_in(Path(file).read_text(encoding="utf-8")) for file in (first.file, second.file)]
    assert names == [set(customers_of(plan, TODAY)) - {back}, {back}]


def test_a_draft_made_at_night_does_not_stop_the_morning_s_delivery(
    approved: Approved, tmp_path: Path
) -> None:
    """What goes out is the plan that is approved, not the newest."""
    campaigns = approved(deliver_to=str(tmp_path / "out"))
    plan, _ = campaigns.show()
    draft = campaigns.plan(NOW + timedelta(hours=1), "the schedule", curves=False)
    done = campaigns.deliver(TODAY, NOW + timedelta(hours=2), "the schedule")
    assert campaigns.show()[0].plan_id == draft.plan_id != plan.plan_id
    assert (done.plan_id, done.handed_over.new) == (plan.plan_id, 8)


def test_a_delivery_to_a_bucket(approved: Approved, emulator: str) -> None:
    """The same list, as an object."""
    campaigns = approved(deliver_to=f"gs://churn-artifacts/{uuid.uuid4().hex}/lists")
    done = campaigns.deliver(TODAY, NOW, "the schedule")
    assert done.file is not None
    bucket, _, path = done.file.removeprefix("gs://").partition("/")
    content = storage_client().bucket(bucket).blob(path).download_as_bytes().decode()
    assert names_in(content) == set(campaigns.ledger.histories())
    assert len(names_in(content)) == 8


def test_what_cannot_be_written_is_not_handed_over(
    approved: Approved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is in the ledger who is in no file; the next try delivers all of them."""
    (tmp_path / "out").write_text("a file where the folder should be")
    campaigns = approved(deliver_to=str(tmp_path / "out"))
    with pytest.raises(OSError, match="out"):
        campaigns.deliver(TODAY, NOW, "the schedule")
    assert campaigns.ledger.histories() == {}
    (tmp_path / "out").unlink()
    assert campaigns.deliver(TODAY, NOW, "the schedule").handed_over.new == 8

    def refuse(*_: Any) -> str:
        raise ArtifactError("no route to the bucket")

    monkeypatch.setattr(sending, "write_file", refuse)
    tomorrow = TODAY + timedelta(days=1)
    with pytest.raises(ArtifactError, match="no route"):
        campaigns.deliver(tomorrow, NOW + timedelta(hours=20), "the schedule")
    assert len(campaigns.ledger.histories()) == 8


def test_what_is_not_to_be_delivered(desk: Desk, approved: Approved, tmp_path: Path) -> None:
    """Without a place, without an approval, and by an old plan: said, and nothing is written."""
    with pytest.raises(CampaignError, match="set CHURN_CAMPAIGN__DELIVER_TO"):
        desk().deliver(TODAY, NOW, "the schedule")
    out = tmp_path / "out"
    campaigns = desk(deliver_to=str(out), max_age_hours=12)
    with pytest.raises(CampaignError, match="no plan is approved"):
        campaigns.deliver(TODAY, NOW, "the schedule")
    campaigns.plan(NOW, "Ana", curves=False)
    with pytest.raises(CampaignError, match="no plan is approved"):
        campaigns.deliver(TODAY, NOW, "the schedule")
    campaigns.approve(None, "Eva", NOW)
    with pytest.raises(CampaignError, match="is 25 hours old, and 12 are allowed"):
        campaigns.deliver(TODAY + timedelta(days=1), NOW + timedelta(hours=25), "the schedule")
    assert not out.exists()
    assert campaigns.ledger.histories() == {}


def test_the_setting_is_a_folder_or_a_bucket() -> None:
    """Relative to where the command was started; other schemes are refused."""
    assert Path(CampaignConfig(deliver_to="lists").deliver_to).is_absolute()
    assert CampaignConfig(deliver_to="gs://lists/today").deliver_to == "gs://lists/today"
    with pytest.raises(ValueError, match="use a folder or gs://bucket/prefix"):
        CampaignConfig(deliver_to="s3://lists")


@pytest.mark.parametrize("name", ["", "day", "money", "_", "x" * 65, "a\nb", "=1"])
def test_a_channel_has_a_name_that_plans_and_ledgers_can_hold(name: str) -> None:
    """A plan's table has the days and money beside the channels."""
    with pytest.raises(ValueError, match="no channel can be called"):
        CampaignConfig(channels={name: Channel(contacts_a_day=1)})
    assert CampaignConfig(channels={"Señal 2.0": Channel(contacts_a_day=1)}).channels


@pytest.mark.parametrize(("hours_ago", "dropped"), [(7 * 24 - 7, 0), (7 * 24 - 31, 1)])
def test_who_is_in_the_list_is_in_the_ledger(desk: Desk, hours_ago: int, dropped: int) -> None:
    """The cooldown ends with the same midnight in both: at six in the morning, a contact of a week
    ago at one in the afternoon is over, and one of the day after is not."""
    campaigns = desk()
    plan = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    somebody = customers_of(plan, TODAY)[0]
    campaigns.ledger.record([sent(somebody, NOW - timedelta(hours=hours_ago))])
    found = campaigns.export(None, TODAY, NOW)
    done = campaigns.hand_over(None, TODAY, NOW, "Ana")
    assert (len(found.rows), done.new) == (8 - dropped, 8 - dropped)
    assert sum(found.dropped.values()) == dropped
    assert (somebody in {row["customer_id"] for row in found.rows}) is (dropped == 0)


def test_who_is_contacted_between_list_and_ledger_is_not_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another system is faster: the transaction looks once more."""
    campaigns = desk()
    plan = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    somebody = customers_of(plan, TODAY)[0]
    found = sending.due_on

    def slowly(*given: Any) -> Any:
        due = found(*given)
        when = datetime(2026, 3, 10, 5, tzinfo=UTC)
        campaigns.ledger.record(
            [Event(event_key="crm-1", customer_id=somebody, kind="sent", occurred_at=when)]
        )
        return due

    monkeypatch.setattr(sending, "due_on", slowly)
    done = campaigns.hand_over(None, TODAY, NOW, "Ana")
    assert (done.new, done.dropped) == (7, {"cooldown": 1})


def next_plan(campaigns: Campaigns) -> None:
    """The next morning's, approved."""
    morning = NOW + timedelta(days=1)
    campaigns.approve(campaigns.plan(morning, "Ana", curves=False).plan_id, "Eva", morning)


BECAME: dict[str, Callable[[Campaigns], object]] = {
    "stands": lambda _: None,
    "was replaced": next_plan,
    "was cancelled": lambda campaigns: campaigns.cancel(None, "Eva"),
}


@pytest.mark.parametrize("hours", [15.5, 26, 75], ids=["that night", "next day", "days later"])
@pytest.mark.parametrize("became", BECAME.values(), ids=BECAME)
def test_a_list_that_was_taken_can_be_recorded_at_any_hour(
    approved: Approved, hours: float, became: Callable[[Campaigns], object]
) -> None:
    """And whatever has become of its plan: it went out. All of its customers are in the ledger, as
    they stood in it, and the next plan leaves them alone."""
    campaigns = approved()
    plan_id = campaigns.show()[0].plan_id
    rows = campaigns.export(None, TODAY, NOW).rows
    opens = {row["customer_id"]: datetime.fromisoformat(row["send_not_before"]) for row in rows}
    out = sent(next(iter(opens)), NOW + timedelta(hours=1))
    campaigns.ledger.record([out.model_copy(update={"kind": "opted_out"})])
    became(campaigns)
    later = NOW + timedelta(hours=hours)
    done = campaigns.hand_over(None, TODAY, later, "Ana")
    assert (done.new, done.already, done.dropped) == (8, 0, {})
    made = {name: h.contacts for name, h in campaigns.ledger.histories().items()}
    assert {name: contact.when for name, [contact] in made.items()} == opens
    assert campaigns.ledger.steps(plan_id)[-1].step == f"handed over {TODAY}"
    assert campaigns.hand_over(plan_id, TODAY, later, "Ana").already == 8
    planned = campaigns.plan(later, "Ana", curves=False).contacts.to_pylist()
    soon = [row for row in planned if row["day"] < TODAY + timedelta(days=7)]  # the cooldown
    assert soon
    assert not opens.keys() & {row["customer_id"] for row in soon}


def test_a_later_draft_is_not_what_is_sent_or_stopped(approved: Approved, tmp_path: Path) -> None:
    """Without an id, list, hand-over and cancelling take the plan that a delivery takes."""
    campaigns = approved(deliver_to=str(tmp_path / "out"))
    plan, _ = campaigns.show()
    campaigns.changed(budget=500.0).plan(NOW, "the schedule", curves=False)
    assert campaigns.hand_over(None, TODAY, NOW, "Ana").new == 8
    tomorrow = TODAY + timedelta(days=1)
    assert campaigns.export(None, tomorrow, NOW).plan_id == plan.plan_id
    assert campaigns.deliver(tomorrow, NOW, "the schedule").plan_id == plan.plan_id
    assert campaigns.cancel(None, "Eva") == plan.plan_id
    with pytest.raises(CampaignError, match="no plan is approved"):
        campaigns.deliver(tomorrow, NOW, "the schedule")


def test_only_who_was_in_a_list_is_recorded(approved: Approved, tmp_path: Path) -> None:
    """Not who could be sent since; nor who was forgotten. A sending system's own report of a
    contact is that contact. Other days, and a ledger from before lists were noted, as ever."""
    campaigns = approved()
    plan, _ = campaigns.show()
    back, gone, reported = customers_of(plan, TODAY)[:3]
    out = sent(back, NOW - timedelta(hours=1)).model_copy(update={"kind": "opted_out"})
    campaigns.ledger.record([out])
    assert len(campaigns.export(None, TODAY, NOW).rows) == 7
    again = {"kind": "opted_in", "event_key": "in", "occurred_at": NOW}
    campaigns.ledger.record([out.model_copy(update=again), sent(reported, NOW.replace(hour=14))])
    assert campaigns.ledger.erase(gone) == 0
    night = NOW.replace(hour=22)
    assert campaigns.hand_over(None, TODAY, night, "Ana").new == 6
    histories = campaigns.ledger.histories()
    wanted = set(customers_of(plan, TODAY)) - {back, gone}
    assert {name for name, history in histories.items() if history.contacts} == wanted
    assert len(histories[reported].contacts) == 1
    campaigns.ledger.close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as database:
        assert gone not in "".join(database.iterdump())
        database.execute("DROP TABLE campaign_listed")
    older = Ledger.open("", tmp_path)
    campaigns = Campaigns(campaigns.store, older, campaigns.config, campaigns.default_zone)
    morning, tomorrow = NOW + timedelta(days=1), TODAY + timedelta(days=1)
    assert campaigns.hand_over(None, tomorrow, morning, "Ana").new == 8
    assert campaigns.export(None, TODAY + timedelta(days=2), morning).rows


def test_a_consent_that_was_withdrawn_is_told_as_such(approved: Approved, tmp_path: Path) -> None:
    """Though another channel is open to the customer: this one isn't closed, they said no to it."""
    campaigns, people = approved(), tmp_path / "people.csv"
    plan, _ = campaigns.show()
    contact = next(row for row in plan.contacts.to_pylist() if row["day"] == TODAY)
    people.write_text(f"customer_id,consent_{contact['channel']}\n{contact['customer_id']},no\n")
    listed = campaigns.changed(people=people).export(None, TODAY, NOW)
    assert listed.dropped == {"consent": 1}
    assert contact["customer_id"] not in {row["customer_id"] for row in listed.rows}


def test_a_day_to_come_is_handed_over_only_where_its_list_was_taken(approved: Approved) -> None:
    """Why: a wrong day wrote contacts that nobody had made, which can't be taken back. By the clock
    of `now`: just after the company's midnight, the day has come."""
    campaigns = approved()
    tomorrow, after = TODAY + timedelta(days=1), TODAY + timedelta(days=2)
    said = f"{tomorrow} is still to come .today is {TODAY}., and no list of it was exported"
    with pytest.raises(CampaignError, match=said):
        campaigns.hand_over(None, tomorrow, NOW, "Ana")
    assert campaigns.ledger.histories() == {}
    assert len(campaigns.export(None, after, NOW).rows) == 8
    with pytest.raises(CampaignError, match=said):  # that was another day's
        campaigns.hand_over(None, tomorrow, NOW, "Ana")
    assert campaigns.hand_over(None, after, NOW, "Ana").new == 8
    midnight = datetime(2026, 3, 11, tzinfo=ZoneInfo("Europe/Madrid"))  # 23:00 of the 10th in UTC
    assert campaigns.hand_over(None, tomorrow, midnight, "Ana").new == 8


def test_two_lists_of_a_day_are_recorded_together(approved: Approved) -> None:
    """Of a plan and of the one that took its place, or of the same: each may have gone out."""
    campaigns = approved()
    first, _ = campaigns.show()
    tomorrow, morning = TODAY + timedelta(days=1), NOW + timedelta(days=1)
    out = sent(customers_of(first, tomorrow)[0], NOW)
    assert len(campaigns.export(None, tomorrow, NOW).rows) == 8
    campaigns.ledger.record([out.model_copy(update={"kind": "opted_out"})])
    next_plan(campaigns)
    second, _ = campaigns.show()
    listed = campaigns.export(None, tomorrow, morning).rows
    assert campaigns.hand_over(second.plan_id, tomorrow, morning, "Ana").new == len(listed) == 8
    assert campaigns.hand_over(None, tomorrow, morning, "Ana").new == 1


def test_who_is_in_the_lists_of_two_plans_was_contacted_once(approved: Approved) -> None:
    """A list was taken away, its plan cancelled, and another one's list sent in its place: that one
    counts. Written from both, one contact took two from caps and budget. A cancelled plan's list
    counts where it is named, or is the only one."""
    campaigns = approved()
    old = campaigns.approved()
    first = {row["customer_id"] for row in campaigns.export(None, TODAY, NOW).rows}
    tomorrow, morning = TODAY + timedelta(days=1), NOW + timedelta(days=1)
    alone = len(campaigns.export(None, tomorrow, NOW).rows)
    campaigns.cancel(None, "Eva")
    campaigns.ledger.record([sent(min(first), NOW).model_copy(update={"kind": "opted_out"})])
    campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    second, _ = campaigns.show()
    listed = {row["customer_id"] for row in campaigns.export(None, TODAY, NOW).rows}
    more = len(first - listed)
    assert first & listed
    assert more
    done = campaigns.hand_over(None, TODAY, NOW, "Ana")
    left_out = {"only_in_a_cancelled_plan": more}
    assert done == HandOver(len(listed), 0, left_out)
    histories = campaigns.ledger.histories(sorted(listed))
    assert {len(history.contacts) for history in histories.values()} == {1}
    written = campaigns.ledger.known(
        key_of(row) for row in second.contacts.to_pylist() if row["day"] == TODAY
    )
    assert len(written) == len(listed)
    assert campaigns.hand_over(None, TODAY, NOW, "Ana") == HandOver(0, len(listed), left_out)
    assert campaigns.hand_over(None, tomorrow, morning, "Ana") == HandOver(alone, 0, {}, old)
    assert campaigns.hand_over(old, TODAY, NOW, "Ana").new == len(first)


def test_a_promise_that_a_later_plan_keeps_is_that_plan_s(approved: Approved) -> None:
    """It was in both plans' lists, and the older plan, which was replaced, is cancelled then."""
    campaigns = approved()
    first, _ = campaigns.show()
    tomorrow, morning = TODAY + timedelta(days=1), NOW + timedelta(days=1)
    assert len(campaigns.export(None, tomorrow, NOW).rows) == 8
    next_plan(campaigns)
    assert len(campaigns.export(None, tomorrow, morning).rows) == 8
    campaigns.cancel(first.plan_id, "Eva")
    assert campaigns.hand_over(None, tomorrow, morning, "Ana") == HandOver(8, 0, {})
