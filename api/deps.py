"""Dependencies that FastAPI hands to routes: the caller, let in by key and rate, and the release in
service with its engine and predictions.

Every route takes what it needs from the request by one of the functions here. FastAPI's `Depends`
is for the gate alone, since the routes for decisions don't go through its solver (`parsing.py`).
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from fastapi import Request, Security
from fastapi.params import Security as Asked
from fastapi.security import APIKeyHeader
from starlette.requests import HTTPConnection

from api.batching import Batcher, Serving, TaskThread
from api.campaigns import CampaignDesk, ContactLookup
from api.errors import RETRY, ApiError, without_addresses
from api.recording import FeedbackRecorder
from api.retelling import Retelling
from api.security import ANONYMOUS, Keyring, RateLimiter
from churn_assets.customers.people import Addressees
from churn_assets.serving.bulk.predictions import PredictionBook
from churn_assets.serving.config import SCOPES, Scope
from churn_assets.serving.decision_log.writer import DecisionWriter
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.live.hosting import PEOPLE_UNREAD, EngineHost

AS_HEAD = "api.head"
"""In the scope of a HEAD request, which is served as a GET."""
CHALLENGE = {"www-authenticate": "Bearer"}
KEY = (
    "An API key; `Authorization: Bearer <key>` works too. It may be for a part of the routes only: "
    f"some of {', '.join(SCOPES)}. Not asked for where the service has no keys configured."
)


@dataclass(frozen=True)
class Services:
    """What an app answers with, for as long as it runs.

    Attributes:
        host: follows the store's release, predictions and kill switch.
        feedback: where events go.
        retelling: tells the ledger, at the start, of those that it hasn't.
        contacts: what the ledger knows of customers.
        desk: where a campaign is planned and handed over.
        max_batch_size: customers in one batch.
        origins: of the sites whose pages may call.
        decisions: where decisions are recorded; None: nowhere.
        batches, searches, reports: where they are done, and read.
        live_thread: where a language model writes, one message after the other.
    """

    host: EngineHost
    keyring: Keyring
    limiter: RateLimiter
    feedback: FeedbackRecorder
    retelling: Retelling
    contacts: ContactLookup
    desk: CampaignDesk
    max_batch_size: int
    origins: frozenset[str] = frozenset()
    decisions: DecisionWriter | None = None
    batcher: Batcher = field(default_factory=Batcher)
    batches: TaskThread = field(default_factory=lambda: TaskThread("batches"))
    searches: TaskThread = field(default_factory=lambda: TaskThread("searches"))
    reports: TaskThread = field(default_factory=lambda: TaskThread("reports"))
    live_thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))


def services_of(connection: HTTPConnection) -> Services:
    """Those of the app that is asked."""
    services: Services = connection.app.state.services
    return services


class Gate(APIKeyHeader):
    """Lets callers in: 401 without a valid key, 403 with one for other things, 429 to one who calls
    too often.

    One object is both the check and its entry in the OpenAPI document.

    Args:
        scope: what is done behind it; None: what any key is for.
    """

    def __init__(self, scope: Scope | None = None) -> None:
        super().__init__(name="X-API-Key", description=KEY)
        self.scope = scope

    async def __call__(self, request: HTTPConnection) -> None:
        """Returns for whoever may pass.

        Raises:
            ApiError: 401, 403 or 429.
        """
        services = services_of(request)
        keyring, limiter = services.keyring, services.limiter
        if keyring.is_open:
            known = None
            caller = request.client.host if request.client else ANONYMOUS
        else:
            known = keyring.find(request.headers.get("x-api-key", "").strip())
            known = known or keyring.find(_bearer(request))  # a proxy may set one of them for all
            if known is None:
                raise ApiError(401, "unauthorized", "no valid API key", headers=CHALLENGE)
            caller = known.name
        request.state.caller = caller
        if wait := limiter.wait_of(caller):
            headers = {"retry-after": str(math.ceil(wait))}
            raise ApiError(429, "rate_limited", "too many requests", headers=headers)
        if known is not None and self.scope is not None and self.scope not in known.may:
            may = ", ".join(scope for scope in SCOPES if scope in known.may)
            message = f"the API key {caller} is for {may}; this takes one for {self.scope}"
            raise ApiError(403, "forbidden", message)


def _bearer(request: HTTPConnection) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def is_head(request: Request) -> bool:
    """Whether only the header of what a GET would get is asked for."""
    return AS_HEAD in request.scope


def refuse_unasked(request: Request) -> None:
    """For a GET that is noted. Raises ApiError 403 for what a browser sends by itself: for a page
    of another site, which needs an image or a link for it and no key where none is asked for or a
    proxy adds one; or to have it ready, should somebody want it."""
    said = request.headers
    purposes = (said.get(name, "") for name in ("sec-purpose", "purpose", "x-moz"))
    if "prefetch" in " ".join(purposes).lower():
        message = "a browser asked for it in advance, and who is in it would be noted: open it"
        raise ApiError(403, "prefetch", message)
    foreign = said.get("sec-fetch-site") == "cross-site"
    if foreign and said.get("origin") not in services_of(request).origins:
        message = (
            "a page of another site made the browser ask for it, and who is in it would be noted: "
            "take it in the console, or let that page fetch it, and list its site in "
            "CHURN_API__CORS_ORIGINS (`*` doesn't count)"
        )
        raise ApiError(403, "cross_site", message)


def caller_of(request: Request) -> str:
    """The name of the API key that was used; the caller's address where none is asked for."""
    caller: str = request.state.caller
    return caller


def admitted(scope: Scope | None = None) -> Asked:
    """A router's dependency: the gate to what `scope` names; None: to what any key is for."""
    gate: Asked = Security(Gate(scope))
    return gate


def engine_of(request: Request) -> RetentionEngine:
    """The release in service; raises ApiError 503 while there is none."""
    host = services_of(request).host
    release = host.releases.held
    if release.loaded is None:
        problem = without_addresses(release.problem or "loading the release", host.store.url)
        raise ApiError(503, "not_ready", problem, headers=RETRY)
    return release.loaded


def serving_of(request: Request) -> Serving:
    """The serving engine; raises ApiError 503 while there is none, or it isn't known who may not be
    contacted."""
    return serving_with(services_of(request), engine_of(request))


def serving_with(services: Services, engine: RetentionEngine) -> Serving:
    """What is followed beside the release, as it is now; raises ApiError 503 while it isn't known
    who may not be contacted."""
    host = services.host
    return Serving(
        engine,
        host.switched_off,
        host.experiment,
        services.decisions,
        host.price_for(engine),
        people_of(services),
        host.templates,
    )


def people_of(services: Services) -> Addressees:
    """What the customers' table says of them; raises ApiError 503 while that isn't known: who opted
    out would be contacted."""
    people = services.host.people
    if people is None:
        raise ApiError(503, "people_unavailable", PEOPLE_UNREAD, headers=RETRY)
    return people


def book_of(request: Request) -> PredictionBook:
    """The latest predictions; raises ApiError 503 before the first materialization."""
    host = services_of(request).host
    if host.book is None:
        raise ApiError(503, "not_ready", "no predictions are materialized yet", headers=RETRY)
    return host.book
