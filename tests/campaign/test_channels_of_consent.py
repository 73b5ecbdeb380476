"""Who consents to one channel and not to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churn_assets.campaign.errors import PeopleError
from churn_assets.campaign.people import Person, known_people, read_people
from tests.campaign.test_eligibility import ALL_DAYS, CHANNELS, outcome

ONLY_EMAIL, ONLY_CALLS, NO_DAY = [[True, False]] * 3, [[False, True]] * 3, [[False, False]] * 3
NEEDED = {"consent_needed": True}


def person(**said: Any) -> Person:
    """Somebody by what they say of all channels, or of one (`consent_call`, say)."""
    whole = {name: said.pop(name) for name in ("opt_out", "consent") if name in said}
    return Person(**whole, by_channel=said)


@pytest.mark.parametrize(
    ("said", "rules", "rule", "open_to"),
    [
        ({"consent_call": False}, {}, None, ONLY_EMAIL),
        ({"opt_out_email": True}, {}, None, ONLY_CALLS),
        ({"consent_email": True, "consent_call": True}, NEEDED, None, ALL_DAYS),
        ({"consent_email": True}, NEEDED, None, ONLY_EMAIL),
        ({"consent": True, "consent_call": False}, NEEDED, None, ONLY_EMAIL),
        ({"consent": False, "consent_call": True}, {}, "consent", NO_DAY),
        ({"opt_out": True, "consent_call": True}, {}, "opt_out", NO_DAY),
        ({"opt_out_email": True, "opt_out_call": True}, {}, "opt_out", NO_DAY),
        ({"opt_out_email": True, "consent_call": False}, {}, "consent", NO_DAY),
        ({"opt_out_email": False, "consent_call": None}, {}, None, ALL_DAYS),
    ],
)
def test_what_is_said_of_a_channel_holds_for_it_alone(
    said: dict[str, Any], rules: dict[str, Any], rule: str | None, open_to: list[list[bool]]
) -> None:
    """A no to all channels is a no to each; a yes to one is no yes to another."""
    told = {name: value for name, value in said.items() if value is not None}
    assert outcome(person(**told), rules=rules) == (rule, open_to)


def test_a_table_of_people_has_a_column_for_each_channel(tmp_path: Path) -> None:
    """Its cells go before the company's own table's, one by one; of channels that campaigns don't
    have nothing is read."""
    own, file = tmp_path / "people.parquet", tmp_path / "people.csv"
    pd.DataFrame(
        {"customer_id": ["A", "B"], "consent_email": [True, False], "consent_call": [False, None]}
    ).to_parquet(own)
    file.write_text("customer_id,consent_call,opt_out_email,consent_post\nA,yes,,no\nC,no,yes,no\n")
    assert known_people(own, file, CHANNELS) == {
        "A": Person(by_channel={"consent_email": True, "consent_call": True}),
        "B": Person(by_channel={"consent_email": False}),
        "C": Person(by_channel={"consent_call": False, "opt_out_email": True}),
    }
    assert read_people(file) == {"A": Person(), "C": Person()}
    file.write_text("customer_id,consent_call\nA,maybe\n")
    with pytest.raises(PeopleError, match="row 1: consent_call is neither yes nor no"):
        read_people(file, CHANNELS)


def test_a_channel_that_the_contract_seems_to_call_otherwise_stops_the_plan(tmp_path: Path) -> None:
    """Misspelt, it would forbid nobody anything. Others are channels that campaigns don't use."""
    own = tmp_path / "people.parquet"
    pd.DataFrame({"customer_id": ["A"], "consent_emial": [False]}).to_parquet(own)
    with pytest.raises(PeopleError, match="names 'emial': is it 'email'"):
        known_people(own, None, CHANNELS)
    pd.DataFrame({"customer_id": ["A"], "consent_post": [False]}).to_parquet(own)
    assert known_people(own, None, CHANNELS) == {"A": Person()}
