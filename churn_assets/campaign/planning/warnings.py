"""What somebody has to look at before a plan is approved, in sentences: part of its report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from churn_assets.release.switches.budget_price import BudgetPrice

NOBODY_NAMED = (
    "The suppression list names none of these customers, so it keeps nobody out: are its ids "
    "written as yours are?"
)
OVERSPENT = (
    "Requests can't keep the month's budget: even at the highest price they are expected to spend "
    "{:,.2f} a month more than is aimed at; only plans stay within it"
)

NOBODY_GAINS = (
    "The release in service finds nobody worth contacting: for each customer a contact costs more "
    "than it is expected to bring, so that nobody is contacted but whom exploration tries, and "
    "little is learnt. `churn report` says what outcomes were measured and what was made of them; "
    "`churn rollback` brings back the release before it"
)
GONE = (
    "{gone:,} of {all:,} contacts that were promised aren't in this plan: their customers are no "
    "longer among the active ones, {customers:,} now. Is that table whole? If it isn't, don't "
    "approve this plan, which would drop these promises: mend the table, run `churn materialize "
    "--job plan_campaign`, and they are kept"
)
FEW_GONE, SHARE_GONE = 20, 0.1
"""Promises to customers who have left since are nothing to look at while they are fewer, or a
smaller share of all: some leave every day. A table that was exported by half loses half."""
NO_CONTACT = "plan {} has no contact, so there is nothing to approve"


def warnings_of(
    on_the_list: int | None,
    unknown_ids: Callable[[], str | None],
    price: BudgetPrice | None,
    nobody_gains: bool = False,
    gone: str | None = None,
    opt_outs: str | None = None,
    silence: str | None = None,
    fewer: str | None = None,
) -> list[str]:
    """A plan's warnings.

    Args:
        on_the_list: how many customers the suppression list names; None without one.
        unknown_ids: asks what is to be said of its ids that no customer has, where others have.
        price: of money, where a month's budget is followed.
        nobody_gains: by the release in service, of those who may be contacted.
        gone: what is to be said of promises to customers who are no longer there (`gone_of`).
        opt_outs: what is to be said of ids that opted out and look misspelt.
        silence: what is to be said of contacts of which no answer is known.
        fewer: what is to be said of a table of active customers that lost many of its rows.
    """
    said = [NOBODY_NAMED] if on_the_list == 0 else []
    if on_the_list and (unknown := unknown_ids()) is not None:
        said.append(unknown)
    said += [each for each in (opt_outs, silence) if each is not None]
    if over := round(price.overspent, 2) if price is not None else 0.0:
        said.append(OVERSPENT.format(over))
    said += [each for each in (fewer, gone) if each is not None]
    return [*said, NOBODY_GAINS] if nobody_gains else said


def gone_of(promised: Sequence[str], customers: Collection[str]) -> str | None:
    """What is to be said of promises to customers who are no longer there, where they are many.

    Args:
        promised: the customer of each contact that is promised.
        customers: those of the latest predictions.
    """
    gone = sum(customer not in customers for customer in promised)
    if gone < FEW_GONE or gone < SHARE_GONE * len(promised):
        return None
    return GONE.format(gone=gone, all=len(promised), customers=len(customers))
