"""Requests that arrive together are decided together.

Under load many connections become readable in one turn of the event loop. Deciding for all of them
in one vectorised pass costs a fraction of deciding one by one, and a lone request waits for nobody:
the pass runs in the very next turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from api.errors import RETRY, ApiError
from churn_assets.customers.people import NOBODY_KNOWN, Addressees
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.messages.writing.bandit import TemplateChooser
from churn_assets.serving.decision_log.records import DecisionSink
from churn_assets.serving.engine import Options, RetentionEngine
from churn_assets.serving.schemas import CustomerRequest

MOST_AT_ONCE = 64  # more in one pass no longer make it cheaper for each
MOST_TASKS = 16  # of one kind, at work or waiting for it

Result = TypeVar("Result")


class Serving(NamedTuple):
    """What answers a request.

    Attributes:
        baseline_forced: the kill switch is on for everybody.
        experiment: by which some customers are left alone.
        decisions: where decisions are recorded, or None.
        budget_price: of a currency unit of discount; None: as the release has it.
        people: the zones and languages of customers whose requests name none, and who said no.
        templates: chooses among the templates that pass; None: the best by score, in turn.
    """

    engine: RetentionEngine
    baseline_forced: bool
    experiment: ExperimentConfig
    decisions: DecisionSink | None
    budget_price: float | None = None
    people: Addressees = NOBODY_KNOWN
    templates: TemplateChooser | None = None

    @property
    def options(self) -> Options:
        """The engine's options."""
        return {
            "force_baseline": self.baseline_forced,
            "experiment": self.experiment,
            "decisions": self.decisions,
            "budget_price": self.budget_price,
            "people": self.people,
            "templates": self.templates,
        }


class _Waiting(NamedTuple):
    """A request, whether a rule excludes its customer, and where its answer goes."""

    request: CustomerRequest
    excluded: Mapping[str, str]
    answer: asyncio.Future[dict[str, Any]]


class Batcher:
    """Collects the requests of one turn of the event loop. Used from that loop only."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Serving, _Waiting]] = []

    async def predict(
        self, serving: Serving, request: CustomerRequest, excluded: Mapping[str, str]
    ) -> dict[str, Any]:
        """The answer to one request, in the shape of `PredictResponse`.

        Args:
            excluded: as in the engine's options, of this customer.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[dict[str, Any]] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append((serving, _Waiting(request, excluded, answer)))
        return await answer

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        # A swap or the kill switch may have come between two requests of one turn.
        for serving in dict.fromkeys(serving for serving, _ in waiting):
            group = [one for s, one in waiting if s == serving]
            for start in range(0, len(group), MOST_AT_ONCE):
                _answer(serving, group[start : start + MOST_AT_ONCE])


def _answer(serving: Serving, group: list[_Waiting]) -> None:
    requests = [one.request for one in group]
    options = serving.options
    options["excluded"] = {each: rule for one in group for each, rule in one.excluded.items()}
    answers = serving.engine.try_many(requests, **options)
    for (_, _, future), answer in zip(group, answers, strict=True):
        if future.done():  # its caller may have gone
            continue
        if isinstance(answer, Exception):  # this caller's only
            future.set_exception(answer)
        else:
            future.set_result(answer)


class TaskThread:
    """Where tasks of one kind that take long are done: one at a time, the others wait, and when too
    many wait no more are taken. A second thread would make no batch faster (they share the
    interpreter), only single requests slower. Used from the event loop only.

    Args:
        kind: what they are, in the plural.
    """

    def __init__(self, kind: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=kind)
        self._kind, self._tasks = kind, 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue; raises ApiError 503 when there is none."""
        if self._tasks >= MOST_TASKS:
            message = f"too many {self._kind} at once; send it again"
            raise ApiError(503, "busy", message, headers=RETRY)
        self._tasks += 1
        try:
            yield
        finally:
            self._tasks -= 1

    async def run(self, task: Callable[[], Result]) -> Result:
        """The task's result, once its turn has come."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, task)

    def close(self) -> None:
        """Finish what is running and nothing else."""
        self._thread.shutdown(wait=False, cancel_futures=True)
