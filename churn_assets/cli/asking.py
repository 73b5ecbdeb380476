"""Who answers `churn predict`: the release in this process, or an API process over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from churn_assets.cli.errors import fail
from churn_assets.cli.releases import open_registry
from churn_assets.cli.serve import api_process, local_client
from churn_assets.domain.contact_rules import RULES
from churn_assets.release.switches import budget_price, experiment, kill_switch
from churn_assets.settings import Settings, load_settings

if TYPE_CHECKING:
    import httpx

    from churn_assets.release.registry import ReleaseRegistry
    from churn_assets.serving.engine import Options, RetentionEngine

KEY_VARIABLE = "CHURN_API_KEY"
KEYLESS = (
    "the API answered 401: the settings ask callers for a key; put one that may `decide` into "
    f"{KEY_VARIABLE}, or predict without --over-http"
)
WRONG_KEY = f"the API answered 401: the key in {KEY_VARIABLE} is none that the settings name"

Ask = Callable[[list[Any], Mapping[str, str]], list[dict[str, Any]]]
"""Customers in the form of `POST /predict`, and by which of `domain.contact_rules.RULES` their file
forbids to contact whom -> rows in the form of `POST /predict/batch`."""


RECORDED = (
    "These decisions are recorded: treated and control customers are compared from them on, unless "
    "a plan is approved before anybody is contacted. To look only: --no-record"
)
"""What somebody has to know who only wants to look, while an experiment runs."""


@contextmanager
def engine_asker(*, record: bool = True) -> Iterator[Ask]:
    """Asks the release in service, in this process, with the contact history from the ledger where
    a row has none, as over HTTP.

    Args:
        record: whether the decision log keeps the answers, if there is one.

    Raises:
        ReleaseError, ArtifactError: there is none, or it is damaged.
    """
    from churn_assets.campaign.contacts.known import complete_all, with_history
    from churn_assets.campaign.contacts.ledger import Ledger
    from churn_assets.serving.decision_log.writer import DecisionWriter
    from churn_assets.serving.engine import RetentionEngine

    registry, settings = open_registry(), load_settings()
    config = settings.api
    engine = RetentionEngine.load(registry.folder(), config.default_time_zone)
    decisions = (
        DecisionWriter(registry.store, config.decision_log_seconds, source="command")
        if record and config.decision_log
        else None
    )
    options = _options(registry, settings, engine)
    options["decisions"] = decisions
    ledger = Ledger.open(settings.campaign.ledger.get_secret_value(), settings.home)

    def ask(customers: list[Any], forbidden: Mapping[str, str]) -> list[dict[str, Any]]:
        of = engine.assessor
        customers, told, excluded = complete_all(customers, ledger.histories, of.params, of.months)
        # The ledger's rules, to have left and opt-outs, are tried before a file's.
        options["excluded"] = {**forbidden, **excluded}
        rows = _answered(engine, customers, options)
        for index, said in told.items():
            if answer := rows[index]["answer"]:
                rows[index]["answer"] = with_history(answer, said)
        return rows

    with closing(ledger), closing(decisions) if decisions else nullcontext():
        yield ask


def _options(registry: ReleaseRegistry, settings: Settings, engine: RetentionEngine) -> Options:
    """What the store says of how to answer, as a server follows it."""
    from churn_assets.customers.people import people_file, read_addressees
    from churn_assets.release.switches import templates

    store = registry.store
    return {
        "force_baseline": kill_switch.baseline_forced(store, settings.api.force_baseline),
        "experiment": experiment.in_force(
            store,
            settings.experiment,
            own_customers=bool(engine.manifest and engine.manifest.contract),
        ),
        "budget_price": budget_price.in_force(store, engine.release_id),
        "people": read_addressees(
            people_file(store), settings.campaign.channels
        ).without_channels(),
        "templates": templates.in_force(store, learn=bool(settings.messages.learn_from_answers)),
    }


def _answered(
    engine: RetentionEngine, customers: list[Any], options: Options
) -> list[dict[str, Any]]:
    from pydantic import ValidationError

    from churn_assets.serving.bulk.batch import BatchRequest, answer_batch
    from churn_assets.serving.problems import problems_of

    if len(customers) == 1:  # as POST /predict: the language model may write it on the spot
        try:
            request = engine.form.model.model_validate(customers[0])
        except ValidationError as error:
            return [{"answer": None, "errors": problems_of(error.errors())}]
        return [{"answer": engine.predict(request, **options), "errors": []}]
    batch = BatchRequest(customers=customers)
    rows: list[dict[str, Any]] = answer_batch(engine, batch, options["force_baseline"], **options)[
        "results"
    ]
    return rows


def begins_horizons() -> bool:
    """Whether decisions of this shell are recorded with a group, so that horizons begin with
    them."""
    registry, settings = open_registry(), load_settings()
    own = experiment.own_customers_are_served(registry.store)
    running = experiment.in_force(registry.store, settings.experiment, own_customers=own)
    return settings.api.decision_log and bool(running.enabled)


@contextmanager
def http_asker(*, record: bool = True) -> Iterator[Ask]:
    """Asks an API process that is started for it on a free loopback port.

    One customer is sent to `POST /predict`, several, and one that isn't to be recorded, to
    `POST /predict/batch`. Where the settings ask callers for a key, CHURN_API_KEY holds it. Whom
    the file forbids to contact is refused: no request says so.
    """
    import httpx  # here: other commands need not wait for it to load

    key = os.environ.get(KEY_VARIABLE)
    with api_process() as url, local_client(url, timeout=60) as client:
        client.headers.update({"x-api-key": key} if key else {})

        def post(path: str, body: Any) -> httpx.Response:
            answer = client.post(path, json=body)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                raise fail(RuntimeError(KEYLESS if key is None else WRONG_KEY))
            if answer.is_error and answer.status_code != httpx.codes.UNPROCESSABLE_ENTITY:
                raise fail(RuntimeError(f"the API answered {answer.status_code}: {answer.text}"))
            return answer

        def asked(customers: list[Any]) -> list[dict[str, Any]]:
            if len(customers) == 1 and record:
                answer = post("/predict", customers[0])
                if answer.is_error:
                    return [{"answer": None, "errors": answer.json()["detail"]}]
                return [{"answer": answer.json(), "errors": []}]
            body = {"customers": customers, "record": record}
            answer = post("/predict/batch", body).raise_for_status()
            rows: list[dict[str, Any]] = answer.json()["results"]
            return rows

        def ask(customers: list[Any], forbidden: Mapping[str, str]) -> list[dict[str, Any]]:
            rules = [_rule_against(customer, forbidden) for customer in customers]
            others = [each for each, rule in zip(customers, rules, strict=True) if rule is None]
            answers = iter(asked(others) if others else [])
            return [next(answers) if rule is None else _untold(rule) for rule in rules]

        yield ask


def _rule_against(customer: Any, forbidden: Mapping[str, str]) -> str | None:
    customer_id = customer.get("customer_id") if isinstance(customer, dict) else None
    return forbidden.get(customer_id) if isinstance(customer_id, str) else None


def _untold(rule: str) -> dict[str, Any]:
    """The refusal of a customer whom no API can be told not to contact."""
    said = f"{RULES[rule]}, by this file, which the API can't be told: predict without --over-http"
    return {"answer": None, "errors": [{"loc": [], "msg": said}]}
