"""Outcomes as assets: decisions with what happened after them, and what contacting brought."""

import base64
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from churn_assets.customers.schema import load_schema
from churn_assets.datasets.texts import write_jsonl
from churn_assets.decision.config import DecisionConfig, EnvironmentParams
from churn_assets.decision.policy import load_params, load_policy
from churn_assets.decision.rules.families import AlwaysOffer, NeverContact
from churn_assets.domain.experiment import ExperimentConfig, draw_in_force
from churn_assets.domain.measured import ENOUGH
from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.corpus.answers import PAIRS
from churn_assets.messages.writing.bandit import STATE
from churn_assets.messages.writing.renderer import sign_of
from churn_assets.orchestration.resources import StoreResource
from churn_assets.outcomes import leaving, plots
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.drawn import basis, customers_of, needed, of_other_draws
from churn_assets.outcomes.joining import join, without_ids
from churn_assets.outcomes.learning import templates
from churn_assets.outcomes.learning.measuring import learnable, measure
from churn_assets.outcomes.learning.releases import accept_models
from churn_assets.outcomes.lift import CONTRADICTED, Customers, no_outcome_yet
from churn_assets.outcomes.lift import lift_report as report_of
from churn_assets.outcomes.matching import answering_from
from churn_assets.outcomes.policies import as_table, judge_policies
from churn_assets.outcomes.stored import challenger, latest_report, learnt_from_and_today
from churn_assets.outcomes.uplift import whom_to_contact
from churn_assets.outcomes.watching.finding import worsened
from churn_assets.outcomes.watching.harm import answer_harm
from churn_assets.outcomes.watching.inputs import customers_counted
from churn_assets.outcomes.watching.plots import pictures as drift_pictures
from churn_assets.outcomes.watching.report import Serving, says_the_same, watch
from churn_assets.outcomes.worth import Worth
from churn_assets.release.alerts import alert
from churn_assets.release.bundle import canonical_json
from churn_assets.release.config import AlertsConfig
from churn_assets.release.offers import offers_by_release
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.release.switches import budget_price, experiment
from churn_assets.serving.decision_log import parts
from churn_assets.serving.feedback import open_feedback_log, read_events
from churn_assets.storage.current import read_report
from churn_assets.storage.protocol import Artifact, ArtifactStore
from churn_assets.storage.scratch import scratch_folder

DECIDED_LATER = (
    f"the policy is trained with these effects if a contact then pays for {ENOUGH:.0%} of the "
    "customers, else in the nearest world, towards what was assumed, in which it does: "
    "`retention_environment` finds it, and the release's report says so"
)


@dg.asset(group_name="outcomes", kinds={"parquet"}, code_version="4")
def campaign_outcomes(
    outcomes_config: dg.ResourceParam[OutcomesConfig],
    home: dg.ResourceParam[Path],
    store: StoreResource,
) -> dg.MaterializeResult[Artifact]:
    """Every served decision with what happened after it, without the customers' ids.

    Tidies the decision log on the way: days that are over become one file, and of days beyond the
    retention only that is kept which the comparison of a running draw rests on. Events that can
    answer no decision that is kept are removed.
    """
    artifacts, now = store.open(), datetime.now(UTC)
    for day in parts.days(artifacts):
        if day < now.date():
            parts.compact(artifacts, day)
    with closing(open_feedback_log(artifacts, home)) as log:
        forgotten = log.tidy(answering_from(parts.days(artifacts), now, outcomes_config))
        events = read_events(log)
    decisions = parts.read(artifacts).to_pandas()
    offers = offers_by_release(artifacts)
    joined = join(decisions, events, outcomes_config, now, offers)
    table = without_ids(joined.table)
    oldest = now.date() - timedelta(days=outcomes_config.keep_days)
    keep = needed(table, pd.Timestamp(oldest, tz=UTC))
    pruned = parts.prune(artifacts, oldest, joined.table.loc[keep, "decision_id"].tolist())
    table = without_ids(joined.table[keep].reset_index(drop=True))
    with scratch_folder("campaign_outcomes") as out:
        table.to_parquet(out / "outcomes.parquet", index=False)
        left = leaving.as_json(joined.leaving.last)
        told = {"events": len(events), "left_out": joined.left_out, "left_until": left}
        (out / "report.json").write_bytes(canonical_json(told))
        artifact = artifacts.put("campaign_outcomes", out)
    return dg.MaterializeResult(
        value=artifact,
        data_version=dg.DataVersion(artifact.sha256),
        metadata={
            "dagster/row_count": len(table),
            "events": len(events),
            "events left out": joined.left_out,
            "outcomes known": int(table["known"].sum()),
            "leaving reported until": left or "nobody was",
            "days of which decisions were removed": pruned,
            "events removed": forgotten,
        },
    )


@dg.asset(group_name="outcomes", kinds={"scipy"}, code_version="1")
def measured_world(
    outcomes_config: dg.ResourceParam[OutcomesConfig],
    decision_config: dg.ResourceParam[DecisionConfig],
    store: StoreResource,
    campaign_outcomes: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """What outcomes say in place of assumptions: acceptance of each offer, effect, annoyance.

    Accept model and decision environment are made with it. As long as nothing is measured it stays
    the same, so that nothing is trained again for it.
    """
    artifacts = store.open()
    table = pd.read_parquet(artifacts.get(campaign_outcomes) / "outcomes.parquet")
    measured = measure(
        table,
        accept_models(artifacts),
        decision_config.environment,
        outcomes_config.learn_from,
        outcomes_config.trees_from,
        outcomes_config.horizon_days,
        outcomes_config.answer_days,
    )
    with scratch_folder("measured_world") as out:
        measured.save(out)
        artifact = artifacts.put("measured_world", out)
    sentences = measured.sentences + ([DECIDED_LATER] if measured.effects else [])
    said = "\n".join(f"- {sentence}" for sentence in sentences)
    return dg.MaterializeResult(
        value=artifact,
        data_version=dg.DataVersion(artifact.sha256),
        metadata={
            "measured and assumed": dg.MetadataValue.md(said),
            "outcomes known": int(table["known"].sum()),
        },
    )


@dg.asset(group_name="outcomes", kinds={"json"}, code_version="1")
def template_answers(
    outcomes_config: dg.ResourceParam[OutcomesConfig],
    store: StoreResource,
    campaign_outcomes: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """How often each message template was accepted, and by whom: what chooses the next ones.

    Holds counts, and pairs of a better and a worse template in the form of the corpus, to train the
    next reward model with; nothing of any customer.
    """
    artifacts = store.open()
    table = pd.read_parquet(artifacts.get(campaign_outcomes) / "outcomes.parquet")
    bandit = templates.learn(table, outcomes_config.message_days, datetime.now(UTC))
    pairs = list(templates.preference_rows(bandit, templates.known_templates(artifacts)))
    with scratch_folder("template_answers") as out:
        bandit.save(out / STATE)
        write_jsonl(pairs, out / PAIRS)
        artifact = artifacts.put("template_answers", out)
    return dg.MaterializeResult(
        value=artifact,
        data_version=dg.DataVersion(artifact.sha256),
        metadata={"answers": bandit.answers, "pairs": len(pairs)},
    )


@dg.asset(group_name="outcomes", kinds={"scipy"}, code_version="1")
def lift_report(
    context: dg.AssetExecutionContext,
    outcomes_config: dg.ResourceParam[OutcomesConfig],
    alerts_config: dg.ResourceParam[AlertsConfig],
    messages_config: dg.ResourceParam[MessagesConfig],
    experiment_config: dg.ResourceParam[ExperimentConfig],
    store: StoreResource,
    campaign_outcomes: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """Treated against control: churn, value, spend and net gain, whether contacting helps, and
    whether it is worth choosing whom."""
    artifacts, now = store.open(), datetime.now(UTC)
    table = pd.read_parquet(artifacts.get(campaign_outcomes) / "outcomes.parquet")
    told = read_report(artifacts, campaign_outcomes)
    last_left = leaving.from_json(told.get("left_until"))
    draw = draw_in_force(experiment_config, now)
    customers = customers_of(table, draw)
    worth = Worth.of(_world_in_service(artifacts), table)
    currency = _currency_in_service(artifacts, messages_config)
    if customers.empty:
        own = experiment.own_customers_are_served(artifacts)
        running = experiment.in_force(artifacts, experiment_config, own_customers=own)
        report = no_outcome_yet(table, running, outcomes_config, draw, last_left, now)
    else:
        report = report_of(Customers.of(customers, worth), outcomes_config, currency)
    report["counted"] = worth.sentence
    report["leaving"] = leaving.sentence(last_left, outcomes_config, now)
    report["contaminated"] = int(customers["contaminated"].sum())
    report["of_other_draws"] = of_other_draws(table, draw)
    report["basis"] = basis(table, draw)
    if report["sentence"] == CONTRADICTED:
        report["by_customer"] = {"sentence": CONTRADICTED}
    else:
        report["by_customer"] = whom_to_contact(customers, outcomes_config.seed, worth, currency)
    if report["verdict"] == "hurts":
        before = latest_report(artifacts, "lift_report")
        if answer_harm(report, before, artifacts, stop=outcomes_config.stop_when_it_hurts):
            alert(report["sentence"], alerts_config)
    pictures = plots.pictures(report)
    context.log.info(report["sentence"])
    with scratch_folder("lift_report") as out:
        (out / "report.json").write_bytes(canonical_json(report))
        for name, picture in pictures.items():
            (out / f"{name.replace(' ', '_')}.png").write_bytes(picture)
        artifact = artifacts.put("lift_report", out)
    return dg.MaterializeResult(
        value=artifact,
        data_version=dg.DataVersion(artifact.sha256),
        metadata=_shown(report, pictures),
    )


@dg.asset(
    group_name="outcomes",
    kinds={"xgboost"},
    code_version="1",
    deps=["predictions"],  # it looks at the latest, if there are any, and waits for newer ones
)
def drift_report(
    context: dg.AssetExecutionContext,
    outcomes_config: dg.ResourceParam[OutcomesConfig],
    decision_config: dg.ResourceParam[DecisionConfig],
    alerts_config: dg.ResourceParam[AlertsConfig],
    messages_config: dg.ResourceParam[MessagesConfig],
    store: StoreResource,
    campaign_outcomes: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """Whether customers, scores, risk, spend, contacts and the log itself are as they should be.

    Its checks say each thing; an alert goes out where one is worse than the last time.
    """
    artifacts = store.open()
    registry = ReleaseRegistry(artifacts)
    manifest = registry.serving_manifest()
    predictions = latest_report(artifacts, "predictions")
    outcomes = pd.read_parquet(artifacts.get(campaign_outcomes) / "outcomes.parquet")
    world, fewest = decision_config.environment, outcomes_config.learn_from or 0
    days = outcomes_config.answer_days
    report = watch(
        outcomes,
        learnt_from_and_today(artifacts, manifest),
        Serving.of(manifest, registry.folder(manifest.release_id)) if manifest else Serving(),
        predictions.get("budget"),
        outcomes_config,
        datetime.now(UTC),
        budget_price.read(artifacts),
        _currency_in_service(artifacts, messages_config),
        lambda: learnable(outcomes, accept_models(artifacts), world, fewest, days),
        customers_counted(artifacts),
    )
    before = latest_report(artifacts, "drift_report")
    if before and says_the_same(report, before):
        report = before
    for sentence in worsened(report["findings"], before.get("findings", [])):
        alert(sentence, alerts_config)
    pictures = drift_pictures(report)
    with scratch_folder("drift_report") as out:
        (out / "report.json").write_bytes(canonical_json(report))
        artifact = artifacts.put("drift_report", out)
    rows = [f"| {f['name']} | {f['state']} | {f['sentence']} |" for f in report["findings"]]
    table = "\n".join(["| what | state | found |", "|---|---|---|", *rows])
    return dg.MaterializeResult(
        value=artifact,
        data_version=dg.DataVersion(artifact.sha256),
        metadata={
            "findings": dg.MetadataValue.md(table),
            "reasons to train again": "; ".join(report["retrain"]) or "none",
            **_plots(pictures),
        },
    )


def _shown(report: dict[str, Any], pictures: dict[str, bytes]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        name: report[name]
        for name in ("verdict", "sentence", "customers", "treated", "control", "needed")
    }
    shown["by customer"] = report["by_customer"]["sentence"]
    if "gain" in report["by_customer"]:
        gains = pd.DataFrame(report["by_customer"]["gain"]).T.drop(columns=["sentence", "shares"])
        shown["gain of choosing"] = dg.MetadataValue.md(gains.astype(float).round(4).to_markdown())
    if "effects" in report:
        effects = pd.DataFrame(report["effects"]).T
        shown["effects"] = dg.MetadataValue.md(effects.round(4).to_markdown())
        segments = pd.DataFrame(report["segments"])
        shown["segments"] = dg.MetadataValue.md(segments.round(4).to_markdown(index=False))
    return shown | _plots(pictures)


def _plots(pictures: Mapping[str, bytes]) -> dict[str, Any]:
    encoded = {name: base64.b64encode(picture).decode() for name, picture in pictures.items()}
    return {
        f"plot: {name}": dg.MetadataValue.md(f"![{name}](data:image/png;base64,{text})")
        for name, text in encoded.items()
    }


@dg.asset(group_name="outcomes", kinds={"numpy"}, code_version="1")
def off_policy_report(
    store: StoreResource, campaign_outcomes: Artifact
) -> dg.MaterializeResult[Artifact]:
    """What the policy in service, its rule, contacting nobody and everybody would have brought."""
    artifacts = store.open()
    registry = ReleaseRegistry(artifacts)
    serving = registry.serving()
    report: dict[str, Any] = {"policies": {}, "decisions": 0, "left_out": 0, "why_left_out": {}}
    if serving is not None:
        folder = artifacts.get(serving.artifact)
        params = load_params(folder / "policy")
        others = {
            "rule": load_policy(folder / "baseline"),
            "never": NeverContact(params=params),
            "always": AlwaysOffer(params=params),
        }
        if newest := challenger(registry, serving.release_id):
            others["challenger"] = load_policy(newest / "policy")
        table = pd.read_parquet(artifacts.get(campaign_outcomes) / "outcomes.parquet")
        champion = load_policy(folder / "policy")
        worth = Worth.of(params, table)
        report = judge_policies(table, champion, others, serving.release_id, worth)
    with scratch_folder("off_policy_report") as out:
        (out / "report.json").write_bytes(canonical_json(report))
        artifact = artifacts.put("off_policy_report", out)
    policies = report["policies"]
    return dg.MaterializeResult(
        value=artifact,
        data_version=dg.DataVersion(artifact.sha256),
        metadata={
            "decisions": report["decisions"],
            "left out": report["left_out"],
            "why left out": report["why_left_out"],
            "policies": dg.MetadataValue.md(as_table(policies) if policies else "none yet"),
            "every estimate": dg.MetadataValue.md(
                pd.DataFrame(policies).drop(index="refused", errors="ignore").to_markdown()
                if policies
                else "none yet"
            ),
        },
    )


def _world_in_service(artifacts: ArtifactStore) -> EnvironmentParams:
    """The world that the policy in service was made for; the plain one where none serves."""
    registry = ReleaseRegistry(artifacts)
    if (serving := registry.serving_manifest()) is None:
        return EnvironmentParams()
    return load_params(registry.folder(serving.release_id) / "policy")


def _currency_in_service(artifacts: ArtifactStore, messages: MessagesConfig) -> str:
    """What amounts begin with, as in the console: by the contract in service, or by the setting for
    the built-in customers; empty where none is known, or nothing serves."""
    registry = ReleaseRegistry(artifacts)
    if (serving := registry.serving_manifest()) is None:
        return ""
    schema = load_schema(registry.folder(serving.release_id))
    return messages.currency if schema is None else sign_of(schema.currency) or ""
