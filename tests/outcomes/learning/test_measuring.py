"""From decisions and outcomes to what is measured: in simulated companies whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn_assets.domain.measured import Measured
from churn_assets.outcomes.learning.measuring import BENDS, EFFECTS, RESPONSES, learnable, measure
from churn_assets.outcomes.simulation import WORLDS, Scenario
from churn_assets.predictors.scoring.corrected import Correction, as_json
from tests.outcomes.learning.worlds import BASE, models, off_by, outcomes

ASSUMED = WORLDS["assumed"]
LEARN_FROM = 500


def measured(table: pd.DataFrame, releases: dict[str, dict[str, object]]) -> Measured:
    return measure(table, releases, ASSUMED, LEARN_FROM)


@pytest.mark.parametrize("scenario", ["assumed", "none", "harmful"])
def test_the_world_is_found(scenario: Scenario) -> None:
    """As assumed, nothing at all, and harm: with intervals that hold the truth, within reason."""
    found = measured(outcomes(1, 40_000, scenario), models([]))
    assert found.acceptance_effect is not None
    assert found.annoyance_effect is not None
    truth = WORLDS[scenario]
    if scenario == "none":  # nobody accepts, so what an acceptance does can't be seen: assumed
        assert all(figure.used < -2 for figure in found.offsets)
        assert found.acceptance_effect.share_measured < 0.3
    else:
        assert found.acceptance_effect.used == pytest.approx(truth.acceptance_effect, abs=0.4)
        assert all(abs(figure.used) < 0.15 for figure in found.offsets)
    assert found.annoyance_effect.used == pytest.approx(truth.annoyance_effect, abs=0.15)
    assert found.outcomes == 40_000
    assert found.why_not == {BENDS: "learning by trees is switched off"}
    assert len(found.sentences) == 10


def test_acceptance_is_measured_against_the_model_alone() -> None:
    """A release that already decided with offsets doesn't make the next one forget them."""
    truth = (-0.5, -0.9, -1.2, -1.4)
    plain = measured(outcomes(2, 20_000, offsets=truth), models([]))
    # The second release saw corrected probabilities, right ones: nothing is off any more.
    seen_by = off_by(truth, (0.0,) * 3)
    second = outcomes(2, 20_000, offsets=truth, seen_by=seen_by, release="r2")
    again = measured(second, models([], list(truth)))
    for before, after, true in zip(plain.offsets, again.offsets, truth, strict=True):
        assert before.used == pytest.approx(true, abs=0.15)
        assert after.used == pytest.approx(true, abs=0.15)
    assert plain.responses == BASE


SLOPES = (-0.5, 0.6, -0.4)


def test_by_whom_offers_are_accepted_is_measured_and_never_forgotten() -> None:
    """The model's ranking is worth half of what it says, risky customers accept more often and
    those with large bills less: found by a release that knew nothing of it, and again by the next,
    which decided with what was found."""
    truth = (-0.5, -0.9, -1.2, -1.4)
    table = outcomes(10, 30_000, offsets=truth, slopes=SLOPES)
    first = measured(table, models([]))
    assert [one.slope.used for one in first.slopes] == pytest.approx(SLOPES, abs=0.1)
    made = Correction.measured(first)
    assert made is not None
    later = outcomes(11, 30_000, offsets=truth, slopes=SLOPES, seen_by=made, release="r2")
    found = as_json(first)
    second = measured(later, models([], found["offsets"], r2=found["slopes"]))
    assert [one.slope.used for one in second.slopes] == pytest.approx(SLOPES, abs=0.1)
    for one in (first, second):
        assert one.acceptance_effect is not None
        assert one.acceptance_effect.used == pytest.approx(ASSUMED.acceptance_effect, abs=0.4)


def test_trees_take_over_where_lines_do_not_tell_who_accepts() -> None:
    """Found by a release that knew nothing of it, and again by the next one, which decided with
    what was found; where there is no bend, or there are few answers, nothing changes."""
    table = outcomes(12, 20_000, bend=2.0)
    first = measure(table, models([]), ASSUMED, LEARN_FROM, 3_000)
    assert first.steps is not None
    assert BENDS not in first.why_not
    assert any("beyond straight lines" in said for said in first.sentences)
    made = Correction.measured(first)
    assert made is not None
    risky = np.array([[2.0, np.log(90)], [-2.0, np.log(40)]])  # log-odds of the risk, bill
    moved = made.moved(np.zeros((2, 4)), risky)
    assert (moved[0] - moved[1] > 1).all()
    found = as_json(first)
    later = outcomes(13, 20_000, bend=2.0, seen_by=made, release="r2")
    known = models([], found["offsets"], r2=found["slopes"])
    known["r2"]["steps"] = found["steps"]
    second = measure(later, known, ASSUMED, LEARN_FROM, 3_000)
    again = Correction.measured(second)
    assert second.steps is not None
    assert again is not None
    np.testing.assert_allclose(again.moved(np.zeros((2, 4)), risky), moved, atol=0.6)
    few = measure(table, models([]), ASSUMED, LEARN_FROM, 50_000)
    assert few.steps is None
    assert few.why_not[BENDS] == "fewer than 50,000 outcomes are known"
    none = measure(outcomes(14, 20_000), models([]), ASSUMED, LEARN_FROM, 3_000)
    assert none.steps is None
    assert "weren't shown" in none.why_not[BENDS]


def test_rows_of_unknown_releases_and_other_assumptions_say_nothing() -> None:
    unknown = measured(outcomes(3, 5_000, release="r9"), models([]))
    assert unknown.offsets == ()
    assert "no release" in unknown.why_not[RESPONSES]
    logged = measured(outcomes(3, 5_000), models([], base="observed, from the campaign log"))
    assert logged.offsets == ()
    assert "log of answers" in logged.why_not[RESPONSES]
    [said] = [said for said in logged.sentences if said.startswith(f"{RESPONSES}: ")]
    assert "learnt from your own log of answers" in said
    assert "as assumed" not in said  # one of the two was untrue
    other = models([]) | {"r2": {"responses": "SEMI-SYNTHETIC: another", "offsets": []}}
    both = pd.concat([outcomes(3, 5_000), outcomes(4, 300, release="r2")], ignore_index=True)
    assert measured(both, other).offsets == ()  # too few of the newest assumption


def test_few_outcomes_change_nothing_and_say_the_same_words() -> None:
    """Nothing is trained again because one more outcome came in that isn't learnt from."""
    few, more = (measured(outcomes(5, count), models([])) for count in (100, 450))
    assert few == more
    assert few.offsets == ()
    assert few.acceptance_effect is None
    assert set(few.why_not) == {RESPONSES, EFFECTS}
    # A first build's acceptance may be learnt from a company's own log, which nothing here knows.
    assert not any("as assumed" in said for said in few.sentences)
    nobody = measured(outcomes(5, 100).iloc[:0], models([]))
    assert nobody == few
    off = measure(outcomes(5, 5_000), models([]), ASSUMED, None)
    assert "switched off" in off.why_not[EFFECTS]


def test_without_a_control_group_effects_stay_assumed() -> None:
    table = outcomes(6, 5_000, control=0.0).assign(group=None)
    found = measured(table, models([]))
    assert found.acceptance_effect is None
    assert "left alone" in found.why_not[EFFECTS]
    assert len(found.offsets) == 4


def test_an_effect_for_some_acceptances_only_stays_assumed() -> None:
    """What outcomes measure is the mean over all of them, which is not this constant."""
    world = ASSUMED.model_copy(update={"effect_share": 0.5})
    found = measure(outcomes(6, 5_000), models([]), world, LEARN_FROM)
    assert found.acceptance_effect is None
    assert "for which acceptances" in found.why_not[EFFECTS]


def test_the_effect_is_found_where_contacts_without_a_discount_do_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Companies that assume so learn from their outcomes too."""
    world = ASSUMED.model_copy(update={"effect_without_discount": 0.5})
    monkeypatch.setitem(WORLDS, "assumed", world)
    found = measure(outcomes(1, 40_000), models([]), world, LEARN_FROM)
    assert found.acceptance_effect is not None
    assert found.acceptance_effect.used == pytest.approx(2.5, abs=0.4)


def test_a_broken_draw_teaches_nothing() -> None:
    table = outcomes(7, 5_000).assign(control_share=0.1)
    found = measured(table, models([]))
    assert found.offsets == ()
    assert "don't fit" in found.why_not[EFFECTS]


def test_many_contacts_are_not_one() -> None:
    """The effect of one contact can't be told where a third had another one."""
    table = outcomes(8, 6_000)
    some = table[table["contact"] & (np.arange(len(table)) % 3 == 0)]
    again = some.assign(time=some["time"] + pd.Timedelta(days=5))
    found = measured(pd.concat([table, again], ignore_index=True), models([]))
    assert found.acceptance_effect is None
    assert "contacted again" in found.why_not[EFFECTS]


def test_a_control_group_that_was_contacted_is_none() -> None:
    """Why: from the third day on the experiment was off, and everybody was contacted alike: an
    effect of 2.5 was measured as 0.5."""
    table, off = outcomes(1, 20_000), outcomes(1, 20_000, control=0.0)
    control = table["group"] == "control"
    table.loc[control, "churned"] = off.loc[control, "churned"]
    off = off[control & off["contact"]].assign(group=None, period=None, control_share=np.nan)
    for when in ("time", "known_at", "accepted_at"):
        off[when] += pd.Timedelta(days=3)
    found = measured(pd.concat([table, off], ignore_index=True), models([]))
    assert found.acceptance_effect is None
    assert "of the control group were contacted" in found.why_not[EFFECTS]


@pytest.mark.parametrize("again", ["a look", "not sent"])
def test_what_reached_nobody_is_no_second_contact(again: str) -> None:
    """Why: whoever looked once a week between plans learnt no effect, ever."""
    plan = outcomes(8, 6_000).assign(source="campaign", preferred=np.nan)
    never = plan["refused_at"]
    plan["not_sent_at"] = never
    later = plan.assign(time=plan["time"] + pd.Timedelta(days=5), accepted_at=never, accepted=False)
    later["known_at"] += pd.Timedelta(days=5)
    if again == "a look":
        later["source"] = "command"
    else:
        later["not_sent_at"] = later["time"].where(later["contact"])
    alone = measured(plan, models([]))
    found = measured(pd.concat([plan, later], ignore_index=True), models([]))
    assert alone.acceptance_effect is not None
    assert found.acceptance_effect == alone.acceptance_effect


@pytest.mark.parametrize("kind", ["sent_at", "delivered_at"])
def test_contacts_that_were_never_sent_are_no_refusals(kind: str) -> None:
    """Where senders report what they sent, or delivered: half of the contacts never left the house.
    Of senders who report the latter alone, offsets of 0 were measured as -1.0."""
    table = outcomes(9, 20_000)
    sent = np.arange(len(table)) % 2 == 0
    table[kind] = table["time"].where(sent & table["contact"]).astype("datetime64[us, UTC]")
    table["accepted"] &= sent
    found = measured(table, models([]))
    assert all(abs(figure.used) < 0.2 for figure in found.offsets)


def test_only_what_something_is_learnt_from_is_learnable() -> None:
    """Not who was met in the middle of a period, nor whom the policy wouldn't have contacted
    anyway; without the draw only contacts speak, and those of a known release alone."""
    table = outcomes(1, 4_000, "assumed")
    released = models([])
    drawn = table["contact"] | ((table["group"] == "control") & (table["preferred"] > 0))
    assert learnable(table, released, ASSUMED, LEARN_FROM).equals(drawn)
    assert measured(table, released).acceptance_effect is not None
    late = table.copy()
    seen = [0.2, *[0.3] * 4, 0.5, 3.0, 1.0, 1.0]
    late["observation"] = [seen if i < 1_000 else old for i, old in enumerate(late["observation"])]
    assert learnable(late, released, ASSUMED, LEARN_FROM).equals(drawn & (late.index >= 1_000))
    world = ASSUMED.model_copy(update={"effect_share": 0.5})
    assert learnable(table, released, world, LEARN_FROM).equals(table["contact"])
    assert not learnable(table, {}, world, LEARN_FROM).any()


def test_a_plan_s_control_group_tells_beside_the_policy_s() -> None:
    """It says of nobody whom it would have contacted: those it did were held against the policy's
    control group alone, or against all of its own without regard to their value."""
    table = outcomes(1, 4_000, "assumed")
    plans = table.index % 2 == 0
    table["source"] = np.where(plans, "campaign", "api")
    table["preferred"] = table["preferred"].where(~plans)
    control = (table["group"] == "control") & (plans | (table["preferred"] > 0))
    speaks = learnable(table, models([]), ASSUMED, LEARN_FROM)
    assert speaks.equals(table["contact"] | control)
    found = measured(table, models([]))
    assert found.acceptance_effect is not None
    assert found.acceptance_effect.lower <= ASSUMED.acceptance_effect
    assert found.acceptance_effect.upper >= ASSUMED.acceptance_effect


@pytest.mark.parametrize("planned_later", [False, True])
def test_who_only_looked_later_taught_no_effect(planned_later: bool) -> None:
    """Why: of customers who came after the plan `churn predict` was the first decision, and nobody
    was contacted after it: an effect of 2.5 was measured as 1.0, and held against the control group
    of these looks as 3.5 where who is asked about leaves more often than the score says. Planned
    themselves two months later, they tell as any whom a plan decided on."""
    plans = outcomes(1, 20_000).assign(source="campaign")
    looks = outcomes(2, 20_000, control=1.0).assign(source="command")
    looks["customer"] += 20_000
    for when in ("time", "known_at"):
        looks[when] += pd.Timedelta(days=20)
    rng = np.random.default_rng(3)
    treated = rng.random(20_000) < 0.7
    looks["group"], looks["control_share"] = np.where(treated, "treated", "control"), 0.3
    looks["contact"] = treated & (looks["preferred"] > 0)
    looks["offer_level"] = np.maximum(looks["preferred"] - 1, 0).astype("int8")
    looks["churned"] |= rng.random(20_000) < 0.2
    if planned_later:
        later = outcomes(4, 20_000).assign(source="campaign", customer=looks["customer"])
        for when in ("time", "known_at", "accepted_at"):
            later[when] += pd.Timedelta(days=80)
        plans = pd.concat([plans, later], ignore_index=True)
    table = pd.concat([plans, looks]).sort_values("time", kind="stable", ignore_index=True)
    speaks = learnable(table, models([]), ASSUMED, LEARN_FROM)
    assert speaks.sum() == learnable(plans, models([]), ASSUMED, LEARN_FROM).sum()
    assert not speaks[table["source"] == "command"].any()
    found, alone = measured(table, models([])), measured(plans, models([]))
    assert alone.acceptance_effect is not None
    assert alone.acceptance_effect.lower < ASSUMED.acceptance_effect
    assert alone.acceptance_effect.upper > ASSUMED.acceptance_effect
    assert found.acceptance_effect == alone.acceptance_effect
    assert found.annoyance_effect == alone.annoyance_effect


def test_who_only_looked_first_taught_no_effect() -> None:
    """Why: nobody was contacted after `churn predict`, which two months later a plan was made by;
    held to be contacts they said that an acceptance does nothing."""
    plans = outcomes(1, 20_000, "assumed").assign(source="campaign")
    looks = plans.assign(source="predict", accepted=False, spend=0.0)
    looks["accepted_at"] = looks["refused_at"]
    for when in ("time", "known_at"):
        looks[when] -= pd.Timedelta(days=60)
    table = pd.concat([looks, plans], ignore_index=True)
    found, alone = measured(table, models([])), measured(plans, models([]))
    assert alone.acceptance_effect is not None
    assert found.acceptance_effect == alone.acceptance_effect
    assert found.annoyance_effect == alone.annoyance_effect
