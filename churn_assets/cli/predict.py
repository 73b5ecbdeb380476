"""`churn predict`: decisions from the latest release for customers of a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from churn_assets.cli.answers import Format, written_answers
from churn_assets.cli.asking import RECORDED, Ask, begins_horizons, engine_asker, http_asker
from churn_assets.cli.errors import fail
from churn_assets.cli.releases import open_registry
from churn_assets.cli.strangers import tell_strangers
from churn_assets.customers.strangers import ASKED, SHOWN
from churn_assets.domain.contact_rules import RULES
from churn_assets.domain.plain_errors import own_words
from churn_assets.domain.words import counted
from churn_assets.settings import load_settings

if TYPE_CHECKING:
    from churn_assets.cli.customers.files import Customers, Row
    from churn_assets.serving.forms import Form

BATCH = 500  # customers at a time: what a server takes in one body, whatever they tell of each

SHOWN_REFUSALS = 20
NOT_KNOWN = (
    "what is known of customers (opt-outs, contacts, the control group) isn't known of them; "
    f"{ASKED}"
)
DOUBLED = "equal to an earlier row"
_ORDER = {rule: place for place, rule in enumerate(RULES)}


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
    record: Annotated[
        bool,
        typer.Option(
            "--record/--no-record",
            help="whether the decision log keeps the answers; not where nobody will act upon them",
        ),
    ] = True,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format", help="default: by the name of --out; JSON for one customer, else a table"
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="the file to write; default: the screen")] = None,
) -> None:
    """Decide for every customer of a file with the latest release.

    Fields and columns are those of POST /predict, or your own table's: whom its opt-outs and
    consents forbid to contact isn't, and rows that your contract leaves out are counted, not
    answered, as are rows that equal an earlier one in every cell, if your rows have ids. A row that
    is refused doesn't stop the others: it is written to a file beside the one given, with its
    number and the reason, to be mended and read again. Exits with 1 if there are any. Ids that none
    of your customers has are named: new ones are decided about as well. So are customers with
    several rows, all of which are answered: of a history, keep the latest of each. While an
    experiment runs, recorded answers are decisions whose outcomes are compared: --no-record for a
    look.
    """
    # Imported here: other commands need not know what serves.
    from churn_assets.cli.customers.files import CustomerFileError
    from churn_assets.serving.forms import load_form

    if sample == (file is not None):
        raise typer.BadParameter("give either a file or --sample")
    form = form or form_of(out)
    fields = load_form(open_registry().folder())
    try:
        customers = _customers(file, fields)
    except CustomerFileError as error:
        raise fail(error) from error
    form = form or (Format.JSON if customers.single else Format.TABLE)
    refusals, ids, left_out = Refusals(file, customers), Counter[str](), Counter[str]()
    with ExitStack() as stack:
        stack.enter_context(refusals.kept)
        answers = stack.enter_context(written_answers(out, form, one=customers.single))
        ask = stack.enter_context((http_asker if over_http else engine_asker)(record=record))
        try:
            for answered, refused in decide(customers, ask, left_out):
                answers.add(answered)
                refusals.add(refused)
                ids.update(answer["customer_id"] for answer in answered)
        except CustomerFileError as error:
            raise fail(error) from error
    for why, rows in left_out.items():
        typer.echo(f"{rows:,} left out ({why})", err=True)
    if refusals.count:
        refusals.report(answers.count)
    if (several := rows_of_one(ids)) is not None:
        typer.echo(several, err=True)
    if record and answers.count and begins_horizons():
        typer.echo(RECORDED, err=True)
    if file is not None and fields.schema is not None and not fields.numbered:
        tell_strangers(ids, open_registry().store, NOT_KNOWN)
    if refusals.count:
        raise typer.Exit(1)


def _customers(file: Path | None, fields: Form) -> Customers:
    """Those of a file, or the sample alone where there is none; raises CustomerFileError."""
    from churn_assets.cli.customers.files import Customers, Row, read_customers

    if file is None:
        return Customers([Row(1, fields.sample, fields.sample)], single=True)
    return read_customers(file, fields, tuple(load_settings().campaign.channels))


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
    customers: Customers, ask: Ask, left_out: Counter[str] | None = None
) -> Iterator[tuple[list[dict[str, Any]], list[tuple[Row, str]]]]:
    """Some customers at a time: the answers, each with its row's number and customer, and the
    refused rows with the reason. Both are in the file's order.

    Args:
        left_out: reason -> how many rows are none of the active customers; counts go on in it.
    """
    counts = Counter[str]() if left_out is None else left_out
    rows = iter(customers.rows) if customers.numbered else once(customers.rows)
    while part := list(islice(rows, BATCH)):
        counts.update(row.left_out for row in part if row.left_out)
        decided = [row for row in part if not row.left_out]
        readable = [row for row in decided if not row.problem]
        results = ask([row.customer for row in readable], forbidden(part)) if readable else []
        answers: list[dict[str, Any]] = []
        refused = [(row, row.problem) for row in decided if row.problem]
        for row, result in zip(readable, results, strict=True):
            if result["answer"] is None:
                refused.append((row, reason(result["errors"], customers.names)))
            else:
                named = {"row": row.number, "customer_id": row.customer["customer_id"]}
                answers.append(named | result["answer"])
        yield answers, sorted(refused, key=lambda pair: pair[0].number)


def once(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows; those that equal an earlier one in every cell are left out, as in a contract's
    tables: a customer would be answered twice. Not for rows without ids: two customers may be
    alike. Of each a digest of 16 bytes is held."""
    seen = set[bytes]()
    for row in rows:
        cells = json.dumps(row.raw, sort_keys=True, default=str).encode()
        digest = blake2b(cells, digest_size=16).digest()
        known = digest in seen
        seen.add(digest)
        yield replace(row, left_out=row.left_out or DOUBLED) if known else row


def rows_of_one(answered: Mapping[str, int]) -> str | None:
    """A sentence about customers whose rows were several, as in a history with a row a month; None
    where there are none.

    Args:
        answered: id -> how many rows with it were answered, in the order of the first ones.
    """
    several = {customer: rows for customer, rows in answered.items() if rows > 1}
    if not several:
        return None
    first = ", ".join(f"{each!r} ({rows:,})" for each, rows in islice(several.items(), SHOWN))
    return (
        f"{sum(several.values()):,} rows are of {counted(len(several), 'customer')} with several, "
        f"as {first}: each row was answered as if it were today's. Is this a history? Keep the "
        "latest row, by its date, of each customer who hasn't left, and predict again; act upon "
        "one answer a customer"
    )


def forbidden(rows: Iterable[Row]) -> dict[str, str]:
    """By which rule rows forbid to contact whom: of a customer with several, any of them does."""
    forbidding = [row for row in rows if row.rule]
    forbidding.sort(key=lambda row: _ORDER[row.rule or ""], reverse=True)  # the first rule wins
    named = ((row.customer.get("customer_id"), row.rule or "") for row in forbidding)
    return {customer_id: rule for customer_id, rule in named if isinstance(customer_id, str)}


def reason(errors: list[dict[str, Any]], names: Mapping[str, str]) -> str:
    """The API's errors about one customer in a line, without what the customer's row says.

    Args:
        names: field -> what the file calls it.
    """
    return "; ".join(
        ": ".join([*_named(error["loc"], names), own_words(error["msg"])]) for error in errors
    )


def _named(loc: list[str | int], names: Mapping[str, str]) -> list[str]:
    """The field that an error is about, as the file calls it; of the customer as a whole none."""
    return [names.get(p, p) for p in loc[-1:] if isinstance(p, str) and p != "body"]


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
