"""What `campaign_outcomes` must look like."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import pandera.pandas as pa

from churn_assets.domain.events import EVENT_KINDS
from churn_assets.domain.offers import OFFER_PERCENTAGES, Offers

TIME = pd.DatetimeTZDtype("us", "UTC")


def _moment(*, nullable: bool = True) -> pa.Column:
    return pa.Column(TIME, nullable=nullable, coerce=True)


PERCENT = "given_percentage"
OUTCOMES = pa.DataFrameSchema(
    {
        "time": _moment(nullable=False),
        "customer": pa.Column("int64", pa.Check.ge(0)),
        "group": pa.Column(str, pa.Check.isin(["treated", "control"]), nullable=True, coerce=False),
        "control_share": pa.Column(float, pa.Check.in_range(0, 0.5), nullable=True),
        "contact": pa.Column(bool),
        "offer_level": pa.Column("int8", pa.Check.in_range(0, 3)),
        "propensity": pa.Column(float, pa.Check.in_range(0, 1, include_min=False)),
        "exploration": pa.Column(float, pa.Check.in_range(0, 0.25), nullable=True),
        "preferred": pa.Column(float, pa.Check.in_range(0, 4), nullable=True, coerce=True),
        "runner_up": pa.Column(float, pa.Check.in_range(0, 4), nullable=True, coerce=True),
        "churn_risk": pa.Column(float, pa.Check.in_range(0, 1)),
        "customer_value": pa.Column(float, pa.Check.ge(0)),
        **{f"{kind}_at": _moment() for kind in EVENT_KINDS},
        "accepted": pa.Column(bool),
        "refused": pa.Column(bool),
        "churned": pa.Column(bool),
        PERCENT: pa.Column(float, pa.Check.isin(OFFER_PERCENTAGES)),
        "contact_cost": pa.Column(float, pa.Check.ge(0)),
        "spend": pa.Column(float, pa.Check.ge(0)),
        "known_at": _moment(nullable=False),
        "known": pa.Column(bool),
        "answers_from": _moment(nullable=False),
        "answers_known": pa.Column(bool),
    },
    checks=[
        pa.Check(
            lambda t: ~(t["accepted"] & t["refused"]), name="nobody accepts and refuses at once"
        ),
        pa.Check(
            lambda t: ~((t["group"] == "control") & t["contact"]),
            name="nobody of the control group is contacted",
        ),
    ],
)


def outcomes_of(offers: Iterable[Offers]) -> pa.DataFrameSchema:
    """OUTCOMES where some releases made offers of their own."""
    known = {*OFFER_PERCENTAGES, *(each for some in offers for each in some.percent)}
    given = pa.Column(float, pa.Check.isin(sorted(known)))
    return OUTCOMES.update_columns({PERCENT: {"checks": given.checks}})
