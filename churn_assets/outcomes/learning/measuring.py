"""What decisions and outcomes say in place of assumptions: which rows may speak, and of what.

| question | rows |
|---|---|
| acceptance of each offer | first contacts of a period, outcome known; those sent, if reported |
| effect and annoyance | each customer's first decision of a draw: contacted, or control group |

Who looked before the first plan (`drawn`) contacted nobody: looks are left out of both. Nor did who
looked later, or without a draw (`first_contacts.looks`): that is no contact of either kind. A
source that only looked begins nobody's draw, in either group: who is asked about isn't like others,
and whoever a plan decided on later counts by that.

Of the control group those tell whom the policy would have contacted. A plan doesn't say whom it
would have, so all of its control group do, and value and acceptance are adjusted for (`effects`).

Whether a contact is the first, and which one of several that were asked for was made, is told by
`first_contacts`.

Of a contact that was reported as never made nobody could accept anything: acceptance isn't learnt
from it. Effect and annoyance compare who was to be contacted, so there it stays; but nobody was
contacted again by it, nor by a look.

Acceptance is measured against the accept model without earlier corrections: what a release decided
with is taken out of what it logged (`Releases`). Rows of a release whose corrections or assumption
aren't known any more, or are others, are left out, and so are those where a correction would have
had a larger offer accepted less often, which hides what the model itself said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.mdp.observation import ACCEPT
from churn_assets.domain.measured import FROM_A_LOG, Measured
from churn_assets.domain.offers import OFFER_LEVELS
from churn_assets.domain.statistics import Floats, logit, sigmoid
from churn_assets.domain.value import MONTHS_OF_VALUE
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.drawn import acted_upon
from churn_assets.outcomes.first_contacts import (
    counts_as_made,
    first_of_a_period,
    may_be_made,
    once_asked,
    only_looked,
)
from churn_assets.outcomes.learning.effects import Churn, fitted_effects
from churn_assets.outcomes.learning.response import Responses, fitted_response
from churn_assets.outcomes.reached import answers_known, reached_at
from churn_assets.outcomes.watching.conduct import propensities_hold
from churn_assets.predictors.scoring.corrected import Correction, about, raised

Releases = Mapping[str, Mapping[str, Any]]
"""Release id -> `responses`, what its accept model assumes, and `offsets`, `slopes` and `steps`,
which it corrected that by."""
RESPONSES, EFFECTS = "acceptance of the offers", "effect and annoyance of a contact"
BENDS = "acceptance by risk and bill beyond straight lines"
SIMULATED = "SEMI-SYNTHETIC"
MOST_CONTACTED_SINCE = 0.1
LEAST_VALUE = 1.0
"""In currency: who pays nothing has no logarithm."""
ANSWER_DAYS = OutcomesConfig().answer_days


def measure(
    outcomes: pd.DataFrame,
    releases: Releases,
    assumed: EnvironmentParams,
    learn_from: int | None,
    trees_from: int | None = None,
    horizon_days: float | None = None,
    answer_days: int = ANSWER_DAYS,
) -> Measured:
    """What is measured by now.

    Args:
        outcomes: `campaign_outcomes`.
        assumed: the world that the policy is made for, before any outcome.
        learn_from: fewest outcomes that anything is learnt from; None: nothing is.
        trees_from: fewest answers to offers that trees learn from; None: none do.
        horizon_days: within which leaving counts as an outcome; None: a period of the world.
        answer_days: within which what was asked for again, and not reported, is one contact.
    """
    known = outcomes[outcomes["known"]]
    if learn_from is None or len(known) < learn_from:
        why = "learning is switched off" if learn_from is None else _few(learn_from)
        return Measured(learnt=0, why_not={RESPONSES: why, EFFECTS: why})
    held = propensities_hold(outcomes)
    if held.state == "error":
        return Measured(learnt=0, why_not={RESPONSES: held.sentence, EFFECTS: held.sentence})
    learnt = int(learnable(outcomes, releases, assumed, learn_from, answer_days).sum())
    outcomes = acted_upon(outcomes)
    whole = Measured(outcomes=len(known), learnt=learnt)
    answered = _that_answered(outcomes, releases, assumed, learn_from, answer_days)
    whole = _with_responses(whole, answered, releases, trees_from)
    periods = 1.0 if horizon_days is None else horizon_days / assumed.period_days
    return _with_effects(whole, outcomes, releases, assumed, learn_from, periods)


def learnable(
    outcomes: pd.DataFrame,
    releases: Releases,
    assumed: EnvironmentParams,
    learn_from: int,
    answer_days: int = ANSWER_DAYS,
) -> pd.Series[bool]:
    """Which outcomes `measure` learns anything from, at its arguments."""
    acted = acted_upon(outcomes)
    answered, _, none_told = _that_answered(acted, releases, assumed, learn_from, answer_days)
    compared, none_compared = _treated_and_alone(acted, assumed, learn_from)
    speaks = pd.Series(data=False, index=outcomes.index)
    if not none_told:
        speaks.loc[answered.index[_own_log_odds(answered, releases)[1]]] = True
    if not none_compared:
        speaks.loc[compared.index] = True
    return speaks


def _few(needed: int) -> str:
    """The same words as long as nothing changes: another number would train everything again."""
    return f"fewer than {needed:,} outcomes are known"


def _with_responses(
    measured: Measured,
    answered: tuple[pd.DataFrame, str, str],
    releases: Releases,
    trees_from: int | None,
) -> Measured:
    """With acceptance, learnt from what `_that_answered` has found."""
    mine, responses, why = answered
    if why:
        return _assumed(measured, RESPONSES, why)
    own, told = _own_log_odds(mine, releases)
    accepted = mine["accepted"].to_numpy(bool)[told]
    answers = Responses(_levels(mine)[told], own[told], _about(mine)[told], accepted)
    found = fitted_response(answers)
    measured = measured.model_copy(update={"responses": responses, **found._asdict()})
    if trees_from is None or len(accepted) < trees_from:
        why = "learning by trees is switched off" if trees_from is None else _few(trees_from)
        return _assumed(measured, BENDS, why)
    # Imported here: XGBoost is slow to load, and it takes thousands of answers to come so far.
    from churn_assets.outcomes.learning.bends import shown_steps

    steps = shown_steps(answers, mine["customer"].to_numpy(np.int64)[told])
    if steps is None:
        return _assumed(measured, BENDS, "trees weren't shown to tell answers better")
    return measured.model_copy(update={"steps": steps})


def _with_effects(
    measured: Measured,
    outcomes: pd.DataFrame,
    releases: Releases,
    assumed: EnvironmentParams,
    learn_from: int,
    periods: float,
) -> Measured:
    rows, why = _treated_and_alone(outcomes, assumed, learn_from)
    if why:
        return _assumed(measured, EFFECTS, why)
    churn = Churn(
        contacted=rows["contact"].to_numpy(bool),
        logit=logit(rows["churn_risk"].to_numpy(np.float64)),
        accept=_accept(rows, measured, releases),
        strength=np.where(rows["offer_level"] > 0, 1.0, assumed.bare_share),
        churned=rows["churned"].to_numpy(bool),
        periods=periods,
        about=_chosen_by(rows),
    )
    effect, annoyance = fitted_effects(churn, assumed)
    return measured.model_copy(update={"acceptance_effect": effect, "annoyance_effect": annoyance})


def _that_answered(
    outcomes: pd.DataFrame,
    releases: Releases,
    assumed: EnvironmentParams,
    learn_from: int,
    answer_days: int,
) -> tuple[pd.DataFrame, str, str]:
    """Contacts that may speak of the offers' acceptance, the assumption that they are held against,
    and why nothing is learnt from them; empty where something is."""
    first = first_of_a_period(outcomes, assumed.period_days)
    contacts = outcomes[counts_as_made(outcomes, assumed.period_days) & first]
    told, reported = answers_known(contacts), reached_at(contacts).notna().any()
    contacts = contacts[told] if reported else once_asked(contacts, told, answer_days)
    responses, why = _assumption(contacts, releases), ""
    mine = contacts[
        [_responses_of(release, releases) == responses for release in contacts["release_id"]]
    ]
    if not responses:
        why = "no release that decided is known any more"
    elif not responses.startswith(SIMULATED):
        why = FROM_A_LOG
    elif len(mine) < learn_from:
        why = _few(learn_from)
    return mine, responses, why


def _treated_and_alone(
    outcomes: pd.DataFrame, assumed: EnvironmentParams, learn_from: int
) -> tuple[pd.DataFrame, str]:
    """The control group and who was contacted, and why nothing is learnt from them; empty where
    something is."""
    only_seen = only_looked(outcomes, assumed.period_days)
    drawn = outcomes[outcomes["group"].notna() & ~only_seen]
    first = drawn.drop_duplicates("customer")
    fresh = first_of_a_period(outcomes, assumed.period_days)
    first = first[first["known"] & fresh[first.index]]
    made = outcomes[may_be_made(outcomes, assumed.period_days)]
    control = first[first["group"] == "control"]
    if "preferred" in first:  # whom the policy would have contacted; of a plan nobody knows it
        control = control[control["preferred"].isna() | (control["preferred"] > 0)]
    contacted, why = first[first["contact"]], ""  # made or not: they were to be contacted
    if assumed.effect_share != 1:
        why = "outcomes don't tell for which acceptances it works, as the settings assume"
    elif min(len(control), len(contacted)) < learn_from:
        why = f"fewer than {learn_from:,} customers contacted, or like them left alone"
    elif (again := _contacted_since(contacted, made)) > MOST_CONTACTED_SINCE:
        why = f"{again:.0%} were contacted again before their outcome was known, so it isn't one's"
    elif (since := _contacted_since(control, made)) > MOST_CONTACTED_SINCE:
        why = f"{since:.0%} of the control group were contacted before their outcome was known"
    return pd.concat([control, contacted]), why


def _assumed(measured: Measured, what: str, why: str) -> Measured:
    return measured.model_copy(update={"why_not": measured.why_not | {what: why}})


def _levels(rows: pd.DataFrame) -> NDArray[np.int64]:
    return rows["offer_level"].to_numpy(np.int64)


def _about(rows: pd.DataFrame) -> Floats:
    bills = rows["customer_value"].to_numpy(np.float64) / MONTHS_OF_VALUE
    return about(rows["churn_risk"].to_numpy(np.float64), bills)


def _chosen_by(rows: pd.DataFrame) -> Floats:
    """(N, 2) what a contact is chosen by besides the risk, standardised: the logarithm of the
    customer's value, and the log-odds of acceptance, the mean of all offers."""
    value = np.log(np.maximum(rows["customer_value"].to_numpy(np.float64), LEAST_VALUE))
    both = np.column_stack([value, logit(_seen(rows)).mean(axis=1)])
    scale = both.std(axis=0)
    standard: Floats = (both - both.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    return standard


def _seen(rows: pd.DataFrame) -> Floats:
    """(N, 4) P(accept) of every offer, as the release saw it."""
    seen = [each[ACCEPT] for each in rows["observation"]]
    return np.array(seen, np.float64).reshape(len(rows), OFFER_LEVELS)


def _responses_of(release: str, releases: Releases) -> str:
    return str(releases[release]["responses"]) if release in releases else ""


def _assumption(contacts: pd.DataFrame, releases: Releases) -> str:
    """The assumption of the newest release that decided and is known; empty where none is."""
    for release in reversed(contacts["release_id"].drop_duplicates(keep="last").tolist()):
        if found := _responses_of(release, releases):
            return found
    return ""


def _own_log_odds(rows: pd.DataFrame, releases: Releases) -> tuple[Floats, NDArray[np.bool_]]:
    """(N,) the accept model's own log-odds of the offer made, and which of them can be told: of the
    others they are as the release saw them."""
    seen, level, known = _seen(rows), _levels(rows), _about(rows)
    scores = logit(seen[np.arange(len(rows)), level])
    told = np.ones(len(rows), np.bool_)
    for release in rows["release_id"].unique():
        correction = Correction.of(releases.get(release, {}))
        if correction is None:
            continue
        its = (rows["release_id"] == release).to_numpy()
        told[its] = ~raised(seen[its], level[its])
        its &= told
        scores[its] = correction.taken_out(scores[its], level[its], known[its])
    return scores, told


def _accept(rows: pd.DataFrame, measured: Measured, releases: Releases) -> Floats:
    """(N,) P(accept) of the offer made, as it is measured now."""
    scores, told = _own_log_odds(rows, releases)
    correction, level = Correction.measured(measured), _levels(rows)
    if correction is not None:
        scores = np.where(told, correction.moved_at(level, scores, _about(rows)), scores)
    return sigmoid(scores)


def _contacted_since(first: pd.DataFrame, contacts: pd.DataFrame) -> float:
    """Share of customers, a row each, with a contact on a later day before their outcome was known:
    with whatever draw, or none while the experiment was off."""
    known_at = first.set_index("customer")["known_at"]
    began = first.set_index("customer")["time"].dt.floor("D")
    later = contacts[contacts["customer"].isin(known_at.index)]
    within = later["time"].dt.floor("D") > began.reindex(later["customer"]).to_numpy()
    within &= later["time"] <= known_at.reindex(later["customer"]).to_numpy()
    return later.loc[within, "customer"].nunique() / len(first)
