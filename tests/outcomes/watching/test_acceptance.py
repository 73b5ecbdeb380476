"""Acceptance against what decisions said of it, with the answers that customers really give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn_assets.outcomes.watching.acceptance import accepted_as_told

TOLD = {1: 0.45, 2: 0.6, 3: 0.7}


def contacts(seed: int, count: int, share: float = 1.0, sent: bool = True) -> pd.DataFrame:
    """A contact a customer with a discount, which so large a share of those told to accept does;
    answers are over."""
    rng = np.random.default_rng(seed)
    level = rng.integers(1, 4, count)
    told = np.array([TOLD[k] for k in level])
    accepted = rng.random(count) < share * told
    time = pd.Timestamp("2027-01-04", tz="UTC") + pd.to_timedelta(np.arange(count), unit="min")
    none = pd.Series(pd.NaT, range(count), "datetime64[us, UTC]")
    at = pd.Series(time, dtype="datetime64[us, UTC]") if sent else none
    return pd.DataFrame(
        {
            "customer": np.arange(count),
            "time": time,
            "release_id": "r-1",
            "contact": True,
            "answers_known": True,
            "offer_level": level,
            "observation": [[0.1, 0.2, *TOLD.values(), 1.0, 60.0, 0.0, 0.0]] * count,
            "accepted": accepted,
            "refused": ~accepted,
            "sent_at": at,
            **dict.fromkeys(("delivered_at", "accepted_at", "refused_at"), none),
        }
    )


@pytest.mark.parametrize(
    ("share", "state"), [(1.0, "ok"), (0.65, "warn"), (0.2, "error"), (1.6, "warn")]
)
def test_an_acceptance_that_is_told_wrong_is_found(share: float, state: str) -> None:
    """Why: 12 % accepted where 60 % were told, nine lines said "fine", and plans went on."""
    found = accepted_as_told(contacts(1, 600, share))
    assert found.state == state
    figures = found.figures
    assert figures["ratio_lower"] < share * 1.1
    assert figures["ratio_upper"] > share * 0.9
    assert figures["by_level"]["2"]["told"] == pytest.approx(0.6)
    assert figures["by_level"]["2"]["accepted"] == pytest.approx(0.6 * share, abs=0.12)
    expected = sum(TOLD[k] for k in contacts(1, 600)["offer_level"])
    assert figures["expected"] == pytest.approx(expected)
    assert f"{expected:,.0f} were expected to" in found.sentence


def test_sound_probabilities_are_hardly_ever_called_wrong() -> None:
    """Of 200 companies with 60 contacts each, none: the interval counts as if each were a count of
    its own, which is wider than theirs."""
    assert {accepted_as_told(contacts(seed, 60)).state for seed in range(200)} == {"ok"}


def test_what_tells_nothing_is_not_judged() -> None:
    """Contacts that nobody reported, answers that may still come, none at all, and too few."""
    table = contacts(2, 300, 0.2)
    for untold in (
        contacts(2, 300, 0.2, sent=False),
        # Where only answers tell of a contact, everybody who is known of accepted.
        contacts(2, 300, sent=False).assign(accepted_at=lambda t: t["time"].where(t["accepted"])),
        table.assign(answers_known=False),
        table.assign(contact=False),
        table.head(49),
        table.assign(customer=7),  # one customer's contacts
    ):
        assert accepted_as_told(untold).state == "unknown"
    silent = accepted_as_told(table.assign(accepted=False, refused=False))
    assert silent.sentence == "No answer was reported of 300 customers who were contacted."
    assert accepted_as_told(table.head(50)).state != "unknown"
    some = pd.concat([table.assign(answers_known=False), table.head(50)], ignore_index=True)
    assert accepted_as_told(some).figures["customers"] == 50
