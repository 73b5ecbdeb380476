"""Nobody waits for ever for a plan: whether what was asked is still done is said."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import api.campaigns as desks
from api.campaigns import CampaignDesk
from api.errors import ApiError
from churn_assets.campaign.config import CampaignConfig


def test_what_was_begun_is_finished_and_what_was_not_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Why: while a database was frozen, people pressed Approve, heard nothing for minutes, and it
    happened when nobody waited any more."""
    monkeypatch.setattr(desks, "PATIENCE_SECONDS", 0.2)
    entered, thawed, done = threading.Event(), threading.Event(), []
    desk = CampaignDesk(CampaignConfig(), lambda: None)  # type: ignore[arg-type,return-value]

    def frozen(_: Any) -> None:
        entered.set()
        thawed.wait()
        done.append("first")

    async def asked() -> list[str]:
        first = asyncio.create_task(desk.soon(frozen))
        await asyncio.to_thread(entered.wait)
        answers = await asyncio.gather(
            first, desk.soon(lambda _: done.append("second")), return_exceptions=True
        )
        thawed.set()
        await desk.run(lambda _: done.append("third"))  # waits as long as it takes
        assert all(isinstance(answer, ApiError) and answer.status_code == 503 for answer in answers)
        return [str(answer) for answer in answers]

    begun, waiting = asyncio.run(asked())
    desk.close()
    assert "may still be done" in begun
    assert "wasn't begun" in waiting
    assert done == ["first", "third"]
