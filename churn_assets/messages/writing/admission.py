"""What of a model's templates is served: one lock knows what is wrong, one what is right."""

from __future__ import annotations

from churn_assets.messages.corpus.vocabulary import most_unwritten_pairs, unwritten_words
from churn_assets.messages.shield.brief import Facts
from churn_assets.messages.shield.validation import Shield

MOST_NEW_PAIRS = 1
"""Of words, in a sentence: where a model goes from one written sentence to another there is one."""


def is_admitted(shield: Shield, template: str, facts: Facts) -> bool:
    """Whether a template that a model wrote in English may be served to whom the facts hold of.

    The shield must let it be served, each of its words must stand in a sentence of the grammar or
    in a reviewed template, and all but one of a sentence's pairs of words, too. Models are trained
    and measured by the shield alone.
    """
    return (
        shield.may_be_served(template, facts)
        and not unwritten_words(template)
        and most_unwritten_pairs(template) <= MOST_NEW_PAIRS
    )
