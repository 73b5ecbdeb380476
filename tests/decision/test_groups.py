"""The redraw of the test customers: nobody lost, nobody twice, and a fair image of the base."""

from pathlib import Path

import numpy as np
import pytest

from churn_assets.decision.mdp.groups import Groups
from churn_assets.domain.splits import SPLITS
from tests.decision.conftest import synthetic_customers


@pytest.fixture(scope="module")
def groups() -> Groups:
    return Groups(*(synthetic_customers(count, seed) for seed, count in enumerate((800, 90, 100))))


def test_redrawn_test_customers_were_training_customers(groups: Groups) -> None:
    """Why: a last measurement needs customers who weren't looked at, and must not train on them."""
    drawn = groups.redrawn(seed=1)
    assert len(drawn.test) == len(groups.test)
    assert np.isin(drawn.test.risk, groups.train.risk).all()
    assert not np.isin(drawn.test.risk, drawn.train.risk).any()
    everybody = np.concatenate([groups.train.risk, groups.test.risk])
    redealt = np.concatenate([drawn.train.risk, drawn.test.risk])
    np.testing.assert_array_equal(np.sort(redealt), np.sort(everybody))
    assert drawn.valid is groups.valid


def test_the_redraw_is_reproducible_and_depends_on_its_seed(groups: Groups) -> None:
    """Why: the report states the seed; anybody must get the same customers from it."""
    first, same, other = (groups.redrawn(seed).test.risk for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_the_redraw_is_stratified(groups: Groups) -> None:
    """Why: risk decides spend; strata keep its mean far closer to the base's than chance would."""
    chance = groups.train.risk.std() / np.sqrt(len(groups.test))
    for seed in range(5):
        found = groups.redrawn(seed).test.risk.mean()
        assert found == pytest.approx(groups.train.risk.mean(), abs=chance / 4)


def test_nobody_is_priced_on_and_checked(groups: Groups) -> None:
    """Why: spend that is checked where it was set to the limit can't miss it."""
    priced, checked = groups.calibration(10_000), groups.checking()
    everybody = np.concatenate([groups.train.risk, groups.valid.risk])
    halves = np.concatenate([priced.risk, checked.risk])
    np.testing.assert_array_equal(np.sort(halves), np.sort(everybody))
    assert checked.risk.mean() == pytest.approx(priced.risk.mean(), abs=0.005)


def test_a_change_reaches_every_group(groups: Groups) -> None:
    """Why: a stressed world that left the validation customers alone would choose wrongly."""
    halved = groups.mapped(lambda customers: customers.stressed(risk_factor=0.5))
    for name in SPLITS:
        before, after = getattr(groups, name), getattr(halved, name)
        np.testing.assert_allclose(after.risk, before.risk / 2)
        np.testing.assert_array_equal(after.accept, before.accept)


def test_groups_are_read_back_as_saved(groups: Groups, tmp_path: Path) -> None:
    """Why: stages pass folders."""
    groups.save(tmp_path / "new")
    np.testing.assert_array_equal(Groups.load(tmp_path / "new").test.accept, groups.test.accept)
