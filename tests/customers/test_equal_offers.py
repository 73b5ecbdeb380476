"""A company whose customers accept two of its offers equally often: nothing is wrong with it."""

from __future__ import annotations

import random
from pathlib import Path

from checks.decision import acceptance_rises_with_the_offer
from churn_assets.domain.splits import SPLITS
from tests.customers.conftest import Rows, as_csv, made_rows
from tests.customers.own_company import company_of
from tests.customers.test_own_offers import OWN
from tests.decision.test_stages import outcome

WORDS = ("none", "a tenth", "a bit", "a third")
RATES = (0.15, 0.35, 0.30, 0.50)
"""15 % is accepted no more often than 10 %, in this log rather less."""


def log_rows(count: int = 1_000) -> Rows:
    draw = random.Random(5)
    rows = []
    for row in made_rows(count, 5):
        level = draw.randrange(4)
        rows.append(
            {name: row[name] for name in ("Plan", "Months", "Paperless")}
            | {"Rebate": WORDS[level], "Clerk": "1"}
            | {"Said": "yes" if draw.random() < RATES[level] else ""}
        )
    return rows


def test_two_offers_that_are_accepted_alike_stop_no_graph(tmp_path: Path) -> None:
    """The model holds that acceptance never falls in the offer, and so takes the two together; the
    check asked for a rise, and stopped the whole graph."""
    (tmp_path / "history.csv").write_text(as_csv(made_rows(500)), encoding="utf-8")
    (tmp_path / "log.csv").write_text(as_csv(log_rows()), encoding="utf-8")
    (tmp_path / "customers.yaml").write_text(OWN, encoding="utf-8")
    company = company_of(tmp_path / "customers.yaml", tmp_path)
    world = company.reports["world"]
    assert world["responses_observed"] is True
    for split in SPLITS:
        none, tenth, bit, third = world[split]["mean_accept"]
        assert none < tenth == bit < third
    assert outcome(acceptance_rises_with_the_offer, world)
