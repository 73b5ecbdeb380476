"""Requests that arrive together are decided together.

Under load many connections become readable in one turn of the event loop. Deciding for all of them
in one vectorised pass costs a fraction of deciding one by one, and a lone request waits for nobody:
the pass runs in the very next turn.
"""

from __future__ import annotations

import asyncio
from typing import Any

from api.deps import Serving
from api.schemas import PredictRequest

MOST_AT_ONCE = 64  # more in one pass no longer make it cheaper for each


class Batcher:
    """Collects the requests of one turn of the event loop. Used from that loop only."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Serving, PredictRequest, asyncio.Future[dict[str, Any]]]] = []

    async def predict(self, serving: Serving, request: PredictRequest) -> dict[str, Any]:
        """The answer to one request, in the shape of `PredictResponse`."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[dict[str, Any]] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append((serving, request, answer))
        return await answer

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        # A swap or the kill switch may have come between two requests of one turn.
        for serving in dict.fromkeys(serving for serving, _, _ in waiting):
            group = [(request, answer) for s, request, answer in waiting if s == serving]
            for start in range(0, len(group), MOST_AT_ONCE):
                _answer(serving, group[start : start + MOST_AT_ONCE])


def _answer(
    serving: Serving, group: list[tuple[PredictRequest, asyncio.Future[dict[str, Any]]]]
) -> None:
    requests = [request for request, _ in group]
    try:
        answers = serving.engine.predict_many(requests, force_baseline=serving.baseline_forced)
    except Exception as error:  # noqa: BLE001 - handed to every caller that waits for it
        for _, future in group:
            if not future.done():
                future.set_exception(error)
        return
    for (_, future), answer in zip(group, answers, strict=True):
        if not future.done():  # its caller may have gone
            future.set_result(answer)
