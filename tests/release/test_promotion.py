"""Champion and challenger: never promote a worse one, and never refuse for noise."""

from __future__ import annotations

import math
from typing import Any

import pytest

from churn_assets.release.bundle import Comparison, Component, Manifest
from churn_assets.release.promotion import RULES, compare, same_kind_of_data
from tests.release.small_release import DATA, build_release

REPORT: dict[str, Any] = {
    "risk": {"auc_oof": 0.85, "ece_oof": 0.013},
    "accept": {"auc": 0.75, "ece": 0.01},
    "policy": {"served_uplift": 0.96},
    "messages": {"served_pass_rate": 0.9, "rm_accuracy": 0.93},
}
SYNTHETIC = {"telco_customers": {**DATA["telco_customers"], "source": "synthetic"}}


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    manifest = build_release(tmp_path_factory.mktemp("champion"))
    return manifest.model_copy(update={"report": REPORT})


def changed(path: str, value: float | None) -> dict[str, Any]:
    area, figure = path.split(".")
    report = {name: dict(figures) for name, figures in REPORT.items()}
    if value is None:
        del report[area][figure]
    else:
        report[area][figure] = value
    return report


def manifest_of(champion: Manifest, report: dict[str, Any]) -> Manifest:
    return champion.model_copy(update={"report": report})


def test_first_release_is_promoted() -> None:
    """Without a champion there is nothing to be worse than."""
    first = compare(None, REPORT, DATA)
    assert (first.promoted, first.champion, first.reason) == (True, None, "the first release")


def test_equal_release_is_promoted(champion: Manifest) -> None:
    """A re-run on the same data must not be refused."""
    comparison = compare(champion, REPORT, DATA)
    assert comparison.promoted
    assert [row["figure"] for row in comparison.figures] == [rule.path for rule in RULES]
    assert comparison.champion == champion.release_id
    assert comparison.reason == "no compared figure is worse"


def test_that_a_release_contacts_nobody_is_said(champion: Manifest) -> None:
    """No figure shows it: where the optimum of its world is nothing, a policy that does nothing has
    all of it. It was promoted as "no compared figure is worse"."""
    nobody = changed("policy.optimum_uplift", 0.0)
    for before in (champion, manifest_of(champion, changed("policy.optimum_uplift", 0.02))):
        found = compare(before, nobody, DATA)
        assert found.promoted
        assert "nobody is worth contacting" in found.reason
        assert before.release_id in found.reason
    again = compare(manifest_of(champion, nobody), nobody, DATA)
    assert again.reason == "no compared figure is worse"
    somebody = compare(champion, changed("policy.optimum_uplift", 0.02), DATA)
    assert somebody.reason == "no compared figure is worse"


def test_tolerances_are_the_published_ones() -> None:
    """Noise of a figure on the same data; a wider one would let quality seep away by releases."""
    assert {rule.path: (rule.higher_is_better, rule.tolerance) for rule in RULES} == {
        "risk.auc_oof": (True, 0.005),
        "risk.ece_oof": (False, 0.005),
        "accept.auc": (True, 0.005),
        "accept.ece": (False, 0.005),
        "policy.served_uplift": (True, 0.01),
        "messages.served_pass_rate": (True, 0.0),
        "messages.rm_accuracy": (True, 0.01),
    }


def test_a_comparison_shows_both_figures_and_what_is_worse(champion: Manifest) -> None:
    """Operators read it where a release was refused."""
    comparison = compare(champion, changed("accept.auc", 0.7), DATA)
    assert comparison.reason == "worse in accept.auc"
    rows = {row["figure"]: row for row in comparison.figures}
    assert rows["accept.auc"] == {
        "figure": "accept.auc",
        "champion": 0.75,
        "challenger": 0.7,
        "tolerance": 0.005,
        "worse": True,
    }
    assert [name for name, row in rows.items() if row["worse"]] == ["accept.auc"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.path)
def test_tolerance_is_the_line(champion: Manifest, rule: Any) -> None:
    """Just within the noise passes, just beyond it is refused and named: for every figure."""
    area, figure = rule.path.split(".")
    sign = -1 if rule.higher_is_better else 1
    old = REPORT[area][figure]
    within = compare(champion, changed(rule.path, old + sign * rule.tolerance * 0.99), DATA)
    worse = old + sign * (rule.tolerance * 1.01 + 1e-9)  # a tolerance of 0 has a line too
    beyond = compare(champion, changed(rule.path, worse), DATA)
    better = compare(champion, changed(rule.path, old - sign * 0.05), DATA)
    assert within.promoted
    assert better.promoted
    assert not beyond.promoted
    assert rule.path in beyond.reason


def of_own(digest: str, **risk: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A report and the data of a company's own customers, whose rows have this digest."""
    figures = {"auc_oof": 0.85, "ece_oof": 0.02, "auc_oof_interval": [0.82, 0.88]}
    figures["calibration_by_mass"] = {"beyond_floor": 0.0, "error": 0.006}
    data = {"customer_history": {"source": "own", "contract": "Acme", "sha256": digest}}
    return {**REPORT, "risk": {**figures, **risk}}, data


def judged(champion: Manifest, digest: str, **risk: Any) -> Comparison:
    """A challenger of rows with this digest, against a champion of rows with the digest "a"."""
    report, data = of_own("a")
    served = champion.model_copy(update={"report": report, "data": data})
    return compare(served, *of_own(digest, **risk))


HARDER = {"auc_oof": 0.835, "auc_oof_interval": [0.805, 0.865]}


def test_a_harder_years_table_does_not_refuse_an_equally_good_model(champion: Manifest) -> None:
    """Of 1,000 other rows each, an AUC is 0.015 lower by chance alone one time in four; of the same
    rows it is not."""
    other = judged(champion, "b", **HARDER)
    assert (other.promoted, other.reason) == (True, "no compared figure is worse")
    row = other.figures[0]
    assert row["error"] == pytest.approx(math.hypot(0.03, 0.03) / 1.96)
    same = judged(champion, "a", **HARDER)
    assert (same.promoted, same.reason) == (False, "worse in risk.auc_oof")
    assert "error" not in same.figures[0]


def test_a_model_shown_to_be_worse_on_other_data_is_refused_and_the_sentence_says_so(
    champion: Manifest,
) -> None:
    """0.05 are more than chance explains (0.042) and the tolerance (0.005) together."""
    worse = judged(champion, "b", auc_oof=0.80, auc_oof_interval=[0.77, 0.83])
    assert worse.reason == "worse in risk.auc_oof (on other data, beyond chance)"
    assert not worse.promoted


@pytest.mark.parametrize(
    ("beyond", "error", "promoted"),
    [(0.02, 0.006, True), (0.03, 0.006, False), (0.02, 0.002, False)],
)
def test_calibration_on_other_data_is_compared_beyond_what_rows_show_by_chance(
    champion: Manifest, beyond: float, error: float, promoted: bool
) -> None:
    """Fewer rows have a larger ECE, whatever the model; the raw one isn't compared."""
    block = {"beyond_floor": beyond, "error": error}
    found = judged(champion, "b", ece_oof=0.2, calibration_by_mass=block)
    assert found.promoted is promoted
    assert found.figures[1]["figure"] == "risk.calibration_by_mass.beyond_floor"
    assert not judged(champion, "a", ece_oof=0.2, calibration_by_mass=block).promoted


def test_a_champion_that_kept_no_error_is_compared_by_the_challengers(champion: Manifest) -> None:
    """Releases of older code have the AUC's interval, and no calibration beyond chance."""
    report, data = of_own("a")
    older = {name: report["risk"][name] for name in ("auc_oof", "ece_oof")}
    served = champion.model_copy(update={"report": {**report, "risk": older}, "data": data})
    poorer = compare(served, *of_own("b", **HARDER, ece_oof=0.035))
    assert poorer.promoted
    assert [row["figure"] for row in poorer.figures[:2]] == ["risk.auc_oof", "risk.ece_oof"]
    assert not compare(served, *of_own("b", ece_oof=0.05)).promoted


def test_a_longer_campaign_log_is_other_data(champion: Manifest) -> None:
    """The log is no data set of the release; its digest stands in the report."""

    def accept(digest: str, auc: float) -> dict[str, Any]:
        figures = {"auc": auc, "auc_interval": [auc - 0.04, auc + 0.04], "log_sha256": digest}
        return {**REPORT, "accept": {"ece": 0.01, **figures}}

    served = champion.model_copy(update={"report": accept("a", 0.75)})
    assert compare(served, accept("b", 0.72), DATA).promoted
    assert not compare(served, accept("a", 0.72), DATA).promoted


def test_lost_figure_refuses(champion: Manifest) -> None:
    """What is no longer measured can't be shown to be no worse."""
    assert not compare(champion, changed("policy.served_uplift", None), DATA).promoted


def test_a_new_figure_is_not_held_against_anybody(champion: Manifest) -> None:
    """A champion of older code has no such figure; there is nothing to fall short of."""
    older = champion.model_copy(update={"report": changed("messages.rm_accuracy", None)})
    comparison = compare(older, changed("messages.rm_accuracy", 0.1), DATA)
    assert comparison.promoted
    assert "messages.rm_accuracy" not in {row["figure"] for row in comparison.figures}
    unknown = {"risk": 0.85, **{name: REPORT[name] for name in ("accept", "policy", "messages")}}
    older = champion.model_copy(update={"report": unknown})
    assert "risk.auc_oof" not in {row["figure"] for row in compare(older, REPORT, DATA).figures}


@pytest.mark.parametrize(("source", "promoted"), [("fallback", True), ("champion", False)])
def test_a_fall_backs_figures_are_not_compared(
    champion: Manifest, source: Any, promoted: bool
) -> None:
    """That the champion's own could not stand in again is what made the fall-back necessary; where
    it does stand in, its figure is as good as it was."""
    components = {"policy": Component(source=source), "messages": Component(source="built")}
    comparison = compare(champion, changed("policy.served_uplift", 0.5), DATA, components)
    assert comparison.promoted is promoted
    compared = {row["figure"] for row in comparison.figures}
    assert ("policy.served_uplift" in compared) is not promoted
    assert len(compared) == len(RULES) - promoted


def test_real_data_beats_synthetic_and_never_the_other_way(champion: Manifest) -> None:
    """Figures on different populations can't be compared; reality wins."""
    refused = compare(champion, REPORT, SYNTHETIC)
    assert (refused.promoted, refused.reason) == (False, "synthetic data never replaces real")
    assert (refused.champion, refused.figures) == (champion.release_id, [])
    on_synthetic = champion.model_copy(update={"data": SYNTHETIC})
    poor = changed("risk.auc_oof", 0.70)
    won = compare(on_synthetic, poor, DATA)
    assert (won.promoted, won.reason) == (True, "real data replaces synthetic")


def test_figures_of_another_companys_customers_are_not_compared(champion: Manifest) -> None:
    """They would be another population's; the new contract's release is the one that is wanted."""
    poor = changed("risk.auc_oof", 0.6)
    own = {name: {**facts, "contract": "Acme"} for name, facts in DATA.items()}
    won = compare(champion, poor, own)
    assert (won.promoted, won.reason) == (True, "customers of another contract: Acme")
    of_acme = champion.model_copy(update={"data": own})
    texts = {**own, "texts": {"source": "synthetic"}}
    assert compare(champion, poor, texts).promoted, "or a demonstration on real data stays for ever"
    same = compare(of_acme, poor, own)
    assert (same.promoted, same.reason) == (False, "worse in risk.auc_oof")


def test_a_risk_of_other_fields_is_not_compared(champion: Manifest) -> None:
    """Why: a column that leaked left the contract, the release without it was refused for ranking
    worse than the one with it, and that one could score nobody any more."""
    own = {name: {**facts, "contract": "Acme"} for name, facts in DATA.items()}
    of_acme = champion.model_copy(update={"data": own})
    poor = changed("risk.auc_oof", 0.6)
    found = compare(of_acme, poor, own, other_fields=["price_increase"])
    assert found.promoted
    assert found.reason == (
        "no compared figure is worse; the contract's fields are others (price_increase), so "
        "figures of the risk aren't compared"
    )
    worse = changed("policy.served_uplift", 0.1)
    assert not compare(of_acme, worse, own, other_fields=["price_increase"]).promoted


def test_a_demonstration_never_replaces_a_companys_own_release(champion: Manifest) -> None:
    """Why: one shell without CHURN_CUSTOMERS, and the company's requests were answered with 422."""
    own = {name: {**facts, "contract": "Acme"} for name, facts in DATA.items()}
    of_acme = champion.model_copy(update={"data": own})
    for demo in (DATA, SYNTHETIC):
        refused = compare(of_acme, REPORT, demo)
        assert not refused.promoted
        assert "those of Acme are served: CHURN_CUSTOMERS names no contract" in refused.reason


def test_one_synthetic_data_set_makes_a_release_synthetic() -> None:
    """A model of a real and of a generated table is no model of reality."""
    real, made = {"source": "mirror"}, {"source": "synthetic"}
    for one, other, same in (
        ([real, real], [real], True),
        ([real, made], [made], True),
        ([real, made], [real], False),
        ([made], [real, real], False),
    ):
        tables = (dict(zip("ab", kinds, strict=False)) for kinds in (one, other))
        assert same_kind_of_data(*tables) is same


@pytest.mark.parametrize("worse", [True, False])
def test_a_policy_that_brings_less_on_outcomes_is_refused(champion: Manifest, worse: bool) -> None:
    """Whatever the simulator says of it; and the figure stands in the comparison either way."""
    row = {
        "figure": "outcomes.net",
        "champion": 800.0,
        "challenger": 780.0,
        "tolerance": 5.0,
        "worse": worse,
    }
    comparison = compare(champion, REPORT, DATA, outcomes=row)
    assert comparison.promoted is not worse
    assert comparison.figures[-1] == row
    assert ("outcomes.net" in comparison.reason) is worse
