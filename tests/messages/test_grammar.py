"""The grammar writes only what the shield lets through, and flaws are what they are called."""

from __future__ import annotations

import json
import random
import re
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest

from churn_assets.messages.config import CorpusConfig, Phrasing
from churn_assets.messages.corpus import grammar as grammar_module
from churn_assets.messages.corpus.corpus import read_jsonl, write_corpus, write_messages
from churn_assets.messages.corpus.flaws import FLAWS, UNREVIEWED, phrases, taught, write_pair
from churn_assets.messages.corpus.grammar import (
    SHAPES,
    SPLITS,
    WITH_REASON,
    Split,
    count_messages,
    grammar,
    write_draft,
    write_message,
)
from churn_assets.messages.corpus.prompts import SERVICE_SETS, Situation, random_situation
from churn_assets.messages.corpus.reviewed import reviewed_for
from churn_assets.messages.shield.brief import TENURE_BANDS, TONES
from churn_assets.messages.shield.validation import Shield
from tests.messages.briefs import brief

SHIELD = Shield.load()
SMALL = CorpusConfig(messages=100, pairs=150)
PHRASINGS: tuple[Phrasing, ...] = get_args(Phrasing)
CLAIMED_WORK = re.compile(
    r"(?:after your \{tenure\} with us )?we (?:looked|have checked|checked|went over|took|found)\b"
    "|all looks|it turns out"
)
# Flaws of the text's form, which the shield must see every time; the others are the reward
# model's to find.
SEEN_BY_SHIELD = {
    "shouting": "shouting",
    "banned_phrase": "banned_phrase",
    "too_long": "invalid_length",
    "too_short": "invalid_length",
    "doubled_slot": "doubled_slot",
    "wrong_fact": "wrong_",
    "swapped_slot": "misused_slot",
}


@pytest.mark.parametrize("phrasing", PHRASINGS)
@pytest.mark.parametrize("split", SPLITS)
def test_every_message_of_the_grammar_passes_the_shield(split: Split, phrasing: Phrasing) -> None:
    """Why: SFT copies its text; one faulty phrase in the grammar is a faulty model."""
    rng, families = random.Random(split), grammar(phrasing).families_of(split)
    for _ in range(400):
        situation = random_situation(rng)
        text = write_message(rng, situation, rng.choice(families), phrasing=phrasing)
        assert "[" not in text
        assert SHIELD.check_template_facts(text, situation.facts).violations == (), text


def test_a_varied_sentence_is_seldom_the_same() -> None:
    """Why: of the fixed grammar a base learns whole sentences, and writes no other. Counted: the
    parts of a hundred messages that stand in none of the 1,200 before them."""
    new = {}
    for phrasing in PHRASINGS:
        rng, families = random.Random(3), grammar(phrasing).families_of("train")
        drawn = [
            write_draft(rng, random_situation(rng), rng.choice(families), phrasing=phrasing)
            for _ in range(1_300)
        ]
        known = {part for draft in drawn[:1_200] for part in draft.parts}
        parts = [part for draft in drawn[1_200:] for part in draft.parts]
        new[phrasing] = sum(part not in known for part in parts) / len(parts)
    assert new["fixed"] < 0.1 < 0.15 < new["varied"]


def test_the_grammar_writes_a_million_messages_and_more() -> None:
    """Why: a model that can learn the corpus by heart would show nothing."""
    assert count_messages() >= 1_000_000


def test_held_out_families_are_held_out() -> None:
    """Why: test figures are worth nothing on families that were trained on."""
    families = {split: set(grammar().families_of(split)) for split in SPLITS}
    assert not families["train"] & families["test"]
    openings = {
        split: {text for name in names for text in _words_of(name)}
        for split, names in families.items()
    }
    assert not openings["train"] & openings["test"]


def _words_of(family: str) -> set[str]:
    words = grammar().families[family]
    return {*words.any, *words.new, *words.tenured, *words.leads, *words.no_offer}


@pytest.mark.parametrize("phrasing", PHRASINGS)
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("flaw", FLAWS)
def test_chosen_is_good_and_rejected_has_the_flaw(
    flaw: str, split: Split, phrasing: Phrasing
) -> None:
    """Why: a pair without its flaw teaches noise."""
    rng = random.Random(flaw)
    for _ in range(40):
        situation = random_situation(rng)
        family = rng.choice(grammar(phrasing).families_of(split))
        chosen, rejected = write_pair(rng, situation, family, flaw, phrasing)
        assert "[" not in chosen + rejected
        assert SHIELD.check_template_facts(chosen, situation.facts).passed
        assert rejected != chosen
        found = SHIELD.check_template_facts(rejected, situation.facts).violations
        if flaw in SEEN_BY_SHIELD:
            assert any(name.startswith(SEEN_BY_SHIELD[flaw]) for name in found), rejected
        if flaw in ("missing_slot", "wrong_slot", "repetitive"):
            assert found, rejected
        if flaw in ("generic", "missing_reason"):
            assert not found, rejected
        assert SHIELD.gives_a_reason(chosen, situation.facts), chosen


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(("phrasing", "least", "most"), [("fixed", 0.7, 0.8), ("varied", 0.93, 1)])
def test_most_messages_give_a_reason_and_few_are_bare(
    split: Split, phrasing: Phrasing, least: float, most: float
) -> None:
    """Why: of the corpus 3 in 100 gave one, and SFT and PPO-Text learnt to say nothing of the
    customer."""
    rng, families = random.Random(split), grammar(phrasing).families_of(split)
    drafts = [
        write_draft(rng, random_situation(rng), rng.choice(families), phrasing=phrasing)
        for _ in range(1_000)
    ]
    reasons = [d for d in drafts if SHIELD.gives_a_reason(d.text, d.situation.facts)]
    assert least < len(reasons) / len(drafts) < most
    assert sum(d.opening is None and d.reason is None for d in drafts) / len(drafts) < 0.12
    assert sum("{tenure}" in d.text for d in drafts) / len(drafts) > 0.1


@pytest.mark.parametrize("phrasing", PHRASINGS)
def test_every_customer_can_be_written_in_every_shape(phrasing: Phrasing) -> None:
    """Why: a shape whose words never fit the shield's length can't be written, and one that seldom
    does would be rare."""
    counted, draws = CountedChoices(3), 0
    families, shapes = grammar(phrasing).families, SHAPES[phrasing]
    combinations = list(product(families, TENURE_BANDS, shapes, TONES, (0, 10)))
    for family, band, shape, tone, offer in combinations:
        situation = Situation(offer, band, "Two year", ("streaming",), tone)
        text = write_message(counted, situation, family, {shape: 1}, phrasing)
        assert SHIELD.check_template_facts(text, situation.facts).violations == (), text
        draws = max(draws, counted.taken())
    assert draws < 2_000


def test_words_that_never_fit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why: whoever writes a longer opening would otherwise wait for ever."""
    long = "we are glad " * 20
    words = grammar()
    family = words.families["care"].model_copy(update=dict.fromkeys(("any", "new"), (long,)))
    changed = words.model_copy(update={"families": {**words.families, "care": family}})
    monkeypatch.setattr(grammar_module, "grammar", lambda _: changed)
    monkeypatch.setattr(grammar_module, "MOST_DRAWS", 50)
    situation = Situation(10, "new", "Two year", ("streaming",), "warm")
    with pytest.raises(ValueError, match="no full message of family 'care' behind 'we are glad"):
        write_message(random.Random(1), situation, "care", {"full": 1})
    assert write_message(random.Random(1), situation, "care", {"signed": 1})


class CountedChoices(random.Random):
    """Counts how often something is chosen."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.count = 0

    def choice(self, seq: Any) -> Any:
        self.count += 1
        return super().choice(seq)

    def taken(self) -> int:
        """How many since the last call."""
        count, self.count = self.count, 0
        return count


@pytest.mark.parametrize("split", SPLITS)
def test_an_opening_leads_to_its_familys_offer(split: Split) -> None:
    """Why: a reason between two sentences that belong together made the grammar read worse."""
    rng, families = random.Random(5), grammar().families_of(split)
    for _ in range(200):
        draft = write_draft(rng, random_situation(rng), rng.choice(families), WITH_REASON)
        parts = draft.parts
        if draft.opening is not None:
            assert parts[1:] == [draft.opening, draft.offer, draft.reason]
        else:
            assert parts[1:] == [draft.reason, draft.offer, draft.closing]


def test_a_varied_reason_and_the_offer_are_one_sentence_that_says_how_long() -> None:
    """Why: of sentences that stand side by side readers said that each could stand anywhere, and a
    discount without its term may not be sent. Nor may work that nobody did: of the openings that
    claim some, models learn, and none is served."""
    rng, families = random.Random(6), grammar("varied").families_of("train")
    for _ in range(200):
        situation = random_situation(rng)
        draft = write_draft(rng, situation, rng.choice(families), WITH_REASON, "varied")
        assert draft.reason is not None
        (woven,) = [part for part in draft.parts if draft.reason in part]
        assert woven.endswith(draft.offer[1:])
        assert woven.startswith(draft.reason)
        assert ("{offer}" in woven and "{months}" in woven) == (situation.offer > 0)
        claims = CLAIMED_WORK.match(draft.opening or "") is not None
        served = SHIELD.may_be_served(draft.text, situation.facts)
        assert not situation.offer or served != claims


@pytest.mark.parametrize("phrasing", PHRASINGS)
@pytest.mark.parametrize("split", SPLITS)
def test_what_is_served_lacks_only_terms_and_work_done(split: Split, phrasing: Phrasing) -> None:
    """Why: a phrase against harm that refused the grammar's own sentences would empty the bank."""
    rng, families = random.Random(8), grammar(phrasing).families_of(split)
    for _ in range(300):
        situation = random_situation(rng)
        draft = write_draft(rng, situation, rng.choice(families), phrasing=phrasing)
        claims = any(CLAIMED_WORK.match(part[0].lower() + part[1:]) for part in draft.parts)
        has_term = not situation.offer or "{months}" in draft.text
        assert SHIELD.may_be_served(draft.text, situation.facts) == (has_term and not claims), draft


def test_reviewed_templates_of_the_comparisons_stand_in_no_pair() -> None:
    """Why: that they are better must be told of templates that the reward model never saw."""
    rng, family = random.Random(2), grammar().families_of("train")[0]
    chosen = set()
    for _ in range(400):
        situation = random_situation(rng)
        better, worse = write_pair(rng, situation, family, UNREVIEWED)
        chosen.add(better)
        for text in (better, worse):
            assert SHIELD.check_template_facts(text, situation.facts).passed
        assert SHIELD.gives_a_reason(better, situation.facts)
        assert not SHIELD.gives_a_reason(worse, situation.facts)
    assert len(chosen) > 60
    briefs = product((0, 5), TENURE_BANDS, TONES)
    assert not {template for brief in briefs for template in reviewed_for(*brief)} & chosen
    assert UNREVIEWED in taught("train")
    assert UNREVIEWED not in taught("test")


def test_no_flaw_is_told_in_the_same_words_twice() -> None:
    """Why: the accuracy by flaw would measure a memory for sentences."""
    train, test = phrases("train"), phrases("test")
    for kind in train:
        assert not set(train[kind]) & set(test[kind])
        assert len(train[kind]) >= 12
        assert len(test[kind]) >= 4


def test_corpus_is_the_same_every_time_and_says_what_it_is(tmp_path: Path) -> None:
    """Why: artifacts are cached by digest, so the same settings must give the same bytes."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for kind in ("messages", "preferences"):
            (tmp_path / name / kind).mkdir()
            card = write_corpus(kind, SMALL, tmp_path / name / kind)
            assert card["rows"] == sum(card["splits"].values())
    for path in (tmp_path / "a").rglob("*.json*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
    rows = read_jsonl(tmp_path / "a" / "preferences" / "train.jsonl")
    assert {row["flaw"] for row in rows} == {*FLAWS, UNREVIEWED}
    assert json.loads((tmp_path / "a/messages/dataset.json").read_text())["source"] == "grammar"


def test_prompts_hold_categories_and_no_values() -> None:
    """Why: what the model never sees it can neither leak nor garble."""
    made = brief(
        name="Wilhelmina", tenure=37, monthly_charges=43.21, services=("phone", "internet")
    )
    prompt = Situation.of(made).prompt
    assert prompt == "10% long monthly warm about monthly internet phone:\n"


def test_services_of_a_brief_map_to_one_prompt_whatever_their_order() -> None:
    """Why: the model was trained on one order only."""
    assert Situation.of(brief(services=("phone", "internet"))).services in SERVICE_SETS


def test_messages_vary() -> None:
    """Why: few distinct messages would make distinct-n meaningless."""
    texts = [row["response"] for row in write_messages(CorpusConfig(messages=500), "train")]
    assert len(set(texts)) > 480
