"""The lift report and its verdict on simulated customers, where the truth is known."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.inference import confidence_sequence, doubly_robust_scores
from churn_assets.outcomes.lift import CONTRADICTED, Customers, judge, lift_report, sentence_of

OF_INTEREST = 20.0
CONFIG = OutcomesConfig(plan_customers=5_000, value_of_interest=OF_INTEREST)


def table(
    seed: int,
    count: int,
    moved: float,
    share: float = 0.2,
    spend: float = 0.0,
    risks: tuple[float, float] = (2, 4),
) -> pd.DataFrame:
    """Customers of whom contacting moves the churn probability by `moved`; `risks` is the beta
    distribution of what it is otherwise."""
    rng = np.random.default_rng(seed)
    risk, value = rng.beta(*risks, count), rng.uniform(200, 1_400, count)
    treated = rng.random(count) >= share
    churned = rng.random(count) < np.clip(risk + moved * treated, 0, 1)
    return pd.DataFrame(
        {
            "customer": np.arange(count),
            "group": np.where(treated, "treated", "control"),
            "control_share": share,
            "churn_risk": risk,
            "customer_value": value,
            "churned": churned,
            "spend": spend * treated * ~churned,
            "known_at": pd.date_range("2026-01-01", periods=count, freq="min", tz="UTC"),
        }
    )


def report(*arguments: Any, **more: Any) -> dict[str, Any]:
    found = lift_report(Customers.of(table(*arguments, **more)), CONFIG)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def test_help_is_found_and_its_interval_holds_the_truth() -> None:
    """15 points less churn of 800 on average, less 30 of discounts."""
    found = report(0, 8_000, -0.15, spend=30.0)
    assert found["verdict"] == "helps"
    assert "Contacting helps" in found["sentence"]
    effects = found["effects"]
    assert effects["churn"]["effect_upper"] < 0
    assert effects["spend"]["effect"] > 0
    for name in ("churn", "net", "retained_value"):
        assert effects[name]["variance_left"] < 1
    assert found["always_valid"]["net_lower"] > 0
    assert sum(segment["shown"] for segment in found["segments"]) >= 3


@pytest.mark.parametrize(
    ("told", "said"),
    [(90.0, "which what it brought doesn't contradict"), (400.0, "more than it brought"),
     (5.0, "less than it brought")],
)  # fmt: skip
def test_what_was_foretold_is_held_against_what_came(told: float, said: str) -> None:
    """Why: a plan told 82,039, of which 4,492 came, and nothing said so. Here contacting brings 15
    points of 800, 120, less some 18 of discounts to each of whom 0.75 half are contacted."""
    rows = table(0, 8_000, -0.15, spend=30.0)
    half = np.arange(len(rows)) % 2 == 0
    rows["foretold"] = 2 * told * ((rows["group"] == "treated") & half)
    rows.loc[rows["group"] == "control", "foretold"] = (
        7_000.0  # whom somebody contacted all the same
    )
    found = lift_report(Customers.of(rows), CONFIG, "€")
    assert found["foretold"]["value"] == pytest.approx(told, rel=0.05)
    amount = f"€{found['foretold']['value']:,.2f}"
    assert found["foretold"]["sentence"].startswith(f"Decisions foretold {amount} a customer, ")
    assert said in found["foretold"]["sentence"]


def test_how_many_it_takes_goes_by_the_risk_until_somebody_left() -> None:
    """Why: a company of whom 1.5 % leave was told 139,000, as if a fifth did."""
    rows = table(0, 400, 0.0, share=0.1)
    rows = rows.assign(churned=False, churn_risk=0.015, customer_value=600.0)
    found = lift_report(Customers.of(rows), CONFIG)
    assert (found["verdict"], found["needed"]) == ("not known yet", 13_334)  # 20 / (0.1 * 0.015)
    assert lift_report(Customers.of(rows.head(0)), CONFIG)["needed"] > 100_000


def test_nothing_is_foretold_where_no_contact_was_reported() -> None:
    """Nor where the groups' sizes contradict the draw: then nothing can be concluded."""
    rows = table(0, 2_000, -0.15).assign(foretold=0.0)
    assert "foretold" not in lift_report(Customers.of(rows), CONFIG)
    assert "foretold" not in lift_report(Customers.of(rows.drop(columns="foretold")), CONFIG)
    broken = rows.assign(foretold=9.0, control_share=0.4)
    found = lift_report(Customers.of(broken), CONFIG)
    assert (found["sentence"], "foretold" in found) == (CONTRADICTED, False)


@pytest.mark.parametrize("prices", [[100.0], [100.0, 200.0, 200.0], [10.0, 20.0, 30.0, 30.0]])
def test_nobody_is_in_two_bands_of_value(prices: list[float]) -> None:
    """Where customers pay a few fixed prices: each is a band, of those who pay it."""
    rows = table(2, 4_000, -0.1)
    rows["customer_value"] = np.resize(prices, len(rows))
    found = lift_report(Customers.of(rows), CONFIG)["segments"]
    bands = {s["segment"]: s["customers"] for s in found if s["segment"].startswith("value")}
    counts = rows["customer_value"].value_counts()
    assert bands == {f"value {price:,.0f} to {price:,.0f}": n for price, n in counts.items()}


def test_bands_of_nearly_one_value_have_names_of_their_own() -> None:
    rows = table(2, 4_000, -0.1)
    rows["customer_value"] = np.resize([100.1, 100.2, 100.4, 100.4], len(rows))
    found = lift_report(Customers.of(rows), CONFIG)["segments"]
    names = [s["segment"] for s in found if s["segment"].startswith("value")]
    assert names == [f"value {price:.2f} to {price:.2f}" for price in (100.1, 100.2, 100.4)]


def test_harm_is_found_and_says_what_to_do() -> None:
    found = report(1, 8_000, 0.15)
    assert found["verdict"] == "hurts"
    assert "churn baseline on" in found["sentence"]
    assert "approve and send nothing" in found["sentence"]
    assert "churn campaign cancel" in found["sentence"]
    assert "the rules contact people, too" in found["sentence"]
    assert "`" not in found["sentence"]  # the console would show it raw
    costs, low, high = (
        float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*\.\d\d", found["sentence"])
    )
    assert 0 < low < costs < high  # a loss has one sign, in words and in its interval
    assert found["needed"] == 0


def test_no_effect_is_not_known_first_and_no_effect_that_matters_later() -> None:
    """And it says how many more customers that takes."""
    early = report(2, 1_500, 0.0)
    assert early["verdict"] == "not known yet"
    assert early["needed"] > 1_500
    late = lift_report(Customers.of(table(2, 2 * (early["needed"] + 1_500), 0.0)), CONFIG)
    assert late["verdict"] == "no effect that matters"
    assert "No effect larger than" in late["sentence"]
    assert late["needed"] == 0


def test_false_help_is_as_rare_as_it_says() -> None:
    """Of 100 campaigns without effect at most the level ever say so, though looked at after every
    single customer."""
    false = 0
    for seed in range(100):
        customers = Customers.of(table(1_000 + seed, 3_000, 0.0))
        scores = doubly_robust_scores(
            customers.measures["net"], customers.treated, customers.covariates, 0.8
        )
        sequence = confidence_sequence(scores, CONFIG.plan_customers)
        bounds = zip(sequence.lower, sequence.upper, strict=True)
        false += "helps" in {judge(*look, OF_INTEREST) for look in bounds}
    assert false <= 5


RARE = (1, 49)
"""Risks of which 2 % leave."""


def test_a_control_group_that_nobody_has_left_yet_proves_nothing() -> None:
    """2 % leave, none of the 68 left alone by chance: their worth is all that was seen of them."""
    few = table(2, 4_000, 0.0, share=0.1, risks=RARE)[:800]
    assert not few.loc[few["group"] == "control", "churned"].any()
    found = lift_report(Customers.of(few), CONFIG)
    assert found["verdict"] == "not known yet"
    assert found["sentence"].startswith(
        "Not known yet: 19 of 800 customers have left, too few to compare a group of 68: "
        "counted by what they pay, as customers of one bill, these are 1.4 in it, and 20 are "
        "needed."
    )
    assert found["needed"] >= 4_000  # of whom a tenth are left alone, and 2 % of those leave: eight
    assert "over_time" not in found


def test_few_who_leave_are_no_false_harm() -> None:
    """Of 40 campaigns at 2 % churn at most the level say so at any look; nothing that is shown
    later is of looks that prove nothing."""
    false = 0
    for seed in range(40):
        customers = table(seed, 4_000, 0.0, share=0.1, risks=RARE)
        seen = {
            lift_report(Customers.of(customers[:count]), CONFIG)["verdict"]
            for count in range(400, 4_001, 400)
        }
        false += bool(seen & {"helps", "hurts"})
    assert false <= 2
    drawn = report(2, 8_000, 0.0, share=0.1, risks=RARE)["over_time"]
    assert drawn[0]["customers"] > 2_000
    assert all(look["lower"] < 0 for look in drawn)


@pytest.mark.parametrize(
    ("risks", "moved", "verdict"),
    [((1, 199), 0.045, "hurts"), ((1, 19), -0.8, "helps")],
)
def test_effects_are_found_though_a_group_keeps_nearly_everybody(
    risks: tuple[float, float], moved: float, verdict: str
) -> None:
    """Contacts that wake those who would have stayed (0.5 % to 5 %); and that keep all."""
    customers = table(0, 8_000, moved, share=0.1, risks=risks)
    found = lift_report(Customers.of(customers), CONFIG)
    assert customers.groupby("group")["churned"].sum().min() < 10
    assert found["verdict"] == verdict


def test_broken_draws_prove_nothing() -> None:
    """A log that lost a third of its control group looks like any other."""
    whole = table(3, 8_000, -0.15)
    lost = (whole["group"] == "control") & (np.arange(len(whole)) % 3 == 0)
    found = lift_report(Customers.of(whole[~lost]), CONFIG)
    assert found["verdict"] == "not known yet"
    assert found["sentence"] == CONTRADICTED


def test_without_a_control_group_it_says_what_is_missing() -> None:
    found = report(4, 500, -0.1, share=0.0)
    assert found["verdict"] == "not known yet"
    assert "0 control customers" in found["sentence"]
    assert found["needed"] > 500


@pytest.mark.parametrize("bill", [8.0, 65.0, 900.0])
def test_what_matters_follows_from_what_customers_pay(bill: float) -> None:
    """The same customers with other bills: the same verdict after as many of them."""
    customers = table(2, 30_000, 0.0)
    scale = 12 * bill / customers["customer_value"].mean()
    customers["customer_value"] *= scale
    found = lift_report(Customers.of(customers), OutcomesConfig(plan_customers=5_000))
    few = lift_report(Customers.of(customers[:1_500]), OutcomesConfig(plan_customers=5_000))
    assert (few["verdict"], found["verdict"]) == ("not known yet", "no effect that matters")
    assert (
        f"an effect of {0.025 * customers['customer_value'][:1_500].mean():,.2f} a"
        in (few["sentence"])
    )


def test_who_pay_nothing_bring_nothing() -> None:
    customers = table(2, 3_000, 0.0).assign(customer_value=0.0)
    found = lift_report(Customers.of(customers), OutcomesConfig())
    assert found["verdict"] == "no effect that matters"


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [
        ((0.1, 9.0), "helps"),
        ((-9.0, -0.1), "hurts"),
        ((-4.0, 4.0), "no effect that matters"),
        ((-9.0, 1.0), "not known yet"),
        ((-np.inf, np.inf), "not known yet"),
    ],
)
def test_the_interval_decides(bounds: tuple[float, float], verdict: str) -> None:
    assert judge(*bounds, of_interest=5.0) == verdict


def test_an_answer_is_not_said_to_need_no_more_customers() -> None:
    """There may be as many as an effect mostly needs, and this one doesn't show yet."""
    said = sentence_of("not known yet", -7.0, (-20.26, 6.32), 0, OF_INTEREST)
    assert said.endswith(
        "though an effect of 20.00 a customer mostly shows with so many customers."
    )
    more = sentence_of("not known yet", -7.0, (-20.26, 6.32), 1_200, OF_INTEREST)
    assert more.endswith("To see an effect of 20.00 a customer needs 1,200 more customers.")


def test_amounts_have_their_currency_and_one_minus() -> None:
    """As the console's own: it shows both beside each other."""
    said = sentence_of("not known yet", -7.0, (-20.26, 1_006.32), 0, OF_INTEREST, "$")
    assert "between −$20.26 and $1,006.32 a customer" in said
    assert "an effect of $20.00 a customer" in said
    hurts = sentence_of("hurts", -7.0, (-9.0, -5.0), 0, OF_INTEREST, "€")
    assert "it costs €7.00, between €5.00 and €9.00 a customer" in hurts


def test_a_few_large_customers_are_no_false_harm() -> None:
    """Bills whose logarithm has a standard deviation of 1.5: who of the large ones leaves is all
    that is seen. Of 60 campaigns without effect at most the level say so at any look."""
    false = 0
    for seed in range(60):
        customers = table(seed, 6_000, 0.0, share=0.1, risks=(2, 18))
        bills = np.random.default_rng(1_000 + seed).lognormal(6.0, 1.5, len(customers))
        customers["customer_value"] = bills
        seen = {
            lift_report(Customers.of(customers[:count]), OutcomesConfig())["verdict"]
            for count in range(600, 6_001, 600)
        }
        false += bool(seen & {"helps", "hurts"})
    assert false <= 3
