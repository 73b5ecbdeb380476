"""Customers erased one after the other, and what is said of each: `churn outcomes erase`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from churn_assets.cli.errors import fail
from churn_assets.cli.releases import begun_store
from churn_assets.customers.strangers import first_of, looked_for, not_looked_up
from churn_assets.storage.protocol import ArtifactError

if TYPE_CHECKING:
    from churn_assets.campaign.contacts.feed import LedgerFeed


NOBODY_KNOWS = "no predictions yet: nobody can tell whether a customer has the id"


def erase_all(customer_ids: Iterable[str], log: LedgerFeed) -> None:
    """Erase each customer from decisions, feedback and ledger, and say what was there.

    Raises:
        typer.Exit: there was nothing at all of an id that no customer has, nor was it ever erased;
            the others are erased.
        ArtifactError: not all decisions could be erased; all else is.
    """
    failed: ArtifactError | None = None
    missed: typer.Exit | None = None
    ids = list(customer_ids)
    for customer_id in ids:
        of = f"{customer_id}: " if len(ids) > 1 else ""
        try:
            nothing = _erase(customer_id, log, of)
        except ArtifactError as error:
            failed = failed or error
            continue
        if nothing is not None:
            missed = fail(ValueError(nothing))
    if failed is not None:
        raise failed
    if missed is not None:
        raise missed


def _erase(customer_id: str, log: LedgerFeed, of: str) -> str | None:
    """Erase one customer, and say so; a sentence in place of that where nothing was there to erase,
    of nobody who is known or was erased before. Raises ArtifactError."""
    from churn_assets.serving.decision_log import parts

    before = log.was_erased(customer_id)
    known, near, said = _known(customer_id)
    noted = before or not near  # or a second try of a misspelt id would pass for its erasure
    try:
        decisions = parts.erase(begun_store(), customer_id, datetime.now(UTC))
    except ArtifactError:  # somebody has to mend the store: what can be erased is, before
        _, events = log.erase_in_both(customer_id, though_unknown=noted)
        typer.echo(
            f"{of}{events:,} events about this customer are erased, and what the contact ledger "
            "had of them; not all decisions are"
        )
        raise
    contacts, events = log.erase_in_both(customer_id, though_unknown=noted or decisions > 0)
    if not (decisions or events or contacts):
        if before:
            typer.echo(f"{of}{customer_id!r} was erased before, and nothing was kept since")
            if near:  # who left is no stranger to this; whose id is misspelt may be here still
                typer.echo(f"{of}{said}", err=True)
            return None
        if known is False:
            return f"nothing is kept about {customer_id!r}, so nothing is erased; {said}"
        if known is None:
            said = said or NOBODY_KNOWS
    typer.echo(
        f"{of}{decisions:,} decisions and {events:,} events about this customer are erased, and "
        "what the contact ledger had of them"
    )
    if said:
        typer.echo(f"{of}{said}", err=True)
    return None


def _known(customer_id: str) -> tuple[bool | None, list[str], str]:
    """Whether a customer has the id, None where nobody can tell; whose ids are nearly so; and what
    is to be said of it."""
    try:
        known, near = looked_for(customer_id, begun_store())
    except ArtifactError as error:
        return None, [], not_looked_up(error)
    if known is None:
        return None, [], ""
    if known:
        return True, [], ""
    meant = f": is {first_of(near)} meant?" if near else ""
    where = "in the latest predictions or the history"
    return False, near, f"no customer {where} has the id {customer_id!r}{meant}"
