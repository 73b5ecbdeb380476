"""What somebody has to look at before a plan is approved, in sentences: part of its report."""

from __future__ import annotations

from collections.abc import Callable

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
NO_CONTACT = "plan {} has no contact, so there is nothing to approve"


def warnings_of(
    on_the_list: int | None,
    unknown_ids: Callable[[], str | None],
    price: BudgetPrice | None,
    nobody_gains: bool = False,
) -> list[str]:
    """A plan's warnings.

    Args:
        on_the_list: how many customers the suppression list names; None without one.
        unknown_ids: asks what is to be said of its ids that no customer has, where others have.
        price: of money, where a month's budget is followed.
        nobody_gains: by the release in service, of those who may be contacted.
    """
    said = [NOBODY_NAMED] if on_the_list == 0 else []
    if on_the_list and (unknown := unknown_ids()) is not None:
        said.append(unknown)
    if over := round(price.overspent, 2) if price is not None else 0.0:
        said.append(OVERSPENT.format(over))
    return [*said, NOBODY_GAINS] if nobody_gains else said
