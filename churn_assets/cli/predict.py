"""`churn predict`: decisions from the latest release for customers of a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import typer
from rich.console import Console

from churn_assets.cli.answers import Format, to_csv, to_json, to_table
from churn_assets.cli.errors import fail
from churn_assets.cli.releases import open_registry
from churn_assets.cli.serve import api_process, local_client
from churn_assets.release.switches import budget_price, experiment, kill_switch, templates
from churn_assets.settings import load_settings
from churn_assets.storage.trees import write_atomically

if TYPE_CHECKING:
    from churn_assets.cli.customers.files import Customers, Row

KEY_VARIABLE = "CHURN_API_KEY"
BATCH = 500  # customers at a time: what a server takes in one body, whatever they tell of each

SHOWN_REFUSALS = 20
ANSWER = ("decision", "message", "safety", "metadata")  # the specification's keys, in its order

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
    with ExitStack() as stack:
        ask = stack.enter_context(http_asker() if over_http else engine_asker())
        answers, refused = decide(customers, ask)
    if answers:
        write(answers, form, out, one=customers.single)
    if refused:
        report_refused(file, customers, refused)
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


def decide(customers: Customers, ask: Ask) -> tuple[list[dict[str, Any]], list[tuple[Row, str]]]:
    """The answers, each with its row's number and customer, and the refused rows with the reason.

    Both are in the file's order.
    """
    readable = [row for row in customers.rows if not row.problem]
    answers: list[dict[str, Any]] = []
    refused = [(row, row.problem) for row in customers.rows if row.problem]
    for start in range(0, len(readable), BATCH):
        part = readable[start : start + BATCH]
        for row, result in zip(part, ask([row.customer for row in part]), strict=True):
            if result["answer"] is None:
                refused.append((row, reason(result["errors"])))
            else:
                named = {"row": row.number, "customer_id": row.customer["customer_id"]}
                answers.append(named | result["answer"])
    return answers, sorted(refused, key=lambda pair: pair[0].number)


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

    from churn_assets.campaign.contacts.known import complete_all
    from churn_assets.campaign.contacts.ledger import Ledger
    from churn_assets.customers.people import people_file, read_addressees
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
        "experiment": experiment.in_force(registry.store, settings.experiment),
        "decisions": decisions,
        "budget_price": budget_price.in_force(registry.store, engine.release_id),
        "people": read_addressees(people_file(registry.store)),
        "templates": templates.in_force(
            registry.store, learn=bool(settings.messages.learn_from_answers)
        ),
    }

    def ask(customers: list[Any]) -> list[dict[str, Any]]:
        """As over HTTP, with the contact history from the ledger where a row has none."""
        params = engine.assessor.params
        customers, told = complete_all(customers, ledger.histories, params)
        rows = answers_to(customers)
        for index, said in told.items():
            if answer := rows[index]["answer"]:
                answer["metadata"]["contact_history"] = said
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


def write(answers: list[dict[str, Any]], form: Format | None, out: Path | None, one: bool) -> None:
    """Write the answers to a file or the screen; the API's own JSON where `one` was asked about."""
    form = form or (Format.JSON if one else Format.TABLE)
    if form == Format.JSON:
        text = to_json({key: answers[0][key] for key in ANSWER} if one else answers)
    else:
        text = to_csv(answers) if form == Format.CSV else to_table(answers)
    if out is None:
        typer.echo(text, nl=False)
    elif out.is_file() or not out.exists():
        write_atomically(out, text.encode())
    else:  # a pipe or a terminal
        out.write_text(text, encoding="utf-8")


def report_refused(file: Path | None, customers: Customers, refused: list[tuple[Row, str]]) -> None:
    """Say on stderr which rows were refused and why, and where they can be mended."""
    from churn_assets.cli.customers.files import write_refused

    console = Console(stderr=True, soft_wrap=True)
    for row, why in refused[:SHOWN_REFUSALS]:
        where = "" if customers.single else f"row {row.number}: "
        console.print(where + why, style="red", markup=False, highlight=False)
    if file is None or customers.single:
        return
    if len(refused) > SHOWN_REFUSALS:
        console.print(f"… and {len(refused) - SHOWN_REFUSALS:,} more")
    path = write_refused(file, customers, refused)
    console.print(
        f"{len(customers.rows) - len(refused):,} answered, {len(refused):,} refused: "
        f"mend {path} and predict it",
        markup=False,
        highlight=False,
    )
