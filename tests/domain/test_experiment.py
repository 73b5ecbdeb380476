"""The control group: the same customers for every process, by the share that was asked for."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime

import pytest

from churn_assets.domain.experiment import ExperimentConfig, group_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)
IDS = [f"C{i}" for i in range(20_000)]


def controls(config: ExperimentConfig, now: datetime = NOW) -> set[str]:
    return {identity for identity in IDS if group_of(identity, config, now) == "control"}


def test_nobody_is_left_alone_unless_asked_for() -> None:
    """The specification's sample must be answered as it is written."""
    assert controls(ExperimentConfig()) == set()
    assert controls(ExperimentConfig(enabled=False)) == set()


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.5])
def test_the_share_is_the_one_asked_for(share: float) -> None:
    """Within four binomial standard errors."""
    found = len(controls(ExperimentConfig(enabled=True, control_share=share))) / len(IDS)
    assert abs(found - share) <= 4 * (share * (1 - share) / len(IDS)) ** 0.5


def test_a_larger_share_keeps_the_smaller_group() -> None:
    """Who was left alone until now stays so: what is known of them stays usable."""
    small = controls(ExperimentConfig(enabled=True, control_share=0.05))
    assert small < controls(ExperimentConfig(enabled=True, control_share=0.1))


def test_another_salt_and_a_rotation_draw_independently() -> None:
    """Two draws share about share squared of the customers."""
    config = ExperimentConfig(enabled=True, rotation_dates=(date(2026, 7, 1),))
    before = controls(config, datetime(2026, 6, 30, 23, 59, tzinfo=UTC))
    after = controls(config, datetime(2026, 7, 1, tzinfo=UTC))
    salted = controls(ExperimentConfig(enabled=True, salt="another"))
    assert before == controls(ExperimentConfig(enabled=True))
    for other in (after, salted):
        assert 0.005 < len(before & other) / len(IDS) < 0.015


def test_each_draw_has_a_name_of_its_own() -> None:
    """By which records of one are told from those of another; the salt itself stays a secret."""
    rotated = {"rotation_dates": (date(2026, 2, 1),)}
    names = [
        ExperimentConfig(enabled=True, **more).draw(NOW)
        for more in ({}, rotated, {"salt": "another"}, {"salt": "a third"}, rotated | {"salt": "x"})
    ]
    assert len({*names}) == len(names)
    assert names[:2] == ["start", "2026-02-01"]
    assert not any("another" in name or "third" in name for name in names)


def test_every_process_agrees() -> None:
    """Python's own hash() differs from process to process."""
    program = (
        "from datetime import *; from churn_assets.domain.experiment import *;"
        "c = ExperimentConfig(enabled=True); n = datetime(2026, 3, 1, tzinfo=UTC);"
        "print(*(i for i in range(200) if group_of(f'C{i}', c, n) == 'control'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    config = ExperimentConfig(enabled=True)
    mine = [i for i in range(200) if group_of(f"C{i}", config, NOW) == "control"]
    assert [int(word) for word in done.stdout.split()] == mine
    assert mine


def test_a_time_without_a_zone_is_refused() -> None:
    """The day on which a draw begins would be another on each machine."""
    with pytest.raises(ValueError, match="time zone"):
        group_of("C1", ExperimentConfig(enabled=True), datetime(2026, 3, 1))
