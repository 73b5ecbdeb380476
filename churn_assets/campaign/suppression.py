"""Whom no plan contacts: the suppression list that the settings or the contract name, and what is
to be said of ids that keep nobody out, there and among those that opted out."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.people import read_ids
from churn_assets.customers.strangers import (
    named,
    nearly_customers,
    not_looked_up,
    strangers_among,
)
from churn_assets.domain.plain_errors import describe
from churn_assets.release.offers import customers_in_service
from churn_assets.storage.protocol import ArtifactError, ArtifactStore

LIST = " of the suppression list"
OPTED_OUT = " that opted out"
NEARLY = "they are customers' ids but for zeros, capitals or punctuation, so they keep nobody out"


def suppressed(store: ArtifactStore, config: CampaignConfig) -> frozenset[str]:
    """Their ids, of the column that the company's own tables have them in where the list has that;
    nobody's where there is no list. Raises as `people.read_ids`."""
    if config.rules.suppression_list is None:
        return frozenset()
    customers = customers_in_service(store)
    column = None if customers is None else customers.id_column
    try:
        return read_ids(config.rules.suppression_list, column)
    except OSError as error:  # which file it is may be kept from whoever asks
        raise OSError(f"the suppression list can't be read: {describe(error)}") from error


def unknown_ids(suppressed: Collection[str], store: ArtifactStore, ledger: Ledger) -> str | None:
    """A sentence about those ids of the list that no customer has: `123` keeps nobody out who is
    `00123`; None where there are none.

    Who was erased is no customer any more and stays on the list by right, so isn't named. Where it
    can't be looked up, that is said: a plan is none the worse for it.
    """
    try:
        strangers = strangers_among(suppressed, store)
    except ArtifactError as error:
        return not_looked_up(error, LIST)
    erased = ledger.erased(strangers) if strangers else {}
    left = [customer for customer in strangers if customer not in erased]
    return named(left, len(suppressed), of=LIST) if left else None


def unknown_opt_outs(histories: Mapping[str, History], store: ArtifactStore) -> str | None:
    """As `unknown_ids`, about ids that opted out by what the ledger was told, and look misspelt: of
    no customer, but nearly a customer's. Under `8308` it keeps nobody out who is `0008308`. Others
    are of who left long ago, or of who comes tomorrow, and nothing is to be done about them.

    Args:
        histories: by customer id, all that the ledger has.
    """
    out = [customer for customer, history in histories.items() if history.opted_out]
    if not out:
        return None
    try:
        misspelt = nearly_customers(strangers_among(out, store), store)
    except ArtifactError as error:
        return not_looked_up(error, OPTED_OUT)
    return named(misspelt, len(out), NEARLY, of=OPTED_OUT) if misspelt else None
