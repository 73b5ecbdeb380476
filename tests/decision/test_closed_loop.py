"""Episodes decided on from a caller's book, held against the exact figures."""

from dataclasses import replace

import numpy as np
import pytest

from churn_assets.decision.config import PRESETS, EnvironmentParams
from churn_assets.decision.evaluation.closed_loop import Book, close_the_loop, decide_by
from churn_assets.decision.exact.policy_value import evaluate
from churn_assets.decision.mdp.customers import Customers
from churn_assets.decision.mdp.observation import Answers
from churn_assets.decision.mdp.transitions import Actions
from churn_assets.decision.rules.families import NeverContact
from churn_assets.decision.rules.lookahead import TwoContacts


@pytest.mark.parametrize("preset", PRESETS)
def test_the_book_is_enough_for_what_was_measured(preset: str, customers: Customers) -> None:
    """Why: in every world, what a caller knows must be all that the policy needs."""
    params = PRESETS[preset]
    rule = TwoContacts(params=params, price=1.5)
    found = evaluate(rule, customers, params)
    loop = close_the_loop(decide_by(rule, customers), customers, found, params, 4000)
    assert abs(loop.figures["z_uplift"]) < 3
    assert abs(loop.figures["z_spend"]) < 3
    assert loop.figures["spend_ratio"] == pytest.approx(1, abs=0.1)


def test_a_caller_who_forgets_the_answers_overspends(customers: Customers) -> None:
    """Why: the loop must be able to see what it is there for."""
    params = EnvironmentParams()
    rule = TwoContacts(params=params, price=1.5)
    nothing = np.zeros(4000)

    def decide(book: Book) -> Actions:
        none = nothing[: len(book.customer)]
        forgetful = replace(book, answers=Answers(none, none, none))
        return rule.decide(forgetful.states(customers)).actions

    found = evaluate(rule, customers, params)
    figures = close_the_loop(decide, customers, found, params, 4000).figures
    assert figures["z_spend"] > 10
    assert figures["spend_ratio"] > 1.1


def test_a_policy_that_never_spends_has_figures(customers: Customers) -> None:
    """Why: of customers who hardly leave none may be worth money, and a company's graph ended at
    a spend without error."""
    params = PRESETS["moderate"].clean
    policy = NeverContact(params=params)
    found = evaluate(policy, customers, params)
    figures = close_the_loop(decide_by(policy, customers), customers, found, params, 400).figures
    assert figures["z_spend"] == 0
    assert figures["spend_ratio"] == 1
    assert all(np.isfinite(value) for value in figures.values())


def test_what_the_loop_refuses(customers: Customers) -> None:
    """Why: a contact that can't be made passes silently as a wait in the environment; from a
    service it means that somebody has lost count."""
    params = EnvironmentParams()
    rule = TwoContacts(params=params)
    found = evaluate(rule, customers, params)

    def always(book: Book) -> Actions:
        return np.tile([1, 3, 0], (len(book.customer), 1))

    with pytest.raises(ValueError, match="the allowance, the cap or the hard cooldown"):
        close_the_loop(always, customers, found, params, 50)
    with pytest.raises(ValueError, match="episodes"):
        close_the_loop(decide_by(rule, customers), customers, found, params, 1)
