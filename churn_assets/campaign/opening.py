"""The campaigns that the settings and the customers' contract describe."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.contacts.feed import LedgerFeed
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.customers.contract.model import Contract, load_contract
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.domain.words import counted
from churn_assets.serving.feedback import open_feedback_log
from churn_assets.storage.protocol import ArtifactStore

if TYPE_CHECKING:
    from churn_assets.campaign.contacts.ledger import Ledger
    from churn_assets.campaign.workflow import Campaigns


def retold(count: int) -> str:
    """That the ledger was told so many events of the feedback log again."""
    events, them = counted(count, "event"), "it" if count == 1 else "them"
    return (
        f"the contact ledger lacked {events} of the feedback log, as one does that was restored "
        f"from an older copy: it was told {them} again (docs/operations.md, Restore)"
    )


def tell_again(
    store: ArtifactStore, home: Path, ledger: LateLedger, say: Callable[[str], None]
) -> None:
    """Tell the ledger what the feedback log of the store has and it hasn't, opt-outs above all, and
    `say` in one line how many events that were, if any.

    Raises:
        OSError, ArtifactError, LedgerError: the log or the ledger can't be used.
    """
    with closing(LedgerFeed(open_feedback_log(store, home), ledger)) as feed:
        if told := feed.retell():
            say(retold(told))


def open_campaigns(
    store: ArtifactStore,
    ledger: Ledger,
    config: CampaignConfig,
    contract: Contract | None,
    default_zone: str,
    experiment: ExperimentConfig,
    *,
    learn_from_answers: bool,
) -> Campaigns:
    """Campaigns under the rules of the contract where it has some, else under the settings'.

    Args:
        contract: of the customers; None, or one of a campaign alone: the built-in one.
        default_zone: of customers without a zone, where the contract names none.
        learn_from_answers: whether templates are drawn by what answers said of them.
        experiment: the settings of who is left alone; the store's switch overrules them.
    """
    # Imported here: a service that plans nothing need not have what plans.
    from churn_assets.campaign.workflow import Campaigns

    config, default_zone = under_contract(config, contract, default_zone)
    return Campaigns(
        store,
        ledger,
        config,
        default_zone,
        experiment,
        learn_from_answers=learn_from_answers,
        contract=contract.name if contract is not None and contract.identity else None,
    )


def contract_named(file: Path | None) -> Contract | None:
    """The contract in the file that the settings name; None where they name none.

    Raises:
        ContractError: the file is no contract. OSError: it can't be read.
    """
    return None if file is None else load_contract(file)


def under_contract(
    config: CampaignConfig, contract: Contract | None, default_zone: str
) -> tuple[CampaignConfig, str]:
    """The settings and the default zone, with what the contract says in their place."""
    if contract is None:
        return config, default_zone
    if contract.contact.rules is not None:
        config = config.model_copy(update={"rules": contract.contact.rules})
    return config, contract.own_zone or default_zone
