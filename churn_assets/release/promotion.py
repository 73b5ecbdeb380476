"""Champion and challenger: a new release replaces the serving one unless it is worse.

The rule, in this order:

1. No champion: the challenger is promoted (it has passed every blocking check to exist at all).
2. Contract: figures of another company's customers can't be compared, so that a challenger of
   another contract is promoted. Not one of the built-in customers where a company's are served:
   whoever forgets to name the contract would put a demonstration in their place.
3. Data: a challenger trained on synthetic data never replaces a champion trained on real data; the
   other way round it always does, since figures on different populations can't be compared.
4. Each figure in `RULES` that both releases have may fall short of the champion's by at most its
   tolerance (about one standard error of the figure on held-out data, so that a re-run on the same
   data is not refused for noise). One figure beyond its tolerance refuses the challenger.
5. A figure that the champion has and the challenger lacks refuses it too: what is no longer
   measured can't be shown to be no worse.
6. Where enough decisions of the champion have a known outcome: the challenger's policy must not be
   shown to bring less than the champion's on them (doubly robust, 95 %).
7. Figures of a component for which the safe fall-back stands in are not compared: that the
   champion's own could not stand in again is what made it necessary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churn_assets.release.bundle import Comparison, Component, Manifest, contract_of
from churn_assets.storage.protocol import ArtifactStore

Figure = Mapping[str, Any]
"""A row of the comparison: `figure`, `champion`, `challenger`, `tolerance`, `worse`."""

BUILT_IN = (
    "of the built-in customers, and those of {} are served: CHURN_CUSTOMERS names no contract here "
    "(`churn promote ID` serves it all the same)"
)
"""Why a release of the built-in contract doesn't replace a company's own."""

OnOutcomes = Callable[[ArtifactStore, Path, Path], Figure | None]
"""Compares two releases, champion first, on what really happened; None where that can't tell."""


@dataclass(frozen=True)
class Rule:
    """One compared figure: its place in the report, which way is better, what counts as noise."""

    path: str
    higher_is_better: bool
    tolerance: float


RULES = (
    Rule("risk.auc_oof", higher_is_better=True, tolerance=0.005),
    Rule("risk.ece_oof", higher_is_better=False, tolerance=0.005),
    Rule("accept.auc", higher_is_better=True, tolerance=0.005),
    Rule("accept.ece", higher_is_better=False, tolerance=0.005),
    Rule("policy.served_uplift", higher_is_better=True, tolerance=0.01),
    Rule("messages.served_pass_rate", higher_is_better=True, tolerance=0.0),
    Rule("messages.rm_accuracy", higher_is_better=True, tolerance=0.01),
)


def compare(
    champion: Manifest | None,
    report: Mapping[str, Any],
    data: Mapping[str, Any],
    components: Mapping[str, Component] | None = None,
    outcomes: Figure | None = None,
) -> Comparison:
    """Decide whether a challenger with this report and this data replaces the champion.

    Args:
        outcomes: the row of rule 6; None where the log of outcomes can't tell.
    """
    if champion is None:
        return Comparison(champion=None, promoted=True, reason="the first release")
    own, served = contract_of(data), champion.contract
    if own != served:
        reason = f"customers of another contract: {own}" if own else BUILT_IN.format(served)
        return Comparison(champion=champion.release_id, promoted=bool(own), reason=reason)
    was_real, is_real = _all_real(champion.data), _all_real(data)
    if was_real != is_real:
        reason = "real data replaces synthetic" if is_real else "synthetic data never replaces real"
        return Comparison(champion=champion.release_id, promoted=is_real, reason=reason)
    fallen = {name for name, c in (components or {}).items() if c.source == "fallback"}
    rules = [rule for rule in RULES if rule.path.partition(".")[0] not in fallen]
    figures = [figure for rule in rules if (figure := _figure(rule, champion.report, report))]
    figures += [dict(outcomes)] if outcomes else []
    worse = [figure["figure"] for figure in figures if figure["worse"]]
    return Comparison(
        champion=champion.release_id,
        promoted=not worse,
        reason=f"worse in {', '.join(worse)}" if worse else "no compared figure is worse",
        figures=figures,
    )


def _figure(
    rule: Rule, champion: Mapping[str, Any], challenger: Mapping[str, Any]
) -> dict[str, Any]:
    """One row of the comparison; empty where the champion never had the figure."""
    old, new = _look_up(champion, rule.path), _look_up(challenger, rule.path)
    if old is None:
        return {}
    loss = None if new is None else (old - new if rule.higher_is_better else new - old)
    worse = loss is None or loss > rule.tolerance
    return {
        "figure": rule.path,
        "champion": old,
        "challenger": new,
        "tolerance": rule.tolerance,
        "worse": worse,
    }


def _look_up(report: Mapping[str, Any], path: str) -> float | None:
    value: Any = report
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return None if value is None else float(value)


def same_kind_of_data(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both releases' data are all real, or neither's."""
    return _all_real(one) == _all_real(other)


def _all_real(data: Mapping[str, Any]) -> bool:
    return all(dataset["source"] != "synthetic" for dataset in data.values())
