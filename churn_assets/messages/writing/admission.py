"""What of a model's templates is served: one lock knows what is wrong, one what is right."""

from __future__ import annotations

from churn_assets.messages.corpus.vocabulary import unwritten_words
from churn_assets.messages.shield.brief import Facts
from churn_assets.messages.shield.validation import Shield


def is_admitted(shield: Shield, template: str, facts: Facts) -> bool:
    """Whether a template that a model wrote in English may be served to whom the facts hold of.

    The shield must let it be served, and each of its words must stand in a sentence of the grammar
    or in a reviewed template. Models are trained and measured by the shield alone.
    """
    return shield.may_be_served(template, facts) and not unwritten_words(template)
