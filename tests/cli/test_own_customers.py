"""`churn customers` as a person and a program use it: separate processes, no release needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Churn
from tests.customers.conftest import CONTRACT, as_csv, made_rows


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty home: these commands need no release."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A company's folder with a contract and its table."""
    (tmp_path / "customers.yaml").write_text(CONTRACT)
    (tmp_path / "history.csv").write_text(as_csv(made_rows()))
    return tmp_path


def test_the_contract_of_the_environment_is_checked(churn: Churn, folder: Path) -> None:
    """From any folder, with a relative path of the one where the command starts."""
    done = churn("customers", "check", "--json", cwd=folder, CHURN_CUSTOMERS="customers.yaml")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {"rows", "refused", "leaks", "problems"} <= set(report)
    assert (report["rows"], report["refused"]) == (400, 0)
    assert report["contract"] == "Lighthouse Broadband"


def test_problems_are_the_exit_code(churn: Churn, folder: Path) -> None:
    """A nightly job stops here; the report still comes, and refused rows lie in the home folder."""
    rows = made_rows()
    rows[2]["Months"] = "?"
    (folder / "history.csv").write_text(as_csv(rows))
    contract = str(folder / "customers.yaml")
    done = churn("customers", "check", "--json", "--contract", contract, home=folder / "home")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["refused"] == 1
    assert len(report["problems"]) == 1
    file = Path(report["tables"]["history"]["refused_file"])
    assert file.is_relative_to(folder / "home")
    assert "history.csv:3" in file.read_text()
    table = churn("customers", "check", "--contract", contract, home=folder / "home")
    assert table.returncode == 1
    assert "is not a number" in table.stdout


def test_who_is_active_and_has_left_is_named(churn: Churn, folder: Path) -> None:
    """By the command alone: what Dagster records has their number."""
    rows = made_rows()
    gone = min(row["Account"] for row in rows if row["Cancelled"] == "yes")
    active = [row | {"Account": f"B{i}"} for i, row in enumerate(made_rows(300, seed=5))]
    active[0]["Account"] = gone
    (folder / "active.csv").write_text(as_csv(active))
    both = "history: {path: history.csv}\n  active: {path: active.csv}"
    contract = CONTRACT.replace("history: {path: history.csv}", both)
    (folder / "customers.yaml").write_text(contract)
    done = churn("customers", "check", "--contract", "customers.yaml", cwd=folder)
    assert done.returncode == 1
    assert f"1 of the customers have left, says the history ('{gone}'): leave" in done.stdout


def test_customers_without_ids_are_no_control_group(churn: Churn, folder: Path) -> None:
    """Row 17 is somebody else in the next file: where an experiment is on, a line says so."""
    (folder / "customers.yaml").write_text(CONTRACT.replace("  id: Account\n", ""))
    (folder / "home/store/pointers").mkdir(parents=True)
    said = "your customers have no id"
    told = {"cwd": folder, "home": folder / "home", "CHURN_CUSTOMERS": "customers.yaml"}
    assert said in churn("customers", "check", **told).stdout.lower()
    assert said in churn("experiment", "status", **told).stderr.lower()
    off = churn("experiment", "off", **told)
    assert (off.returncode, off.stderr) == (0, "")
    (folder / "customers.yaml").write_text(CONTRACT)
    assert said not in churn("customers", "check", **told).stdout.lower()
    assert churn("experiment", "on", **told).stderr == ""


def test_an_experiment_whose_contract_cannot_be_read_is_not_begun(
    churn: Churn, tmp_path: Path
) -> None:
    """Why: it said that it was on, then that it had failed; off has to work from anywhere."""
    (tmp_path / "home/store/pointers").mkdir(parents=True)
    told = {"cwd": tmp_path, "home": tmp_path / "home", "CHURN_CUSTOMERS": "customers.yaml"}
    failed = churn("experiment", "on", **told)
    assert (failed.returncode, failed.stdout) == (1, "")
    [line] = failed.stderr.splitlines()
    assert "customers.yaml: No such file" in line
    assert "is off" in churn("experiment", cwd=tmp_path, home=tmp_path / "home").stdout
    off = churn("experiment", "off", **told)
    assert (off.returncode, off.stderr) == (0, "")


def test_without_a_contract_it_is_ibm_telco(churn: Churn, tmp_path: Path) -> None:
    """Somebody who has nothing sees how a report looks; here on the generated table."""
    synthetic = {"CHURN_DATA__SOURCE": "synthetic", "CHURN_DATA__TELCO__SYNTHETIC_ROWS": "600"}
    done = churn("customers", "check", "--json", home=tmp_path, **synthetic)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["contract"] == "IBM Telco"
    assert report["tables"]["history"]["used"] > 500


def test_a_wrong_contract_is_a_line_with_its_place(churn: Churn, folder: Path) -> None:
    """No traceback, and nothing is read."""
    (folder / "customers.yaml").write_text(CONTRACT.replace("kind: flag", "kind: boolean"))
    done = churn("customers", "check", "--contract", "customers.yaml", cwd=folder)
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("customers.yaml:15: features.Paperless.kind: ")


@pytest.mark.parametrize(
    ("contract", "said"),
    [("nowhere.yaml", "nowhere.yaml: No such file"), (".", "Is a directory")],
)
def test_a_contract_that_is_none(churn: Churn, folder: Path, contract: str, said: str) -> None:
    """A typing error is one line."""
    done = churn("customers", "check", "--contract", contract, cwd=folder)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert said in line


def test_inspect_writes_a_contract_once(churn: Churn, folder: Path) -> None:
    """A contract that somebody has worked on isn't replaced without being asked."""
    again = churn("customers", "inspect", "history.csv", cwd=folder)
    assert again.returncode == 2
    assert "exists" in again.stderr
    assert (folder / "customers.yaml").read_text() == CONTRACT
    made = churn("customers", "inspect", "history.csv", "--out", "first.yaml", "--json", cwd=folder)
    assert made.returncode == 0, made.stderr
    profile = json.loads(made.stdout)
    assert [column["name"] for column in profile["columns"]] == list(made_rows(1)[0])
    assert "path: history.csv" in (folder / "first.yaml").read_text()
    assert churn("customers", "inspect", "history.csv", "--force", cwd=folder).returncode == 0
    assert (folder / "customers.yaml").read_text() != CONTRACT
