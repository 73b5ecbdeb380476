"""Nobody waits for ever for a plan: whether what was asked is still done is said."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from api.campaigns import CampaignDesk
from api.errors import ApiError
from api.routes.campaign import NewPlan, WhichDay, handed_over, make_plan
from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.errors import CampaignError, LedgerError


def test_what_was_begun_is_finished_and_what_was_not_is_given_up() -> None:
    """Why: while a database was frozen, people pressed Approve, heard nothing for minutes, and it
    happened when nobody waited any more."""
    entered, thawed, done = threading.Event(), threading.Event(), []
    desk = CampaignDesk(CampaignConfig(), lambda: None, "gs://bucket")  # type: ignore[arg-type,return-value]

    def frozen(_: Any) -> None:
        entered.set()
        thawed.wait()
        done.append("frozen")

    async def refused(task: Callable[[Any], None]) -> str:
        with pytest.raises(ApiError) as error:
            await desk.run(task, 0.2)
        assert error.value.status_code == 503
        return error.value.detail

    async def asked() -> None:
        while "wasn't begun" in await refused(frozen):
            pass  # the thread was slower than we: it was given up
        await asyncio.to_thread(entered.wait)
        assert "wasn't begun" in await refused(lambda _: done.append("waiting"))
        thawed.set()
        await desk.run(lambda _: done.append("later"))  # waits as long as it takes

    asyncio.run(asked())
    desk.close()
    assert done == ["frozen", "later"]


@pytest.mark.parametrize("within", [None, 3600.0])
def test_a_store_that_times_out_is_told_as_that(within: float | None) -> None:
    """Why: a socket's time-out is an error of the store, not our impatience."""
    desk = CampaignDesk(CampaignConfig(), lambda: None, "gs://bucket")  # type: ignore[arg-type,return-value]

    def timed_out(_: Any) -> None:
        raise TimeoutError(110, "Connection timed out")

    with pytest.raises(ApiError, match="Connection timed out") as error:
        asyncio.run(desk.run(timed_out, within))
    assert error.value.status_code == 503
    desk.close()


def test_what_fails_after_its_answer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    thawed = threading.Event()
    desk = CampaignDesk(CampaignConfig(), lambda: None, "gs://bucket")  # type: ignore[arg-type,return-value]

    def fails(_: Any) -> None:
        thawed.wait()
        raise CampaignError("there is no such plan")

    async def asked() -> None:
        begun = False
        while not begun:  # else the thread was slower than we
            with pytest.raises(ApiError) as error:
                await desk.run(fails, 0.2)
            begun = "wasn't begun" not in error.value.detail
        thawed.set()
        await desk.run(lambda _: None)

    asyncio.run(asked())
    desk.close()
    assert "after its answer: there is no such plan" in caplog.text


def test_after_a_change_sliders_read_anew_whatever_was_answered() -> None:
    """Why: an approval that was begun and answered 503 left them the state before it."""
    desk = CampaignDesk(CampaignConfig(), lambda: None, "gs://bucket")  # type: ignore[arg-type,return-value]
    desk._planner = object()  # type: ignore[assignment]

    def fails(_: Any) -> None:
        raise CampaignError("there is no such plan")

    with pytest.raises(ApiError, match="no such plan"):
        asyncio.run(desk.change(fails))
    desk.close()
    assert desk._planner is None


@pytest.mark.parametrize(
    ("route", "asked"),
    [(make_plan, NewPlan()), (handed_over, WhichDay())],
    ids=["plan", "hand over"],
)
def test_a_plan_or_hand_over_that_fails_half_way_lets_sliders_read_anew(
    route: Callable[..., Any], asked: Any
) -> None:
    """Why: what failed may have written before it did, as an approval that was answered 503."""
    desk = CampaignDesk(CampaignConfig(), half_way, "gs://bucket")
    desk._planner = object()  # type: ignore[assignment]
    app = SimpleNamespace(state=SimpleNamespace(services=SimpleNamespace(desk=desk)))
    with pytest.raises(ApiError, match="the ledger is gone"):
        asyncio.run(route(asked, SimpleNamespace(app=app, state=SimpleNamespace(caller="ana"))))
    desk.close()
    assert desk._planner is None


def half_way() -> Any:
    raise LedgerError("the ledger is gone")
