"""The release assets in Dagster, on a small graph with stand-ins for the learned assets."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from checks import release as release_checks
from churn_assets.automation import follow_release
from churn_assets.cli import app
from churn_assets.customers.assets import customer_assets
from churn_assets.decision.config import DEFAULT_PRESET, PLAIN, EnvironmentParams
from churn_assets.decision.exact.pareto import pareto_curve
from churn_assets.decision.mdp.groups import Groups
from churn_assets.decision.policy import save_rule
from churn_assets.decision.rules.families import PricedGreedy, RiskThreshold, Rule
from churn_assets.decision.world import CURVE_FILE, save_curve
from churn_assets.definitions import bind
from churn_assets.orchestration.compute import UNCHANGED
from churn_assets.release import assets as release_assets
from churn_assets.release.bundle import Manifest, write_manifest
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.release.switches import experiment, kill_switch
from churn_assets.settings import load_settings
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import Artifact
from churn_assets.storage.retention import spared
from tests.decision.conftest import HEADLINE, synthetic_customers
from tests.release.small_release import write_dataset, write_parts

MODELS = ("risk_model", "accept_model", "baseline_policies", "policy_report", "message_bank")
ABOVE = ("retention_environment", "oracle_policy", "sft_model")
DATASETS = ("telco_customers", "bank_contacts", "oasst1_pairs", "preference_pairs")
MADE_FROM = {
    "risk_model": ["customer_history"],
    "accept_model": ["customer_history", "bank_contacts"],
    "retention_environment": ["risk_model", "accept_model"],
    "oracle_policy": ["retention_environment"],
    "baseline_policies": ["retention_environment"],
    "policy_report": ["retention_environment", "oracle_policy", "baseline_policies"],
    "sft_model": ["oasst1_pairs"],
    "message_bank": ["sft_model"],
}


class World:
    """What the stand-ins make: change `seed` for other models, `sound` for the blocking check's
    verdict, `missed` for gates of components that fail, and the policies; with `hang`, the risk
    model says so there and never ends."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.seed = 0
        self.sound = True
        self.missed: set[str] = set()
        self.auc = 0.85
        self.policy: Rule = RiskThreshold(threshold=0.0, offer=2)
        self.best_rule: Rule = PricedGreedy(price=6.0)
        self.source = "mirror"
        self.hang: Path | None = None
        self.store = LocalArtifactStore(root / "home/store")

    def folder(self, name: str) -> Path:
        made = (self.seed, self.auc, self.policy, self.best_rule, self.source)
        base = self.root / f"parts-{hashlib.sha256(repr(made).encode()).hexdigest()[:12]}"
        if not base.exists():
            self.write(base)
        return base / name

    def write(self, base: Path) -> None:
        """Every stand-in's artifact, laid out as its stage lays it out."""
        parts = write_parts(base / "components", seed=self.seed, policy=self.policy)
        save_rule(self.best_rule, parts["baseline"])
        sections: dict[str, dict[str, Any]] = {
            "risk_model": {"risk": {"auc_oof": self.auc}},
            "accept_model": {"accept": {"auc": 0.75}},
            "policy_report": {
                "policy": dict.fromkeys(HEADLINE, 0.9) | {"best_baseline": "priced_greedy"}
            },
            "message_bank": {"messages": {"served_pass_rate": 1.0, "rm_accuracy": 0.97}},
        }
        targets = {
            "risk": "risk_model",
            "accept": "accept_model",
            "policy": "policy_report/policy",
            "baseline": "baseline_policies/moderate/priced_greedy",
            "messages": "message_bank",
        }
        for part, target in targets.items():
            shutil.copytree(parts[part], base / target)
        for name, report in sections.items():
            (base / name / "report.json").write_text(json.dumps(report))
        for dataset in DATASETS:
            write_dataset(base / dataset, dataset)
            facts = json.loads((base / dataset / "dataset.json").read_text())
            facts["source"] = self.source
            (base / dataset / "dataset.json").write_text(json.dumps(facts))
        groups = Groups(*(synthetic_customers(40, seed) for seed in range(3)))
        groups.save(base / "retention_environment")
        (base / "oracle_policy").mkdir()
        curve = pareto_curve(groups.test, EnvironmentParams().clean, np.array([0.0, 2.0, 4.0, 8.0]))
        save_curve(curve, base / f"oracle_policy/{DEFAULT_PRESET}.{CURVE_FILE}")
        (base / "sft_model").mkdir()
        (base / "sft_model/report.json").write_text(json.dumps({"seed": self.seed}))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("CHURN_DATA_MIRROR", "CHURN_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    # The stand-ins' policies and curve are of the world as the presets have it.
    monkeypatch.setenv("CHURN_DECISION__ASSUMED", PLAIN.model_dump_json())
    load_settings.cache_clear()
    yield World(tmp_path)
    load_settings.cache_clear()


def definitions(world: World) -> dg.Definitions:
    def stand_in(name: str) -> dg.AssetsDefinition:
        @dg.asset(name=name, deps=MADE_FROM.get(name))
        def asset() -> dg.MaterializeResult[Artifact]:
            if world.hang and name == "risk_model":
                world.hang.touch()
                time.sleep(3_600)  # longer than whoever waits for its end
            made = world.store.put(name, world.folder(name))
            return dg.MaterializeResult(value=made, data_version=dg.DataVersion(made.sha256))

        return asset

    @dg.asset_check(asset="risk_model", blocking=True)
    def model_is_sound() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=world.sound)

    @dg.asset_check(asset="policy_report", blocking=True)
    def decisions_depend_on_the_state() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            passed="policy" not in world.missed, severity=dg.AssetCheckSeverity.WARN
        )

    @dg.asset_check(asset="sft_model", blocking=True)
    def sft_templates_pass_the_shield() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            passed="messages" not in world.missed, severity=dg.AssetCheckSeverity.WARN
        )

    whole = dg.Definitions(
        assets=[
            *[stand_in(name) for name in (*DATASETS, *MODELS, *ABOVE)],
            *customer_assets(own=False),
            *dg.load_assets_from_modules([release_assets]),
        ],
        asset_checks=[
            model_is_sound,
            decisions_depend_on_the_state,
            sft_templates_pass_the_shield,
            *dg.load_asset_checks_from_modules([release_checks]),
        ],
        resources=bind(load_settings()) | {"asset_graph": lambda: whole.resolve_asset_graph()},
        executor=dg.in_process_executor,
        jobs=[
            dg.define_asset_job("everything"),
            dg.define_asset_job("only_release", dg.AssetSelection.assets("release")),
            dg.define_asset_job("score_customers", dg.AssetSelection.assets("predictions")),
            dg.define_asset_job("predictors", dg.AssetSelection.assets("risk_model")),
            dg.define_asset_job("only_sft", dg.AssetSelection.assets("sft_model")),
            follow_release,
            dg.define_asset_job(
                "only_release_checks", dg.AssetSelection.checks_for_assets("release")
            ),
            dg.define_asset_job(
                "only_policy", dg.AssetSelection.assets("policy_report").without_checks()
            ),
            dg.define_asset_job(
                "only_model", dg.AssetSelection.assets("risk_model").without_checks()
            ),
        ],
    )
    return whole


def run(
    world: World, job: str, instance: dg.DagsterInstance, *, raise_on_error: bool = True
) -> Any:
    return (
        definitions(world)
        .resolve_job_def(job)
        .execute_in_process(instance=instance, raise_on_error=raise_on_error)
    )


def failure_text(result: Any) -> str:
    events = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    return " ".join(str(e.step_failure_data.error) for e in events)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as in_memory:
        yield in_memory


def test_whole_graph_makes_a_release_and_scores_everybody(
    world: World, instance: dg.DagsterInstance
) -> None:
    """From stand-in models to a serving release, its report, and a prediction for each customer."""
    result = run(world, "everything", instance)
    assert result.success
    assert all(e.passed for e in result.get_asset_check_evaluations())
    manifest = ReleaseRegistry(world.store).serving_manifest()
    assert manifest is not None
    assert manifest.report["risk"] == {"auc_oof": 0.85}
    assert manifest.customers == result.output_for_node("customer_history")
    assert spared(world.store) == {manifest.release_id: (manifest.customers,)}
    printed = CliRunner().invoke(app, ["report", "--json"])
    assert set(json.loads(printed.stdout)["policy"]) == HEADLINE
    assert manifest.report["checks"] == {"passed": 3, "failed": 0, "warned": 0}
    assert manifest.report["data"]["telco_customers"]["rows"] == 90
    predicted = world.store.get(result.output_for_node("predictions"))
    table = pq.read_table(predicted / "predictions.parquet")
    assert table.column("release_id").to_pylist() == 90 * [manifest.release_id]
    pareto = json.loads((predicted / "report.json").read_text())["pareto"]
    assert pareto[0]["retained"] <= pareto[-1]["retained"]


def test_nobody_is_scored_twice(world: World, instance: dg.DagsterInstance) -> None:
    """By the same release with the same settings. Where an experiment draws, the day decides too:
    then they are looked at again."""

    def unchanged() -> object:
        [event] = run(world, "everything", instance).asset_materializations_for_node("predictions")
        metadata = event.metadata.get("unchanged")
        return metadata and metadata.value

    assert unchanged() is None
    assert unchanged() == UNCHANGED
    experiment.switch(world.store, on=True)
    assert [unchanged() == UNCHANGED for _ in range(2)] == [False, False]


def test_predictions_obey_the_kill_switch(world: World, instance: dg.DagsterInstance) -> None:
    """While the API decides by rule, the nightly list and the campaign must not show the learned
    policy's decisions."""

    def scored() -> tuple[bool, list[int]]:
        predicted = world.store.get(
            run(world, "everything", instance).output_for_node("predictions")
        )
        table = pq.read_table(predicted / "predictions.parquet")
        report = json.loads((predicted / "report.json").read_text())
        return report["baseline"], table.column("offer_level").to_pylist()

    learned, offers = scored()
    kill_switch.set_switch(world.store, on=True)
    ruled, by_rule = scored()
    assert (learned, ruled) == (False, True)
    assert set(offers) == {2}  # the stand-in policy's only offer
    assert by_rule != offers


@pytest.mark.parametrize("setting", ["CHURN_RELEASE__FORCE_BASELINE", "CHURN_API__FORCE_BASELINE"])
def test_predictions_obey_the_settings_too(
    world: World, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    """A setting that is accepted does what it says; the API's own holds for the nightly list."""
    monkeypatch.setenv(setting, "true")
    load_settings.cache_clear()
    predicted = world.store.get(run(world, "everything", instance).output_for_node("predictions"))
    assert json.loads((predicted / "report.json").read_text())["baseline"] is True


def test_same_content_makes_no_second_release(world: World, instance: dg.DagsterInstance) -> None:
    """A nightly run without news must not fill the store with copies."""
    run(world, "everything", instance)
    run(world, "everything", instance)
    assert len(ReleaseRegistry(world.store).records()) == 1


def test_other_settings_of_what_serves_make_another_release(
    world: World, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As operations says of a language model that takes too long."""
    run(world, "everything", instance)
    monkeypatch.setenv("CHURN_MESSAGES__LIVE_SECONDS", "7.5")
    load_settings.cache_clear()
    run(world, "only_release", instance)
    served = ReleaseRegistry(world.store).folder() / "manifest.json"
    assert json.loads(served.read_text())["settings"]["messages"]["live_seconds"] == 7.5


def test_worse_release_is_built_but_does_not_serve(
    world: World, instance: dg.DagsterInstance
) -> None:
    """Champion and challenger: the worse build is kept for inspection, the champion serves."""
    run(world, "everything", instance)
    champion = ReleaseRegistry(world.store).latest()
    world.seed, world.auc = 1, 0.80
    result = run(world, "everything", instance)
    registry = ReleaseRegistry(world.store)
    assert registry.latest() == champion
    assert champion is not None
    assert result.output_for_node("release") == champion.artifact
    assert registry.records()[-1].promoted is False
    assert "risk.auc_oof" in registry.records()[-1].reason


def test_failed_blocking_check_leaves_the_old_release(
    world: World, instance: dg.DagsterInstance
) -> None:
    """A bad model stops before the release; customers keep getting the last good one."""
    run(world, "everything", instance)
    before = ReleaseRegistry(world.store).latest()
    world.seed, world.sound = 1, False
    assert not run(world, "everything", instance, raise_on_error=False).success
    later = run(world, "only_release", instance, raise_on_error=False)
    assert not later.success
    assert "risk_model: model_is_sound failed" in failure_text(later)
    assert ReleaseRegistry(world.store).latest() == before


def test_check_of_an_older_materialization_does_not_count(
    world: World, instance: dg.DagsterInstance
) -> None:
    """A model replaced without its checks must not ride on its predecessor's."""
    run(world, "everything", instance)
    world.seed = 1
    run(world, "only_model", instance)
    result = run(world, "only_release", instance, raise_on_error=False)
    assert not result.success
    assert "another materialization" in failure_text(result)


def test_a_release_that_was_published_but_not_promoted_is_promoted_by_the_next_run(
    world: World, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker lost between the two must not leave good content unpromoted for ever."""

    def lost(*_: object) -> None:
        raise ConnectionError("the worker was lost")

    with monkeypatch.context() as patched:
        patched.setattr(ReleaseRegistry, "promote_winner", lost)
        assert not run(world, "everything", instance, raise_on_error=False).success
    registry = ReleaseRegistry(world.store)
    [record] = registry.records()
    assert registry.latest() is None
    assert run(world, "everything", instance).success
    latest = registry.latest()
    assert latest is not None
    assert latest.release_id == record.release_id
    assert [r.promoted for r in registry.records()] == [True]


def test_a_withdrawn_release_is_not_promoted_again(
    world: World, instance: dg.DagsterInstance
) -> None:
    """Somebody rolled it back for a reason that no figure shows."""
    run(world, "everything", instance)
    registry = ReleaseRegistry(world.store)
    first = registry.serving_manifest()
    world.seed = 1
    run(world, "everything", instance)
    assert registry.serving_manifest() != first
    registry.rollback()
    run(world, "everything", instance)
    assert registry.serving_manifest() == first


def test_a_release_that_answers_differently_is_never_in_service(
    world: World, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The golden set is checked on what the store gives back, before the pointer moves."""
    publish = ReleaseRegistry.publish

    def publish_another(registry: ReleaseRegistry, folder: Path) -> Any:
        golden = json.loads((folder / "golden.json").read_text())
        golden["cases"][0]["answer"]["decision"]["contact"] = "perhaps"
        (folder / "golden.json").write_text(json.dumps(golden))
        manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
        facts = manifest.model_dump(exclude={"release_id", "created", "content", "files"})
        facts["report"].pop("release_id")
        write_manifest(folder, **facts)
        return publish(registry, folder)

    monkeypatch.setattr(ReleaseRegistry, "publish", publish_another)
    result = run(world, "everything", instance, raise_on_error=False)
    assert not result.success
    assert "is answered differently here" in failure_text(result)
    assert ReleaseRegistry(world.store).latest() is None
