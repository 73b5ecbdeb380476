"""What answers say of templates: counts for the bandit that chooses them, pairs for training.

A decision with a message counts once its days for an answer are over, and then in any case: as a
success if its offer was accepted by then, as a failure otherwise. Counting acceptances as they come
and silence only later would favour whatever was sent last. Where a sending system reports what it
sent, decisions that it says nothing of don't count: they were asked for, but reached nobody. Nor do
those that it says were never sent. Where nobody reports, a customer counts once in the days for an
answer, however often they were asked for (`first_contacts.once_asked`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from churn_assets.messages.corpus.answers import SOURCE
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.corpus.reviewed import SLOT, all_reviewed
from churn_assets.messages.shield.brief import SERVICES
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.bandit import Audience, Outcome, TemplateBandit, template_id
from churn_assets.outcomes.drawn import acted_upon
from churn_assets.outcomes.first_contacts import looks, once_asked
from churn_assets.outcomes.learning.pairs import decided
from churn_assets.outcomes.reached import reached_at, was_not_sent
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.protocol import ArtifactStore, DamagedArtifactError

log = logging.getLogger(__name__)
SAID_OF_IT = ("sent_at", "delivered_at", "accepted_at", "refused_at", "unsubscribed_at")
"""What shows that a message reached somebody."""


def answered(table: pd.DataFrame, answer_days: int, now: datetime) -> Iterator[Outcome]:
    """The messages whose days for an answer are over, in the order of their decisions.

    Args:
        table: columns of `campaign_outcomes`.
        answer_days: from the contact on.
    """
    # Tables of earlier versions don't have when the contact was made.
    ends = table.get("answers_from", table["time"]) + pd.Timedelta(days=answer_days)
    table = acted_upon(table.assign(ends=ends))  # who only looked sent nothing
    sent = table[table["template"].notna() & ~was_not_sent(table)]
    over = sent["ends"] <= pd.Timestamp(now)
    if reached_at(table).notna().any():
        sent = sent[over & sent[list(SAID_OF_IT)].notna().any(axis=1)]
    else:
        sent = sent[~looks(table, answer_days)[sent.index]]
        sent = once_asked(sent, over[sent.index], answer_days)
    success = (sent["accepted_at"] <= sent["ends"]).fillna(False)
    for audience, template, came in zip(sent["audience"], sent["template"], success, strict=True):
        yield Outcome(Audience.read(json.loads(audience)), template, bool(came))


def learn(table: pd.DataFrame, answer_days: int, now: datetime) -> TemplateBandit:
    """The bandit after all answers of the table; it holds counts and no customer."""
    bandit = TemplateBandit()
    bandit.learn(answered(table, answer_days, now))
    return bandit


def preference_rows(bandit: TemplateBandit, texts: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Decided pairs as rows of the corpus: {prompt, chosen, rejected, source, group, flaw}.

    A prompt has the services of an audience who were sent both, and asks for what the better one
    speaks of.
    Left out are templates whose text isn't known any more, those with a company's own words, which
    no model writes, audiences without a kind of contract, for whom no prompt is written, and where
    the audience's services aren't known, templates that name any: not all could be sent those.

    Args:
        texts: template id -> text (`known_templates`).
    """
    shield = Shield.load()
    texts = {known: text for known, text in texts.items() if SLOT not in text}
    for audience, chosen, rejected, _ in decided(bandit, texts.keys()):
        offer, band, contract, tone, known, *_ = audience
        if contract is None:
            continue
        better, worse = (shield.services_in(texts[each]) for each in (chosen, rejected))
        if known is None and (better or worse):
            continue
        services = tuple(service for service in SERVICES if service in (known or ()))
        topic = next((service for service in services if service in better), contract)
        situation = Situation(offer, band, contract, services, tone, topic=topic)
        yield {
            "prompt": situation.prompt,
            "chosen": texts[chosen],
            "rejected": texts[rejected],
            "source": SOURCE,
            "group": SOURCE,
            "flaw": None,
        }


def known_templates(store: ArtifactStore) -> dict[str, str]:
    """Id -> text of the English templates: the reviewed ones, and those of kept releases' banks; of
    a damaged release the log says that its own aren't known."""
    found = {template_id(text): text for text in all_reviewed("en")}
    for record in ReleaseRegistry(store).records():
        try:
            banks = store.read(record.artifact, "messages/bank.json").values()
        except DamagedArtifactError as error:
            log.warning("templates of %s aren't known: %s", record.release_id, error)
            continue
        for content in banks:
            for cell in json.loads(content)["cells"]:
                found |= {template_id(t["text"]): t["text"] for t in cell["templates"]}
    return found
