"""Writes one customer's message: candidates, shield, choice, fill, shield again, else a template.

The choice is the seed's among the best by score; or, where answers are learnt from, the bandit's
among all that pass, reviewed ones included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from churn_assets.customers.languages import Language
from churn_assets.messages.corpus.reviewed import REVIEWED_IN_TURN
from churn_assets.messages.shield.brief import Facts, MessageBrief
from churn_assets.messages.shield.slots import fill, slots_in, without_name
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.shield.verdict import Verdict
from churn_assets.messages.writing.admission import is_admitted
from churn_assets.messages.writing.bandit import (
    Audience,
    TemplateChooser,
    audience_of,
    template_id,
)
from churn_assets.messages.writing.bank import Author, MessageBank, ScoredTemplate
from churn_assets.messages.writing.renderer import Renderer

Source = Literal["model", "grammar", "template"]
# A time of day is nothing that another wording could mend: the caller decides when to send.
NOT_MENDED_BY_REWRITING = frozenset({"quiet_hours"})
VARIETY = 4  # so that neighbours do not all read the same words
GENERATED_LANGUAGE: Language = "en"
UNFIT = "no message that passes the shield has a place for it"


class CandidateSource(Protocol):
    """Where generated templates come from: the bank, or a model asked on the spot."""

    author: Author

    def candidates(self, brief: MessageBrief, seed: str) -> Sequence[ScoredTemplate]:
        """Templates for the brief, best first; may be empty."""
        ...


class Wording(NamedTuple):
    """A template as one customer may read it: `text` has no name's slot where they have none."""

    text: str
    source: Source
    template_id: str


@dataclass(frozen=True)
class Message:
    """What to send; `verdict` can only fail on quiet hours.

    `values`: slot -> what it was filled with.
    `template_id`: of the template as the bank or the reviewed file has it; None of one that was
    written for this message alone. `brief`: by which it was written.
    `probability`: with which the bandit drew it, in (0, 1]; None where it wasn't asked.
    `name_doubt` says why the text doesn't hold the customer's name; None when it does.
    """

    text: str
    template: str
    source: Source
    verdict: Verdict
    values: Mapping[str, str]
    template_id: str | None
    brief: MessageBrief
    probability: float | None = None
    name_doubt: str | None = None

    @property
    def audience(self) -> Audience:
        """For whom it is, as answers to it are counted."""
        return audience_of(self.brief)


class MessageWriter:
    """`source` None (no model released, or switched off) writes reviewed templates only.

    The seed chooses among the `VARIETY` best of the candidates that pass. `reviewed_first`:
    reviewed templates go before the source's, which then wait for answers to speak for them.
    """

    def __init__(
        self,
        shield: Shield,
        renderer: Renderer,
        source: CandidateSource | None = None,
        *,
        reviewed_first: bool = False,
    ) -> None:
        self.shield = shield
        self.renderer = renderer
        self.source = source
        self.reviewed_first = reviewed_first
        self.shield_for = cache(shield.in_language)
        # A cell's templates are the same for all who have the same facts and values.
        self._suiting = lru_cache(maxsize=4_096)(self._wordings_that_suit)
        self._reviewed = lru_cache(maxsize=4_096)(self._reviewed_in_turn)

    @classmethod
    def load(cls, folder: Path, renderer: Renderer) -> MessageWriter:
        """From a release's `messages/` folder: `rules.json` and `bank.json`.

        Raises FileNotFoundError or ValueError naming the file that is missing or broken.
        """
        shield = Shield.load(folder / "rules.json")
        bank = MessageBank.load(folder / "bank.json")
        return cls(shield, renderer, bank, reviewed_first=bank.reviewed_first)

    def write(
        self,
        brief: MessageBrief,
        seed: str,
        chooser: TemplateChooser | None = None,
        wanted: str | None = None,
    ) -> Message:
        """The message for this brief; the same brief and seed give the same message.

        A doubtful name, or one that no template passes with, is left out.

        Args:
            seed: customer and release.
            chooser: draws among all templates that pass, by what answers said of them.
            wanted: id of a template that was chosen before; it is written if it passes.

        Raises:
            RuntimeError: not even a reviewed template passes, which the tests exclude.
        """
        doubt = brief.name_doubt
        message = self._write(brief, seed, chooser, wanted)
        if message is None and brief.name is not None:
            doubt = UNFIT
            message = self._write(replace(brief, name=None), seed, chooser, wanted)
        if message is None:
            raise RuntimeError(
                f"no reviewed template passes the shield for offer {brief.offer_percentage} %, "
                f"band {brief.band}, tone {brief.tone}, language {brief.language}: mend its "
                "reviewed templates or the shield's rules"
            )
        return replace(message, name_doubt=doubt) if doubt else message

    def write_best(
        self, written: Sequence[ScoredTemplate], author: Author, brief: MessageBrief
    ) -> Message | None:
        """The message by the first of these templates that passes; None where none does. Nobody is
        sent the same words again: there is nothing to be learnt of them, nor a template's id."""
        values = self.renderer.values(brief)
        found = self._wordings_that_suit(written, author, brief.facts, tuple(values))
        message = next(self._passing(found, brief, values), None)
        return message and replace(message, template_id=None, name_doubt=brief.name_doubt)

    def _write(
        self, brief: MessageBrief, seed: str, chooser: TemplateChooser | None, wanted: str | None
    ) -> Message | None:
        """A message that passes; None where no wording does."""
        values = self.renderer.values(brief)
        if chooser is not None or wanted is not None:
            drawn = self._drawn(brief, values, seed, chooser, wanted)
            if drawn is not None:
                return drawn
        return next(self._passing(self._in_turn(brief, values, seed), brief, values), None)

    def _drawn(
        self,
        brief: MessageBrief,
        values: Mapping[str, str],
        seed: str,
        chooser: TemplateChooser | None,
        wanted: str | None,
    ) -> Message | None:
        """The message by the template that is wanted, or else drawn of all that suit the brief;
        None where it doesn't pass with this customer's name. Only what was drawn is judged, so
        that its probability is that of the draw, whatever the others would have come to."""
        found = {w.template_id: w for w in self._all(brief, values, seed)}
        if wanted in found:
            return next(self._passing([found[wanted]], brief, values), None)
        if chooser is None or not found:
            return None
        choice = chooser.choose(audience_of(brief), tuple(found), seed=seed)
        message = next(self._passing([found[choice.template]], brief, values), None)
        return message and replace(message, probability=choice.probability)

    def _passing(
        self, wordings: Iterable[Wording], brief: MessageBrief, values: Mapping[str, str]
    ) -> Iterator[Message]:
        """The wordings as messages, of those that pass."""
        shield = self.shield_for(brief.language)
        for template, source, identity in wordings:
            text = fill(template, values)
            verdict = shield.check_filled(template, text, brief, values)
            if NOT_MENDED_BY_REWRITING.issuperset(verdict.violations):
                yield Message(text, template, source, verdict, values, identity, brief)

    def _in_turn(
        self, brief: MessageBrief, values: Mapping[str, str], seed: str
    ) -> Iterator[Wording]:
        """The seed's choice of the best generated wordings, then of the reviewed ones, or the other
        way round. Generated ones are only looked up once they are asked for: nearly always the
        first wording passes."""
        reviewed = self._reviewed(brief.facts, tuple(values))
        if self.reviewed_first:
            yield from _rotated(reviewed, seed)
        yield from _rotated([self._generated(brief, values, seed)[:VARIETY]], seed)
        if not self.reviewed_first:
            yield from _rotated(reviewed, seed)

    def _all(self, brief: MessageBrief, values: Mapping[str, str], seed: str) -> list[Wording]:
        """Every wording; all are equal."""
        generated = self._generated(brief, values, seed)
        return [*generated, *chain.from_iterable(self._reviewed(brief.facts, tuple(values)))]

    def _generated(
        self, brief: MessageBrief, values: Mapping[str, str], seed: str
    ) -> list[Wording]:
        """What the source writes and the shield lets pass, best first; it writes English only."""
        if self.source is None or brief.language != GENERATED_LANGUAGE:
            return []
        written = tuple(self.source.candidates(brief, seed))
        return self._suiting(written, self.source.author, brief.facts, tuple(values))

    def _reviewed_in_turn(self, facts: Facts, slots: tuple[str, ...]) -> list[list[Wording]]:
        """What people wrote, by how much of the customer it names."""
        return [
            self._wordings(found(facts), "template", facts.language, slots)
            for found in REVIEWED_IN_TURN
        ]

    def _wordings_that_suit(
        self,
        written: Iterable[ScoredTemplate],
        author: Source,
        facts: Facts,
        slots: tuple[str, ...],
    ) -> list[Wording]:
        """Of what was written in `GENERATED_LANGUAGE`, what may be served."""
        shield = self.shield_for(GENERATED_LANGUAGE)
        passing = [t.text for t in written if is_admitted(shield, t.text, facts)]
        return self._wordings(passing, author, GENERATED_LANGUAGE, slots)

    def _wordings(
        self,
        templates: Sequence[str],
        source: Source,
        language: Language,
        slots: Iterable[str],
    ) -> list[Wording]:
        """The templates for which a customer has every value, without name if they have none."""
        worded: Sequence[str | None] = templates
        known = frozenset(slots)
        if "name" not in known:
            greetings = self.shield_for(language).rules.greetings
            worded = [without_name(template, greetings) for template in templates]
        return [
            Wording(text, source, template_id(template))
            for template, text in zip(templates, worded, strict=True)
            if text is not None and known >= _slots_of(text)
        ]


@lru_cache(maxsize=65_536)  # a bank has a few thousand templates
def _slots_of(template: str) -> frozenset[str]:
    return frozenset(slots_in(template))


def _rotated(kinds: Iterable[Sequence[Wording]], seed: str) -> Iterator[Wording]:
    """The wordings, kind by kind, each beginning at the one that the seed picks."""
    digest = hashlib.blake2b(seed.encode(), digest_size=8).digest()
    picked = int.from_bytes(digest, "big")
    for wordings in kinds:
        for place in range(len(wordings)):
            yield wordings[(picked + place) % len(wordings)]
