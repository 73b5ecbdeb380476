"""The HTTP service. `uvicorn api.main:app`, or `create_app()` inside another host."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from api import errors, logs
from api.hosting import EngineHost
from api.middleware import RequestMiddleware
from api.routes import health, predict
from churn_assets.resources.artifact_store import open_store
from churn_assets.settings import Settings, load_settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """The app on the artifact store that the settings name; models load in the background."""
    settings = settings or load_settings()
    config = settings.api
    logs.configure()
    store = open_store(settings.store_url, cache=settings.home / "cache")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        follower = asyncio.create_task(app.state.host.follow(config.poll_seconds))
        yield
        follower.cancel()
        with suppress(asyncio.CancelledError):
            await follower

    # No /docs page: it would load scripts from elsewhere. /openapi.json is the document.
    app = FastAPI(title="Customer retention", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.host = EngineHost(store, config.default_time_zone)
    app.state.force_baseline = config.force_baseline or switched_on("FORCE_BASELINE")
    app.add_middleware(RequestMiddleware, max_body_bytes=config.max_body_bytes)
    errors.install(app)
    app.include_router(health.router)
    app.include_router(predict.router)
    return app


def switched_on(variable: str) -> bool:
    """Whether an environment variable is set to anything but empty, 0, false, no or off."""
    return os.environ.get(variable, "").strip().lower() not in ("", "0", "false", "no", "off")


app = create_app()
