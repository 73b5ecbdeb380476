"""Champion and challenger: a new release replaces the serving one unless it is worse.

The rule, in this order:

1. No champion: the challenger is promoted (it has passed every blocking check to exist at all).
2. Contract: figures of another company's customers can't be compared, so that a challenger of
   another contract is promoted. Not one of the built-in customers where a company's are served:
   whoever forgets to name the contract would put a demonstration in their place.
3. Data: a challenger trained on synthetic data never replaces a champion trained on real data; the
   other way round it always does, since figures on different populations can't be compared.
4. Each figure in `RULES` that both releases have may fall short of the champion's by at most its
   tolerance: what a re-run on the same data moves it by. One figure beyond it refuses the
   challenger. Where the two are of other rows (next quarter's table, a longer log), they differ by
   the rows' chance, too, and a harder year's are lower for every model: there a figure is worse
   where its loss exceeds the tolerance by more than 1.96 standard errors of the difference, and
   calibration errors are compared beyond what exact probabilities of as many rows show.
   Figures of a risk that was learnt from other fields than the challenger's contract has aren't
   compared: the champion can't score the tables any more, and what left the contract may have
   left because it leaked, which had made those figures look good.
5. A figure that the champion has and the challenger lacks refuses it too: what is no longer
   measured can't be shown to be no worse.
6. Where enough decisions of the champion have a known outcome: the challenger's policy must not be
   shown to bring less than the champion's on them (doubly robust, 95 %).
7. Figures of a component for which the safe fall-back stands in are not compared: that the
   champion's own could not stand in again is what made it necessary.

None of them asks whether the challenger contacts anybody: captured uplift is a share of the optimum
of its own world, which is nothing where nobody is worth contacting. So the reason says it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churn_assets.customers.schema import SchemaError, load_schema
from churn_assets.domain.statistics import Z95
from churn_assets.release.bundle import Comparison, Component, Manifest, contract_of
from churn_assets.storage.protocol import ArtifactStore

Figure = Mapping[str, Any]
"""A row of the comparison: `figure`, `champion`, `challenger`, `tolerance`, `worse`; on other data
than the champion's, `error`, too: the standard error of the difference."""

BUILT_IN = (
    "of the built-in customers, and those of {} are served: CHURN_CUSTOMERS names no contract here "
    "(`churn promote ID` serves it all the same)"
)
"""Why a release of the built-in contract doesn't replace a company's own."""
CONTACTS_NOBODY = (
    "; nobody is worth contacting in the world that its policy was made for, unlike that of {}: "
    "contacts stop, and with them what could be learnt of them"
)

OnOutcomes = Callable[[ArtifactStore, Path, Path], Figure | None]
"""Compares two releases, champion first, on what really happened; None where that can't tell."""


CUSTOMERS = ("telco_customers", "customer_history")
CONTACTS = ("bank_contacts", "campaign_contacts")


@dataclass(frozen=True)
class Rule:
    """One compared figure.

    Attributes:
        path: its place in the report.
        higher_is_better: which way is better.
        tolerance: what counts as noise on the same data.
        data: the data sets whose rows it is of, by the names that they may have.
        error: place of its standard error, or of its 95 % interval.
        elsewhere: place of the calibration by which it is compared where the data differ
            (`beyond_floor` and `error`), where both releases have that.
    """

    path: str
    higher_is_better: bool
    tolerance: float
    data: tuple[str, ...] = ()
    error: str = ""
    elsewhere: str = ""


RULES = (
    Rule(
        path="risk.auc_oof",
        higher_is_better=True,
        tolerance=0.005,
        data=CUSTOMERS,
        error="risk.auc_oof_interval",
    ),
    Rule(
        path="risk.ece_oof",
        higher_is_better=False,
        tolerance=0.005,
        data=CUSTOMERS,
        error="risk.calibration_by_mass.error",
        elsewhere="risk.calibration_by_mass",
    ),
    Rule(
        path="accept.auc",
        higher_is_better=True,
        tolerance=0.005,
        data=CONTACTS,
        error="accept.auc_interval",
    ),
    Rule(
        path="accept.ece",
        higher_is_better=False,
        tolerance=0.005,
        data=CONTACTS,
        error="accept.ece_error",
        elsewhere="accept.oof.calibration_by_mass",
    ),
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
    other_fields: Collection[str] = (),
) -> Comparison:
    """Decide whether a challenger with this report and this data replaces the champion.

    Args:
        outcomes: the row of rule 6; None where the log of outcomes can't tell.
        other_fields: of customers, that only one of the two contracts has.
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
    apart = {name for name, c in (components or {}).items() if c.source == "fallback"}
    apart |= {"risk"} if other_fields else set()
    rules = [rule for rule in RULES if rule.path.partition(".")[0] not in apart]
    old, new = _Measured(champion.report, champion.data), _Measured(report, data)
    figures = [figure for rule in rules if (figure := _figure(rule, old, new))]
    figures += [dict(outcomes)] if outcomes else []
    return Comparison(
        champion=champion.release_id,
        promoted=not any(figure["worse"] for figure in figures),
        reason=_reason(figures) + _of_fields(other_fields) + _of_contacts(champion, report),
        figures=figures,
    )


@dataclass(frozen=True)
class _Measured:
    """A release's report, and the facts of the data that it is of."""

    report: Mapping[str, Any]
    data: Mapping[str, Any]

    def figure(self, path: str) -> float | None:
        value = self._at(path)
        return None if value is None else float(value)

    def error(self, path: str) -> float | None:
        """The standard error at a place, or of the 95 % interval there."""
        value = self._at(path)
        if isinstance(value, list | tuple):
            low, high = value
            return (high - low) / (2 * Z95)
        return None if value is None else float(value)

    def digests(self, names: tuple[str, ...]) -> list[Any]:
        """What tells the rows of these data sets from others; a campaign log is none of them, and
        stands in the report."""
        log = self._at("accept.log_sha256") if names == CONTACTS else None
        return [log, *((n, self.data[n].get("sha256")) for n in names if n in self.data)]

    def _at(self, path: str) -> Any:
        value: Any = self.report
        for key in path.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return None
            value = value[key]
        return value


def _figure(rule: Rule, champion: _Measured, challenger: _Measured) -> dict[str, Any]:
    """One row of the comparison; empty where the champion never had the figure."""
    elsewhere = champion.digests(rule.data) != challenger.digests(rule.data)
    path, error_at, beyond = rule.path, rule.error, f"{rule.elsewhere}.beyond_floor"
    if elsewhere and None not in (champion.figure(beyond), challenger.figure(beyond)):
        path, error_at = beyond, f"{rule.elsewhere}.error"
    old, new = champion.figure(path), challenger.figure(path)
    if old is None:
        return {}
    loss = None if new is None else (old - new if rule.higher_is_better else new - old)
    error = _error(error_at, champion, challenger) if elsewhere else 0.0
    return {
        "figure": path,
        "champion": old,
        "challenger": new,
        "tolerance": rule.tolerance,
        "worse": loss is None or loss - Z95 * error > rule.tolerance,
        **({"error": error} if elsewhere else {}),
    }


def _error(path: str, champion: _Measured, challenger: _Measured) -> float:
    """The standard error of the difference of two releases' figures, each of other rows; where one
    of them didn't keep its own, the other's stands in for it."""
    each = [found for one in (champion, challenger) if (found := one.error(path)) is not None]
    return math.hypot(*each, *each) if len(each) == 1 else math.hypot(*each)


def _reason(figures: list[dict[str, Any]]) -> str:
    """What is worse, and where that was measured on other data than the champion's."""
    worse = [
        figure["figure"] + (" (on other data, beyond chance)" if "error" in figure else "")
        for figure in figures
        if figure["worse"]
    ]
    return f"worse in {', '.join(worse)}" if worse else "no compared figure is worse"


def fields_apart(champion: Path, challenger: Path) -> list[str]:
    """The fields of customers that only one of two releases' contracts has, sorted; all of the
    challenger's where this version of the product can't read the champion's any more.

    Args:
        champion, challenger: their folders.
    """
    if (ours := load_schema(challenger)) is None:
        return []
    try:
        theirs = load_schema(champion)
    except SchemaError:
        return sorted(f.name for f in ours.fields)
    if theirs is None:
        return []
    return sorted({f.name for f in theirs.fields} ^ {f.name for f in ours.fields})


def _of_fields(others: Collection[str]) -> str:
    """That the risk's figures weren't compared, and why; empty where they were."""
    said = "; the contract's fields are others ({}), so figures of the risk aren't compared"
    return said.format(", ".join(others)) if others else ""


def _of_contacts(champion: Manifest, report: Mapping[str, Any]) -> str:
    """That the challenger's policy has nobody to contact, where the champion's had; empty else, and
    for releases that were made before the optimum's uplift was kept."""
    nobody = report.get("policy", {}).get("optimum_uplift", math.inf) <= 0
    before = champion.report.get("policy", {}).get("optimum_uplift", math.inf)
    return CONTACTS_NOBODY.format(champion.release_id) if nobody and before > 0 else ""


def same_kind_of_data(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both releases' data are all real, or neither's."""
    return _all_real(one) == _all_real(other)


def _all_real(data: Mapping[str, Any]) -> bool:
    return all(dataset["source"] != "synthetic" for dataset in data.values())
