"""The engine in process: one path for one and for many, quiet hours, the golden set."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_assets.decision.mdp.transitions import State, observe
from churn_assets.decision.rules.families import NeverContact, PricedGreedy
from churn_assets.domain.statistics import logit
from churn_assets.release.bundle import ReleaseError
from churn_assets.serving.assessment import Assessor
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.golden import GOLDEN, check_golden
from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictRequest, PredictResponse
from tests.release.small_release import build_release

NOON = datetime(2026, 1, 14, 17, tzinfo=UTC)  # noon in New York


def request(**changes: Any) -> PredictRequest:
    return PredictRequest.model_validate({**SAMPLE_REQUEST, **changes})


customers = st.builds(
    request,
    tenure=st.integers(0, 1200),
    monthly_charges=st.floats(0, 200),
    contract=st.sampled_from(["Month-to-month", "One year", "Two year"]),
    internet_service=st.sampled_from(["DSL", "Fiber optic", "No", None]),
    days_since_contact=st.none() | st.integers(0, 60),
    contacts_this_period=st.none() | st.integers(0, 8),
    budget_remaining=st.none() | st.floats(0, 1),
    force_baseline=st.booleans(),
)


@given(st.lists(customers, min_size=1, max_size=8))
def test_many_is_one_by_one(engine: RetentionEngine, requests: list[PredictRequest]) -> None:
    """A batch must not answer differently from single requests."""
    together = engine.predict_many(requests, now=NOON, exact=True)
    alone = [engine.predict(r, now=NOON, exact=True) for r in requests]
    for one, other in zip(together, alone, strict=True):
        assert one["decision"].keys() == other["decision"].keys()
        for key, value in one["decision"].items():
            assert other["decision"][key] == pytest.approx(value, abs=1e-6)
        assert one["message"] == other["message"]
        PredictResponse.model_validate(one)


@given(customers)
def test_every_figure_is_finite_and_in_range(
    engine: RetentionEngine, customer: PredictRequest
) -> None:
    """Whatever the request, the answer is the documented JSON with finite numbers."""
    answer = engine.predict(customer, now=NOON)
    PredictResponse.model_validate(json.loads(json.dumps(answer, allow_nan=False)))
    accept = [a["accept_prob"] for a in answer["metadata"]["alternatives"][1:]]
    assert accept == sorted(accept)


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize("bill", [0.0, 0.02, 89.99])
def test_nobody_is_offered_a_share_of_nothing(
    engine: RetentionEngine, bill: float, baseline: bool
) -> None:
    """5 % off a bill of 0 is no offer: such customers are contacted without one, or not at all."""
    answers = engine.predict_many(
        [request(monthly_charges=bill, tenure=t) for t in range(40)],
        now=NOON,
        force_baseline=baseline,
    )
    decisions = [answer["decision"] for answer in answers]
    offers = {decision["offer_percentage"] for decision in decisions}
    assert (offers == {0}) is (bill < 0.03)
    for decision, answer in zip(decisions, answers, strict=True):
        [chosen] = [a for a in answer["metadata"]["alternatives"] if a["chosen"]]
        assert chosen["offer_percentage"] == decision["offer_percentage"]
        assert decision["offer_level"] == (0, 5, 10, 15).index(decision["offer_percentage"])


@pytest.mark.parametrize(("contacts", "days"), [(0, None), (0, 3), (1, 0), (2, 5), (3, 40)])
def test_acceptance_is_what_the_environment_shows(
    engine: RetentionEngine, contacts: int, days: int | None
) -> None:
    """The policy was trained on the environment's acceptance; the answer must state the same."""
    customer = request(contacts_this_period=contacts, days_since_contact=days)
    params = engine.assessor.params
    fresh = engine.assessor.accept.predict([SAMPLE_REQUEST])
    rested = params.cooldown_days if days is None else min(days, params.cooldown_days)
    counts = (np.array([count]) for count in (contacts, 0, rested, 0, 0))
    shown = observe(State(np.zeros(1), logit(fresh), *counts), params)[0, 1:5]
    metadata = engine.predict(customer, now=NOON, exact=True)["metadata"]
    offers = [a["accept_prob"] for a in metadata["alternatives"][1:]]
    assert offers == pytest.approx(shown.tolist())
    assert metadata["accept_prob"] in offers


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize(
    ("acceptances", "refusals", "in_cooldown"), [(1, 0, 0), (0, 2, 0), (2, 1, 1), (3, 0, 2)]
)
def test_answers_move_the_risk_as_in_the_environment(
    engine: RetentionEngine, acceptances: int, refusals: int, in_cooldown: int, baseline: bool
) -> None:
    """Whoever accepted two days ago isn't who they were: in the risk that is shown, in what every
    option is expected to bring, and in the reasons."""
    known = {"contacts_this_period": 3, "days_since_contact": 2, "force_baseline": baseline}
    answers = {
        "acceptances_this_period": acceptances,
        "refusals_this_period": refusals,
        "acceptances_in_cooldown": in_cooldown,
    }
    before, after = (
        engine.predict(request(**known, **more), now=NOON, exact=True)["metadata"]
        for more in ({}, answers)
    )
    params = engine.assessor.params
    moved = {
        "acceptances_this_period": -params.acceptance_effect * acceptances,
        "refusals_this_period": params.annoyance_effect * refusals,
        "acceptances_in_cooldown": params.annoyance_effect * in_cooldown,
    }
    score = logit(np.array(before["churn_risk"])) + sum(moved.values())
    assert after["churn_risk"] == pytest.approx(1 / (1 + np.exp(-score)), abs=1e-12)
    left_alone = after["alternatives"][0]["estimated_retention_prob"]
    assert left_alone == pytest.approx(1 - after["churn_risk"], abs=1e-12)
    shown = {r["feature"]: r["contribution"] for r in after["reasons"]}
    largest = max(moved, key=lambda name: abs(moved[name]))
    assert shown[largest] == pytest.approx(moved[largest])
    assert not {r["feature"] for r in before["reasons"]} & moved.keys()


def test_another_price_of_the_budget_changes_nothing_else(engine: RetentionEngine) -> None:
    """A month's price must not cost a company its own offers, nor its label's time; the rule of the
    kill switch follows it as well."""
    own = engine.assessor
    rule, offers = PricedGreedy(price=1.0), (0, 10, 20, 30)
    greedy = PricedGreedy(price=0.5)
    one = Assessor(own.risk, own.accept, rule, greedy, own.params, 90.0, offers)
    told, both = one.priced(9.0), PricedGreedy(price=9.0)
    assert vars(told) == vars(one) | {"policy": both, "baseline": both}
    assert (one.policy, one.baseline) == (rule, greedy)
    never = NeverContact()
    one.baseline = never
    assert one.priced(9.0).baseline is never  # it knows no price
    assert one.priced(None) is one


@given(customers)
def test_without_answers_nothing_changes(engine: RetentionEngine, customer: PredictRequest) -> None:
    """Who doesn't send the new fields, or sends zeros, gets the same bits; so does every other row
    of a batch in which somebody sends them."""
    zeros = {
        "acceptances_this_period": 0,
        "refusals_this_period": 0,
        "acceptances_in_cooldown": 0,
    }
    plain = engine.predict(customer, now=NOON, exact=True)
    assert plain == engine.predict(customer.model_copy(update=zeros), now=NOON, exact=True)
    risk = engine.assessor.risk.predict([vars(customer)])[0]
    assert plain["metadata"]["churn_risk"] == risk
    other = request(contacts_this_period=2, acceptances_this_period=1)
    beside = engine.predict_many([customer, other], now=NOON, exact=True)[0]
    assert beside["metadata"]["churn_risk"] == risk
    assert beside["metadata"]["reasons"] == plain["metadata"]["reasons"]


def test_reasons_are_exact_shares_of_the_score(engine: RetentionEngine) -> None:
    """SHAP values sum to the score minus the average score: nothing is made up."""
    rows = [vars(request(tenure=t)) for t in (1, 30, 70)]
    names = engine.assessor.risk.feature_names
    risk, shares = engine.assessor.risk.explain(rows)
    margins = np.log(risk / (1 - risk))  # the small release's calibrator is the identity
    assert np.ptp(margins - shares.sum(axis=1)) == pytest.approx(0, abs=1e-4)
    reasons = engine.predict(request(tenure=1), now=NOON)["metadata"]["reasons"]
    sizes = [abs(r["contribution"]) for r in reasons]
    assert sizes == sorted(sizes, reverse=True)
    given = {"tenure", "monthly_charges", "contract", "payment_method"}
    assert {r["feature"]: r["contribution"] for r in reasons} == {
        name: pytest.approx(share, abs=1e-4)
        for name, share in zip(names, shares[0], strict=True)
        if name in given and round(share, 4)
    }


@pytest.mark.parametrize(
    ("hour_utc", "passed", "not_before"),
    [
        (12, False, "2026-01-14T08:00:00-05:00"),  # 7 in New York
        (13, True, None),  # 8
        (17, True, None),
        (2, True, None),  # 21 on the day before
        (3, False, "2026-01-14T08:00:00-05:00"),  # 22 on the day before
    ],
)
def test_quiet_hours_are_the_customers(
    engine: RetentionEngine, hour_utc: int, passed: bool, not_before: str | None
) -> None:
    """Ten at night to eight in the morning where the customer is, not where the server is."""
    now = NOON.replace(hour=hour_utc)
    answer = engine.predict(request(time_zone="America/New_York"), now=now)
    assert answer["safety"]["passed"] is passed
    assert answer["safety"]["violations"] == ([] if passed else ["quiet_hours"])
    assert answer["metadata"]["send_not_before"] == not_before


def test_golden_set_passes_and_notices_a_changed_answer(
    engine: RetentionEngine, bundle: Path, tmp_path: Path
) -> None:
    """A server that computes something else than the builder must not serve."""
    assert check_golden(engine, bundle) == 6
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    golden = json.loads((copy / "golden.json").read_text())
    golden["cases"][3]["answer"]["metadata"]["churn_risk"] += 1e-3
    (copy / "golden.json").write_text(json.dumps(golden))
    with pytest.raises(ReleaseError, match=r"request 3 of 6 .*metadata\.churn_risk differs"):
        check_golden(engine, copy)


def test_golden_set_leaves_out_what_later_code_adds(
    engine: RetentionEngine, bundle: Path, tmp_path: Path
) -> None:
    """A release must stay servable when the answer's metadata grows, but not when it shrinks."""
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    golden = json.loads((copy / "golden.json").read_text())
    metadata = golden["cases"][0]["answer"]["metadata"]
    for removed, added, passes in (("policy", "", True), ("", "no_longer_answered", False)):
        metadata.pop(removed, None)
        if added:
            metadata[added] = 1
        (copy / "golden.json").write_text(json.dumps(golden))
        with nullcontext() if passes else pytest.raises(ReleaseError, match="metadata differs"):
            check_golden(engine, copy)


def test_golden_set_compares_explanations_of_the_same_code_only(
    engine: RetentionEngine, bundle: Path, tmp_path: Path
) -> None:
    """Reworded reasons must not make a release unservable that could be rolled back to; the same
    code on another machine must find the same ones."""
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    golden = json.loads((copy / "golden.json").read_text())
    golden["cases"][0]["answer"]["metadata"]["reasons"][0]["contribution"] += 0.5
    for made_by, refused in ((golden["explanations"], True), (1, False)):
        golden["explanations"] = made_by
        (copy / "golden.json").write_text(json.dumps(golden))
        with pytest.raises(ReleaseError, match="reasons") if refused else nullcontext():
            check_golden(engine, copy)


@pytest.mark.parametrize("made_by", ["another", None])
def test_golden_set_compares_messages_of_the_same_code_only(
    engine: RetentionEngine, bundle: Path, tmp_path: Path, made_by: str | None
) -> None:
    """A tenure told in years instead of months made every release of before unservable, by an
    update alone. The same code on another machine must write the same."""
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    golden = json.loads((copy / GOLDEN).read_text())
    answers = [case["answer"] for case in golden["cases"]]
    answer = next(each for each in answers if each["message"])
    answer["message"] = "Thank you for your 119 months with us."
    answer["metadata"]["message_source"] = "grammar"
    (copy / GOLDEN).write_text(json.dumps(golden))
    with pytest.raises(ReleaseError, match=r"answer\.(message|metadata\.message_source) differs"):
        check_golden(engine, copy)
    golden["code"] = made_by
    answer["metadata"]["language"] = {"name": "en", "source": "customer", "missing": "fr"}
    (copy / GOLDEN).write_text(json.dumps(golden))
    assert check_golden(engine, copy) == 6
    answer["decision"]["contact"] = False
    (copy / GOLDEN).write_text(json.dumps(golden))
    with pytest.raises(ReleaseError, match=r"decision\.contact differs"):
        check_golden(engine, copy)


def test_golden_set_of_before_true_propensities_is_kept(
    engine: RetentionEngine, bundle: Path, tmp_path: Path
) -> None:
    """An older release wrote a softmax where a propensity belongs: it must still load and be
    rolled back to; everything else that it wrote, and what is written today, is held to."""
    copy = shutil.copytree(bundle, tmp_path / "bundle")
    golden = json.loads((copy / GOLDEN).read_text())
    assert {case["answer"]["metadata"]["action_probability"] for case in golden["cases"]} == {1}
    golden["cases"][2]["answer"]["metadata"]["action_probability"] = 0.9998
    (copy / GOLDEN).write_text(json.dumps(golden))
    with pytest.raises(ReleaseError, match=r"golden request 2 .*action_probability"):
        check_golden(engine, copy)
    del golden["format"]
    (copy / GOLDEN).write_text(json.dumps(golden))
    assert check_golden(engine, copy) == 6
    golden["cases"][2]["answer"]["metadata"]["accept_prob"] += 1e-3
    (copy / GOLDEN).write_text(json.dumps(golden))
    with pytest.raises(ReleaseError, match=r"golden request 2 .*accept_prob"):
        check_golden(engine, copy)


def test_golden_set_notices_another_model(engine: RetentionEngine, tmp_path: Path) -> None:
    """The golden answers belong to one release's models."""
    build_release(tmp_path, seed=1)
    with pytest.raises(ReleaseError, match="answered differently"):
        check_golden(engine, tmp_path / "bundle")


def test_damaged_release_does_not_load(bundle: Path, tmp_path: Path) -> None:
    """Every digest is verified before anything is parsed."""
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    with (copy / "risk/model.ubj").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ReleaseError, match=r"changed risk/model\.ubj"):
        RetentionEngine.load(copy)


def test_release_of_other_code_stays_loadable(tmp_path: Path) -> None:
    """Settings come and go with the code; a rollback must still find its release loadable."""
    manifest = build_release(tmp_path)
    settings = {"messages": {**manifest.settings["messages"], "abandoned": {"setting": 1}}}
    changed = manifest.model_copy(update={"settings": settings})
    (tmp_path / "bundle/manifest.json").write_text(changed.model_dump_json())
    assert RetentionEngine.load(tmp_path / "bundle").release_id == manifest.release_id
