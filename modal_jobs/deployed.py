"""What of this machine's settings reaches Modal's containers, and what stays here.

Containers have to contact by the same rules: the contract goes into every image, and with it what
follows from it. A rule that names a file is carried with the file's name alone. There is no such
file there, nor should there be an old copy of a suppression list: whoever plans in a container or
takes a list from it is answered with an error, not with a plan without the rule.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from churn_assets.campaign.opening import contract_named, under_contract
from churn_assets.orchestration.sources import PACKAGES, deployed_from
from churn_assets.settings import Settings

CONTRACT = "/contract/customers.yaml"
# Paths of the machine that deploys, and secrets, which containers get from a Modal secret; within
# the JSON of their section, too.
NOT_DEPLOYED = {
    *("CHURN_HOME", "CHURN_CUSTOMERS"),  # containers have their own
    "CHURN_DATA_MIRROR",
    "CHURN_API_KEY",  # a caller's
    "CHURN_DATA__MIRROR",
    "CHURN_ACCEPT__CAMPAIGN_LOG",
    *("CHURN_API__KEY_FILE", "CHURN_API__KEY_HASHES"),
    "CHURN_ALERTS__WEBHOOK",
    "CHURN_CAMPAIGN__LEDGER",
}


def deployed_settings(contract: Path | None) -> dict[str, str]:
    """The product's settings in force at the deployment, which the containers shall see too.

    An image is no place for secrets: whoever may read the workspace may read its variables.

    Args:
        contract: that the settings name; None: none.
    """
    deployed = {k: _without_secrets(k.upper(), v) for k, v in _ours() if not _stays(k)}
    if contract is not None:
        deployed["CHURN_CUSTOMERS"] = CONTRACT
    return deployed | {"CHURN_HOME": "/churn"}


def tags_of(settings: Settings, packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Digests of what an app is deployed from: its tags, by which a stale one is told from what is
    here. Secrets are in none of them.

    Args:
        packages: those that the app runs.

    Raises:
        OSError: the contract can't be read.
    """
    contract = settings.customers
    variables = json.dumps(deployed_settings(contract), sort_keys=True)
    return {
        **deployed_from(packages),
        "settings": _digest(variables.encode()),
        "contract": "none" if contract is None else _digest(contract.read_bytes()),
    }


def carried(settings: Settings, verb: str = "carried") -> Iterator[str]:
    """Lines that say what a deployment takes along, and what it doesn't.

    Args:
        verb: what it does with the former: `would carry`, as long as there is none.

    Raises:
        ContractError, OSError: the contract can't be read.
    """
    contract = contract_named(settings.customers)
    rules = under_contract(settings.campaign, contract, "")[0].rules
    yield f"{verb}  contract: {settings.customers or 'none, CHURN_CUSTOMERS is not set'}"
    yield f"{verb}  settings: {', '.join(sorted(deployed_settings(settings.customers)))}"
    if stays := sorted(k for k, _ in _ours() if _stays(k) and k != "CHURN_CUSTOMERS"):
        yield f"stays    secrets and paths: {', '.join(stays)}"
    if not settings.campaign.ledger.get_secret_value():
        yield (
            "stays    contact ledger: none is named here; unless the secret names one, each "
            "container has its own, and doesn't know of opt-outs and contacts that another one was "
            "told of"
        )
    for file in filter(None, (rules.suppression_list, settings.campaign.people)):
        yield (
            f"stays    {file}: the API will refuse to plan and to list without it; "
            "`churn campaign` does both on this machine"
        )


def _ours() -> list[tuple[str, str]]:
    """Our variables that say something: name, as it is written, and value."""
    ours = ("CHURN_", "FORCE_BASELINE")
    return [(k, v) for k, v in os.environ.items() if v and k.upper().startswith(ours)]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _stays(name: str) -> bool:
    return name.upper() in NOT_DEPLOYED


def _without_secrets(variable: str, value: str) -> str:
    """A section's JSON without what isn't deployed; every other variable as it is."""
    below = f"{variable}__"
    within = [name.removeprefix(below) for name in NOT_DEPLOYED if name.startswith(below)]
    if not within:
        return value
    section = json.loads(value)
    return json.dumps({k: v for k, v in section.items() if k.upper() not in within})
