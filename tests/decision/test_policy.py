"""What is saved is what decides; the numpy network is the torch network; bad input is named."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from churn_assets.decision.config import PRESETS, EnvironmentParams, PpoConfig
from churn_assets.decision.learning.contexts import CONTEXT, feature_spec
from churn_assets.decision.learning.network import PolicyNetwork, save_network
from churn_assets.decision.learning.network_numpy import (
    HEADS,
    NetworkPolicy,
    NetworkSpec,
    context_features,
    raw_features,
)
from churn_assets.decision.mdp.actions import Policy
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.observation import COLUMNS, build_states
from churn_assets.decision.mdp.outcomes import decision_outcomes
from churn_assets.decision.policy import (
    load_network,
    load_params,
    load_policy,
    load_rule,
    save_rule,
)
from churn_assets.decision.rules.families import (
    AlwaysOffer,
    NeverContact,
    PricedGreedy,
    RiskThreshold,
    Rule,
    SegmentTable,
    UpliftRule,
)
from churn_assets.decision.rules.lookahead import RetryGreedy, TwoContacts
from churn_assets.decision.rules.tuning import families

PARAMS = EnvironmentParams()
RULES: list[Rule] = [
    NeverContact(),
    AlwaysOffer(),
    RiskThreshold(threshold=0.4, offer=1),
    UpliftRule(threshold=0.1, offer=2),
    PricedGreedy(price=1.3, contact_in_cooldown=True),
    RetryGreedy(price=1.3, contact_in_cooldown=True, delay_after_contact=0),
    TwoContacts(price=1.3),
    SegmentTable(risk_edges=(0.5,), accept_edges=(), table=((-1, -1, -1, -1), (0, 0.1, 0.2, 0))),
]


def random_states(count: int, seed: int = 0) -> np.ndarray:
    """States from all over the space."""
    rng = np.random.default_rng(seed)
    accept = np.sort(rng.uniform(0.01, 0.99, (count, 4)), axis=1)
    return build_states(
        rng.uniform(0.01, 0.99, count),
        accept,
        rng.integers(0, 5, count) / 4,
        rng.integers(0, 9, count).astype(float),
        rng.integers(0, 6, count),
    )


def network_policy(seed: int = 0) -> NetworkPolicy:
    """An untrained network with lively heads."""
    torch.manual_seed(seed)
    network = PolicyNetwork(16)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.5)
    spec = NetworkSpec(params=PARAMS, mean=(0.1,) * 9, scale=(1.5,) * 9, offer_price=0.2)
    return network.deployed(spec)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_a_saved_rule_decides_the_same(rule: Rule, tmp_path: Path) -> None:
    """Why: the release serves files."""
    save_rule(rule, tmp_path)
    states = random_states(300)
    loaded = load_policy(tmp_path)
    assert loaded.name == rule.name
    for name in ("contact", "offer", "delay", "probability"):
        assert (getattr(loaded.decide(states), name) == getattr(rule.decide(states), name)).all()
    assert load_params(tmp_path) == rule.params


def test_a_saved_network_decides_the_same(tmp_path: Path) -> None:
    """Why: the release serves files."""
    policy = network_policy()
    save_network(policy, tmp_path)
    states = random_states(300)
    before, after = policy.decide(states), load_policy(tmp_path).decide(states)
    assert (before.contact == after.contact).all()
    assert (before.offer == after.offer).all()
    assert (before.probability == after.probability).all()


@pytest.mark.parametrize("head_scale", [1, 4000])
def test_numpy_network_equals_torch(head_scale: float) -> None:
    """Why: serving needs no torch, and must be the network that was trained; untrained heads put
    out hundredths, trained ones up to 60 (thousands of times as much)."""
    torch.manual_seed(0)
    network = PolicyNetwork(128)
    with torch.no_grad():
        for head in (network.contact, network.offer, network.delay):
            head.weight.mul_(head_scale)
    spec = NetworkSpec(params=PARAMS, mean=(0.3,) * 9, scale=(1.2,) * 9)
    policy, states = network.deployed(spec), random_states(500)
    features = torch.from_numpy((raw_features(states) - 0.3) / 1.2)
    with torch.no_grad():
        single = network(features.float())
        exact = network.double()(features)
    outputs = policy.outputs(states)
    if head_scale > 1:
        assert abs(outputs).max() > 60
    for columns, theirs, rounded in zip(HEADS.values(), exact, single, strict=True):
        np.testing.assert_allclose(outputs[:, columns], theirs.numpy(), rtol=0, atol=1e-6)
        largest = max(1.0, float(theirs.abs().max()))
        np.testing.assert_allclose(
            outputs[:, columns] / largest, rounded.numpy() / largest, rtol=0, atol=1e-6
        )


def conditioned(hidden: int = 16) -> tuple[PolicyNetwork, NetworkSpec]:
    """An untrained network that is told the price and the world, and its spec."""
    torch.manual_seed(0)
    inputs = 9 + len(CONTEXT)
    spec = NetworkSpec(
        params=PARAMS, mean=(0.3,) * inputs, scale=(1.2,) * inputs, context=CONTEXT, price=2.5
    )
    return PolicyNetwork(hidden, inputs), spec


def test_what_a_network_is_told_is_what_it_was_trained_on() -> None:
    """Why: serving works price and world into the first layer's bias; training gives them as
    inputs, row by row. They must be the same network, for every price and world."""
    network, spec = conditioned()
    states = random_states(200)
    for params in PRESETS.values():
        for price in (0.0, 0.7, 9.0):
            told = context_features(CONTEXT, np.full(len(states), price), params)
            inputs = (np.concatenate([raw_features(states), told], axis=1) - 0.3) / 1.2
            with torch.no_grad():
                theirs = torch.cat(network.double()(torch.from_numpy(inputs)), dim=1).numpy()
            ours = network.float().deployed(spec.within(params).at(price)).outputs(states)
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_a_saved_network_keeps_its_price_and_world(tmp_path: Path) -> None:
    """Why: without them, the network that is loaded would be another policy."""
    network, spec = conditioned()
    policy = network.deployed(spec)
    save_network(policy, tmp_path)
    loaded, states = load_network(tmp_path), random_states(100)
    assert loaded.spec == spec
    np.testing.assert_array_equal(loaded.outputs(states), policy.outputs(states))
    dearer = network.deployed(spec.at(8.0))
    assert (dearer.outputs(states) != policy.outputs(states)).any()


def test_at_the_cap_nothing_is_decided_any_more() -> None:
    """Why: looking again costs something, and no contact can follow; below the cap the network
    decides, row by row as if it were asked alone."""
    network, spec = conditioned()
    policy, states = network.deployed(spec), random_states(300)
    decided, capped = policy.decide(states), states[:, 8] >= PARAMS.contact_cap
    assert capped.any()
    assert not decided.contact[capped].any()
    assert (decided.delay[capped] == 7).all()
    for row in np.flatnonzero(~capped)[:40]:
        alone = policy.decide(states[row : row + 1])
        np.testing.assert_array_equal(alone.actions[0], decided.actions[row])


def test_a_network_without_context_is_told_nothing() -> None:
    """Why: an older release's network goes on deciding as it did; asking it for another price must
    not pass unnoticed."""
    policy = network_policy()
    elsewhere = policy.spec.within(PRESETS["harsh"])
    assert elsewhere.params == PRESETS["harsh"]
    with pytest.raises(ValueError, match="price"):
        policy.spec.at(1.0)
    with pytest.raises(ValueError, match="scale"):
        NetworkSpec(params=PARAMS, mean=(0.0,) * 10, scale=(1.0,) * 9, context=("price",))


@pytest.mark.parametrize("policy", [*RULES, network_policy()], ids=lambda policy: policy.name)
def test_decisions_are_possible_ones(policy: Policy) -> None:
    """Why: an offer beyond the allowance or a contact on a closed channel can't be carried out."""
    states = random_states(2000, seed=4)
    decided = policy.decide(states)
    assert set(np.unique(decided.offer)) <= {0, 1, 2, 3}
    assert set(np.unique(decided.delay)) <= set(range(8))
    assert not decided.contact[states[:, 8] >= PARAMS.contact_stop].any()
    price = np.asarray(PARAMS.discounts)[decided.offer] * decided.contact
    assert (price <= states[:, 5] * PARAMS.budget_allowance + 1e-9).all()
    assert (decided.offer[~decided.contact] == 0).all()
    # The propensity, not what a softmax would have given: the same state, the same action, always.
    again = policy.decide(states)
    assert (decided.actions == again.actions).all()
    assert (decided.probability == 1).all()


@pytest.mark.parametrize("policy", [RULES[4], network_policy()], ids=lambda policy: policy.name)
@pytest.mark.parametrize("column", [0, 3, 5, 8])
def test_nan_is_refused_by_name(policy: Policy, column: int) -> None:
    """Why: NaN compares false and would silently mean no contact."""
    states = random_states(3)
    states[2, column] = np.nan
    with pytest.raises(ValueError, match="nan in row 2"):
        policy.decide(states)


def test_a_dearer_discount_is_offered_less(customers: Customers) -> None:
    """Why: the greedy rule's price is its budget knob; it must work in one direction."""
    states = random_states(1000)
    spends = [
        (decided.contact * decided.offer).sum()
        for price in (0.0, 1.0, 2.0, 4.0, 8.0)
        for decided in [PricedGreedy(price=price).decide(states)]
    ]
    assert spends == sorted(spends, reverse=True)
    assert spends[0] > spends[-1]


def test_thompson_learns_that_some_contacts_pay(customers: Customers) -> None:
    """Why: a bandit baseline that learnt nothing would be a straw man."""
    thompson = [family for family in families(customers, PARAMS, 1.0) if family.name == "thompson"]
    table = np.asarray(thompson[0].variants[0](1.0).table)
    learnt = table[np.abs(table).sum(axis=1) > 0]
    assert learnt.max() > 0.05
    assert learnt.min() < 0


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """Why: a release with a damaged policy must say which file is damaged."""
    (tmp_path / "policy.json").write_text(json.dumps({"kind": "oracle"}))
    with pytest.raises(ValueError, match=r"policy\.json"):
        load_policy(tmp_path)


def test_releases_of_other_versions_load(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Why: a running release must survive an update of the code that adds or drops a setting."""
    rule = PricedGreedy(price=2.0)
    save_rule(rule, tmp_path)
    file = tmp_path / "policy.json"
    saved = json.loads(file.read_text())
    del saved["params"]["history_share"]
    file.write_text(json.dumps(saved))
    assert load_policy(tmp_path) == rule
    assert not caplog.messages
    saved["params"]["seasonality"] = 0.5
    saved["patience"] = 3
    file.write_text(json.dumps(saved))
    assert load_policy(tmp_path) == rule
    assert load_params(tmp_path) == rule.params
    assert "params.seasonality, patience" in caplog.messages[0]


@pytest.mark.parametrize(
    ("tensor", "damage"),
    [
        ("offer.weight", lambda array: array[:3]),
        ("offer.bias", lambda array: array[:1]),
        ("trunk.0.bias", lambda array: array[:1]),
        ("trunk.2.weight", lambda array: array * np.float32(np.nan)),
        ("delay.bias", lambda array: array + np.float32(np.inf)),
        ("contact.weight", None),
        ("trunk.0.bias", None),
    ],
)
def test_damaged_weights_are_refused(
    tensor: str, damage: Callable[[np.ndarray], np.ndarray] | None, tmp_path: Path
) -> None:
    """Why: numpy would broadcast some wrong shapes without a word, and NaN decides "no contact"."""
    policy = network_policy()
    array = policy.weights.pop(tensor)
    if damage:
        policy.weights[tensor] = damage(array)
    save_network(policy, tmp_path)
    with pytest.raises(ValueError, match=r"network\.safetensors"):
        load_policy(tmp_path)


def test_a_file_cut_short_is_refused_by_name(tmp_path: Path) -> None:
    """Why: an interrupted copy must not surface as an error from inside a library."""
    save_network(network_policy(), tmp_path)
    file = tmp_path / "network.safetensors"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"network\.safetensors"):
        load_policy(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("mean", (0.1,) * 8), ("scale", (1.0,) * 8 + (0.0,)), ("mean", (np.nan,) * 9)],
)
def test_a_damaged_normalisation_is_refused(
    field: str, value: tuple[float, ...], tmp_path: Path
) -> None:
    """Why: features divided by zero, or by another column's spread, decide anything at all."""
    save_network(network_policy(), tmp_path)
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: value}))
    with pytest.raises(ValueError, match=field):
        load_policy(tmp_path)


def test_networks_and_rules_are_told_apart(tmp_path: Path) -> None:
    """Why: the report draws the learned network; a rule in its folder is a mix-up."""
    save_network(network_policy(), tmp_path / "network")
    save_rule(PricedGreedy(), tmp_path / "rule")
    assert load_network(tmp_path / "network").name == "ppo"
    assert load_rule(tmp_path / "rule") == PricedGreedy()
    for load, folder in ((load_network, "rule"), (load_rule, "network")):
        with pytest.raises(ValueError, match=folder):
            load(tmp_path / folder)


def test_serving_needs_no_torch() -> None:
    """Why: cold start; the API imports these modules."""
    code = (
        "import sys; import churn_assets.decision.policy, churn_assets.decision.mdp.outcomes;"
        "print(sorted({'torch', 'pandas', 'sklearn', 'dagster', 'gymnasium', 'matplotlib'} "
        "& set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert printed.stdout.decode().strip() == "[]"


def test_outcomes_by_hand() -> None:
    """Why: the API shows these numbers; one is worked out on paper here."""
    states = build_states([0.5], [[0.5, 0.5, 0.5, 0.5]], [1.0], [np.nan], [0])
    params = PARAMS.model_copy(update={"acceptance_effect": np.log(3), "annoyance_effect": 0.0})
    found = decision_outcomes(states, np.array([1000.0]), params)
    # odds 1 -> 1/3 on acceptance: P(stays) = 0.5 x 0.75 + 0.5 x 0.5 = 0.625
    np.testing.assert_allclose(found.retention[0], [0.5] + [0.625] * 4)
    np.testing.assert_allclose(found.expected_cost[0], [0, 0, 25, 50, 75])
    np.testing.assert_allclose(found.expected_value[0], [0, 124, 99, 74, 49])


def test_outcomes_refuse_bad_values() -> None:
    """Why: a missing charge must not become an expected value of NaN."""
    states = random_states(2)
    with pytest.raises(ValueError, match="values"):
        decision_outcomes(states, np.array([1.0, np.nan]), PARAMS)


def test_features_are_normalised_with_stored_constants(customers: Customers) -> None:
    """Why: serving must scale as training did."""
    spec = feature_spec(customers, PARAMS, PpoConfig())
    assert spec.mean == feature_spec(customers, PARAMS, PpoConfig()).mean
    assert min(spec.scale[: len(COLUMNS)]) >= 0.1
