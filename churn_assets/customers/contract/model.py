"""The contract of a company's own tables, as one YAML file says it: what `customers.yaml` may hold.

The contract is data, not code. It names the tables, who a customer is and what counts as churn, the
monthly value and tenure, each feature's kind, what must not be used and why, what a message may
say, who may be contacted, and what a logged campaign's columns mean. A contract needs the customer
part, the campaign part, or both: either is valid by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from churn_assets.customers.contract.events import Events
from churn_assets.customers.contract.expression import columns_of
from churn_assets.customers.contract.features import Feature as Feature
from churn_assets.customers.contract.features import Words
from churn_assets.customers.contract.known_keys import keys_at
from churn_assets.customers.contract.people import Contact, People, YesNo
from churn_assets.customers.contract.tables import Cell, Cells, Part, Table, Tables
from churn_assets.customers.contract.yaml_lines import Document, MisfitError, problems_in
from churn_assets.datasets.errors import DataError
from churn_assets.domain.cells import as_word
from churn_assets.domain.offers import Offers

BUILT_IN = Path(__file__).with_name("ibm_telco.yaml")
"""The contract of who names no other: IBM Telco's."""


class ContractError(DataError):
    """A contract that can't be used; a line for each problem, with file, line and key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Churned(Part):
    """What counts as churn: a column of yes and no, or a date that is there once they left.

    Attributes:
        column: of the label, with `yes` and `no`.
        end_date: a column: whoever has a date up to today in it has left; with snapshots, whoever's
            is within the horizon after theirs.
        until: the day up to which the table tells of all leavings, where it has snapshots and none
            of these, nor a leaving within the horizon after one, is of so late a day.
    """

    column: str | None = None
    yes: Cells = ()
    no: Cells = ()
    end_date: str | None = None
    until: date | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.column is None) == (self.end_date is None):
            raise ValueError("needs either column (with yes and no) or end_date")
        if self.column is not None and not (self.yes and self.no):
            raise ValueError("column needs the cells that mean yes and those that mean no")
        if both := sorted({*map(as_word, self.yes)} & {*map(as_word, self.no)}):
            raise ValueError(f"{both[0]!r} is both yes and no")
        if self.until is None:
            return self
        if self.end_date is None:
            raise MisfitError("is of an end_date: a column's outcomes are all known", "until")
        # By the company's clock it may be tomorrow already.
        if self.until > date.today() + timedelta(days=1):
            raise MisfitError(f"{self.until} is still to come: no table tells of it", "until")
        return self


class Identity(Part):
    """Who a customer is, and what churn is.

    Attributes:
        id: the column that names a customer; without one a row is a customer, and rows that are
            equal in every cell are one.
        churned: what counts as churn.
        horizon_months: within which time they left.
        snapshot: the column with the date of the row, where a customer has several.
    """

    id: str | None = None
    churned: Churned
    horizon_months: float = Field(gt=0, le=120)
    snapshot: str | None = None

    @model_validator(mode="after")
    def _snapshots_of_somebody(self) -> Self:
        if self.snapshot and not self.id:
            raise ValueError("snapshot needs an id: whose snapshots are they?")
        if self.churned.until and not self.snapshot:
            said = "needs a snapshot: without one no row's horizon is still running"
            raise MisfitError(said, "churned", "until")
        return self


def _currency(said: str) -> str:
    """Longer words would stand before no amount, and "eur" is no code that anybody knows."""
    if not re.fullmatch(r"([A-Z]{3}|[^\s\d]{1,2})?", said):
        raise ValueError(
            f"{said!r} is no currency; write its code of three capitals as in EUR, or a sign of "
            "one or two characters as in ₹ or kr"
        )
    return said


class Value(Part):
    """What a customer pays in a month.

    Attributes:
        monthly: a column, or a sum of them as in `[Monthly Charge] - [Refunds] / 12`.
        currency: a code of three letters, as in `USD`, or a short sign, as in `kr`.
    """

    monthly: str
    currency: Annotated[str, AfterValidator(_currency)] = ""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        columns_of(self.monthly)
        return self


class Tenure(Part):
    """How long they have been customers: `months`, or the column of the date `since` when.

    Attributes:
        bands: months from which messages speak to them as settled, and as with the company for
            long; without it 6 and 24.
    """

    months: str | None = None
    since: str | None = None
    bands: tuple[int, int] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.months is None) == (self.since is None):
            raise ValueError("needs either months or since")
        if self.bands is not None and not 0 < self.bands[0] < self.bands[1]:
            raise ValueError("bands has to have two numbers of months that rise, the first above 0")
        if self.months is not None:
            columns_of(self.months)
        return self


class Offer(Part):
    """The offer that somebody got.

    Attributes:
        column: of the level.
        levels: cell -> what it gives, in per cent (or the contract's own unit). Cells that give the
            same are one level.
        unit: of these numbers.
        months: for how long, where it is a discount.
    """

    column: str
    levels: Annotated[dict[Cell, float], Field(min_length=2)]
    unit: str = "%"
    months: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if len(self.gives) < 2:
            raise ValueError("levels all give the same: there is nothing to compare")
        return self

    @property
    def gives(self) -> tuple[float, ...]:
        """What each level gives, from the least up."""
        return tuple(sorted(set(self.levels.values())))


class Campaign(Part):
    """A logged campaign: who got which offer, and what came of it.

    Attributes:
        table: the log; without it, the history.
        offer: column and levels.
        outcome: the answer.
        propensity: column of the probability with which the offer was chosen, or that number for
            each level; without it, it is estimated.
        customer: the column that names whom a contact reached, where some were reached more than
            once: their contacts stay on one side of every split.
        features: columns known before the offer.
    """

    table: Table | None = None
    customer: str | None = None
    offer: Offer
    outcome: YesNo
    propensity: str | dict[Cell, float] | None = None
    features: dict[str, Feature] = Field(min_length=1)

    @model_validator(mode="after")
    def _chances(self) -> Self:
        if isinstance(self.propensity, dict):
            if set(self.propensity) != set(self.offer.levels):
                raise ValueError("propensity needs a number for each level of the offer")
            if abs(sum(self.propensity.values()) - 1) > 1e-6 or min(self.propensity.values()) <= 0:
                raise ValueError("the propensities have to be above 0 and sum to 1")
        return self


class CustomerPart(NamedTuple):
    """What a contract says of customers, all of it there."""

    tables: Tables
    identity: Identity
    value: Value
    tenure: Tenure


_WRITTEN = {
    "tables": "{history: {path: customers.csv}}",
    "identity": "{churned: {column: …, yes: …, no: …}, horizon_months: …}",
    "value": "{monthly: what they pay in a month}",
    "tenure": "{months: how long they have been customers}",
    "features": "{a column: {kind: …}}",
}


class Contract(Part):
    """What `customers.yaml` says.

    Attributes:
        name: of the company or table, for reports.
        tables, identity, value, tenure, features: the customer part; all or none of them.
        left_out: column -> why it isn't used.
        accepted: columns left out that a request may give all the same.
        messages: column -> what may be said of it.
        people, contact: how and whether somebody is addressed.
        offers: the discounts that can be offered; without it 0, 5, 10 and 15 % for twelve months.
        campaign, events: a logged campaign; how a file of what came of others is to be read.
    """

    name: str = Field(min_length=1)
    tables: Tables | None = None
    identity: Identity | None = None
    value: Value | None = None
    tenure: Tenure | None = None
    features: dict[str, Feature] = Field(default_factory=dict)
    left_out: dict[str, str] = Field(default_factory=dict)
    accepted: dict[str, Feature] = Field(default_factory=dict)
    messages: dict[str, Words] = Field(default_factory=dict)
    people: People = People()
    contact: Contact = Contact()
    offers: Offers | None = None
    campaign: Campaign | None = None
    events: Events = Events()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        part = {n: getattr(self, n) for n in ("tables", "identity", "value", "tenure", "features")}
        lacking = [name for name, given in part.items() if not given]
        if self.campaign is None and len(lacking) == len(part):
            raise ValueError("has neither customers (tables, identity, …) nor a campaign")
        if lacking and len(lacking) < len(part):
            written = ", ".join(f"{name}: {_WRITTEN[name]}" for name in lacking)
            raise ValueError(f"lacks {', '.join(lacking)}; write {written}")
        if self.campaign and self.campaign.table is None and self.tables is None:
            raise MisfitError("needs a table of its own, as there is no history", "campaign")
        return self

    @model_validator(mode="after")
    def _used_once(self) -> Self:
        label = self.identity and (self.identity.churned.column or self.identity.churned.end_date)
        outcome = self.campaign and self.campaign.outcome.column
        log = self.campaign.features if self.campaign else {}
        of_log = ("campaign", "features")
        parts: list[tuple[tuple[str, ...], dict[str, Feature]]] = [
            (("features",), self.features),
            (of_log, log),
        ]
        for where, features in parts:
            for name in features:
                if name in self.left_out:
                    raise MisfitError("is a feature as well", "left_out", name)
                if name in (label, outcome):
                    raise MisfitError(
                        "is what is to be predicted: it can't be a feature", *where, name
                    )
        if self.campaign:
            offered, named = self.campaign.offer.column, self.campaign.customer
            if offered in log:
                raise MisfitError("is the offer: it can't be a feature", *of_log, offered)
            if named is not None and named in log:
                raise MisfitError("names the customer: it can't be a feature", *of_log, named)
        if strangers := sorted(set(self.accepted) - set(self.left_out)):
            raise MisfitError("isn't left out, with the reason", "accepted", strangers[0])
        return self

    @model_validator(mode="after")
    def _of_features(self) -> Self:
        for column, words in self.messages.items():
            if column not in self.features:
                raise MisfitError("is no feature, and messages speak of these", "messages", column)
            _typed(("messages", column), self.features[column], words.mentioned)
        for column, feature in self.features.items():
            where, other = ("features", column, "repeats"), feature.repeats
            if other is None:
                continue
            if other.column not in self.features:
                raise MisfitError(f"{other.column!r} is no feature", *where)
            if other.when is not None and other.says is not None:
                _typed(where, self.features[other.column], {other.when})
                _typed(where, feature, {other.says})
        return self

    @model_validator(mode="after")
    def _same_offers(self) -> Self:
        """What customers are offered has to be what the log knows the answers to."""
        if self.campaign is None or self.tables is None:
            return self
        percent, logged = (self.offers or Offers()).percent, self.campaign.offer.gives
        if logged != percent:
            said = ", ".join(f"{give:g}" for give in logged)
            raise MisfitError(
                f"the campaign's levels give {said}, the offers are "
                f"{', '.join(map(str, percent))}: say offers: {{percent: [{said}]}} (four levels "
                "from 0), or make two contracts of it",
                *("campaign", "offer", "levels"),
            )
        return self

    @property
    def own_zone(self) -> str | None:
        """Where customers live whose zone nobody knows; None where the contract doesn't say."""
        people = self.people
        return people.default_zone if "default_zone" in people.model_fields_set else None

    @property
    def customers(self) -> CustomerPart | None:
        """The customer part; None where the contract has a campaign only."""
        tables, identity, value, tenure = self.tables, self.identity, self.value, self.tenure
        if tables is None or identity is None or value is None or tenure is None:
            return None
        return CustomerPart(tables, identity, value, tenure)


def _typed(where: tuple[str, ...], feature: Feature, cells: Iterable[str]) -> None:
    """Raise MisfitError for a cell that the feature can't have."""
    for cell in sorted(cells):
        try:
            feature.typed(cell)
        except ValueError as error:
            raise MisfitError(str(error), *where) from None


def load_contract(path: Path) -> Contract:
    """The contract in a YAML file.

    Raises:
        ContractError: it is no contract; a line for each problem, as `file:line: key: problem`.
        OSError: it can't be read.
    """
    try:
        document = Document.parse(path.read_text("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ContractError([f"{path}:1: is not UTF-8 ({error.reason})"]) from error
    except ValueError as error:
        raise ContractError([f"{path}:{error}"]) from error
    try:
        return Contract.model_validate(document.value, context={"folder": path.absolute().parent})
    except ValidationError as error:
        found = problems_in(error, document, partial(keys_at, Contract))
        raise ContractError([f"{path}:{said}" for said in found]) from error
