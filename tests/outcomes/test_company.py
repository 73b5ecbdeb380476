"""A simulated company: help is found, harm is found and stopped, nothing is found in nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.outcomes.company import Company, Week, run, true_gain
from churn_assets.outcomes.config import OutcomesConfig
from churn_assets.outcomes.simulation import Scenario
from churn_assets.release.switches import kill_switch
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.event_text import STORED, Known
from churn_assets.serving.feedback import FeedbackLog
from churn_assets.serving.schemas import SAMPLE_REQUEST, PredictRequest
from churn_assets.storage.local import LocalArtifactStore


class InMemory:
    """A feedback log without a disk, whose every commit would be flushed."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def record(self, event_id: str, content: str) -> str:
        self.kept[event_id] = content
        return STORED

    def record_many(self, events: Sequence[tuple[str, str]]) -> list[str]:
        return [self.record(*event) for event in events]

    def events(self) -> list[str]:
        return list(self.kept.values())

    def unknown(self, known: Known) -> Iterator[list[tuple[str, str]]]:
        there = known([*self.kept])
        yield [event for event in self.kept.items() if event[0] not in there]

    def check(self) -> None: ...

    def erase(self, customer_id: str) -> int:
        return 0

    def erase_each(self, customer_ids: Collection[str]) -> dict[str, int]:
        return dict.fromkeys(customer_ids, 0)

    def close(self) -> None: ...


@pytest.fixture
def play(engine: RetentionEngine, tmp_path: Path) -> Callable[[Scenario], tuple[list[Week], float]]:
    """Plays a scenario with 2,400 customers in 6 weeks; the weeks, and the true gain."""
    customers = [
        PredictRequest.model_validate(
            SAMPLE_REQUEST
            | {
                "customer_id": f"C{i}",
                "tenure": i % 60,
                "monthly_charges": 20 + i % 90,
                "contract": ("Month-to-month", "One year")[i % 2],
            }
        )
        for i in range(2_400)
    ]

    def played(scenario: Scenario) -> tuple[list[Week], float]:
        store, log = LocalArtifactStore(tmp_path / scenario), InMemory()
        feedback: FeedbackLog = log
        with closing(feedback):
            company = Company(
                engine=engine,
                store=store,
                feedback=feedback,
                experiment=ExperimentConfig(enabled=True, control_share=0.4),
                config=OutcomesConfig(plan_customers=1_500),
            )
            weeks = run(company, customers, scenario, weeks=6)
            assert kill_switch.is_on(store) is weeks[-1].stopped
            return weeks, true_gain(company, scenario)

    return played


def test_a_seed_says_what_every_customer_does(engine: RetentionEngine, tmp_path: Path) -> None:
    """Two plays of one seed: the same events; another seed, others. Here leavers are reported at
    once, however long a company's own reports take: with those, none was ever known."""
    requests = [
        PredictRequest.model_validate(SAMPLE_REQUEST | {"customer_id": f"C{i}"}) for i in range(200)
    ]
    told = []
    for play, seed in enumerate((1, 1, 2)):
        log = InMemory()
        store = LocalArtifactStore(tmp_path / str(play))
        experiment = ExperimentConfig(enabled=True, control_share=0.4)
        slow = OutcomesConfig(plan_customers=1_500, reported_in_order=False)
        company = Company(engine, store, log, experiment, slow)
        weeks = run(company, requests, "assumed", weeks=2, seed=seed)
        assert weeks[-1].report["customers"] == len(requests)
        events = [json.loads(event) for event in log.events()]
        told.append({(e["customer_id"], e["kind"], e["occurred_at"]) for e in events})
    assert told[0] == told[1] != told[2]


def test_help_is_found_and_the_interval_holds_the_truth(
    play: Callable[[Scenario], tuple[list[Week], float]],
) -> None:
    weeks, truth = play("assumed")
    assert len(weeks) == 11  # six of decisions, five until the last outcome is known
    assert weeks[0].report["customers"] == 0
    assert weeks[-1].report["customers"] == 2_400
    assert weeks[-1].report["verdict"] == "helps"
    always = weeks[-1].report["always_valid"]
    assert always["net_lower"] < truth < always["net_upper"]


def test_harm_is_found_and_stopped(
    play: Callable[[Scenario], tuple[list[Week], float]],
) -> None:
    """Before all customers were contacted, or at least before all outcomes were known."""
    weeks, truth = play("harmful")
    assert truth < 0
    assert weeks[-1].stopped
    assert weeks[-1].report["verdict"] == "hurts"
    assert len(weeks) < 11


def test_nothing_is_found_in_nothing(
    play: Callable[[Scenario], tuple[list[Week], float]],
) -> None:
    weeks, truth = play("none")
    assert truth == pytest.approx(0)
    assert {week.report["verdict"] for week in weeks} <= {"not known yet", "no effect that matters"}
