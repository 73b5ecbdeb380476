"""The stage `accept_model`: P(accept | offer), from contacts with randomised offers.

Trained on contacts (train + valid), measured on held-out contacts, then applied to customers.
`offer_response` says where the responses come from, `features` what both sides share, `design`
whether the contacts can support it. The report begins with what is real (`headline`); where
responses to discounts are simulated, every other figure holds for the assumed preset alone, and
`presets` shows what it is under the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_assets.customers.schema import CustomerSchema, load_schema
from churn_assets.datasets.sources.files import sha256_of
from churn_assets.domain.offers import OFFER_LEVELS, Offers, percent_of
from churn_assets.predictors.config import AcceptConfig
from churn_assets.predictors.scoring.calibration import CALIBRATION_KINDS
from churn_assets.predictors.scoring.corrected import take_over
from churn_assets.predictors.scoring.features import ACCEPT_FEATURES, PricePressure
from churn_assets.predictors.scoring.scorers import AcceptScorer
from churn_assets.predictors.training import accept_evaluation as evaluation
from churn_assets.predictors.training import design
from churn_assets.predictors.training.boosting import (
    Learner,
    OutOfFold,
    margins,
    save_model,
    stratified_folds,
)
from churn_assets.predictors.training.campaign_log import campaign_log
from churn_assets.predictors.training.frames import data_source, read_training_and_test, rows_of
from churn_assets.predictors.training.metrics import summary
from churn_assets.predictors.training.offer_response import Contacts as Contacts
from churn_assets.predictors.training.offer_response import bank_contacts
from churn_assets.predictors.training.own import accept as own
from churn_assets.predictors.training.own.methods import folds_of
from churn_assets.predictors.training.plots import (
    plot_calibration,
    plot_importance,
    plot_offer_curves,
)
from churn_assets.stages.spec import Progress, silent

STEPS = 5
LOG = "campaign_log"


def run(
    inputs: Mapping[str, Path], out: Path, config: AcceptConfig, progress: Progress = silent
) -> dict[str, Any]:
    """Train, evaluate and write the accept model.

    Args:
        inputs: `bank_contacts`, `customer_history`; `campaign_log` if and only if the settings name
            one; or the `campaign_contacts` of a contract, and `customer_history` where it has
            customers; `measured_world`, where outcomes have said something.
        out: receives `model.ubj`, `model.json` and `plots/`.
        config: hyperparameters, and the assumed response to offers.
        progress: told after each of five steps.

    Returns:
        {"accept": metrics}.

    Raises:
        ValueError: the settings and the inputs disagree about a campaign log.
        SchemaViolationError: contacts outside the shared contract.
    """
    if "campaign_contacts" in inputs:
        return own.run(inputs, out, config, progress)
    learned_from, held_out = read_training_and_test(inputs["customer_history"])
    pressure = PricePressure.fit(learned_from["monthly_charges"].to_numpy(np.float64))
    schema = load_schema(inputs["customer_history"])
    offers = schema.offers if schema else None
    assumed, *others = _contacts(inputs, config, pressure, offers).items()
    contacts = assumed[1]
    progress(1, STEPS)
    learner = Learner(ACCEPT_FEATURES, config, rising=frozenset({"offer_level"}))
    lacking = _lacking(learned_from, schema)
    # A company's own log is of its own customers; the bank's contacts are the built-in ones'.
    facts = {"of_others": True} if schema and "campaign_log" not in inputs else {}
    fitted = _train_and_save(learner, contacts, pressure, out, lacking, facts)
    provenance = _provenance(inputs, config)
    correction = take_over(out, inputs.get("measured_world"), provenance["responses"])
    progress(2, STEPS)
    scorer = AcceptScorer.load(out)
    customers = rows_of(pd.concat([learned_from, held_out], ignore_index=True))
    curves = scorer.predict(customers)
    figures = _held_out(scorer, contacts, fitted, config)
    presets = {
        assumed[0]: _preset(figures, curves),
        **{
            name: _other_preset(learner, other, scorer.contact_matrix(customers), config)
            for name, other in others
        },
    }
    metrics = {
        "headline": _headline(learner, scorer, contacts, config),
        **provenance,
        **correction,
        "presets": presets,
        **figures,
        **_out_of_fold(contacts, fitted, config, lacking),
    }
    progress(3, STEPS, auc=metrics["auc"], ece=metrics["ece"])
    metrics |= {
        **evaluation.customer_curves(curves),
        **_design(learner, contacts, scorer.contact_matrix(customers), config),
        **_chronological(learner, contacts),
    }
    progress(4, STEPS)
    _plot(out / "plots", scorer, contacts, curves, presets, percent_of(offers))
    progress(5, STEPS)
    return {"accept": metrics}


def _contacts(
    inputs: Mapping[str, Path],
    config: AcceptConfig,
    pressure: PricePressure,
    offers: Offers | None,
) -> dict[str, Contacts]:
    """Contacts by where their responses are from; what the model learns from comes first."""
    if (config.campaign_log is None) != ("campaign_log" not in inputs):
        raise ValueError(
            f"the settings name the campaign log {config.campaign_log}, "
            f"but the stage was given {sorted(inputs)}"
        )
    if "campaign_log" in inputs:
        return {LOG: Contacts.of(campaign_log(inputs["campaign_log"], pressure))}
    simulated = bank_contacts(inputs["bank_contacts"], config, offers)
    names = sorted(simulated, key=lambda preset: preset != config.effect)
    return {name: Contacts.of(simulated[name]) for name in names}


def _provenance(inputs: Mapping[str, Path], config: AcceptConfig) -> dict[str, str]:
    """Where contacts and responses come from, in words that stand beside every number."""
    if "campaign_log" in inputs:
        [log] = inputs["campaign_log"].iterdir()
        return {
            "source": "campaign_log",
            "responses": "observed, from the campaign log",
            "log_sha256": sha256_of(log),
        }
    effect = config.offer_effect
    return {
        "source": data_source(inputs["bank_contacts"]),
        "responses": (
            f"SEMI-SYNTHETIC: the response to a discount is simulated (preset {config.effect!r}, "
            f"strength {effect.strength}, exponent {effect.exponent}); features and the response "
            "without a discount are the data's"
        ),
    }


def _lacking(customers: pd.DataFrame, schema: CustomerSchema | None) -> list[str]:
    """The shared features that a company's own customers have no column for: missing values to the
    model. The built-in contract's are known, and none is looked for."""
    if schema is None:
        return []
    shared = ("partner", "contact_channel")  # the others tell how often somebody was contacted
    return [name for name in shared if name not in customers or customers[name].isna().all()]


def _train_and_save(
    learner: Learner,
    contacts: Contacts,
    pressure: PricePressure,
    out: Path,
    lacking: Sequence[str],
    facts: Mapping[str, bool],
) -> OutOfFold:
    """Fit calibrators on out-of-fold scores of train + valid, refit the booster, write both with
    `facts` of the model.

    The view `without_channel` is how customers look who were never contacted by a known channel;
    `without_lacking` how all of a company's own do, where they lack shared features.
    """
    config = learner.config
    matrix, accepted = contacts.matrix[~contacts.test], contacts.accepted[~contacts.test]
    views = {"without_channel": _without(matrix, ["contact_channel"])}
    if lacking:
        views["without_lacking"] = _without(matrix, lacking)
    folds = folds_of(accepted, config.calibration_folds, config.seed, contacts.learning_customer)
    # Of a log whose features tell nothing everybody gets the rate, and a gate says so.
    fitted = replace(learner.cross_fit(matrix, accepted, folds, **views), flat=True)
    save_model(
        out,
        "accept",
        learner.train(matrix, accepted),
        fitted.calibrator(config.calibration),
        ACCEPT_FEATURES,
        base_rate=float(accepted.mean()),
        price_pressure={"of": "monthly_charges", "knots": list(pressure.knots)},
        **facts,
    )
    return fitted


def _without(matrix: NDArray[np.float32], names: Sequence[str]) -> NDArray[np.float32]:
    """A copy of contacts (N, 8) that lacks these features."""
    without = matrix.copy()
    without[:, [design.COLUMN[name] for name in names]] = np.nan
    return without


def _held_out(
    scorer: AcceptScorer, contacts: Contacts, fitted: OutOfFold, config: AcceptConfig
) -> dict[str, Any]:
    """The published model, both calibrators and the baselines on the held-out contacts."""
    test = contacts.test
    matrix, accepted = contacts.held_out()
    people = contacts.held_out_customer
    probabilities = scorer.model.probabilities(matrix)
    scores = scorer.model.forest.margins(matrix)
    first = evaluation.first_contacts(matrix)
    others = evaluation.baselines(contacts.matrix[~test], contacts.accepted[~test], matrix, config)
    return {
        **evaluation.discrimination(matrix, accepted, probabilities, config, people),
        "offer_curve": evaluation.offer_curve(matrix, accepted, probabilities, people),
        "first_contacts": evaluation.summary_or_none(accepted[first], probabilities[first]),
        "calibration": {
            kind: summary(accepted, fitted.calibrator(kind)(scores)) for kind in CALIBRATION_KINDS
        },
        "baselines": {name: summary(accepted, scores) for name, scores in others.items()},
    }


def _out_of_fold(
    contacts: Contacts, fitted: OutOfFold, config: AcceptConfig, lacking: Sequence[str]
) -> dict[str, Any]:
    """The same figures out of fold over train + valid: nine times the rows.

    `lacking`: what it costs that a company's customers lack shared features; nothing of others.
    """
    matrix, kind = contacts.matrix[~contacts.test], config.calibration
    pooled = fitted.probabilities(kind)
    found: dict[str, Any] = {
        "oof": evaluation.discrimination(
            matrix, fitted.labels, pooled, config, contacts.learning_customer
        ),
        "without_channel_oof": summary(
            fitted.labels, fitted.probabilities(kind, "without_channel")
        ),
    }
    if lacking:
        without = summary(fitted.labels, fitted.probabilities(kind, "without_lacking"))
        cost = {name: without[name] - found["oof"][name] for name in without}
        found["lacking"] = {"features": list(lacking), **without, "difference": cost}
    return found


def _headline(
    learner: Learner, scorer: AcceptScorer, contacts: Contacts, config: AcceptConfig
) -> dict[str, Any]:
    """What is known without any assumption: responses that were observed, to no discount where
    discounts are simulated, and a model of earlier contacts on later ones."""
    real = contacts.as_observed()
    matrix, accepted = contacts.held_out()
    probabilities = scorer.model.probabilities(matrix)
    return {
        "what": "real responses only"
        if contacts.potential is None
        else "real responses only, to contacts without a discount",
        "offer0": evaluation.offer0(
            matrix, accepted, probabilities, config, contacts.held_out_customer
        ),
        "later_contacts": evaluation.later_contacts(
            learner, real.matrix, real.accepted, real.chronological
        ),
    }


def _preset(figures: Mapping[str, Any], curves: NDArray[np.float64]) -> dict[str, Any]:
    """What stands side by side for each preset, from held-out figures and customers' curves."""
    shown = ("auc", "auc_offer_only", "ece", "brier", "offer_curve")
    return {name: figures[name] for name in shown} | {
        "customer_curve": curves.mean(axis=0).tolist()
    }


def _other_preset(
    learner: Learner, contacts: Contacts, customers: NDArray[np.float32], config: AcceptConfig
) -> dict[str, Any]:
    """`_preset` of the model that the same training gives under another assumption."""
    test = contacts.test
    matrix, accepted = contacts.matrix[~test], contacts.accepted[~test]
    folds = stratified_folds(accepted, config.calibration_folds, config.seed)
    calibrator = learner.cross_fit(matrix, accepted, folds).calibrator(config.calibration)
    booster = learner.train(matrix, accepted)
    seen, answers = contacts.held_out()
    held_out = seen, answers, calibrator(margins(booster, seen))
    people = contacts.held_out_customer
    curves = []
    for level in range(OFFER_LEVELS):
        offered = customers.copy()
        offered[:, design.OFFER] = level
        curves.append(calibrator(margins(booster, offered)))
    figures = {
        **evaluation.discrimination(*held_out, config, people),
        "offer_curve": evaluation.offer_curve(*held_out, people),
    }
    return _preset(figures, np.column_stack(curves))


def _chronological(learner: Learner, contacts: Contacts) -> dict[str, float | None]:
    """`later_contacts` with the simulated responses: its drift is hidden behind the discounts."""
    figures = evaluation.later_contacts(
        learner, contacts.matrix, contacts.accepted, contacts.chronological
    )
    return {
        "auc_chronological": figures["auc"],
        "ece_chronological": figures["ece"],
        "chronological_rate_learned": figures["rate_learned"],
        "chronological_rate_tested": figures["rate_tested"],
    }


def _design(
    learner: Learner, contacts: Contacts, customers: NDArray[np.float32], config: AcceptConfig
) -> dict[str, Any]:
    """Whether the data can support what is concluded from it: `design` answers."""
    learn, test = contacts.matrix[~contacts.test], contacts.matrix[contacts.test]
    accepted = contacts.accepted[~contacts.test]
    late, first = contacts.chronological == "test", evaluation.first_contacts(contacts.matrix)
    return {
        # A customer's first contact: later ones may be more of the same, and tests take them for
        # independent.
        **design.propensity(contacts.matrix[contacts.firsts], config),
        **design.placebo(learner, learn, accepted, test),
        **design.support(customers, learn, accepted, config, contacts.learning_customer),
        "era_auc": design.era_auc(contacts.matrix, late, first, config),
    }


def _plot(
    folder: Path,
    scorer: AcceptScorer,
    contacts: Contacts,
    curves: NDArray[np.float64],
    presets: Mapping[str, Mapping[str, Any]],
    percent: Sequence[int],
) -> None:
    matrix, accepted = contacts.held_out()
    held_out = {"all offers": (accepted, scorer.model.probabilities(matrix))}
    count = int(contacts.test.sum())
    plot_calibration(folder, f"P(accept | offer), {count:,} held-out contacts", held_out)
    names = [feature.name for feature in ACCEPT_FEATURES]
    contributions = scorer.model.forest.explain(matrix)[1].astype(np.float64)
    plot_importance(folder, names, contributions)
    plot_offer_curves(folder, curves, presets, percent)
