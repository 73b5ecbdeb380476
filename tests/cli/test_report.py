"""`churn report` on a release with figures of a real one's shape."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from checks.own_customers import OWN_RISK_GATES
from checks.predictors import Gate
from churn_assets.cli.campaign_plan import assumed_by
from churn_assets.cli.report import HOLDS, MISSED, gates_by_area, judged
from churn_assets.cli.report_summary import summary_of
from churn_assets.release.bundle import Manifest, read_manifest, write_manifest
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_small_release
from tests.cli.conftest import PROJECT, Churn, clean_environment

LONG = "a_figure_whose_name_is_longer_than_half_a_screen_and_goes_on_for_quite_a_while"


def measured(bundle: Path) -> Manifest:
    """The small release with figures that hold, miss and only warn."""
    manifest = read_manifest(bundle)
    facts = manifest.model_dump(exclude={"release_id", "created", "content", "files"})
    del facts["report"]["release_id"]
    facts["report"]["risk"] |= {"source": "mirror", "auc": 0.858, "ece": 0.061}
    facts["report"]["accept"] = {"source": "synthetic", "auc": 0.6}
    facts["report"]["messages"] = {"sft_pass_rate": 0.96, "win_rate": 0.5, LONG: 0.123}
    return write_manifest(bundle, **facts)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("reported")
    publish_small_release(home, tmp_path_factory.mktemp("release"), change=measured)
    return home


def test_a_plan_says_what_its_release_assumes(tmp_path: Path) -> None:
    """Its expected value was told without a word of that; a release that is gone says nothing."""
    simulated = "SEMI-SYNTHETIC: the response to a discount is simulated"

    def assuming(bundle: Path) -> Manifest:
        manifest = read_manifest(bundle)
        facts = manifest.model_dump(exclude={"release_id", "created", "content", "files"})
        del facts["report"]["release_id"]
        facts["report"]["accept"] = {"responses": simulated}
        return write_manifest(bundle, **facts)

    home = tmp_path / "home"
    publish_small_release(home, tmp_path / "release", change=assuming)
    store = LocalArtifactStore(home / "store")
    [record] = ReleaseRegistry(store).records()
    assert list(assumed_by(store, record.release_id)) == [f"acceptance: {simulated}"]
    assert list(assumed_by(store, "20250101-0123456789ab")) == []
    (store.get(record.artifact) / "manifest.json").write_text("{}")
    [said] = assumed_by(store, record.release_id)  # and the plan is shown
    assert said.startswith("what its release assumes can't be told: ")


def test_each_area_shows_its_gates_and_whether_they_hold(churn: Churn, reported: Path) -> None:
    """Value, gate and verdict stand in one line; what was not measured is not called good."""
    done = churn("report", home=reported, COLUMNS="100")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    words = [" ".join(line) for line in lines]
    assert "risk ranks held out customers 0.858 ≥ 0.78 holds" in words
    assert "risk is calibrated on held out customers 0.061 ≤ 0.05 missed" in words
    assert "risk is calibrated out of fold – ≤ 0.025 not measured" in words
    assert "acceptance is ranked 0.6 ≥ 0.7 missed (warns)" in words
    assert "sft pass rate 0.96 ≥ 0.95 holds" in words
    assert "win rate 0.5 ≥ 0.65 missed (warns)" in words
    areas = list(json.loads(churn("report", "--json", home=reported).stdout))[1:]  # but the id
    assert [word for word in words if word in areas] == areas


def test_it_begins_with_a_summary(churn: Churn, reported: Path) -> None:
    """Why: nobody found in six hundred lines what serves, or what was missed."""
    lines = churn("report", home=reported).stdout.splitlines()
    summary = lines[: lines.index("")]
    assert len(summary) <= 12
    assert re.fullmatch(r"Release \d{8}-\w{12}, made \d{4}-\d\d-\d\d \d\d:\d\d UTC", summary[0])
    assert (
        "  gates missed, in the tables below: risk: risk is calibrated on held out customers; "
        "accept: acceptance is ranked (warns); messages: win rate (warns)"
    ) in summary
    assert "  risk: AUC 0.858, ECE 0.061, AUC out of fold 0.800" in summary
    assert "  messages: that pass the shield: SFT 0.960" in summary


def test_the_summary_names_what_stands_in_and_what_is_made_up(reported: Path) -> None:
    registry = ReleaseRegistry(LocalArtifactStore(reported / "store"))
    manifest = read_manifest(registry.folder())
    instead = "the policy of release 20260101-0123456789ab: training_improved_on_its_start"
    report = {
        "data": {"bank_contacts": {"source": "synthetic"}, "oasst1_pairs": {"source": "mirror"}},
        "accept": {"responses": "SEMI-SYNTHETIC: simulated"},
        "policy": {"served": "look2", "served_uplift": 0.9979},
        "components": {"policy": instead, "messages": "reviewed templates"},
        "checks": {"passed": 64, "failed": 1, "warned": 6},
    }
    assert summary_of(manifest.model_copy(update={"report": report}), {"policy": []})[1:] == [
        "  generated tables, not real ones: bank_contacts",
        "  acceptance: SEMI-SYNTHETIC: simulated",
        f"  policy served: look2, {instead}",
        "  messages served: reviewed templates",
        "  checks: 64 passed, 6 warned, 1 failed",
        "  policy: captured uplift 0.998",
    ]


def test_no_key_is_cut(churn: Churn, reported: Path) -> None:
    """On a narrow screen a long name goes on in the next line."""
    done = churn("report", home=reported, COLUMNS="60")
    assert LONG in "".join(line.split()[0] for line in done.stdout.splitlines() if line.strip())
    assert "…" not in done.stdout


def test_a_company_s_own_risk_is_held_to_its_own_gates() -> None:
    """IBM's bounds say nothing about another company's customers."""
    assert gates_by_area({"contract": "Somebody"})["risk"] == OWN_RISK_GATES
    assert gates_by_area({})["risk"] != OWN_RISK_GATES


def test_a_figure_that_holds_within_its_error_says_so() -> None:
    """`-0.00026 ≥ 0 holds` was told, and not by what."""
    gate = Gate("gain", "a figure", lambda r: r["gain"], low=0.0, error=lambda r: r["error"])

    def verdict(gain: float) -> str:
        return judged(gate, {"gain": gain, "error": 1e-4})[2]

    assert verdict(0.0) == HOLDS
    assert verdict(-0.00026) == f"{HOLDS} (within ± 0.0004)"
    assert verdict(-0.0005) == MISSED


def test_after_a_run_that_a_check_stopped_it_says_which_and_shows_what_there_is(
    churn: Churn, tmp_path: Path
) -> None:
    """Why: "materialize first" is what they did; the figures that were missed are there already."""
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.stopped_materialize"],
        cwd=PROJECT,
        env=clean_environment() | {"CHURN_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    [log] = (home / "logs").glob("*.log")
    stopped = (
        "stopped at risk_model: risk_ranks: as chance would; value 0.51, bound 0.78; "
        "more in the Dagster UI (`churn dev`), run "
    )

    nothing = churn("report", home=home)
    assert nothing.returncode == 1
    assert stopped in nothing.stderr
    assert nothing.stderr.rstrip().endswith(f"log: {log}; mend that, then `churn materialize`")

    (tmp_path / "made").mkdir()
    report = {"risk": {"auc": 0.51, "source": "mirror"}}
    (tmp_path / "made" / "report.json").write_text(json.dumps(report))
    store = LocalArtifactStore(home / "store")
    artifact = store.put("risk_model", tmp_path / "made")
    store.write_pointer(asset_pointer("risk_model"), artifact.model_dump_json().encode())
    shown = churn("report", home=home)
    assert shown.returncode == 0, shown.stderr
    assert stopped in shown.stderr
    words = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert "risk ranks held out customers 0.51 ≥ 0.78 missed" in words
    assert json.loads(churn("report", "--json", home=home).stdout) == report
