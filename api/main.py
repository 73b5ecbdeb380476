"""The HTTP service: `uvicorn --factory api.main:create_app`, or `python -m api`, which adds limits
on every connection. Nothing is opened at import."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, closing, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from threadpoolctl import threadpool_limits

from api import COLLECTED_AFTER, errors, logs
from api.campaigns import CampaignDesk, ContactLookup
from api.deps import Services
from api.document import DocumentedApp
from api.middleware import RequestMiddleware
from api.parsing import BodyRoute
from api.recording import FeedbackRecorder
from api.retelling import Retelling
from api.routes import (
    batch,
    campaign,
    console,
    contact_list,
    customers,
    document,
    feedback,
    health,
    metrics,
    predict,
    release,
    results,
)
from api.security import Keyring, RateLimiter, admitted_hosts, keyring_of
from churn_assets.campaign.contacts.feed import LedgerFeed
from churn_assets.campaign.contacts.opening import LateLedger
from churn_assets.campaign.errors import LedgerError
from churn_assets.campaign.opening import contract_named, open_campaigns, under_contract
from churn_assets.datasets.errors import DataError
from churn_assets.domain.plain_errors import one_line_exit
from churn_assets.release.switches import kill_switch
from churn_assets.serving.config import ApiConfig
from churn_assets.serving.decision_log.writer import DecisionWriter
from churn_assets.serving.feedback import open_feedback_log
from churn_assets.serving.live.hosting import EngineHost
from churn_assets.settings import Settings, load_settings
from churn_assets.storage.arrow import load_slim_arrow, return_memory
from churn_assets.storage.opening import open_store
from churn_assets.storage.protocol import ArtifactError

if TYPE_CHECKING:
    from churn_assets.campaign.workflow import Campaigns

FIRST_LOOK_SECONDS = 60.0  # how long the start waits for the store
PATIENCE_SECONDS = 5.0  # after which the kill switch in a bucket counts as not to be read
WATCH_SECONDS = 5.0  # between looks whether feedback can be stored again, and the ledger read
TURN_SECONDS = 0.0005  # how long a thread at work keeps the others from the interpreter

# The first route is the first that a request is matched against.
ROOMS = (
    predict,
    health,
    batch,
    customers,
    campaign,
    contact_list,
    feedback,
    release,
    results,
    metrics,
    document,
    console,
)


def create_app() -> FastAPI:
    """The app for the settings of the environment; what can't be opened ends the process with
    one line."""
    with one_line_exit(DataError, ArtifactError, LedgerError):
        return build_app(load_settings())


def build_app(settings: Settings) -> FastAPI:
    """The app on the artifact store that the settings name; it starts once models are loaded.

    Raises:
        WrongSettingError: no API key where one is needed, or a key file that is none.
    """
    logs.configure()
    keyring = keyring_of(settings)
    services = services_by(settings, keyring)
    # No /docs page: it would load scripts from elsewhere. /openapi.json, a route of ours, is the
    # document.
    # No redirects from /customers/ to /customers: they would lead to any host that a caller names.
    app = DocumentedApp(
        title="Customer retention",
        lifespan=lambda _: serving(services, settings.api.poll_seconds),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    _add_middleware(app, keyring, settings.api)
    errors.install(app)
    for routes in ROOMS:
        app.include_router(routes.router)
    app.include_router(campaign.changes)
    return app


def services_by(settings: Settings, keyring: Keyring) -> Services:
    """What the app answers with; the store is opened, the ledger once it is asked for."""
    config, learns = settings.api, bool(settings.messages.learn_from_answers)
    store = open_store(settings.store_url, settings.home / "cache", patience=PATIENCE_SECONDS)
    forced = config.force_baseline or kill_switch.forced_by_environment()
    ledger = LateLedger(settings.campaign.ledger.get_secret_value(), settings.home)
    feed = LedgerFeed(open_feedback_log(store, settings.home), ledger)
    retelling = Retelling(feed.retell)

    def campaigns() -> Campaigns:
        retelling.require()  # lists by a ledger that forgot who said no would be the harm itself
        return open_campaigns(
            store,
            ledger.opened(),
            planned,
            contract,
            zone,
            settings.experiment,
            learn_from_answers=learns,
        )

    contract = contract_named(settings.customers)
    planned, zone = under_contract(settings.campaign, contract, config.default_time_zone)
    return Services(
        host=EngineHost(
            store,
            config.default_time_zone,
            forced,
            settings.experiment,
            channels=settings.campaign.channels,
            learn_from_answers=learns,
        ),
        keyring=keyring,
        limiter=RateLimiter(config.requests_per_second, config.burst),
        feedback=FeedbackRecorder(feed),
        retelling=retelling,
        contacts=ContactLookup(ledger),
        desk=CampaignDesk(
            planned,
            campaigns,
            store.url,
        ),
        max_batch_size=config.max_batch_size,
        origins=frozenset(config.cors_origins),
        decisions=(
            DecisionWriter(store, config.decision_log_seconds) if config.decision_log else None
        ),
    )


@asynccontextmanager
async def serving(services: Services, poll_seconds: float) -> AsyncIterator[None]:
    """The services at work: the store is followed, the release loaded if the store answers; at the
    end all is closed."""
    host, feedback, contacts = services.host, services.feedback, services.contacts
    load_slim_arrow()
    # For products as small as ours a second thread costs more in waiting than it saves.
    # For good: the engine's threads share the setting, and the process is the server's own.
    threadpool_limits(1, user_api="blas")
    # The ledger goes last: the others use it.
    with (
        closing(services.decisions) if services.decisions else nullcontext(),
        closing(contacts),
        closing(services.desk),
        closing(feedback),
        closing(services.retelling),
        closing(services.batches),
        closing(services.searches),
        closing(services.reports),
        services.live_thread,
    ):
        services.retelling.begin()
        watches = (feedback.watch(WATCH_SECONDS), contacts.watch(WATCH_SECONDS))
        async with running(host.follow(poll_seconds), *watches):
            # Nobody is answered 503 only because the container is young. A store that hangs
            # must not stop the start, though: it is 503 then, until the store comes back.
            with suppress(TimeoutError):
                await asyncio.wait_for(host.looked(), FIRST_LOOK_SECONDS)
            await services.retelling.tried()
            await contacts.look()  # /readyz tells of a ledger that can't be read before it is asked
            # Ten times shorter than usual: whenever the decision log or a batch is at work, who
            # answers single requests waits so long after each look at the sockets.
            sys.setswitchinterval(TURN_SECONDS)
            tune_collector()
            return_memory()
            yield


def _add_middleware(app: FastAPI, keyring: Keyring, config: ApiConfig) -> None:
    bodies = [route for room in (predict, batch, feedback) for route in room.router.routes]
    app.add_middleware(
        RequestMiddleware,
        max_body_bytes=config.max_body_bytes,
        body_limits={"/predict/batch": config.max_batch_body_bytes},
        hosts=admitted_hosts(keyring, config),
        direct={route.path: route for route in bodies if isinstance(route, BodyRoute)},
    )
    if config.cors_origins:  # around the rest: a browser must be able to read every answer
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(config.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["content-type", "x-api-key", "authorization"],
            expose_headers=["x-request-id", "retry-after"],
        )


@asynccontextmanager
async def running(*jobs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs the jobs beside the block and cancels them at its end."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def tune_collector() -> None:
    """Keep the garbage collector from walking over everything that never becomes garbage.

    A batch makes tens of thousands of short-lived dictionaries. At the default threshold each 700
    of them start a collection, which took 60 % of a batch of 1,000 customers.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)
