"""What can go wrong with a campaign, as one line for a person."""

from __future__ import annotations


class CampaignError(RuntimeError):
    """What was asked can't be done with the plan as it is; says what to do."""


class LedgerError(RuntimeError):
    """The contact ledger can't be read or written."""


class PeopleError(ValueError):
    """A table of people that can't be used; with file and row."""
