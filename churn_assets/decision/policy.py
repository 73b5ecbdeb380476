"""Decision policies as files: a folder in, a policy that decides out, and back.

    policy = load_policy(folder)            # reads folder/policy.json (+ network.safetensors)
    decisions = policy.decide(states)       # states (N, 9) from state.build_states

The environment that a policy was made for is `load_params(folder)`. Needs numpy and safetensors
only, so serving can import it.

A release outlives the code that made it: a field that this version doesn't know is left out, with
a warning, and a field that the file doesn't have takes its default.
"""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from churn_assets.decision.config import EnvironmentParams
from churn_assets.decision.learning.network_numpy import POLICY_FILE, NetworkPolicy, NetworkSpec
from churn_assets.decision.mdp.actions import Policy
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
from churn_assets.decision.rules.planner import Planner

log = logging.getLogger(__name__)

_Saved = Annotated[
    NetworkSpec
    | NeverContact
    | AlwaysOffer
    | RiskThreshold
    | UpliftRule
    | PricedGreedy
    | RetryGreedy
    | TwoContacts
    | Planner
    | SegmentTable,
    Field(discriminator="kind"),
]
_ADAPTER: TypeAdapter[NetworkSpec | Rule] = TypeAdapter(_Saved)


def load_policy(folder: Path) -> Policy:
    """The policy saved in `folder`.

    Raises:
        FileNotFoundError: there is no policy.json (or no weights beside it).
        ValueError: policy.json or the weights are not a policy; the message names the file.
    """
    saved = _read(folder)
    return NetworkPolicy.load(folder, saved) if isinstance(saved, NetworkSpec) else saved


def load_network(folder: Path) -> NetworkPolicy:
    """The network saved in `folder`; raises like `load_policy`, and where it is a rule."""
    saved = _read(folder)
    if not isinstance(saved, NetworkSpec):
        raise ValueError(f"{folder / POLICY_FILE} is a rule, not a network")
    return NetworkPolicy.load(folder, saved)


def load_rule(folder: Path) -> Rule:
    """The rule saved in `folder`; raises like `load_policy`, and where it is a network."""
    saved = _read(folder)
    if isinstance(saved, NetworkSpec):
        raise ValueError(f"{folder / POLICY_FILE} is a network, not a rule")
    return saved


def load_params(folder: Path) -> EnvironmentParams:
    """The environment that the policy in `folder` was made for; raises like `load_policy`."""
    return _read(folder).params


def price_of(policy: Policy) -> float | None:
    """The price of the budget that a policy decides by; None where it knows none."""
    if isinstance(policy, NetworkPolicy):
        return policy.spec.price if "price" in policy.spec.context else None
    price = getattr(policy, "price", None)
    return None if price is None else float(price)


def at_price(policy: Policy, price: float) -> Policy:
    """The same policy told another price of the budget; itself where it knows none."""
    if price_of(policy) is None:
        return policy
    if isinstance(policy, NetworkPolicy):
        return replace(policy, spec=policy.spec.at(price))
    return policy.model_copy(update={"price": price}) if isinstance(policy, Rule) else policy


def save_rule(rule: Rule, folder: Path) -> None:
    """Write a rule policy as `folder`/policy.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / POLICY_FILE).write_text(rule.model_dump_json(indent=2))


def _read(folder: Path) -> NetworkSpec | Rule:
    path = folder / POLICY_FILE
    text = path.read_text()
    try:
        saved = _ADAPTER.validate_json(text, extra="ignore")
    except ValidationError as error:
        raise ValueError(f"{path} is not a saved policy: {error}") from error
    if unknown := _unknown(json.loads(text), saved.model_dump()):
        log.warning("%s is of another version; left out: %s", path, ", ".join(unknown))
    return saved


def _unknown(given: dict[str, Any], known: dict[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of the fields that are in the file but not in the model."""
    names = []
    for name, value in given.items():
        if name not in known:
            names.append(prefix + name)
        elif isinstance(value, dict):
            names += _unknown(value, known[name], f"{prefix}{name}.")
    return names
