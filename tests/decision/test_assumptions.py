"""What is left of the uplift where the world is otherwise: break-even, and what isn't seen."""

from pathlib import Path

import numpy as np
import pytest

from churn_assets.decision.config import (
    PLAIN,
    PRESETS,
    Assumptions,
    DecisionConfig,
    EnvironmentParams,
    PpoConfig,
)
from churn_assets.decision.evaluation import plots
from churn_assets.decision.evaluation.assumptions import (
    MISJUDGED,
    MONTHS,
    SHARES,
    break_even,
    decisions_of,
    evaluate_decided,
    least_share,
    pessimism,
    unseen_misestimation,
)
from churn_assets.decision.evaluation.conditions import changed_worlds
from churn_assets.decision.exact.pareto import without_rounding
from churn_assets.decision.exact.policy_value import Evaluation, evaluate
from churn_assets.decision.learning.contexts import feature_spec
from churn_assets.decision.learning.network import PolicyNetwork
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.rules.families import NeverContact
from churn_assets.decision.rules.lookahead import TwoContacts
from churn_assets.decision.rules.planner import Planner
from churn_assets.domain.plain_errors import WrongSettingError
from churn_assets.settings import Settings, load_settings
from tests.decision.conftest import synthetic_customers


def evaluate_misled(
    policy: Policy,
    assumed: tuple[Customers, EnvironmentParams],
    true: tuple[Customers, EnvironmentParams],
) -> Evaluation:
    """Exact figures in the true world of a policy that is shown the assumed one.

    The worlds may differ in what decisions bring, not in which states there are.
    """
    return evaluate_decided(decisions_of(policy, *assumed), *true)


def test_who_is_told_the_truth_is_not_misled(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: the same figures as everywhere else, where nothing is misjudged."""
    rule = TwoContacts(params=params, price=1.0)
    found = evaluate_misled(rule, (customers, params), (customers, params))
    np.testing.assert_array_equal(found.uplift, evaluate(rule, customers, params).uplift)


def test_decisions_are_those_on_what_is_shown(
    customers: Customers, params: EnvironmentParams
) -> None:
    """Why: a policy that saw the worse acceptance would act on it; this one offers what it offered
    before, and pays less often."""
    rule = TwoContacts(params=params, price=1.0)
    colder = customers.stressed(accept_factor=0.5)
    seen = evaluate(rule, colder, params)
    unseen = evaluate_misled(rule, (customers, params), (colder, params))
    assumed = evaluate(rule, customers, params)
    assert unseen.mean("spend") < assumed.mean("spend")
    assert unseen.mean("uplift") < min(assumed.mean("uplift"), seen.mean("uplift"))


def test_break_even_is_evaluated_exactly(customers: Customers, params: EnvironmentParams) -> None:
    """Why: the figure of the chart's corner is the reported uplift; any other is that of the same
    decisions in the other world; and whoever contacts nobody neither wins nor loses."""
    rule = TwoContacts(params=params, price=1.0)
    found = break_even(rule, customers, params)
    net = np.array(found["net_uplift"])
    assert net.shape == (len(SHARES), len(MONTHS))
    never = evaluate(NeverContact(params=params), customers, params.clean).mean("uplift")
    claimed = evaluate(rule, customers, params.clean).mean("uplift") - never
    assert net[-1, -1] == pytest.approx(claimed, abs=1e-12)
    world = params.clean.model_copy(update={"effect_share": 0.3, "persistence": 6})
    other = evaluate_misled(rule, (customers, params.clean), (customers, world))
    row, column = SHARES.index(0.3), MONTHS.index(6)
    assert net[row, column] == pytest.approx(other.mean("uplift") - never, abs=1e-12)
    assert (np.diff(net, axis=0) > 0).all()
    assert (np.diff(net[:, :-1], axis=1) > 0).all()
    nothing = break_even(NeverContact(params=params), customers, params)
    np.testing.assert_allclose(nothing["net_uplift"], 0, atol=1e-12)


def test_what_rounding_leaves_is_nothing(params: EnvironmentParams) -> None:
    """`churn report` printed -1.084e-19 forty-nine times; of these customers it is 5.4e-20."""
    nothing = break_even(NeverContact(params=params), synthetic_customers(7, 1), params)
    assert {figure for row in nothing["net_uplift"] for figure in row} == {0.0}
    assert str(without_rounding(-1.084e-19)) == "0.0"
    assert without_rounding(-1e-6) == -1e-6


@pytest.mark.parametrize(
    ("worth", "least"),
    [
        (lambda share: share - 0.4, 0.4),
        (lambda share: share - 0.05, 0.05),
        (lambda share: share + 0.05, 0.0),
        (lambda share: share - 1.5, None),
    ],
)
def test_the_line_is_where_net_uplift_is_nothing(worth: object, least: float | None) -> None:
    """Why: below it, contacting nobody is better."""
    found = least_share(np.array([worth(share) for share in SHARES]))  # type: ignore[operator]
    assert found == (None if least is None else pytest.approx(least))


def test_the_chart_is_drawn_with_and_without_a_line(
    customers: Customers, params: EnvironmentParams, tmp_path: Path
) -> None:
    """Why: a world where contacts never pay has no line, and must be shown too."""
    found = break_even(TwoContacts(params=params, price=1.0), customers, params)
    hopeless = found | {"net_uplift": (-np.abs(found["net_uplift"])).tolist()}
    hopeless["least_share"] = [None] * len(MONTHS)
    for name, figures in (("some", found), ("none", hopeless)):
        plots.break_even(tmp_path / f"{name}.png", figures, "look2")
        assert (tmp_path / f"{name}.png").stat().st_size > 5_000


def test_what_is_not_seen_costs(customers: Customers, params: EnvironmentParams) -> None:
    """Why: each mistake is made by every policy alike, and none captures all that there is."""
    policies = {
        "look2": TwoContacts(params=params, price=1.0),
        "planner": Planner(params=params, price=1.0),
    }
    table = unseen_misestimation(policies, customers, params, 1.0)
    assert table.keys() == MISJUDGED.keys()
    for row in table.values():
        assert row.keys() == policies.keys()
        assert all(0 < one["captured_uplift"] <= 1 + 1e-9 for one in row.values())
    colder, warmer = (table[f"acceptance 30 % {how}"]["planner"] for how in ("lower", "higher"))
    assert colder["spend_ratio"] < warmer["spend_ratio"]
    assert table["annoyance 0.3"]["planner"]["captured_uplift"] < 0.99


def test_caution_has_its_price_and_its_use(customers: Customers, params: EnvironmentParams) -> None:
    """Why: whoever assumes more annoyance loses where there is little, and gains where there is
    much."""
    spec = feature_spec(customers, params, PpoConfig(worlds=2, own_worlds=1))
    network = PolicyNetwork(8, spec.inputs).deployed(spec)
    table = pessimism(network, customers, customers)
    bold, careful = (table[f"planner, assuming {annoyance}"] for annoyance in ("0.05", "0.15"))
    assert bold.keys() == {"0.05", "0.15", "0.3"}
    assert careful["0.05"] < bold["0.05"]
    assert careful["0.3"] > bold["0.3"]
    assert {"ppo, assuming 0.05", "ppo, assuming 0.15"} < table.keys()


def test_what_is_assumed_otherwise_holds_in_every_preset() -> None:
    """Why: a setting that reached the served world only would compare policies of unlike worlds."""
    config = DecisionConfig(
        assumed=Assumptions(hard_cooldown_days=2, persistence=6, annoyance_effect=0.15)
    )
    for preset in PRESETS:
        world = config.world(preset)
        assert (world.hard_cooldown_days, world.persistence) == (2, 6)
        assert world.annoyance_effect == 0.15
        assert world.budget_limit == PRESETS[preset].budget_limit
    assert config.environment == config.world("moderate")


def test_honest_worlds_are_the_default_and_the_plain_ones_a_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Why: what is published unless somebody asks otherwise is the less kind world."""
    honest = DecisionConfig().environment
    assert 0 < honest.hard_cooldown_days < honest.cooldown_days
    assert 0 < honest.bare_effect < honest.acceptance_effect
    assert honest.persistence == 12
    monkeypatch.setenv("CHURN_DECISION__ASSUMED", PLAIN.model_dump_json())
    plain = Settings().decision
    for preset, world in PRESETS.items():
        assert plain.world(preset) == world


def test_a_week_without_contacts_can_be_assumed() -> None:
    """Why: a preset that nobody asked for has a shorter cooldown, and ruled it out; where all of
    them are compared, it is given as long a one."""
    config = DecisionConfig(assumed=Assumptions(hard_cooldown_days=7))
    own = config.environment
    assert (own.hard_cooldown_days, own.cooldown_days) == (7, 7)
    worlds = changed_worlds(config, own)
    assert {world.hard_cooldown_days for world in worlds.values()} == {7}
    assert worlds["mild"].cooldown_days == 7
    assert worlds["harsh"] == config.world("harsh")
    strong = DecisionConfig(preset="mild", assumed=Assumptions(effect_without_discount=2.8))
    assert changed_worlds(strong, strong.environment)["frugal"].acceptance_effect == 2.8


def test_an_assumption_that_a_preset_rules_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why: one line when the settings are read, not a stage that fails later."""
    said = "preset 'mild': hard_cooldown_days: 6 is more than the cooldown_days 5"
    with pytest.raises(ValueError, match=said):
        DecisionConfig(also_report=("mild",), assumed=Assumptions(hard_cooldown_days=6))
    monkeypatch.setenv("CHURN_DECISION__PRESET", "mild")
    monkeypatch.setenv("CHURN_DECISION__ASSUMED__HARD_COOLDOWN_DAYS", "6")
    load_settings.cache_clear()
    try:
        with pytest.raises(WrongSettingError) as error:
            load_settings()
    finally:
        load_settings.cache_clear()
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1
