"""What the bank's contacts say of a company's own customers, and what they don't."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from churn_assets.predictors.scoring.scorers import AcceptScorer
from tests.customers.own_company import make_company

HISTORIES = (
    {"previous_contacts": None, "previous_outcome": None},
    {"previous_contacts": 2, "previous_outcome": "failure"},
    {"previous_contacts": 1, "previous_outcome": "success"},
)


def test_what_came_of_earlier_contacts_elsewhere_says_nothing_here(tmp_path: Path) -> None:
    """Who was contacted without an answer passed for twice as likely to accept the next offer: the
    bank chose whom to contact again, and when."""
    company = make_company(tmp_path, rows=400)
    scorer = AcceptScorer.load(company.root / "accept")
    assert scorer.of_others
    rows = [{"monthly_charges": 50.0, "partner": True, **history} for history in HISTORIES]
    new, *others = scorer.start_matrix(rows)
    for other in others:
        np.testing.assert_array_equal(new, other)
    assert len(np.unique(scorer.predict(rows), axis=0)) > 1  # which the bank's do tell of its own
