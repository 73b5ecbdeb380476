"""Where answers to a plan's contacts are missing, whoever looks is told so, and since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from churn_assets.campaign.contacts.event import PERIOD
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.silence import FEW, missing_answers
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
    assert "`POST /feedback` or `churn campaign import FILE`" in found


def test_there_is_nothing_to_expect_of_few_contacts_or_of_new_ones() -> None:
    few = [contact(START, f"{i}") for i in range(FEW - 1)]
    assert said(few, 300) is None
    enough = [*few, contact(START, "last")]
    assert said(enough, PERIOD.days - 1) is None
    assert said(enough, PERIOD.days) is not None
    assert said([], 300) is None


@pytest.mark.parametrize("answer", ["accepted", "refused"])
def test_one_answer_ends_it(answer: str) -> None:
    """It tells that answers are heard of."""
    silent = [contact(START, f"{i}") for i in range(2 * FEW)]
    assert said(silent, 60) is not None
    assert said([*silent, contact(START + 20 * DAY, "x", answer)], 60) is None


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


@pytest.mark.parametrize(("silent", "missing"), [(2, False), (20, True)])
def test_where_few_accept_some_silent_days_are_chance(silent: int, missing: bool) -> None:
    """Each day one of fifty accepts, and refusals aren't reported; then the campaign ends with days
    on which nobody does. Two of them were told of as missing answers for good, though only two
    answers are to be expected of a hundred contacts."""
    histories = [
        contact(START + i * DAY, f"{i}-{k}", None if k or i >= 30 else "accepted", after=0)
        for i in range(30 + silent)
        for k in range(50)
    ]
    assert (said(histories, 200) is not None) == missing
