"""Where answers to a plan's contacts are missing, whoever looks is told so, and since when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from churn_assets.campaign.contacts.event import PERIOD
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.silence import missing_answers
from churn_assets.campaign.status import status_of
from churn_assets.cli.campaign_status import show_status
from tests.campaign.test_open_contacts import DAY, START, campaign, contact
from tests.campaign.test_status import approved, told
from tests.campaign.test_workflow import NOW, TODAY, Desk, desk

__all__ = ["desk"]  # a fixture


def said(histories: list[History], days: int) -> str | None:
    """So many days after the first contact, at noon."""
    now = datetime.combine(START + days * DAY, datetime.min.time(), UTC) + timedelta(hours=12)
    return missing_answers({f"C{i}": each for i, each in enumerate(histories)}, (), now)


@pytest.mark.parametrize("known", [0, 10, 40])
def test_what_is_missing_is_told_with_the_day_since_when(known: int) -> None:
    """Forty days with eight contacts each, half of which accept on the next day; the answers of
    the first ones are known. Nothing was said of it, though money and learning wait for them."""
    histories = campaign(40, 8, 0.5, known)
    heard = START + known * DAY  # when the last one accepted, at nine o'clock
    assert said(histories, known + PERIOD.days) is None
    found = said(histories, 200)
    if known == 40:
        assert found is None
        return
    assert found is not None
    after = 8 * (40 - known - bool(known))  # that day's contacts are no older than the answer
    assert found.startswith(f"Answers are missing since {heard}: of {after} contacts that were ")
    assert "`POST /feedback` or `churn outcomes import FILE`" in found  # by which it is learnt, too


def silent(count: int, probability: float | None) -> list[History]:
    """So many contacts of the first day, all with this expectation, that nobody answered."""
    [known] = contact(START, "one").contacts
    return [History((replace(known, accept_prob=probability),))] * count


@pytest.mark.parametrize(("probability", "enough"), [(0.03, 152), (0.15, 29), (0.6, 6)])
def test_silence_is_told_once_it_is_improbable(probability: float, enough: int) -> None:
    """(1 - p)^n <= 1 %. Of 25 contacts that 3 % accept a campaign hears nothing in 47 of 100 cases,
    and was told that answers are missing."""
    assert said(silent(enough - 1, probability), 300) is None
    found = said(silent(enough, probability), 300)
    assert found is not None
    assert f"though {probability * enough:,.1f} were to be expected" in found
    assert f"so silent in {(1 - probability) ** enough:.1%} of cases" in found
    assert said(silent(enough, probability), PERIOD.days - 1) is None
    assert said([], 300) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_silent_campaign_is_told_of_in_one_of_a_hundred(seed: int) -> None:
    """Whatever is expected of each contact: where that comes true, no more are told falsely."""
    rng = np.random.default_rng(seed)
    expected = rng.uniform(0.005, 0.1, 400)
    alarms = 0
    for _ in range(400):
        first = [*np.flatnonzero(rng.random(400) < expected), 400][0]  # who answers
        contacts = [history for p in expected[:first] for history in silent(1, p)]
        alarms += said(contacts, 300) is not None
    assert alarms <= 11  # of 4; more in 0.2 % of seeds


def test_what_is_known_of_answers_corrects_what_is_expected() -> None:
    """Where a fifth as many accept as decisions expect, 29 silent contacts are no sign; where
    refusals are reported, too, half as many are one. Nor is anything expected of contacts whose
    decision noted nothing, before any was answered."""
    after = [contact(START + 2 * DAY, f"late{i}") for i in range(29)]
    few = [contact(START, f"{i}", None if i % 33 else "accepted", after=0) for i in range(400)]
    assert said(few + after, 300) is None
    all_told = [contact(START, f"{i}", "refused", after=0) for i in range(400)]
    assert said(all_told + after[:5], 300) is not None
    assert said(silent(1_000, None), 300) is None


@pytest.mark.parametrize("probability", [0.2, None])
def test_no_contact_is_sure_to_be_answered(probability: float | None) -> None:
    """Of a hundred contacts all were answered, most refused; then a few stay silent. A single one
    was told of for good, as chance in less than 0.1 % of cases. It takes four: 0.3^4 <= 1 %."""
    noted = None if probability is None else 0.1
    before = [told_with(noted, contact(START, f"{i}", "refused", after=0)) for i in range(100)]
    late = [told_with(probability, contact(START + 2 * DAY, f"late{i}")) for i in range(4)]
    assert [said(before + late[:i], 300) is not None for i in range(5)] == [False] * 4 + [True]


def told_with(probability: float | None, history: History) -> History:
    """The history with another expectation of its contact."""
    [known] = history.contacts
    return replace(history, contacts=(replace(known, accept_prob=probability),))


@pytest.mark.parametrize("answer", ["accepted", "refused"])
def test_one_answer_ends_it(answer: str) -> None:
    """It tells that answers are heard of."""
    quiet = [contact(START, f"{i}") for i in range(40)]
    assert said(quiet, 60) is not None
    assert said([*quiet, contact(START + 20 * DAY, "x", answer)], 60) is None


def test_status_and_plan_say_it(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """In the same sentence, until an answer is imported."""
    campaigns = desk(channels={"email": {"contacts_a_day": 30}}, budget=5_000.0)
    approved(campaigns, NOW)
    rows = campaigns.export(None, TODAY, NOW).rows
    assert campaigns.hand_over(None, TODAY, NOW, "Eva").new == len(rows) == 30
    later = NOW + timedelta(days=40)
    assert status_of(campaigns, NOW + timedelta(days=20), 5)["answers_missing"] is None
    found = status_of(campaigns, later, 5)["answers_missing"]
    assert found.startswith(f"Answers are missing since {TODAY}: of 30 contacts that were handed")
    show_status(status_of(campaigns, later, 5))
    assert found in capsys.readouterr().out
    assert campaigns.plan(later, "Ana", curves=False).report["warnings"] == [found]
    campaigns.ledger.record([told(rows[0]["customer_id"], "accepted", NOW + timedelta(days=35))])
    assert status_of(campaigns, later, 5)["answers_missing"] is None
    assert campaigns.plan(later, "Ana", curves=False).report["warnings"] == []


@pytest.mark.parametrize(("days", "missing"), [(2, False), (20, True)])
def test_where_few_accept_some_silent_days_are_chance(days: int, missing: bool) -> None:
    """Each day one of fifty accepts, and refusals aren't reported; then the campaign ends with days
    on which nobody does. Two of them were told of as missing answers for good, though only two
    answers are to be expected of a hundred contacts."""
    histories = [
        contact(START + i * DAY, f"{i}-{k}", None if k or i >= 30 else "accepted", after=0)
        for i in range(30 + days)
        for k in range(50)
    ]
    assert (said(histories, 200) is not None) == missing
