"""`churn predict`: decisions from the latest release for customers of a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from churn_assets.cli.answers import Format, written_answers
from churn_assets.cli.errors import fail
from churn_assets.cli.releases import open_registry
from churn_assets.cli.serve import api_process, local_client
from churn_assets.release.switches import budget_price, experiment, kill_switch
from churn_assets.settings import load_settings

if TYPE_CHECKING:
    import httpx

    from churn_assets.cli.customers.files import Customers, Row

KEY_VARIABLE = "CHURN_API_KEY"
BATCH = 500  # customers at a time: what a server takes in one body, whatever they tell of each

SHOWN_REFUSALS = 20

Ask = Callable[[list[Any]], list[dict[str, Any]]]
"""Customers in the form of `POST /predict` -> rows in the form of `POST /predict/batch`."""


def register(app: typer.Typer) -> None:
    app.command()(predict)


def predict(
    file: Annotated[
        Path | None,
        typer.Argument(help="CSV, JSON, JSON Lines or Parquet; `-` reads standard input"),
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Use the specification's sample customer")
    ] = False,
    over_http: Annotated[
        bool,
        typer.Option("--over-http", help="Start the API and ask over HTTP, as a client would"),
    ] = False,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format", help="default: by the name of --out; JSON for one customer, else a table"
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="the file to write; default: the screen")] = None,
) -> None:
    """Decide for every customer of a file with the latest release.

    Fields and columns are those of POST /predict. A row that is refused doesn't stop the others: it
    is written to a file beside the one given, with its number and the reason, to be mended and read
    again. Exits with 1 if there are any.
    """
    # Imported here: other commands need not know what serves.
    from churn_assets.cli.customers.files import CustomerFileError, Customers, Row, read_customers
    from churn_assets.serving.forms import load_form

    if sample == (file is not None):
        raise typer.BadParameter("give either a file or --sample")
    form = form or form_of(out)
    fields = load_form(open_registry().folder())
    try:
        customers = (
            Customers([Row(1, fields.sample, fields.sample)], single=True)
            if file is None
            else read_customers(file, fields)
        )
    except CustomerFileError as error:
        raise fail(error) from error
    form = form or (Format.JSON if customers.single else Format.TABLE)
    refusals = Refusals(file, customers)
    with ExitStack() as stack:
        stack.enter_context(refusals.kept)
        answers = stack.enter_context(written_answers(out, form, one=customers.single))
        ask = stack.enter_context(http_asker() if over_http else engine_asker())
        try:
            for answered, refused in decide(customers, ask):
                answers.add(answered)
                refusals.add(refused)
        except CustomerFileError as error:
            raise fail(error) from error
    if refusals.count:
        refusals.report(answers.count)
        raise typer.Exit(1)


def form_of(out: Path | None) -> Format | None:
    """The format that a file's name asks for; None where there is no file.

    Raises:
        typer.BadParameter: the name ends with none of the formats.
    """
    if out is None:
        return None
    suffix = out.suffix.lower().removeprefix(".")
    if suffix not in (Format.CSV, Format.JSON):
        raise typer.BadParameter(f"{out}: name it .csv or .json, or give --format")
    return Format(suffix)


def decide(
    customers: Customers, ask: Ask
) -> Iterator[tuple[list[dict[str, Any]], list[tuple[Row, str]]]]:
    """Some customers at a time: the answers, each with its row's number and customer, and the
    refused rows with the reason. Both are in the file's order."""
    rows = iter(customers.rows)
    while part := list(islice(rows, BATCH)):
        readable = [row for row in part if not row.problem]
        results = ask([row.customer for row in readable]) if readable else []
        answers: list[dict[str, Any]] = []
        refused = [(row, row.problem) for row in part if row.problem]
        for row, result in zip(readable, results, strict=True):
            if result["answer"] is None:
                refused.append((row, reason(result["errors"])))
            else:
                named = {"row": row.number, "customer_id": row.customer["customer_id"]}
                answers.append(named | result["answer"])
        yield answers, sorted(refused, key=lambda pair: pair[0].number)


def reason(errors: list[dict[str, Any]]) -> str:
    """The API's errors about one customer in a line, without what the customer's row says."""
    return "; ".join(
        ": ".join([*(str(part) for part in error["loc"][-1:] if part != "body"), error["msg"]])
        for error in errors
    )


@contextmanager
def engine_asker() -> Iterator[Ask]:
    """Asks the release in service, in this process.

    Raises:
        ReleaseError, ArtifactError: there is none, or it is damaged.
    """
    from pydantic import ValidationError

    from churn_assets.campaign.contacts.known import complete_all, with_history
    from churn_assets.campaign.contacts.ledger import Ledger
    from churn_assets.customers.people import people_file, read_addressees
    from churn_assets.release.switches import templates
    from churn_assets.serving.bulk.batch import BatchRequest, answer_batch
    from churn_assets.serving.decision_log.writer import DecisionWriter
    from churn_assets.serving.engine import Options, RetentionEngine
    from churn_assets.serving.problems import problems_of

    registry, settings = open_registry(), load_settings()
    config = settings.api
    engine = RetentionEngine.load(registry.folder(), config.default_time_zone)
    forced = kill_switch.baseline_forced(registry.store, config.force_baseline)
    decisions = (
        DecisionWriter(registry.store, config.decision_log_seconds, source="command")
        if config.decision_log
        else None
    )

    ledger = Ledger.open(settings.campaign.ledger.get_secret_value(), settings.home)
    options: Options = {
        "force_baseline": forced,
        "experiment": experiment.in_force(
            registry.store,
            settings.experiment,
            own_customers=bool(engine.manifest and engine.manifest.contract),
        ),
        "decisions": decisions,
        "budget_price": budget_price.in_force(registry.store, engine.release_id),
        "people": read_addressees(people_file(registry.store)),
        "templates": templates.in_force(
            registry.store, learn=bool(settings.messages.learn_from_answers)
        ),
    }

    def ask(customers: list[Any]) -> list[dict[str, Any]]:
        """As over HTTP, with the contact history from the ledger where a row has none."""
        of = engine.assessor
        customers, told, excluded = complete_all(customers, ledger.histories, of.params, of.months)
        options["excluded"] = excluded
        rows = answers_to(customers)
        for index, said in told.items():
            if answer := rows[index]["answer"]:
                rows[index]["answer"] = with_history(answer, said)
        return rows

    def answers_to(customers: list[Any]) -> list[dict[str, Any]]:
        if len(customers) == 1:  # as POST /predict: the language model may write it on the spot
            try:
                request = engine.form.model.model_validate(customers[0])
            except ValidationError as error:
                return [{"answer": None, "errors": problems_of(error.errors())}]
            answer = engine.predict(request, **options)
            return [{"answer": answer, "errors": []}]
        batch = BatchRequest(customers=customers)
        found = answer_batch(engine, batch, forced, **options)
        rows: list[dict[str, Any]] = found["results"]
        return rows

    with closing(ledger), closing(decisions) if decisions else nullcontext():
        yield ask


@contextmanager
def http_asker() -> Iterator[Ask]:
    """Asks an API process that is started for it on a free loopback port.

    One customer is sent to `POST /predict`, several to `POST /predict/batch`. Where the settings
    ask callers for a key, CHURN_API_KEY holds it.
    """
    import httpx  # here: other commands need not wait for it to load

    key = os.environ.get(KEY_VARIABLE)
    with api_process() as url, local_client(url, timeout=60) as client:
        client.headers.update({"x-api-key": key} if key else {})

        def post(path: str, body: Any) -> httpx.Response:
            answer = client.post(path, json=body)
            if answer.is_error and answer.status_code != httpx.codes.UNPROCESSABLE_ENTITY:
                raise fail(RuntimeError(f"the API answered {answer.status_code}: {answer.text}"))
            return answer

        def ask(customers: list[Any]) -> list[dict[str, Any]]:
            if len(customers) == 1:
                answer = post("/predict", customers[0])
                if answer.is_error:
                    return [{"answer": None, "errors": answer.json()["detail"]}]
                return [{"answer": answer.json(), "errors": []}]
            answer = post("/predict/batch", {"customers": customers}).raise_for_status()
            rows: list[dict[str, Any]] = answer.json()["results"]
            return rows

        yield ask


class Refusals:
    """Refused rows: the first ones to be shown, and all of them in a file beside the one given.

    Attributes:
        kept: the file; without any row where there is none, or the customer is a single one.
        count: refused so far.
    """

    def __init__(self, file: Path | None, customers: Customers) -> None:
        from churn_assets.cli.customers.refused import RefusedFile

        self.kept = RefusedFile(file or Path(), customers)
        self.count = 0
        self._single = file is None or customers.single
        self._shown: list[str] = []

    def add(self, refused: list[tuple[Row, str]]) -> None:
        """Write some more to the file."""
        for row, why in refused[: SHOWN_REFUSALS - len(self._shown)]:
            self._shown.append(why if self._single else f"row {row.number}: {why}")
        self.count += len(refused)
        if not self._single:
            self.kept.add(refused)

    def report(self, answered: int) -> None:
        """Say on stderr which rows were refused and why, and where they can be mended."""
        console = Console(stderr=True, soft_wrap=True)
        for line in self._shown:
            console.print(line, style="red", markup=False, highlight=False)
        if self._single:
            return
        if self.count > SHOWN_REFUSALS:
            console.print(f"… and {self.count - SHOWN_REFUSALS:,} more")
        console.print(
            f"{answered:,} answered, {self.count:,} refused: mend {self.kept.path} and predict it",
            markup=False,
            highlight=False,
        )
