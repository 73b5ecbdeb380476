"""The contact ledger and the campaign's plans beside decisions: in threads of their own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from api.errors import RETRY, ApiError, without_addresses
from churn_assets.campaign.config import CampaignConfig, Channel
from churn_assets.campaign.contacts.history import History
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.campaign.errors import CampaignError, LedgerError, PeopleError
from churn_assets.domain.contact_rules import RULES
from churn_assets.domain.plain_errors import describe
from churn_assets.release.bundle import ReleaseError
from churn_assets.storage.protocol import Artifact, ArtifactError

if TYPE_CHECKING:
    from churn_assets.campaign.planning.plan import Plan, Planner
    from churn_assets.campaign.workflow import Campaigns

log = logging.getLogger("api.campaigns")

THREADS = 4
DEADLINE_SECONDS = 5.0
PATIENCE_SECONDS = 60.0  # of who looks at a plan, approves or cancels it
STILL_EMPTY_SECONDS = 1.0  # how long a ledger that was empty is taken for empty, unwritten
PLANNER_LIVES = timedelta(minutes=2)  # how long sliders work on what was read before
PLAN_LIVES = 120.0  # seconds for which a plan is looked at without asking the store for it again
LEDGER_UNREAD = (
    "the contact ledger can't be read (the log says why): requests about customers are answered 503"
)

Result = TypeVar("Result")


class ContactLookup:
    """What the ledger knows of customers. As long as nobody was ever contacted, it costs nothing.

    Where the ledger can't be read, everybody is answered 503, who gives a history as well: to
    decide without it would contact who opted out, and let contacts pass that the caps forbid.

    Attributes:
        problem: why the last question wasn't answered, in words for anybody; None where it was.
            The log has it in the system's own, once.
    """

    def __init__(self, ledger: LateLedger) -> None:
        self._ledger = ledger
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="ledger")
        self._empty_until, self._empty_after = 0.0, 0  # seconds; writes of this process
        self.problem: str | None = None
        self._why: str | None = None  # of the problem, as it was logged

    async def look(self) -> None:
        """Find out whether it can be read, before anybody asks: `problem` says so."""
        with suppress(ApiError):
            await self.of_all([])

    async def watch(self, seconds: float) -> None:
        """Look again every `seconds` while there is a problem, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            if self.problem:
                await self.look()

    async def of(self, customer_id: str) -> History | None:
        """The customer's history; None where there is none. Raises ApiError 503."""
        return (await self.of_all([customer_id])).get(customer_id)

    async def of_all(self, customers: Sequence[str]) -> dict[str, History]:
        """As `many`, in a thread of its own."""
        if self._looks_empty():
            return {}
        running = asyncio.get_running_loop().run_in_executor(self._threads, self.many, customers)
        try:
            # Not `wait_for`, which until Python 3.12 loses a stop that comes with the result.
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await running
        except TimeoutError as error:
            raise self._unread(f"no answer within {DEADLINE_SECONDS:.0f} s") from error

    def many(self, customers: Sequence[str]) -> dict[str, History]:
        """Customer id -> history, of those who have one. Blocks. Raises ApiError 503."""
        if self._looks_empty():
            return {}
        try:
            ledger, before = self._ledger.opened(), self._ledger.writes()
            if ledger.is_empty():
                self._empty_until = time.monotonic() + STILL_EMPTY_SECONDS
                self._empty_after = before
                found = {}
            else:
                found = ledger.histories(customers)
        except (LedgerError, OSError) as error:
            raise self._unread(describe(error)) from error
        self.problem = self._why = None
        return found

    def close(self) -> None:
        """Let go of threads and connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._ledger.close()

    def _looks_empty(self) -> bool:
        """Nobody was contacted, as far as can be told without asking it. Raises ApiError 503."""
        # What this process acknowledged itself, it must know at once.
        unchanged = self._ledger.writes() == self._empty_after
        still = unchanged and time.monotonic() < self._empty_until
        try:
            empty = still or self._ledger.is_absent()
        except OSError as error:  # its folder is closed to this process
            raise self._unread(describe(error)) from error
        if empty:
            self.problem = self._why = None
        return empty

    def _unread(self, why: str) -> ApiError:
        """Why may name a host or a folder: it goes into the log only."""
        if why != self._why:
            log.error("contact histories can't be read: %s", why)
        self.problem, self._why = LEDGER_UNREAD, why
        message = "the contact ledger can't be read; send it again later"
        return ApiError(503, "ledger_unavailable", message, headers=RETRY)


class _Shown(NamedTuple):
    """A plan in memory, from which artifact, and until when by the monotonic clock."""

    artifact: Artifact
    plan: Plan
    until: float


class CampaignDesk:
    """One thread that plans, exports and hands over, so that decisions stay fast.

    Args:
        config: the campaigns' settings.
        open_campaigns: called in the thread, when the first of them is wanted.
        store: the URL of the artifact store, which isn't told to who asks.
    """

    def __init__(
        self, config: CampaignConfig, open_campaigns: Callable[[], Campaigns], store: str
    ) -> None:
        self.config = config
        self._store = store
        self._open = open_campaigns
        self._campaigns: Campaigns | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="campaign")
        self._planner: Planner | None = None
        self._shown: _Shown | None = None

    async def run(self, task: Callable[[Campaigns], Result], within: float | None = None) -> Result:
        """The task's result; raises ApiError 409 or 503 where it can't be done.

        within: seconds after which whoever asked is answered 503. What has not begun by then isn't
            done any more; what has is done to its end.
        """
        job = self._thread.submit(lambda: task(self._opened()))
        patience = asyncio.timeout(within)
        try:
            async with patience:
                return await asyncio.wrap_future(job)
        except (CampaignError, PeopleError) as error:
            if isinstance(error, PeopleError):  # whose file is to be mended
                log.error("a campaign's plan: %s", error)
            raise ApiError(409, "conflict", self._told(error)) from error
        except (ArtifactError, LedgerError, ReleaseError, OSError) as error:
            if within is not None and patience.expired():
                job.add_done_callback(_log_failure)
                raise _no_answer(within, begun=not job.cancelled()) from error
            log.error("a campaign's plan: %s", error)
            raise ApiError(503, "not_ready", self._told(error), headers=RETRY) from error

    async def soon(self, task: Callable[[Campaigns], Result]) -> Result:
        """`run` of what takes no time but that of store and database."""
        return await self.run(task, PATIENCE_SECONDS)

    async def change(
        self, task: Callable[[Campaigns], Result], within: float | None = PATIENCE_SECONDS
    ) -> Result:
        """`run` of what changes a plan: sliders read anew, whatever is answered."""
        try:
            return await self.run(task, within)
        finally:
            self._planner = None  # what it read may have changed

    async def replan(
        self, budget: float | None, channels: dict[str, Channel], days: int | None
    ) -> dict[str, Any]:
        """The sums of a plan under other limits; nothing is kept."""

        def task(campaigns: Campaigns) -> dict[str, Any]:
            now = campaigns.now()
            wanted, planner = days or campaigns.config.days, self._planner
            if planner is None or len(planner.days) != wanted or now - planner.now > PLANNER_LIVES:
                planner = self._planner = campaigns.changed(days=wanted).planner(now)
            a_day = {name: channel.contacts_a_day for name, channel in channels.items()}
            money = planner.budget if budget is None else budget
            sums = planner.sums(planner.allocate(money, a_day))
            return sums | {"budget": round(money, 2), "contacts_a_day": a_day}

        return await self.run(task)

    def show(self, campaigns: Campaigns, plan_id: str | None) -> tuple[Plan, str]:
        """A plan (the newest where none is named) and its status; for the desk's own thread.

        Whoever looks at a plan turns page after page of it: the last one stays in memory. Raises
        CampaignError, ArtifactError.
        """
        found, artifact, status = campaigns.stored(plan_id)
        shown, now = self._shown, time.monotonic()
        if shown is None or shown.artifact != artifact or now > shown.until:
            plan, _ = campaigns.show(found)
            shown = self._shown = _Shown(artifact, plan, now + PLAN_LIVES)
        return shown.plan, status

    def told(self, campaigns: Campaigns, plan_id: str | None) -> dict[str, Any]:
        """A plan (the newest where none is named), and what became of it, as it is answered; for
        the desk's own thread. Raises CampaignError, ArtifactError."""
        found, status = self.show(campaigns, plan_id)
        steps = [
            {"step": step.step, "who": step.who, "at": step.at.isoformat()}
            for step in campaigns.ledger.steps(found.plan_id)
        ]
        report = {name: value for name, value in found.report.items() if name != "promises"}
        return (
            {"warnings": []}
            | report
            | {
                "status": status,
                "steps": steps,
                "rules": RULES,
                "today": campaigns.now().date().isoformat(),
                "approved": campaigns.approved(),
                "listed": campaigns.listed(found),
            }
        )

    def approve(self, campaigns: Campaigns, plan_id: str | None, who: str) -> dict[str, Any]:
        """Approve a draft, as it is answered; for the desk's own thread. Raises CampaignError,
        ArtifactError."""
        from churn_assets.campaign.lapsing import lapses

        found = campaigns.approve(plan_id, who, campaigns.now())
        told = lapses(self.show(campaigns, found)[0], campaigns.config.max_age_hours)
        return {"plan_id": found, "status": "approved", "lapses": told}

    def _told(self, error: Exception) -> str:
        return without_addresses(describe(error), self._store)

    def _opened(self) -> Campaigns:
        """The campaigns; for the desk's own thread."""
        if self._campaigns is None:
            self._campaigns = self._open()
        return self._campaigns

    def close(self) -> None:
        """Finish what is running and nothing else."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _no_answer(within: float, *, begun: bool) -> ApiError:
    log.error("a campaign's plan: no answer within %.0f s (begun: %s)", within, begun)
    message = f"no answer within {within:.0f} s: "
    if begun:
        message += "it may still be done; look at the plan before you send it again"
    else:
        message += "something before it takes long, and it wasn't begun; send it again later"
    return ApiError(503, "not_ready", message, headers=RETRY)


def _log_failure(job: Future[Any]) -> None:
    """Of what nobody waits for any more."""
    if not job.cancelled() and (error := job.exception()) is not None:
        log.error("a campaign's plan, after its answer: %s", error)
