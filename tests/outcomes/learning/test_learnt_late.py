"""Outcomes that a training knew and learnt nothing from: once something is learnt from them, they
are as new as any."""

from __future__ import annotations

from functools import partial

import pandas as pd
import pytest

from churn_assets.domain.measured import Measured
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.learning.measuring import learnable, measure
from churn_assets.outcomes.simulation import WORLDS
from churn_assets.outcomes.watching.report import Serving, watch
from tests.outcomes.learning.worlds import models, outcomes
from tests.outcomes.watching.test_conduct import NOW

ASSUMED, LEARN_FROM = WORLDS["assumed"], 500
CONFIG = OutcomesConfig(learn_from=LEARN_FROM, retrain_outcomes=1_000)


def looked_at(table: pd.DataFrame, trained: Measured, known: int | None = None) -> list[str]:
    """Why to train again, of a release whose accept model nobody knows any more."""
    serving = Serving("r1", outcomes=trained.outcomes, learnt=trained.learnt)
    can = partial(learnable, table, {}, ASSUMED, LEARN_FROM)
    report = watch(table, "None yet.", serving, None, CONFIG, NOW, learnable=can)
    assert known in (None, report["outcomes_learnable"])
    return [reason for reason in report["retrain"] if "new outcomes" in reason]


@pytest.fixture
def table() -> pd.DataFrame:
    """4,000 decisions whose outcomes are known, 1,200 of them of the control group."""
    return outcomes(1, 4_000).assign(baseline=False, expected_cost=10.0, refused=False)


def test_what_is_learnt_from_late_is_new(table: pd.DataFrame) -> None:
    """The control group's 500th outcome comes after the training: until then nothing is learnt of
    an effect, and from then on of all who were contacted before. Only outcomes that came in since
    counted as new, which were one."""
    control = (table["group"] == "control") & (table["preferred"] > 0)
    soon = table.assign(known=~control | (control.cumsum() < LEARN_FROM))
    trained = measure(soon, {}, ASSUMED, LEARN_FROM)
    assert (trained.outcomes, trained.learnt) == (int(soon["known"].sum()), 0)
    assert looked_at(soon, trained, 0) == []
    late = table.assign(known=~control | (control.cumsum() <= LEARN_FROM))
    speaks = int(table["contact"].sum()) + LEARN_FROM
    assert looked_at(late, trained, speaks) == ["1,000 new outcomes"]
    again = measure(late, {}, ASSUMED, LEARN_FROM)
    assert again.learnt == speaks
    assert looked_at(late, again) == []


def test_contacts_that_are_reported_as_sent_late_are_new(table: pd.DataFrame) -> None:
    """Where some are, only those speak of acceptance."""
    released, alone = models([]), table.assign(group=None)
    sent = alone["time"].where(alone["contact"]).astype("datetime64[us, UTC]")
    few = alone.assign(sent_at=sent.where(alone.index < 1_500))
    trained = measure(few, released, ASSUMED, LEARN_FROM)
    assert trained.learnt == int(few["sent_at"].notna().sum()) >= LEARN_FROM
    all_sent = alone.assign(sent_at=sent)
    serving = Serving("r1", outcomes=trained.outcomes, learnt=trained.learnt)

    def reasons(now: pd.DataFrame) -> list[str]:
        can = partial(learnable, now, released, ASSUMED, LEARN_FROM)
        found = watch(now, "None yet.", serving, None, CONFIG, NOW, learnable=can)["retrain"]
        return [reason for reason in found if "new outcomes" in reason]

    assert reasons(few) == []
    assert reasons(all_sent) == ["1,000 new outcomes"]


def test_a_release_of_an_earlier_version_counts_as_it_did(table: pd.DataFrame) -> None:
    """It doesn't say from how many it learnt: those that were known are taken for learnt."""
    trained = Measured(outcomes=4_000)
    assert looked_at(table, trained) == []
    assert looked_at(table, Measured(outcomes=1_000)) == ["1,000 new outcomes"]
