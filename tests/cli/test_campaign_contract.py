"""A contract with a campaign alone, as a person uses it: check, materialize, report; separate
processes and real files, no customers and no release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checks.own_campaign import OWN_ACCEPT_GATES
from churn_assets.cli.report import judged
from tests.cli.conftest import Churn
from tests.customers.charity import EXAMPLE, charity_rows, write_charity


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror with a table of the charity's shape, and an empty home."""
    folder = tmp_path_factory.mktemp("charity")
    write_charity(folder / "mirror", charity_rows())
    return folder


def test_from_the_contract_to_the_report(churn: Churn, place: Path) -> None:
    """The graph of such a contract is its log and the accept model, with their checks."""
    told = {
        "CHURN_CUSTOMERS": str(EXAMPLE),
        "CHURN_DATA_MIRROR": str(place / "mirror"),
    }
    home = place / "home"
    checked = churn("customers", "check", "--json", home=home, **told)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    report = json.loads(checked.stdout)
    assert (report["rows"], report["refused"], report["problems"]) == (1_000, 0, [])
    assert {"stateresponse", "out_amountgive"} <= {leak["column"] for leak in report["leaks"]}
    made = churn("materialize", home=home, **told)
    assert made.returncode == 0, made.stderr
    assert f"checks: {len(OWN_ACCEPT_GATES) + 2} passed, 0 warned, 0 failed" in made.stderr
    shown = churn("report", home=home, **told)
    assert shown.returncode == 0, shown.stderr
    assert "Campaign of Charitable mail" in shown.stdout
    assert "response by offer" in shown.stdout
    assert "300 % of the gift" in shown.stdout
    assert "missed" not in shown.stdout
    found = json.loads(churn("report", "--json", home=home, **told).stdout)["accept"]
    assert sum(row["contacts"] for row in found["response_by_level"]) == 1_000


def test_a_gate_is_shown_as_its_check_judges_it() -> None:
    """A figure that misses by less than its error holds, here and in the graph."""
    [gate] = [gate for gate in OWN_ACCEPT_GATES if gate.name.endswith("logistic_regression")]
    gain = {"value": -0.001, "error": 0.002}
    measured = {"gain_over": {"logistic_regression": gain}}
    assert "holds" in judged(gate, measured)[2]
    assert "missed" in judged(gate, {"gain_over": {"logistic_regression": gain | {"error": 0}}})[2]
