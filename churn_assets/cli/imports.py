"""What `churn outcomes import` and `churn campaign import` have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from churn_assets.cli.errors import EXPECTED, fail
from churn_assets.cli.strangers import refuse_strangers, tell_strangers
from churn_assets.domain.plain_errors import describe, is_full

if TYPE_CHECKING:
    from churn_assets.customers.reading.imports import Imported
    from churn_assets.customers.reading.rows import Row, Rows
    from churn_assets.stages.spec import Progress as Told
    from churn_assets.storage.protocol import ArtifactStore

SHOWN = 20  # reasons why rows are refused
ROWS_SHOWN = 3  # of each

Force = Annotated[bool, typer.Option("--force", help="Record it though its ids look misspelt")]


def fields_named(column: Sequence[str] | None) -> dict[str, str]:
    """Field -> the file's name of it, from FIELD=NAME; raises typer.BadParameter for others."""
    names = dict(pair.split("=", 1) for pair in column or () if "=" in pair)
    if len(names) != len(column or ()):
        raise typer.BadParameter("write --column FIELD=NAME")
    return names


@contextmanager
def importing(file: Path) -> Iterator[Told]:
    """Shows a bar while the block reads a file, and says in one line that somebody stopped it, or
    that a disk was full, and how to go on."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    unseen = not console.is_terminal
    try:
        with Progress(*columns, console=console, transient=True, disable=unseen) as bars:
            task = bars.add_task(file.name, total=None)

            def told(step: int, total: int, **_: float) -> None:
                bars.update(task, completed=step, total=total)

            yield told
    except KeyboardInterrupt as error:
        again = f"stopped: what was added stays; import {file} again for the rest"
        raise fail(RuntimeError(again)) from error
    except EXPECTED as error:
        if not is_full(error):
            raise
        again = f"what was added stays; make room, then import {file} again for the rest"
        raise fail(RuntimeError(f"{describe(error)}; {again}")) from error


class Noted(NamedTuple):
    """What a file's rows name: customers, and how many rows each channel."""

    ids: set[str]
    channels: Counter[str]


def noting(rows: Rows, noted: Noted) -> Iterator[Row]:
    """The rows, while what they name is added to `noted`; a last one that is cut off is broken."""
    # Imported here: other commands need no tables.
    from churn_assets.customers.reading.cut import without_a_cut_end

    for row in without_a_cut_end(rows):
        if isinstance(row, dict):
            if "customer_id" in row:
                noted.ids.add(row["customer_id"])
            if "channel" in row:
                noted.channels[row["channel"]] += 1
        yield row


def refuse_nobodys(rows: Rows, store: ArtifactStore) -> None:
    """Raise typer.Exit for a file whose ids look misspelt (`refuse_strangers`), before anything of
    it is recorded.

    Args:
        rows: the file's, all of which are read.
    """
    noted = Noted(set(), Counter())
    for _ in noting(rows, noted):
        pass
    refuse_strangers(noted.ids, store, rows.file)


def tell_channels(channels: Mapping[str, int], ours: Iterable[str]) -> None:
    """Name channels that no campaign has: a call under "phone" passes the cap on calls.

    Their contacts are kept, and count for cooldown and general caps: a company may write letters.
    """
    known = list(ours)
    if others := {name: rows for name, rows in channels.items() if name not in known}:
        first = ", ".join(map(repr, sorted(others)[:ROWS_SHOWN]))
        typer.echo(
            f"{sum(others.values()):,} rows are of channels that campaigns don't have, as {first}: "
            f"no cap on a channel counts them; campaigns have {', '.join(known)}",
            err=True,
        )


def report_import(
    rows: Rows,
    what: str,
    done: Imported,
    noted: Noted,
    store: ArtifactStore,
    channels: Iterable[str],
) -> None:
    """Say what became of a file's rows, and what of it reaches nobody; exits with 1 where some
    rows are refused: of the others it is said all the same.

    Args:
        what: the rows are.
        noted: what they name.
        channels: that campaigns have.
    """
    stored, known, refused, erased = done
    if rows.passed_over:
        typer.echo(f"columns passed over: {', '.join(rows.passed_over)}", err=True)
    for field, name in rows.absent.items():
        typer.echo(f"no column {name}: no row says its {field}", err=True)
    reasons: dict[str, list[int]] = {}
    for number, why in refused:
        reasons.setdefault(why, []).append(number)
    for why in list(reasons)[:SHOWN]:
        typer.echo(f"{_where(reasons[why])}: {why}", err=True)
    if len(reasons) > SHOWN:
        typer.echo(f"and {len(reasons) - SHOWN:,} more reasons", err=True)
    typer.echo(f"{stored:,} {what} added, {known:,} were there already")
    if erased:
        typer.echo(f"{erased:,} rows are of customers who were erased since: left out", err=True)
    if not (stored or known or refused or erased):
        typer.echo(f"{rows.file} has no rows, a header alone: is it the right file?", err=True)
    tell_strangers(noted.ids, store)
    tell_channels(noted.channels, channels)
    if refused:
        raise fail(ValueError(f"{len(refused):,} rows of {rows.file} are refused"))


def _where(numbers: Sequence[int]) -> str:
    first = ", ".join(map(str, numbers[:ROWS_SHOWN]))
    more = len(numbers) - ROWS_SHOWN
    return f"row{'s' if len(numbers) > 1 else ''} {first}" + (f" and {more:,} more" * (more > 0))
