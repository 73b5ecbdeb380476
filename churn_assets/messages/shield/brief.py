"""What a message is to say, and to whom."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from churn_assets.customers.languages import LANGUAGES, Language
from churn_assets.domain.contracts import CONTRACTS as CONTRACTS
from churn_assets.domain.contracts import MAX_CHARGES as MAX_CHARGES
from churn_assets.domain.contracts import MAX_TENURE as MAX_TENURE
from churn_assets.domain.contracts import SERVICES as SERVICES
from churn_assets.domain.contracts import Contract as Contract
from churn_assets.domain.contracts import Service as Service
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.messages.shield.names import read_name

Tone = Literal["warm", "formal", "cheerful", "plain"]
TenureBand = Literal["new", "settled", "long"]

TONES: tuple[Tone, ...] = get_args(Tone)
TENURE_BANDS: tuple[TenureBand, ...] = get_args(TenureBand)
TENURE_BOUNDS = (6, 24)
"""Months from which a customer is `settled`, and `long` with the company, unless a contract says
others."""
MAX_SUBJECT = 40


def tenure_band(tenure: int, bounds: tuple[int, int] = TENURE_BOUNDS) -> TenureBand:
    """`new` below the first bound in months, `settled` below the second, else `long`."""
    return "new" if tenure < bounds[0] else "settled" if tenure < bounds[1] else "long"


class Facts(NamedTuple):
    """What of a brief decides whether a template suits it; no customer's values in it."""

    offer_percentage: int
    contract: Contract | None
    services: tuple[Service, ...]
    band: TenureBand
    tone: Tone
    has_subject: bool = False
    language: Language = "en"


@dataclass(frozen=True)
class MessageBrief:
    """One message's facts.

    tenure in months (0..1200), offer_percentage one of `offers`, monthly_charges in currency
    (0..`MAX_CHARGES`), local_time aware and in the customer's zone. Raises ValueError that names
    the field. `name` may be any text; it is kept as `read_name` has it, and when that leaves it out
    it is None and `name_doubt` says why. A `contract` of None is of none of these kinds: no message
    may speak of it. `subject` is what a company's contract calls something of the customer's (at
    most 40 characters), as in "your fiber connection"; the shield judges its words as well.
    `bounds` are those of the tenure bands, in months. `facts` decide which templates suit it.
    """

    name: str | None
    tenure: int
    offer_percentage: int
    monthly_charges: float
    contract: Contract | None
    local_time: datetime
    services: tuple[Service, ...] = ()
    tone: Tone = "warm"
    language: Language = "en"
    subject: str | None = None
    offers: tuple[int, ...] = OFFER_PERCENTAGES
    bounds: tuple[int, int] = TENURE_BOUNDS
    name_doubt: str | None = field(init=False, default=None)
    facts: Facts = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.name is not None:
            read = read_name(self.name)
            object.__setattr__(self, "name", read.text)
            object.__setattr__(self, "name_doubt", read.doubt)
        if not 0 <= self.tenure <= MAX_TENURE:
            raise ValueError(f"tenure must be 0 to {MAX_TENURE} months, not {self.tenure}")
        if self.offer_percentage not in self.offers:
            raise ValueError(f"offer_percentage must be one of {self.offers}")
        if not (math.isfinite(self.monthly_charges) and 0 <= self.monthly_charges <= MAX_CHARGES):
            raise ValueError(f"monthly_charges must be 0 to {MAX_CHARGES}")
        if self.contract is not None and self.contract not in CONTRACTS:
            raise ValueError(f"contract must be one of {CONTRACTS}, not {self.contract!r}")
        if self.tone not in TONES:
            raise ValueError(f"tone must be one of {TONES}, not {self.tone!r}")
        if self.language not in LANGUAGES:
            raise ValueError(f"language must be one of {LANGUAGES}, not {self.language!r}")
        if unknown := [service for service in self.services if service not in SERVICES]:
            raise ValueError(f"services has unknown categories {sorted(unknown)}")
        if self.subject is not None and not 0 < len(self.subject) <= MAX_SUBJECT:
            raise ValueError(f"subject must have 1 to {MAX_SUBJECT} characters")
        if self.local_time.tzinfo is None:
            raise ValueError("local_time needs a time zone (the customer's)")
        band, has_subject = tenure_band(self.tenure, self.bounds), self.subject is not None
        facts = Facts(
            self.offer_percentage,
            self.contract,
            self.services,
            band,
            self.tone,
            has_subject,
            self.language,
        )
        object.__setattr__(self, "facts", facts)

    @property
    def known_offer(self) -> int:
        """The built-in percentage of the same level: what prompts and the bank's cells speak of.
        What a customer reads is filled in afterwards, and is their own."""
        return OFFER_PERCENTAGES[self.offers.index(self.offer_percentage)]

    @property
    def kind_of_contract(self) -> Contract:
        """The contract, for what is written by it; raises ValueError where it is of no kind."""
        if self.contract is None:
            raise ValueError("a contract of no kind: only templates that name none suit it")
        return self.contract

    @property
    def band(self) -> TenureBand:
        return self.facts.band

    @property
    def names_tenure(self) -> bool:
        """Whether a message may: of somebody new one month too, but the templates of other bands
        count in months."""
        return self.tenure > (0 if self.band == "new" else 1)
