"""A plan's own contacts as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from churn_assets.campaign.planning.allocation import NONE, Allocation
from churn_assets.campaign.planning.exploring import Drawn
from churn_assets.campaign.planning.options import option_of
from churn_assets.campaign.planning.promises import CONTACTS
from churn_assets.campaign.spending import costs_of_percent

if TYPE_CHECKING:
    from churn_assets.campaign.planning.plan import Planner


def contacts_of(planner: Planner, found: Allocation, drawn: Drawn | None, plan_id: str) -> pa.Table:
    """What is planned beside promises, columns as in `CONTACTS`."""
    propensity = np.ones(len(planner.ids)) if drawn is None else drawn.propensity
    problem_rows = np.flatnonzero(found.choice != NONE)
    percent = costs_of_percent(planner.sources.table, planner.sources.assessor.months)
    rows: list[dict[str, Any]] = []
    for place, values, costs in planner.problem.parts(problem_rows):
        for i, row in enumerate(problem_rows[place].tolist()):
            choice = int(found.choice[row])
            day, channel, offer = option_of(choice, planner.channels)
            rows.append(
                {
                    "decision_id": f"{plan_id}:{planner.ids[row]}",
                    "customer_id": planner.ids[row],
                    "day": planner.days[day],
                    "channel": channel,
                    "offer_percentage": planner.sources.assessor.percent[offer],
                    "expected_value": float(values[i, choice]),
                    "expected_cost": float(costs[i, choice]),
                    "churn_risk": float(planner.options.risk[row]),
                    "accept_prob": float(planner.options.accept[row, offer]),
                    "promised": False,
                    "propensity": float(propensity[row]),
                    "cost_of_percent": float(percent[row]),
                }
            )
    return pa.Table.from_pylist(rows, schema=CONTACTS)
