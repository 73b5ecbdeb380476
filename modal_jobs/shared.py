"""What every Modal function shares: settings, Google identity, machine sizes, images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import modal

from churn_assets.domain.plain_errors import one_line_exit
from churn_assets.orchestration.config import Machine
from churn_assets.settings import load_settings
from modal_jobs import pins
from modal_jobs.deployed import CONTRACT, deployed_settings

PYTHON = "3.11"
SOURCES = ("churn_assets", "modal_jobs", "api")
NOT_SOURCES = ["**/__pycache__", "**/.terraform", "**/*.tfstate*"]
IDENTITY = Path("/run/google-identity")
STARTUP_SECONDS = 900  # a large image on a cold machine

# What serving and batch scoring import; a test compares it with what they really import.
SERVING_PACKAGES = (
    "confusable-homoglyphs",
    "fastapi",
    "google-cloud-storage",
    "modal",
    "numpy",
    "orjson",
    "prometheus-client",
    "psycopg2-binary",
    "pyarrow",
    "pydantic",
    "pydantic-settings",
    "pyyaml",
    "safetensors",
    "scipy",  # a campaign is planned over HTTP, too
    "SQLAlchemy",
    "threadpoolctl",
    "tzdata",
)
LIVE_PACKAGES = (*SERVING_PACKAGES, "peft", "torch", "transformers")  # `live_generation`
SCORING_PACKAGES = (*SERVING_PACKAGES, "xgboost")  # imported once there is a table to score

with one_line_exit():
    settings = load_settings()
config = settings.compute.modal
variables = deployed_settings(settings.customers)
google = modal.Secret.from_name(config.secret)


def resources(machine: Machine) -> dict[str, Any]:
    """A machine's size as arguments of `app.function`."""
    return {
        "gpu": machine.gpu,
        "cpu": machine.cpu,
        "memory": machine.memory_mib,
        "timeout": machine.timeout_seconds,
        "startup_timeout": STARTUP_SECONDS,
    }


def _with_sources(image: modal.Image) -> modal.Image:
    # Not only *.py, as Modal would have it: rules, templates and the console page go too.
    image = image.add_local_python_source(*SOURCES, ignore=NOT_SOURCES)
    contract = settings.customers
    return image if contract is None else image.add_local_file(contract, CONTRACT)


# PyPI's torch is the CUDA build; bitsandbytes comes with it. HF_HOME lies on a volume, so that the
# weights of a pinned revision are downloaded once.
stage_image = _with_sources(
    modal.Image.debian_slim(python_version=PYTHON)
    .pip_install(*pins.pinned(pins.stage_packages))
    .env({"HF_HOME": "/weights", "TOKENIZERS_PARALLELISM": "false", **variables})
)

serving_image = _with_sources(
    modal.Image.debian_slim(python_version=PYTHON)
    .pip_install(*pins.pinned(lambda: SERVING_PACKAGES))
    .env(variables)
)

# Torch is some gigabytes, which a cold start waits for: only where the API's model has to write.
api_image = (
    _with_sources(
        modal.Image.debian_slim(python_version=PYTHON)
        .pip_install(*pins.pinned(lambda: LIVE_PACKAGES))
        .env(variables)
    )
    if settings.messages.live_generation
    else serving_image
)

scoring_image = _with_sources(
    modal.Image.debian_slim(python_version=PYTHON)
    .pip_install(*pins.pinned(lambda: SCORING_PACKAGES))
    .env(variables)
)
