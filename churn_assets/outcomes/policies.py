"""The policies that there are, judged on the decisions of the one that serves.

A customer counts once: the policy's first decision about them whose outcome is known, whatever
other releases decided before, with all that was decided and spent within its horizon: the outcome
is of that (`following`). Looks, before a draw's first plan (`drawn`) or later (`first_contacts`),
are no decisions that anybody acted upon. The log has what the serving policy preferred and its
runner-up, so the probability of *every* action is known: those two for the treated, no contact for
the control group. In a log of before these were in it, what it prefers is computed again from its
release. Rows that don't agree with it (the kill switch was on, an offer of nothing was taken back)
are left out and counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_assets.decision.mdp.actions import Policy
from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.statistics import Floats
from churn_assets.outcomes.drawn import acted_upon
from churn_assets.outcomes.first_contacts import only_looked
from churn_assets.outcomes.following import Courses, followed, spent_within
from churn_assets.outcomes.off_policy import Log, UnsupportedTargetError, evaluate, fitted_rewards
from churn_assets.outcomes.worth import PLAIN, Worth

OPTIONS = OFFER_LEVELS + 1
"""Not contacting, then the offers."""
LOOKED = "they were only looked at: nobody was contacted"
PLANNED = "a campaign's plan decided, which shares out money and places among all: no policy did"
RULES = "the kill switch's rules decided"
OTHER_RELEASE = "another release decided"
OTHERWISE = "what was done isn't what the policy does"


def options_of(policy: Policy, states: Floats) -> NDArray[np.int64]:
    """(N,) what a policy does: 0 no contact, 1..4 the offers.

    Raises:
        UnsupportedTargetError: it is no policy that prefers one thing, so its choice alone doesn't
            tell its probabilities.
    """
    decisions = policy.decide(states)
    if (decisions.probability < 1).any():
        raise UnsupportedTargetError(f"{policy.name}: it explores; only its choices are known")
    return decisions.option


def judge_policies(
    table: pd.DataFrame,
    serving: Policy,
    others: Mapping[str, Policy],
    release_id: str,
    worth: Worth = PLAIN,
) -> dict[str, Any]:
    """Net gain per customer (value kept minus discounts) of each policy, by every estimator.

    Args:
        table: `campaign_outcomes`.
        serving: the policy of the release that made the decisions.
        others: name -> policy to judge beside it.
        release_id: of that release; decisions of others are left out.
        worth: how leaving counts.

    Returns:
        `policies`: name -> estimates and effective sample size, or why it is refused; `decisions`
        and `left_out`, how many there were; `why_left_out`, reason -> how many.
    """
    known = int(table.loc[table["known"], "customer"].nunique())
    logged = logged_by(table, serving, release_id, worth)
    counted, acted = 0 if logged is None else len(logged.log), _acted_upon(table, worth)
    why = _why_left_out(table, acted.index, release_id, counted)
    if logged is None:
        return {"policies": {}, "decisions": 0, "left_out": known, "why_left_out": why}
    expected, count = fitted_rewards(logged.log, logged.states), len(logged.log)
    judged = {
        name: _judged(name, policy, logged, expected)
        for name, policy in {"champion": serving, **others}.items()
    }
    left_out = known - count
    return {"policies": judged, "decisions": count, "left_out": left_out, "why_left_out": why}


class Logged(NamedTuple):
    """What a release's policy decided about N customers, and what came of it.

    Attributes:
        log: the first decision about each, with the gain of its whole horizon.
        states: (N, 9) what it saw.
        courses: of all M decisions within the horizons.
        seen: (M, 9) what the policy saw at each.
    """

    log: Log
    states: Floats
    courses: Courses
    seen: Floats

    def weights(self, name: str, policy: Policy) -> Floats:
        """(N,) by which each customer tells of a policy.

        Raises:
            UnsupportedTargetError: as in `Courses.weights`.
        """
        return self.courses.weights(name, options_of(policy, self.seen))


def logged_by(
    table: pd.DataFrame, serving: Policy, release_id: str, worth: Worth = PLAIN
) -> Logged | None:
    """The decisions of a release's policy with known outcomes; None where there are none that it
    would have made. Arguments as in `judge_policies`."""
    acted = _acted_upon(table, worth)
    own = _of_the_policy(acted, release_id)
    first = acted[own & acted["known"]].drop_duplicates("customer")
    if first.empty:
        return None
    rows, by_others = followed(acted, first, own)
    seen = np.array(rows["observation"].tolist(), np.float64)
    done = np.where(rows["contact"], rows["offer_level"].to_numpy(np.int64) + 1, 0)
    treated = _probabilities(rows, options_of(serving, seen))
    share = first["control_share"].fillna(0.0).to_numpy(np.float64)
    courses = Courses(rows["place"].to_numpy(np.int64), done, treated, share, by_others)
    gains = worth.kept(first) - spent_within(table, first)
    if not (sound := courses.chances > 0).any():
        return None
    begins = ~rows["place"].duplicated().to_numpy()
    propensities = (1 - share)[:, None] * treated[begins]
    propensities[:, 0] += share
    log = Log(done[begins][sound], gains[sound], propensities[sound])
    kept = sound[courses.customer]
    return Logged(log, seen[begins][sound], courses.of(sound), seen[kept])


def _acted_upon(table: pd.DataFrame, worth: Worth) -> pd.DataFrame:
    """The decisions that were no looks."""
    acted = acted_upon(table)
    return acted[~only_looked(acted, worth.world.period_days)]


def _of_the_policy(table: pd.DataFrame, release_id: str) -> pd.Series[bool]:
    """Which decisions a release's policy made."""
    return (
        (table["release_id"] == release_id)
        & ~table["baseline"].astype(bool)
        & (table["source"] != "campaign")  # an allocation under common limits, not the policy
    )


def _why_left_out(
    table: pd.DataFrame, acted: pd.Index, release_id: str, counted: int
) -> dict[str, int]:
    """Reason -> of how many customers no decision counts; the first that holds for one of theirs.

    Args:
        acted: which rows were no looks.
        counted: customers of whom one does.
    """
    known = table[table["known"]]
    looked = pd.Series(~known.index.isin(acted), known.index)
    own = _of_the_policy(known, release_id)
    mine = known.loc[own & ~looked, "customer"].unique()
    rest = known[~known["customer"].isin(mine)]
    found = {}
    for reason, holds in (
        (PLANNED, rest["source"] == "campaign"),
        (LOOKED, own & looked),
        (RULES, rest["baseline"].astype(bool)),
        (OTHER_RELEASE, pd.Series(data=True, index=rest.index)),
    ):
        whose = rest.loc[holds.reindex(rest.index), "customer"].unique()
        found[reason] = len(whose)
        rest = rest[~rest["customer"].isin(whose)]
    found[OTHERWISE] = len(mine) - counted
    return {reason: count for reason, count in found.items() if count}


def _probabilities(rows: pd.DataFrame, chosen: NDArray[np.int64]) -> Floats:
    """(M, A) of each option for the treated.

    Args:
        chosen: (M,) what the policy prefers, where the log doesn't say it.
    """
    drawn = rows.reindex(columns=["preferred", "runner_up", "exploration"]).astype(np.float64)
    preferred = drawn["preferred"].fillna(pd.Series(chosen, rows.index)).to_numpy(np.int64)
    tried = drawn["exploration"].where(drawn["runner_up"].notna(), 0.0).fillna(0.0).to_numpy()
    other = drawn["runner_up"].fillna(0).to_numpy(np.int64)
    treated: Floats = (1 - tried)[:, None] * np.eye(OPTIONS)[preferred]
    treated += tried[:, None] * np.eye(OPTIONS)[other]
    return treated


def _judged(name: str, policy: Policy, logged: Logged, expected: Floats) -> dict[str, Any]:
    try:
        target = np.eye(OPTIONS)[options_of(policy, logged.states)]
        weights = logged.weights(name, policy)
        found = evaluate(name, logged.log, target, expected, weights)
    except UnsupportedTargetError as error:
        return {"refused": str(error)}
    direct, *others = found.estimates.items()
    estimates = {direct[0]: direct[1].value}  # it has no interval
    for estimator, estimate in others:
        estimates |= estimate.as_dict(estimator)
    return {"effective": found.effective, **estimates}


def as_table(judged: Mapping[str, Mapping[str, Any]]) -> str:
    """The policies of `judge_policies` as markdown for people: by the estimate that is the most
    exact of those that hold, doubly robust with shrunk weights."""
    lines = ["| policy | kept a customer | 95 % | decisions that tell | |", "|---|---|---|---|---|"]
    for name, found in judged.items():
        if refused := found.get("refused"):
            lines.append(f"| {name} | – | – | – | {refused} |")
            continue
        low, high = found["dr_shrunk_lower"], found["dr_shrunk_upper"]
        lines.append(
            f"| {name} | {found['dr_shrunk']:,.2f} | {low:,.2f} to {high:,.2f} "
            f"| {found['effective']:,.0f} | |"
        )
    return "\n".join(lines)
