"""Which columns of a table that nobody has described yet seem to hold people's names."""

from __future__ import annotations

from collections.abc import Mapping

from churn_assets.customers.headings import says
from churn_assets.customers.inspection.words import says_yes_or_no
from churn_assets.customers.quality.personal import Personal
from churn_assets.customers.quality.profile import MOST_LEVELS, ColumnProfile

LEVELS = 12  # of a category, written out in the contract


def is_name(column: ColumnProfile, about: Mapping[str, Personal]) -> bool:
    """Whether a column holds names; "Contact" may hold e-mail addresses or phone numbers, of which
    `about` tells."""
    personal = about.get(column.name)
    other = personal is not None and personal.mostly and _is_person(column)
    return _is_called_name(column) and not other


def _many_words(column: ColumnProfile) -> bool:
    """Whether a column may hold names: as a category does that is none of the small ones."""
    return column.guess in ("category", "text") and column.distinct > MOST_LEVELS


def may_be_first_name(column: ColumnProfile) -> bool:
    """Of a small company's customers there may be few; "Plan name" is none of theirs."""
    some = column.guess in ("category", "text") and column.distinct > LEVELS
    called = says(column.name, "first_name", whole=True)
    many = _many_words(column) and not _is_person(column)
    return (many or (some and called)) and not _family(column)


def _family(column: ColumnProfile) -> bool:
    """Whether a column holds names that nobody is greeted by."""
    return says(column.name, "family_name")


def _is_surname(column: ColumnProfile) -> bool:
    """Whether a column is called a surname and nothing else, of however many: a few families of a
    small table, or the frequent names of a large one, look like any category."""
    if column.guess not in ("category", "text", "constant") or says_yes_or_no(column):
        return False
    return says(column.name, "surname") or says(column.name, "family_name", whole=True)


def _is_person(column: ColumnProfile) -> bool:
    """Whether a column names whom a company has to do with: the contact at a customer that is a
    company, or who looks after them. "Contact" alone may be a channel, of few words."""
    if column.guess not in ("category", "text"):
        return False
    many = column.distinct > LEVELS
    return says(column.name, "person", whole=True) or (
        many and says(column.name, "contact", whole=True)
    )


def _is_called_name(column: ColumnProfile) -> bool:
    """Whether a column that greets nobody is called a name; "Plan name" has few words, and who
    looks after a company's customers may be few."""
    if _is_person(column) or _is_surname(column):
        return True
    if _many_words(column):
        return _family(column) or says(column.name, "first_name")
    some = column.guess in ("category", "text") and column.distinct > LEVELS
    return some and says(column.name, "first_name", whole=True)
