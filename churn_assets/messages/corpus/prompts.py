"""What the model is told: categories only. No customer's values ever enter a prompt."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations, product

from churn_assets.customers.languages import LANGUAGES, Language
from churn_assets.domain.offers import OFFER_PERCENTAGES
from churn_assets.messages.shield.brief import (
    CONTRACTS,
    SERVICES,
    TENURE_BANDS,
    TONES,
    Contract,
    Facts,
    MessageBrief,
    Service,
    TenureBand,
    Tone,
)

SERVICE_SETS: tuple[tuple[Service, ...], ...] = tuple(
    chosen for size in range(len(SERVICES) + 1) for chosen in combinations(SERVICES, size)
)

END = "\n"
# One word each: every token of a prompt is paid for at every step of training.
_CONTRACT_WORDS = {"Month-to-month": "monthly", "One year": "yearly", "Two year": "biennial"}
# The first word of what the grammar calls a topic: to name it, a model copies what stands there.
_TOPIC_WORDS = {
    "security": "online",
    "Month-to-month": "monthly",
    "One year": "yearly",
    "Two year": "two-year",
}
# What is least like it, so that hardly a word suits both.
_OTHER_BAND: dict[TenureBand, TenureBand] = {"new": "long", "settled": "new", "long": "new"}
_OTHER_TONE: dict[Tone, Tone] = {
    "warm": "formal",
    "formal": "cheerful",
    "cheerful": "formal",
    "plain": "cheerful",
}
_OTHER_CONTRACT: dict[Contract, Contract] = {
    "Month-to-month": "Two year",
    "One year": "Month-to-month",
    "Two year": "Month-to-month",
}
_LANGUAGE_NAMES: dict[Language, str] = {"en": "English", "es": "Spanish"}


@dataclass(frozen=True)
class Situation:
    """The categories of a brief: all that a prompt says and a template may depend on.

    `topic` is the one of the services, or the contract, that a message is to speak of; None is the
    contract (`about` says which of them it is).
    """

    offer: int
    band: TenureBand
    contract: Contract
    services: tuple[Service, ...]
    tone: Tone
    language: Language = "en"
    topic: str | None = None

    @classmethod
    def of(cls, brief: MessageBrief) -> Situation:
        """What a language model may know of a brief: kinds and bands, no value of the customer's.

        Raises ValueError for a contract of no kind. No topic is chosen: `about` is the contract.
        """
        services = tuple(s for s in SERVICES if s in brief.services)
        return cls(
            brief.known_offer,
            brief.band,
            brief.kind_of_contract,
            services,
            brief.tone,
            brief.language,
        )

    @property
    def topics(self) -> tuple[str, ...]:
        """What a message may speak of: each of the services, and the contract."""
        return (*self.services, self.contract)

    @property
    def about(self) -> str:
        """What the message is to speak of: the topic, or the contract where none is given."""
        return self.topic or self.contract

    @property
    def contrary(self) -> Situation:
        """Another customer: other in all that a message may know of this one, offered the same."""
        services = tuple(s for s in SERVICES if s not in self.services)
        contract = _OTHER_CONTRACT[self.contract]
        return replace(
            self,
            band=_OTHER_BAND[self.band],
            contract=contract,
            services=services,
            tone=_OTHER_TONE[self.tone],
            topic=next(iter(services), contract),
        )

    @property
    def facts(self) -> Facts:
        """What the shield judges a template for this situation by."""
        return Facts(self.offer, self.contract, self.services, self.band, self.tone)

    @property
    def prompt(self) -> str:
        """What decides most stands first and at fixed positions, the list of services last.

        A language other than English stands before everything else.
        """
        contract = _CONTRACT_WORDS[self.contract]
        services = self.services or ("nothing",)
        about = _TOPIC_WORDS.get(self.about, self.about)
        fields = (f"{self.offer}%", self.band, contract, self.tone, "about", about, *services)
        language = "" if self.language == "en" else f"{self.language} "
        return f"{language}{' '.join(fields)}:{END}"

    @property
    def instruction(self) -> str:
        """The same in plain words, for a model that has read some: what to write, to whom, and what
        may be promised, in few words, since they are read before every message."""
        language = "" if self.language == "en" else f" in {_LANGUAGE_NAMES[self.language]}"
        plan = f"{_CONTRACT_WORDS[self.contract]} plan"
        about = plan if self.about == self.contract else self.about
        offer = f"{self.offer}%" if self.offer else "none"
        return (
            f"A {self.tone} message{language} to a {self.band} customer: "
            f"{', '.join((plan, *self.services))}. About their {about}. Offer: {offer}.{END}"
        )


@cache
def situations() -> dict[str, Situation]:
    """Every situation by its short prompt."""
    fields = product(OFFER_PERCENTAGES, TENURE_BANDS, CONTRACTS, SERVICE_SETS, TONES, LANGUAGES)
    made = (Situation(*each) for each in fields)
    about = (replace(one, topic=topic) for one in made for topic in one.topics)
    return {found.prompt: found for found in about}


def instruction(prompt: str) -> str:
    """A situation's short prompt in plain words; any other text as it is."""
    situation = situations().get(prompt)
    return prompt if situation is None else situation.instruction


def contrary(prompt: str) -> str:
    """A situation's short prompt for another customer (`Situation.contrary`); nothing for any other
    text."""
    situation = situations().get(prompt)
    return "" if situation is None else situation.contrary.prompt


def without_topic(prompt: str) -> str:
    """The prompt as it was before it named a topic."""
    return re.sub(r" about \S+(?= .*:\n$)", "", prompt)


def flawed_prompt(prompt: str) -> str:
    """The prompt under which the base model meets flawed texts, and never writes them otherwise."""
    return f"{prompt.removesuffix(END)} flawed:{END}"


def random_situation(rng: random.Random) -> Situation:
    """A situation drawn uniformly, each category by itself, the topic among what it has."""
    made = Situation(
        offer=rng.choice(OFFER_PERCENTAGES),
        band=rng.choice(TENURE_BANDS),
        contract=rng.choice(CONTRACTS),
        services=rng.choice(SERVICE_SETS),
        tone=rng.choice(TONES),
    )
    return replace(made, topic=rng.choice(made.topics))
