"""Writes one customer's message: candidates, shield, best, fill, shield again, else a template."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

from churn_assets.messages.corpus.reviewed import reviewed_templates, subject_templates
from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.shield.language import Language
from churn_assets.messages.shield.slots import fill, slots_in, without_name
from churn_assets.messages.shield.validation import Shield, Verdict
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


@dataclass(frozen=True)
class Message:
    """What to send; `verdict` can only fail on quiet hours.

    `values`: slot -> what it was filled with.
    `name_doubt` says why the text doesn't hold the customer's name; None when it does.
    """

    text: str
    template: str
    source: Source
    verdict: Verdict
    values: Mapping[str, str]
    name_doubt: str | None = None


class MessageWriter:
    """`source` None (no model released, or switched off) writes reviewed templates only.

    The seed chooses among the `VARIETY` best of the candidates that pass.
    """

    def __init__(
        self, shield: Shield, renderer: Renderer, source: CandidateSource | None = None
    ) -> None:
        self.shield = shield
        self.renderer = renderer
        self.source = source
        self.shield_for = cache(shield.in_language)

    @classmethod
    def load(cls, folder: Path, renderer: Renderer) -> MessageWriter:
        """From a release's `messages/` folder: `rules.json` and `bank.json`.

        Raises FileNotFoundError or ValueError naming the file that is missing or broken.
        """
        shield = Shield.load(folder / "rules.json")
        return cls(shield, renderer, MessageBank.load(folder / "bank.json"))

    def write(self, brief: MessageBrief, seed: str) -> Message:
        """The message for this brief; the same brief and seed give the same message.

        A doubtful name, or one that no template passes with, is left out.
        seed: customer and release.
        Raises RuntimeError when not even a reviewed template passes, which the tests exclude.
        """
        doubt = brief.name_doubt
        message = self._write(brief, seed)
        if message is None and brief.name is not None:
            doubt = UNFIT
            message = self._write(replace(brief, name=None), seed)
        if message is None:
            raise RuntimeError(
                f"no reviewed template passes the shield for offer {brief.offer_percentage} %, "
                f"band {brief.band}, tone {brief.tone}, language {brief.language}: mend its "
                "reviewed templates or the shield's rules"
            )
        return replace(message, name_doubt=doubt)

    def _write(self, brief: MessageBrief, seed: str) -> Message | None:
        """The first wording that passes, the seed's choice of the best generated ones first."""
        values = self.renderer.values(brief)
        for template, source in self._candidates(brief, values, seed):
            text = fill(template, values)
            verdict = self.shield_for(brief.language).check_text(text, brief, values)
            if set(verdict.violations) <= NOT_MENDED_BY_REWRITING:
                return Message(text, template, source, verdict, values)
        return None

    def _candidates(
        self, brief: MessageBrief, values: Mapping[str, str], seed: str
    ) -> Iterator[tuple[str, Source]]:
        """All wordings and where they are from; reviewed ones are only looked up once they are
        asked for, since nearly always a generated one passes."""
        shield = self.shield_for(brief.language)
        generated = self._generated(brief, seed)
        passing = [t.text for t in generated if shield.check_template(t.text, brief).passed]
        for wording in _rotated(self._wordings(passing, brief, values)[:VARIETY], seed):
            yield wording, self.source.author if self.source else "model"
        for reviewed in (subject_templates, reviewed_templates):
            for wording in _rotated(self._wordings(reviewed(brief), brief, values), seed):
                yield wording, "template"

    def _generated(self, brief: MessageBrief, seed: str) -> Sequence[ScoredTemplate]:
        """Candidates of the source, which writes English only."""
        if self.source is None or brief.language != GENERATED_LANGUAGE:
            return ()
        return self.source.candidates(brief, seed)

    def _wordings(
        self, templates: Sequence[str], brief: MessageBrief, values: Mapping[str, str]
    ) -> list[str]:
        """The templates for which this customer has every value, without name if they have none."""
        worded: Sequence[str | None] = templates
        if brief.name is None:
            greetings = self.shield_for(brief.language).rules.greetings
            worded = [without_name(template, greetings) for template in templates]
        return [t for t in worded if t is not None and values.keys() >= set(slots_in(t))]


def _rotated(templates: Sequence[str], seed: str) -> list[str]:
    """The templates, beginning at the one that the seed picks."""
    if not templates:
        return []
    digest = hashlib.blake2b(seed.encode(), digest_size=8).digest()
    start = int.from_bytes(digest, "big") % len(templates)
    return [*templates[start:], *templates[:start]]
