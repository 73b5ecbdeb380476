"""`python -m benchmarks.own_campaign`: the charitable mail's campaign by its contract, whole.

Reads `examples/charitable_mail/customers.yaml` (50,083 letters with four offers by chance, Karlan
and List 2007; the table is in the mirror folder, CHURN_DATA_MIRROR), trains the accept model on it,
holds it to the gates of a company's own log, and writes `benchmarks/own_campaign.json`:
response by offer with intervals, the methods that were compared, every gate's figure, seconds.
`docs/own-data.md` quotes it; a test holds the page to it.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from checks.own_campaign import OWN_ACCEPT_GATES
from churn_assets.customers.campaign import write_contacts
from churn_assets.customers.contract.model import load_contract
from churn_assets.customers.reading.sources import Places
from churn_assets.predictors.training import accept
from churn_assets.settings import PROJECT, load_settings
from churn_assets.storage.scratch import scratch_folder

EXAMPLE = PROJECT / "examples" / "charitable_mail" / "customers.yaml"
OUT = Path(__file__).with_suffix(".json")


def measure() -> dict[str, Any]:
    """What the contract's log gives, in the order of the page."""
    settings, began = load_settings(), time.perf_counter()
    with scratch_folder("own_campaign") as folder:
        for name in ("log", "model"):
            (folder / name).mkdir()
        places = Places(EXAMPLE.parent, settings.home / "raw", settings.data)
        check = write_contacts(load_contract(EXAMPLE), places, folder / "refused", folder / "log")
        read = time.perf_counter() - began
        inputs = {"campaign_contacts": folder / "log"}
        found = accept.run(inputs, folder / "model", settings.accept)["accept"]
    return summary(check.as_json(), found) | {
        "seconds": {"reading": round(read), "training": round(time.perf_counter() - began - read)}
    }


def summary(check: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The published part of a check's and a model's reports."""
    results = {gate.name: gate.judge(found) for gate in OWN_ACCEPT_GATES}
    kept = ("method", "methods", "chosen", "auc", "auc_interval", "baselines", "gain_over")
    return {
        **{name: check[name] for name in ("rows", "refused", "problems")},
        "outcome_means": [x["column"] for x in check["leaks"] if x["sign"] == "group_mean"],
        "response_by_level": found["response_by_level"],
        **{name: found[name] for name in kept},
        "gates": {
            name: {"value": result.metadata["value"].value, "passed": bool(result.passed)}
            for name, result in results.items()
        },
    }


if __name__ == "__main__":
    OUT.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
