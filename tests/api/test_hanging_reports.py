"""A report that a store never hands out keeps waiting who asked for it, and nobody else."""

from __future__ import annotations

import asyncio
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi import Request

from api.batching import TaskThread
from api.errors import ApiError
from api.routes import results

ASKED = 40  # more than a loop's own threads, on most machines


class HangingStore:
    """Answers nothing before it is let go."""

    def __init__(self) -> None:
        self.gone = Event()

    def read_pointer(self, key: str) -> None:
        self.gone.wait()


def test_a_report_that_never_comes_keeps_no_thread_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Why: each request kept one of the few threads that the service shares: after some looks at
    the results the console's form, which is made in another, never came."""
    monkeypatch.setattr(results, "DEADLINE_SECONDS", 0.2)
    store = HangingStore()
    services: Any = SimpleNamespace(
        host=SimpleNamespace(store=store), reports=TaskThread("reports")
    )
    state = SimpleNamespace(services=services)
    request = cast("Request", SimpleNamespace(app=SimpleNamespace(state=state)))

    async def ask() -> list[Any]:
        try:
            asked = [results.results(request) for _ in range(ASKED)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            async with asyncio.timeout(30):
                await asyncio.to_thread(int)
            return answers
        finally:
            store.gone.set()
            services.reports.close()

    answers = asyncio.run(ask())
    assert all(isinstance(answer, ApiError) for answer in answers)
    assert {answer.status_code for answer in answers} == {503}
