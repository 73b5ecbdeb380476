"""The Modal app with the HTTP API; redeploying it leaves running stages alone.

`modal deploy -m modal_jobs.serving --env dev`.
"""

from __future__ import annotations

import os

import modal
from fastapi import FastAPI

from churn_assets.orchestration.sources import SERVING_PACKAGES
from modal_jobs.container import google_identity, replace_before_expiry
from modal_jobs.deployed import tags_of
from modal_jobs.shared import IDENTITY, api_image, config, google, resources, settings

app = modal.App(
    config.api_app,
    image=api_image,
    include_source=False,
    tags=tags_of(settings, SERVING_PACKAGES),
)

api_keys = modal.Secret.from_name(config.api_secret)


@app.function(
    **resources(config.api),
    secrets=[google, api_keys],
    min_containers=config.api_min_containers,
    max_containers=config.api_max_containers,
)
@modal.concurrent(max_inputs=config.api_inputs)
@modal.asgi_app()
def api() -> FastAPI:
    """The service, built once a container, which then answers many requests."""
    os.environ.update(google_identity(IDENTITY))  # which opening the artifact store needs
    replace_before_expiry()
    # Imported here: who deploys needs none of what serves.
    from api.main import create_app

    return create_app()
