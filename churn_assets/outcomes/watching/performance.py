"""How well the churn risk holds: once it is known who left, and before.

Customers who were left alone tell: a contact is meant to move the risk. (While they are too few,
all customers do, if more of them left than were to without any contact.) The control group was
drawn at random, so it speaks for everybody, and where there is one, nobody else is asked. Without
one of late the decisions not to contact stand in, which speaks for such as the policy leaves alone.
Of these it must not matter who was contacted later: who has left can't be, so those never contacted
are full of leavers, however right the risk is. Where many were, of a control group, too, nothing is
said: contacts have kept some of them. The last decisions tell, and of these each customer's first:
who is decided on every month has many, and only their last one can be followed by leaving, so a
customer's latest decision would overstate how many leave.

Before outcomes are known, calibrated scores say what to expect of themselves (confidence-based
performance estimation, as NannyML's CBPE): a customer with risk p leaves with probability p, so
the expected share of those who leave, and the expected AUC, follow from the scores alone. Nobody
has to be left alone for that, so everybody tells whom no contact had reached before the decision.
It holds as long as the scores are calibrated, so the report also says what the estimate was of
customers whose outcome has come true since.

The log has the risk of a period of the environment. It is held against outcomes as the risk of the
days in which leaving counts as one, and against the release's AUC as that of its label's days.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from churn_assets.decision.mdp.horizon import risk_of_a_period
from churn_assets.domain.statistics import Estimate, Floats, auc_error
from churn_assets.outcomes.first_contacts import first_of_a_period, may_be_made
from churn_assets.outcomes.watching.finding import Finding, State

FEWEST = 200
"""Customers below which nothing is said."""
FEWEST_LEFT = 20
"""Of them, so many must have left, and so many stayed."""
RATIO_WARN, RATIO_ERROR = 1.25, 2.0
"""Ratio of those who left to those expected, or its inverse, that is shown to be exceeded."""
AUC_LOSS = 0.05
"""Fall of the expected AUC that is worth a look."""
MOST_CONTACTED_SINCE = 0.1
"""Share of those left alone who may be contacted before their outcome is known: without a draw by
the next decision, of a control group while the experiment is off or once it is drawn anew."""
DRAWN_DAYS = 90
"""Of known outcomes; where none of them was drawn for, the control group is one of long ago."""
BINS = 10
DAYS = (30, 90, 365)
"""The last days whose decisions are judged: more of them only where fewer hold too few customers,
since what has changed since is to be seen."""


class Horizons(NamedTuple):
    """Days in which leaving counts.

    Attributes:
        logged: in the log's `churn_risk`: a period of the environment.
        outcome: in `churned`.
        label: in what the release's risk model learnt and was measured by.
    """

    logged: float = 30.0
    outcome: float = 30.0
    label: float = 30.0

    def risk(self, decisions: pd.DataFrame, days: float) -> Floats:
        """(N,) the logged risk as that of leaving within `days`, at a constant hazard."""
        return risk_of_a_period(decisions["churn_risk"].to_numpy(np.float64), self.logged, days)


ALIKE = Horizons()


class LeftAlone(NamedTuple):
    """Decisions to leave customers alone, whose outcomes tell of the risk.

    Attributes:
        known: a row a customer whose outcome is known; columns as `campaign_outcomes`.
        since: share of them who were contacted before it was.
    """

    known: pd.DataFrame
    since: float

    @property
    def tells(self) -> bool:
        return self.since <= MOST_CONTACTED_SINCE and _tells(self.known)


def left_alone(outcomes: pd.DataFrame, horizons: Horizons) -> LeftAlone:
    """The control group's last decisions where customers were drawn for one in the last
    `DRAWN_DAYS`, else the last decisions not to contact somebody whom no contact of the period had
    reached."""
    known = outcomes["known"].to_numpy(np.bool_)
    since = outcomes.loc[known, "time"].max() - pd.Timedelta(days=DRAWN_DAYS)
    if outcomes.loc[known & (outcomes["time"] > since), "group"].notna().any():
        alone = outcomes["group"] == "control"
    else:
        alone = ~outcomes["contact"] & first_of_a_period(outcomes, horizons.logged)
    found = lately(outcomes[known & alone], _tells)
    contacts = outcomes.loc[may_be_made(outcomes, horizons.logged), ["customer", "time"]]
    return LeftAlone(found, _contacted_since(found, contacts))


def _contacted_since(alone: pd.DataFrame, contacts: pd.DataFrame) -> float:
    both = contacts.merge(alone[["customer", "time", "known_at"]], "inner", "customer")
    within = (both["time_x"] > both["time_y"]) & (both["time_x"] <= both["known_at"])
    return float(both.loc[within, "customer"].nunique() / max(len(alone), 1))


def lately(decisions: pd.DataFrame, enough: Callable[[pd.DataFrame], bool]) -> pd.DataFrame:
    """Each customer's first decision of the last days: of as few of `DAYS` as have enough of them,
    and of the newest release alone where that has.

    Args:
        decisions: in order of time.
        enough: of a row a customer, whether they suffice.
    """
    found = decisions
    newest = decisions[decisions["release_id"].isin(decisions["release_id"].tail(1))]
    for part in (newest, decisions):
        for days in DAYS:
            since = part["time"].max() - pd.Timedelta(days=days)
            found = part[part["time"] > since].drop_duplicates("customer")
            if enough(found):
                return found
    return found


def release_of(decisions: pd.DataFrame) -> str | None:
    """The release that made them; None: there were several, or none."""
    releases = decisions["release_id"].unique()
    return str(releases[0]) if len(releases) == 1 else None


def came_true(outcomes: pd.DataFrame, horizons: Horizons = ALIKE) -> Finding:
    """The risk against who left, where that is known."""
    name = "risk_came_true"
    alone = left_alone(outcomes, horizons)
    known = alone.known
    risk, left = _risk_and_left(known, horizons)
    if not alone.tells and (found := _told_too_low(name, outcomes, horizons)) is not None:
        return found
    if alone.since > MOST_CONTACTED_SINCE:
        return Finding(
            name,
            "unknown",
            f"Whether the risk comes true isn't known: of those left alone {alone.since:.0%} were "
            "contacted before their outcome was known. A control group that nobody contacts tells.",
        )
    if not alone.tells:
        return Finding(
            name,
            "unknown",
            f"Whether the risk comes true isn't known yet: {len(known):,} customers who were left "
            f"alone have a known outcome, and {int(left.sum()):,} of them left; it takes {FEWEST} "
            f"of whom {FEWEST_LEFT} left and {FEWEST_LEFT} stayed.",
        )
    ratio, low, high = ratio_to_expected(risk, left)
    off = max(low, 1 / high) if high > 0 else np.inf  # how far from 1 the interval begins
    state: State = "error" if off > RATIO_ERROR else "warn" if off > RATIO_WARN else "ok"
    release = release_of(known)
    figures = {
        "release_id": release,
        "customers": len(known),
        "left": int(left.sum()),
        "expected": float(risk.sum()),
        "ratio": ratio,
        "ratio_lower": low,
        "ratio_upper": high,
        "ece": _calibration_error(risk, left),
        "curve": _curve(risk, left),
        **_auc_of(risk, left),
    }
    verdict = "came true" if state == "ok" else "did not come true"
    whose = f"of release {release} " if release else ""
    sentence = (
        f"The risk {whose}{verdict}: {int(left.sum()):,} of {len(known):,} customers left alone "
        f"have left, {risk.sum():,.0f} were expected ({low:.2f} to {high:.2f} times as many)."
    )
    return Finding(name, state, sentence, figures)


def _told_too_low(name: str, outcomes: pd.DataFrame, horizons: Horizons) -> Finding | None:
    """What is to be said where more of all customers have left than the risk said of them if nobody
    contacts them. A contact is meant to keep them, so that tells where those who were left alone
    don't: they are too few, or were contacted since. None where they are as many, or fewer."""
    everybody = lately(outcomes[outcomes["known"].to_numpy(np.bool_)], _tells)
    if not _tells(everybody):
        return None
    risk, left = _risk_and_left(everybody, horizons)
    ratio, low, high = ratio_to_expected(risk, left)
    if low <= RATIO_WARN:
        return None
    sentence = (
        f"The risk did not come true: {int(left.sum()):,} of {len(left):,} customers have left, "
        f"and {risk.sum():,.0f} were expected to if nobody had been contacted ({low:.2f} to "
        f"{high:.2f} times as many). It is told too low, or contacts drive them "
        "away; those who were left alone can't tell which yet."
    )
    figures = {
        "release_id": release_of(everybody),
        "everybody": len(left),
        "left": int(left.sum()),
        "expected": float(risk.sum()),
        "ratio": ratio,
        "ratio_lower": low,
        "ratio_upper": high,
    }
    return Finding(name, "error" if low > RATIO_ERROR else "warn", sentence, figures)


def expected_to_hold(
    outcomes: pd.DataFrame, reference_auc: float | None, horizons: Horizons = ALIKE
) -> Finding:
    """What the scores of customers whose outcome isn't known yet promise.

    Args:
        reference_auc: that the release measured out of fold; None: it isn't known.
    """
    name = "performance_is_expected_to_hold"
    fresh = first_of_a_period(outcomes, horizons.logged)
    open_ones = outcomes[~outcomes["known"].to_numpy(np.bool_) & fresh]
    waiting = lately(open_ones, lambda first: len(first) >= FEWEST)
    if len(waiting) < FEWEST:
        return Finding(
            name,
            "unknown",
            f"Nothing to expect yet: {len(waiting):,} customers whom no contact had reached before "
            f"wait for their outcome; {FEWEST} are needed.",
        )
    auc = expected_auc(horizons.risk(waiting, horizons.label))
    leaving = float(horizons.risk(waiting, horizons.outcome).mean())
    figures: dict[str, Any] = {
        "customers": len(waiting),
        "expected_auc": auc,
        "expected_share_leaving": leaving,
        "reference_auc": reference_auc,
        "checked": _checked(left_alone(outcomes, horizons), horizons),
    }
    fallen = reference_auc is not None and auc < reference_auc - AUC_LOSS
    against = "" if reference_auc is None else f" ({reference_auc:.2f} when it was released)"
    sentence = (
        f"Of {len(waiting):,} customers whose outcome isn't known yet {leaving:.1%} are expected "
        f"to leave within {horizons.outcome:.0f} days if nobody contacts them; the scores promise "
        f"an AUC of {auc:.2f}{against}."
    )
    return Finding(name, "warn" if fallen else "ok", sentence, figures)


def expected_auc(risk: Floats) -> float:
    """The AUC that calibrated scores (N,) promise of themselves: P(score of one who leaves is above
    that of one who stays), counting ties half, over all pairs weighted by p (1 − p')."""
    place = np.unique(risk, return_inverse=True)[1]
    leaves = np.bincount(place, weights=risk)
    stays = np.bincount(place, weights=1 - risk)
    below = np.concatenate([[0.0], np.cumsum(stays)[:-1]])
    own = float((risk * (1 - risk)).sum())  # a customer is no pair with themselves
    pairs = float(leaves.sum() * stays.sum()) - own
    right = float((leaves * (below + stays / 2)).sum()) - own / 2
    return right / pairs if pairs > 0 else 0.5


def _tells(known: pd.DataFrame) -> bool:
    """Whether so many left and so many stayed that a risk can be held against it."""
    left = int(known["churned"].sum())
    return len(known) >= FEWEST and min(left, len(known) - left) >= FEWEST_LEFT


def _risk_and_left(known: pd.DataFrame, horizons: Horizons) -> tuple[Floats, Floats]:
    """(N,) the risk of an outcome, and whether it came true, as numbers."""
    return horizons.risk(known, horizons.outcome), known["churned"].to_numpy(np.float64)


def _checked(alone: LeftAlone, horizons: Horizons) -> dict[str, Any] | None:
    """What the estimate was, and what came true, where the outcome is known by now."""
    if not alone.tells:
        return None
    risk, left = _risk_and_left(alone.known, horizons)
    true = _auc_of(risk, left)
    estimate = expected_auc(risk)
    return {
        "customers": len(alone.known),
        "estimated_auc": estimate,
        **true,
        "estimated_share_leaving": float(risk.mean()),
        "share_left": float(left.mean()),
        "held": true["auc_lower"] <= estimate <= true["auc_upper"],
    }


def ratio_to_expected(told: Floats, came: Floats) -> tuple[float, float, float]:
    """Of how many it came true (0/1) over how many were told to (probabilities), with its exact
    95 % Poisson interval."""
    count, expected = float(came.sum()), float(told.sum())
    low = float(special.gammaincinv(count, 0.025)) if count else 0.0
    high = float(special.gammaincinv(count + 1, 0.975))
    return count / expected, low / expected, high / expected


def _auc_of(risk: Floats, left: Floats) -> dict[str, float]:
    """The AUC with its 95 % interval (Hanley and McNeil 1982)."""
    # Imported here: nothing else that watches needs scikit-learn, which takes a second to load.
    from sklearn.metrics import roc_auc_score

    auc = float(roc_auc_score(left, risk))
    ones, zeros = left.sum(), (1 - left).sum()
    return Estimate.normal(auc, auc_error(auc, ones, zeros)).as_dict("auc")


def _parts(risk: Floats) -> list[np.ndarray]:
    """Places of as many customers by rising risk, in `BINS` groups."""
    return [part for part in np.array_split(np.argsort(risk, kind="stable"), BINS) if len(part)]


def _calibration_error(risk: Floats, left: Floats) -> float:
    """Expected calibration error over groups of as many customers each."""
    gaps = [abs(risk[part].mean() - left[part].mean()) * len(part) for part in _parts(risk)]
    return float(sum(gaps) / len(risk))


def _curve(risk: Floats, left: Floats) -> list[dict[str, float]]:
    return [
        {
            "expected": float(risk[part].mean()),
            "left": float(left[part].mean()),
            "customers": len(part),
        }
        for part in _parts(risk)
    ]
