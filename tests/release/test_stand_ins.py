"""A component that misses its gate takes nothing else down: what goes out, and who is told.

The whole way on small stand-in models: Dagster run, release, `churn report`, service, alert.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from typer.testing import CliRunner

from churn_assets import definitions
from churn_assets.cli import app
from churn_assets.decision.config import PRESETS
from churn_assets.decision.rules.families import NeverContact, PricedGreedy, RiskThreshold
from churn_assets.messages.writing.bank import MessageBank
from churn_assets.release.bundle import MANIFEST, Manifest
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.settings import load_settings
from churn_assets.storage import opening
from churn_assets.storage.local import LocalArtifactStore
from tests.api.server import running
from tests.release.small_release import BANK_TEMPLATE, build_release
from tests.release.test_assets import DATASETS, World, failure_text, instance, run, world

__all__ = ["instance", "world"]  # fixtures of the same small graph

GOOD = PricedGreedy(price=5.0)  # 0.92 of the budget, captures more than the best rule
OVERSPENDING = RiskThreshold(threshold=0.0, offer=2)


@pytest.fixture
def alerts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Bodies that a webhook was posted, in order; the settings name it."""
    posted: list[Any] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            posted.append((self.headers["Content-Type"], json.loads(self.rfile.read(length))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Webhook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("CHURN_ALERTS__WEBHOOK", f"http://127.0.0.1:{server.server_port}/hush")
    load_settings.cache_clear()
    yield posted
    server.shutdown()
    thread.join()
    server.server_close()


def served(world: World) -> tuple[Manifest, Path]:
    registry = ReleaseRegistry(world.store)
    manifest = registry.serving_manifest()
    assert manifest is not None
    return manifest, registry.folder()


def build(world: World, instance: dg.DagsterInstance) -> tuple[Manifest, Path]:
    """Run the whole graph; the run succeeds whatever component missed its gate."""
    assert run(world, "everything", instance).success
    return served(world)


def ready(world: World) -> Any:
    """What /readyz of a real server says."""
    with running(world.root / "home") as server:
        return httpx.get(server.url + "/readyz").json()


def stored(folder: Path) -> Any:
    return json.loads((folder / "policy/policy.json").read_text())


def test_without_a_champion_the_best_rule_and_reviewed_templates_go_out(
    world: World, instance: dg.DagsterInstance, alerts: list[Any]
) -> None:
    """The first release of all: whatever was learned failed, and customers are served safely."""
    world.missed = {"policy", "messages"}
    result = run(world, "everything", instance)
    assert result.success
    manifest, folder = served(world)
    assert stored(folder)["kind"] == "priced_greedy"
    assert stored(folder)["price"] == 6.0
    assert len(MessageBank.load(folder / "messages/bank.json")) == 0
    missed = manifest.components["policy"].missed
    assert missed == ("policy_report: decisions_depend_on_the_state failed",)
    assert {c.source for c in manifest.components.values()} == {"fallback"}
    assert manifest.report["policy"]["served"] == "priced_greedy"
    assert 0 < manifest.report["policy"]["served_uplift"] < 1
    assert manifest.report["messages"] == {
        "served_pass_rate": 1.0,
        "served_by_model": 0.0,
        "served_method": "reviewed",
        "served_because": "Served: reviewed templates; no generated ones passed.",
    }
    failed = {e.check_name for e in result.get_asset_check_evaluations() if not e.passed}
    assert failed == {
        "decisions_depend_on_the_state",
        "sft_templates_pass_the_shield",
        "every_component_is_of_its_own_build",
    }
    assert manifest.report["checks"] == {"passed": 1, "failed": 0, "warned": 2}


def test_everything_says_so(world: World, instance: dg.DagsterInstance, alerts: list[Any]) -> None:
    """Whoever runs the service learns it without looking for it: report, /readyz, alert."""
    world.missed = {"messages"}
    manifest, _ = build(world, instance)
    sentence = (
        "reviewed templates (not the champion's: there is no champion): "
        "sft_model: sft_templates_pass_the_shield failed"
    )
    assert manifest.stand_ins == {"messages": sentence}
    said = ready(world)
    assert said["stand_ins"] == {"messages": sentence}
    assert said["messages"] == "Served: reviewed templates; no generated ones passed."
    printed = CliRunner().invoke(app, ["report", "--json"]).stdout
    assert json.loads(printed)["components"] == {
        "policy": "this build's own policy",
        "messages": sentence,
    }
    assert "reviewed templates" in CliRunner().invoke(app, ["report"]).stdout
    [(content_type, body)] = alerts
    assert content_type == "application/json"
    assert body == {"text": f"release {manifest.release_id} serves with {sentence}"}


def test_a_sound_build_alerts_nobody(
    world: World, instance: dg.DagsterInstance, alerts: list[Any]
) -> None:
    """An alert that comes always is read by nobody."""
    manifest, _ = build(world, instance)
    assert manifest.stand_ins == {}
    assert alerts == []
    assert "hush" not in json.dumps(manifest.settings)


def test_the_champions_components_stand_in(
    world: World, instance: dg.DagsterInstance, alerts: list[Any]
) -> None:
    """Better risk figures reach customers, decided and written by what passed before; through a
    second bad build too, which names the release that made it, not the one that took it over."""
    world.policy = GOOD
    first, before = build(world, instance)
    messages = (before / "messages/bank.json").read_bytes()
    world.policy, world.missed = NeverContact(), {"policy", "messages"}
    for seed in (1, 2):
        world.seed, world.auc = seed, 0.86
        manifest, folder = build(world, instance)
        assert manifest.release_id != first.release_id
        assert stored(folder) == stored(before)
        assert (folder / "messages/bank.json").read_bytes() == messages
        assert manifest.report["risk"] == {"auc_oof": 0.86}
        assert manifest.report["policy"]["served"] == "priced_greedy"
        assert manifest.report["messages"]["rm_accuracy"] == 0.97
        for name, component in manifest.components.items():
            assert component.source == "champion"
            assert component.release_id == first.release_id
            assert f"the {name} of release {first.release_id}" in manifest.stand_ins[name]
    assert ready(world)["stand_ins"] == manifest.stand_ins
    assert len(alerts) == 4


def test_the_next_sound_build_serves_its_own_again(
    world: World, instance: dg.DagsterInstance
) -> None:
    """A stand-in is for the time being."""
    world.missed = {"policy", "messages"}
    build(world, instance)
    world.missed, world.seed = set(), 1
    manifest, folder = build(world, instance)
    assert manifest.stand_ins == {}
    assert BANK_TEMPLATE in (folder / "messages/bank.json").read_text()


@pytest.mark.parametrize(
    ("champion", "why"),
    [
        (OVERSPENDING, "its expected spend exceeds the budget"),
        (RiskThreshold(threshold=0.99, offer=0), "the best rule captures more"),
        (GOOD.model_copy(update={"params": PRESETS["weary"]}), "another decision environment"),
    ],
    ids=["overspends", "worse", "another world"],
)
def test_a_champions_policy_that_does_not_hold_now_is_not_taken(
    world: World, instance: dg.DagsterInstance, champion: Any, why: str
) -> None:
    """It was calibrated for other customers: the best rule, calibrated for these, is safer."""
    world.policy = champion
    build(world, instance)
    world.missed, world.seed = {"policy"}, 1
    manifest, folder = build(world, instance)
    assert stored(folder)["price"] == 6.0
    assert manifest.components["policy"].source == "fallback"
    assert why in manifest.stand_ins["policy"]


def test_what_synthetic_data_made_does_not_stand_in_on_real_data(
    world: World, instance: dg.DagsterInstance
) -> None:
    """A demo's policy must not slip into the first real release."""
    world.policy, world.source = GOOD, "synthetic"
    build(world, instance)
    world.source, world.missed, world.seed = "mirror", {"policy", "messages"}, 1
    manifest, _ = build(world, instance)
    assert {c.source for c in manifest.components.values()} == {"fallback"}
    assert "data of another kind" in manifest.stand_ins["policy"]


def test_a_champion_that_keeps_the_budget_stands_in_where_the_best_rule_does_not(
    world: World, instance: dg.DagsterInstance
) -> None:
    """Whatever captures more, the budget comes first."""
    world.policy = GOOD
    first, _ = build(world, instance)
    world.policy, world.best_rule = OVERSPENDING, OVERSPENDING
    world.missed, world.seed = {"policy"}, 1
    assert build(world, instance)[0].components["policy"].release_id == first.release_id


def test_a_rule_that_overspends_stops_the_first_release(
    world: World, instance: dg.DagsterInstance
) -> None:
    """Without a champion there is nothing that keeps the budget."""
    world.best_rule, world.missed = OVERSPENDING, {"policy"}
    result = run(world, "everything", instance, raise_on_error=False)
    assert not result.success
    assert "its expected spend exceeds the budget" in failure_text(result)
    assert ReleaseRegistry(world.store).latest() is None


def test_a_blocking_check_still_stops_everything(
    world: World, instance: dg.DagsterInstance, alerts: list[Any]
) -> None:
    """Data, risk, acceptance, spend, cap and safety are no component's own affair."""
    world.sound, world.missed = False, {"messages"}
    assert not run(world, "everything", instance, raise_on_error=False).success
    assert ReleaseRegistry(world.store).latest() is None
    assert alerts == []


def test_a_gate_that_was_not_judged_is_missed(world: World, instance: dg.DagsterInstance) -> None:
    """A policy replaced without its checks is not shown to pass them."""
    build(world, instance)
    world.seed = 1
    world.policy = PricedGreedy(price=5.0)
    run(world, "only_policy", instance)
    run(world, "only_release", instance)
    manifest, _ = served(world)
    [why] = manifest.components["policy"].missed
    assert "judged another materialization" in why


def test_a_release_of_an_older_layout_serves_stands_in_and_is_rolled_back_to(
    world: World, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """Releases made before components were recorded built them all."""
    old = build_release(tmp_path / "old", policy=GOOD)
    path = tmp_path / "old/bundle" / MANIFEST
    content = json.loads(path.read_text())
    del content["components"]
    path.write_text(json.dumps(content))
    registry = ReleaseRegistry(world.store)
    registry.publish(tmp_path / "old/bundle")
    registry.promote(old.release_id, "test")
    assert ready(world)["stand_ins"] == {}
    world.missed = {"policy"}
    manifest, folder = build(world, instance)
    assert manifest.components["policy"].release_id == old.release_id
    assert stored(folder)["price"] == GOOD.price
    assert registry.rollback().release_id == old.release_id
    assert ready(world)["release_id"] == old.release_id


@pytest.mark.parametrize("webhook", ["http://127.0.0.1:9/hush", "http://nowhere.invalid/hush"])
def test_a_webhook_that_is_down_fails_nothing(
    world: World,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    webhook: str,
) -> None:
    """The release is more important than the alert; the log has both, without the secret."""
    monkeypatch.setenv("CHURN_ALERTS__WEBHOOK", webhook)
    load_settings.cache_clear()
    world.missed = {"messages"}
    with caplog.at_level(logging.ERROR, "churn_assets.release.alerts"):
        build(world, instance)
    told = [r.getMessage() for r in caplog.records if r.name == "churn_assets.release.alerts"]
    assert len(told) == 2
    assert "serves with reviewed templates" in told[0]
    assert "webhook can't be reached" in told[1]
    assert "hush" not in " ".join(told)


def test_a_worse_build_that_does_not_serve_is_told(
    world: World, instance: dg.DagsterInstance, alerts: list[Any]
) -> None:
    """Why: a company could serve a model of last year for months, and every run said success."""
    world.policy = GOOD
    build(world, instance)
    world.seed, world.auc = 1, 0.80
    result = run(world, "everything", instance)
    said = "was built, but doesn't serve: worse in risk.auc_oof"
    [(_, body)] = alerts
    assert said in json.dumps(body)
    (made,) = result.asset_materializations_for_node("release")
    assert said in str(made.metadata["unchanged"].value)
    warned = {e.check_name for e in result.get_asset_check_evaluations() if not e.passed}
    assert warned == {"the_newest_build_serves"}


def test_a_build_that_outcomes_refuse_is_told_by_their_reason(
    world: World, instance: dg.DagsterInstance, alerts: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: the alert had the comparison from before outcomes: "no compared figure is worse"."""
    world.policy = GOOD
    build(world, instance)
    world.seed = 1
    row = {"figure": "outcomes.net", "champion": 8.0, "challenger": 7.0, "worse": True}
    monkeypatch.setattr(definitions, "compare_releases", lambda *_: row)
    result = run(world, "everything", instance)
    [(_, body)] = alerts
    assert "was built, but doesn't serve: worse in outcomes.net" in json.dumps(body)
    assert ReleaseRegistry(world.store).records()[-1].reason == "worse in outcomes.net"
    [warned] = [e for e in result.get_asset_check_evaluations() if not e.passed]
    assert warned.check_name == "the_newest_build_serves"
    assert str(warned.description).endswith("and doesn't: worse in outcomes.net")


def test_nobody_is_told_that_what_a_person_replaced_does_not_serve(
    world: World, instance: dg.DagsterInstance, alerts: list[Any]
) -> None:
    """Why: whoever promoted an older release without a roll-back heard each week of the other one,
    which is made again, and that it is no worse. No alert, that is: the run's check names it."""
    world.policy = GOOD
    older, _ = build(world, instance)
    world.seed = 1
    newer, _ = build(world, instance)
    assert newer != older
    ReleaseRegistry(world.store).promote(older.release_id, "promoted by hand")
    result = run(world, "everything", instance)
    assert served(world)[0] == older
    assert alerts == []
    [warned] = [e for e in result.get_asset_check_evaluations() if not e.passed]
    assert warned.check_name == "the_newest_build_serves"
    assert warned.severity == dg.AssetCheckSeverity.WARN
    assert f"`churn promote {newer.release_id}` lets it serve" in str(warned.description)
    (made,) = result.asset_materializations_for_node("release")
    assert made.metadata["unchanged"].value == (
        f"{older.release_id} serves, not {newer.release_id}: promoted by hand"
    )


@pytest.mark.parametrize(("source", "generated"), [("mirror", []), ("synthetic", [*DATASETS])])
def test_a_release_of_generated_data_says_so_and_is_not_uploaded_to_production(
    world: World,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    generated: list[str],
) -> None:
    """Why: a demonstration's release could be served to customers, and nothing said what it was."""
    world.source = source
    manifest, _ = build(world, instance)
    assert sorted(ready(world)["generated_data"]) == sorted(generated)
    bucket = LocalArtifactStore(world.root / "bucket")
    stores = {"gs://bucket/prefix": bucket, str(world.root / "home/store"): world.store}
    monkeypatch.setattr(opening, "open_store", lambda url, **_: stores[url])
    monkeypatch.setenv("CHURN_STORE", "gs://bucket/prefix")
    monkeypatch.setenv("CHURN_DATA__ALLOW_SYNTHETIC", "false")
    load_settings.cache_clear()
    done = CliRunner().invoke(app, ["data", "upload"])
    assert (done.exit_code == 0) is not bool(generated), done.output
    assert (ReleaseRegistry(bucket).latest() is None) is bool(generated)
    if generated:
        assert f"{manifest.release_id} learnt from generated data" in " ".join(done.output.split())
        assert CliRunner().invoke(app, ["data", "upload", "--force"]).exit_code == 0
        assert ReleaseRegistry(bucket).latest() is not None
