"""Customers erased, and what is said of each: `churn outcomes erase`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import typer

from churn_assets.cli.errors import fail
from churn_assets.cli.releases import begun_store
from churn_assets.customers.strangers import first_of, looked_for, not_looked_up
from churn_assets.storage.protocol import ArtifactError

if TYPE_CHECKING:
    from churn_assets.campaign.contacts.feed import LedgerFeed


NOT_ALL = (
    "events about this customer are erased, and what the contact ledger had of them; not all "
    "decisions are"
)
NOBODY_KNOWS = "no predictions yet: nobody can tell whether a customer has the id"


class Known(NamedTuple):
    """An id.

    Attributes:
        there: whether a customer has it, None where nobody can tell.
        near: whose ids are nearly so.
        said: what is to be said of it.
    """

    there: bool | None
    near: list[str]
    said: str


def erase_all(customer_ids: Iterable[str], log: LedgerFeed) -> None:
    """Erase each customer from decisions, feedback and ledger, and say what was there.

    Raises:
        typer.Exit: there was nothing at all of an id that no customer has, nor was it ever erased;
            the others are erased.
        ArtifactError: not all decisions could be erased; all else is.
    """
    from churn_assets.serving.decision_log import parts

    failed: ArtifactError | None = None
    missed: typer.Exit | None = None
    ids = list(customer_ids)
    known, decisions = _known(ids), dict[str, int]()
    try:  # the log of decisions is read once for all, as are the tables of customers
        decisions = parts.erase(begun_store(), ids, datetime.now(UTC))
    except ArtifactError as error:  # somebody has to mend the store: what can be erased is, before
        failed = error
    before = {each: log.was_erased(each) for each in ids}
    # Or a second try of a misspelt id would pass for its erasure.
    noted = {i: before[i] or not known[i].near or bool(decisions.get(i)) for i in ids}
    found: dict[str, tuple[int, int]] = {}
    try:
        found = log.erase_in_both(noted)
    except ArtifactError as error:  # all is erased of which somebody knows whose it is
        failed = failed or error
    for customer_id, (contacts, events) in found.items():
        of = f"{customer_id}: " if len(ids) > 1 else ""
        if failed is not None:
            typer.echo(f"{of}{events:,} {NOT_ALL}")
            continue
        there = _Found(decisions[customer_id], events, contacts)
        nothing = _tell(customer_id, of, there, known[customer_id], before=before[customer_id])
        if nothing is not None:
            missed = fail(ValueError(nothing))
    if failed is not None:
        raise failed
    if missed is not None:
        raise missed


class _Found(NamedTuple):
    """How many of a customer's were erased, in each log and in the ledger."""

    decisions: int
    events: int
    contacts: int


def _tell(customer_id: str, of: str, found: _Found, known: Known, *, before: bool) -> str | None:
    """Say what was erased of one customer; a sentence in place of that where nothing was there to
    erase, of nobody who is known or was erased before.

    Args:
        of: begins what is said.
        before: whether they were erased before.
    """
    said = known.said
    if not any(found):
        if before:
            typer.echo(f"{of}{customer_id!r} was erased before, and nothing was kept since")
            if known.near:  # who left is no stranger to this; whose id is misspelt may be here
                typer.echo(f"{of}{said}", err=True)
            return None
        if known.there is False:
            return f"nothing is kept about {customer_id!r}, so nothing is erased; {said}"
        if known.there is None:
            said = said or NOBODY_KNOWS
    typer.echo(
        f"{of}{found.decisions:,} decisions and {found.events:,} events about this customer are "
        "erased, and what the contact ledger had of them"
    )
    if said:
        typer.echo(f"{of}{said}", err=True)
    return None


def _known(ids: Collection[str]) -> dict[str, Known]:
    """What is known of each id."""
    try:
        found = looked_for(ids, begun_store())
    except ArtifactError as error:
        return dict.fromkeys(ids, Known(None, [], not_looked_up(error)))
    return {each: _told(each, *found[each]) for each in ids}


def _told(customer_id: str, there: bool | None, near: list[str]) -> Known:
    """With what is to be said of it."""
    if there is not False:
        return Known(there, [], "")
    meant = f": is {first_of(near)} meant?" if near else ""
    where = "in the latest predictions or the history"
    return Known(False, near, f"no customer {where} has the id {customer_id!r}{meant}")
