"""What happened between the company and a customer, as the contact ledger keeps it: `Event`."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from churn_assets.domain.events import OPTED_OUT, UNSUBSCRIBED
from churn_assets.domain.value import MONTHS_OF_VALUE

PERIOD = timedelta(days=30)  # the mean of the decision environment's periods
MONTH = timedelta(days=365) / MONTHS_OF_VALUE  # of a discount that lasts so many
SAME_CONTACT = timedelta(hours=24)
"""A report of a contact so near to one that the campaign handed over is that one's, where it names
no decision; and so much earlier than its contact an answer may be that has a day and no hour."""
PLANNED = "plan:"  # begins the keys of contacts that a campaign handed over
IMPORTED = "import:"  # begins the keys of events from a file of the company's own system

ANSWERS = {"accepted": "success", "refused": "failure"}
KNOWN_CHANNELS = ("cellular", "telephone")  # those that the acceptance model was trained with

Kind = Literal[
    "sent", "not_sent", "accepted", "refused", "churned", "complained", "opted_out", "opted_in"
]
KINDS: dict[str, Kind] = {UNSUBSCRIBED: OPTED_OUT}
"""What the ledger calls a kind that is reported under another name."""
SAME_INSTANT: tuple[Kind, ...] = (
    "sent", "not_sent", "accepted", "refused", "complained", "opted_in", "churned", "opted_out",
)  # fmt: skip
"""The order of events with one time, as all of a day have in an import of bare dates: a contact
comes before what was said of it, that it was never made (a mail that came back was sent first)
included, and what ends contacts comes last."""


class Event(BaseModel):
    """Something that happened between the company and a customer; or, where its kind is `not_sent`,
    didn't: the contact of a decision was never made, whatever was handed over or reported before.

    Attributes:
        event_key: its name; the same key is the same event.
        occurred_at: aware; of a contact that was handed over, from when it may be sent.
        plan_id: the plan that it belongs to.
        expected_cost: of a contact that was handed over, what the plan expected it to cost, in
            currency; None: nobody said.
        cost_of_percent: of a contact that was handed over, what a discount of one percent comes to,
            by the bill and the months that the plan had, in currency; None: nobody said.
        accept_prob: of a contact that was handed over, with which probability its decision expected
            it to be accepted, its channel's reach in it; None: nobody said.
        decision_id: of the decision that a report names.
        delivered: whether the report says that it arrived, and not that it was sent; None: as an
            earlier version wrote it, which didn't say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    event_key: str = Field(min_length=1, max_length=160)
    customer_id: str = Field(min_length=1, max_length=64)
    kind: Kind
    occurred_at: AwareDatetime
    channel: str | None = None
    offer_percentage: int | None = None
    plan_id: str | None = None
    expected_cost: float | None = None
    cost_of_percent: float | None = None
    accept_prob: float | None = None
    decision_id: str | None = None
    delivered: bool | None = None

    @property
    def decision(self) -> str | None:
        """The decision that it belongs to, as far as that is known."""
        return self.event_key.removeprefix(PLANNED) if self.is_plans else self.decision_id

    @property
    def is_plans(self) -> bool:
        """Whether a plan's hand-over tells of it."""
        return self.event_key.startswith(PLANNED)

    @property
    def is_imported(self) -> bool:
        """Whether a file of the company's own system tells of it."""
        return self.event_key.startswith(IMPORTED)

    @property
    def is_ours(self) -> bool:
        """Whether it surely comes from decisions of this product: what is imported and names none
        may be another tool's."""
        return self.decision is not None or not self.is_imported

    @property
    def may_be_a_day(self) -> bool:
        """Whether its time may be a midnight somewhere: so days are told that have no hour."""
        at = self.occurred_at
        return at.minute % 15 == at.second == at.microsecond == 0
