"""`churn customers`: a company's own tables, from a first look to a contract that holds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from churn_assets.settings import Settings, load_settings

if TYPE_CHECKING:
    from churn_assets.customers.check import Told
    from churn_assets.customers.reading.sources import Places

app = typer.Typer(help="Your own tables: a first contract, and a check.", no_args_is_help=True)


@app.command()
def inspect(
    files: Annotated[
        list[str], typer.Argument(help="CSV (also .gz) or Parquet, a folder, a glob, or gs://…")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the contract")] = Path(
        "customers.yaml"
    ),
    force: Annotated[
        bool, typer.Option("--force", help="Replace a contract that is there")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The profile as JSON")] = False,
) -> None:
    """Write a first contract with its guesses, and say what a person must decide."""
    from churn_assets.cli.customers.report import inspection_json, show_inspection
    from churn_assets.customers.inspection.inspect import inspect_tables

    if out.exists() and not force:
        raise typer.BadParameter(f"{out} exists; name another --out, or replace it with --force")
    settings = load_settings()
    base = out.absolute().parent
    with _bar() as told:
        found = inspect_tables(
            [_relative(file, base) for file in files],
            _places(settings, base),
            lambda step, total, **_: told("reading", step, total),
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.name}.new")
    draft.write_text(found.contract, encoding="utf-8")
    draft.replace(out)
    if as_json:
        typer.echo(json.dumps(inspection_json(found, out), indent=2, ensure_ascii=False))
    else:
        show_inspection(found, out, Console())


@app.command()
def check(
    contract: Annotated[
        Path | None, typer.Option("--contract", help="Default: CHURN_CUSTOMERS, else IBM Telco's")
    ] = None,
    refused: Annotated[
        Path | None, typer.Option("--refused", help="Folder for the files of refused rows")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON")] = False,
) -> None:
    """Read a contract's tables and report; exit code 1 where something needs mending."""
    from churn_assets.cli.customers.report import WITHOUT_ID, by_query, show_report, without_id
    from churn_assets.cli.customers.shorter import PATIENCE, shorter
    from churn_assets.customers.check import check as look
    from churn_assets.customers.contract.model import BUILT_IN, load_contract
    from churn_assets.messages.shield.own_words import unfit_words
    from churn_assets.storage.opening import open_store

    settings = load_settings()
    path = contract or settings.customers or BUILT_IN
    agreed = load_contract(path)
    folder = refused or settings.home / "customers" / _file_name(agreed.name)
    with _bar() as told:
        report = look(agreed, _places(settings, path.absolute().parent), folder, told)
    unused = [name for name in agreed.contact.channels if name not in settings.campaign.channels]
    report.notes += [
        f"contact.channels.{name}: no campaign has it (CHURN_CAMPAIGN__CHANNELS: "
        f"{', '.join(settings.campaign.channels)})"
        for name in unused
    ]
    said = agreed.messages.items()
    report.notes += shorter(
        report,
        lambda: open_store(settings.store_url, settings.home / "cache", patience=PATIENCE),
        datetime.now(UTC),
    )
    report.problems += unfit_words({n: w.say for n, w in said}, {n: w.say_in for n, w in said})
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        show_report(report, path, Console(), by_query(agreed))
        if without_id(agreed):
            typer.echo(WITHOUT_ID)
    if report.problems:
        raise typer.Exit(1)


def _places(settings: Settings, base: Path) -> Places:
    from churn_assets.customers.reading.sources import Places

    return Places(base, settings.home / "raw", settings.data)


def _relative(file: str, base: Path) -> str:
    """The path as the contract has to write it, which lies in `base`."""
    if "://" in file or file.startswith(("mirror:", "public:")):
        return file
    path = Path(file).expanduser().absolute()
    return os.path.relpath(path, base) if path.is_relative_to(base) else str(path)


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name.lower())


@contextmanager
def _bar() -> Iterator[Told]:
    """A progress bar on stderr, which is gone at the end."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    console = Console(stderr=True)
    bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bars as bar:
        task = bar.add_task("", total=None)

        def told(what: str, step: int, total: int) -> None:
            bar.update(task, description=what, completed=step, total=total or None)

        yield told
