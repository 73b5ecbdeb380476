"""What every Modal function shares: settings, Google identity, machine sizes, images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import modal

from churn_assets.domain.plain_errors import one_line_exit
from churn_assets.orchestration.config import Machine
from churn_assets.settings import load_settings
from modal_jobs import pins

PYTHON = "3.11"
SOURCES = ("churn_assets", "modal_jobs", "api")
NOT_SOURCES = ["**/__pycache__", "**/.terraform", "**/*.tfstate*"]
IDENTITY = Path("/run/google-identity")
STARTUP_SECONDS = 900  # a large image on a cold machine
# Paths of the machine that deploys, and secrets, which containers get from a Modal secret; each by
# itself or within its section's JSON.
NOT_DEPLOYED = {
    "CHURN_HOME",
    "CHURN_DATA_MIRROR",
    "CHURN_CUSTOMERS",
    "CHURN_API_KEY",  # a caller's
    *("CHURN_DATA", "CHURN_DATA__MIRROR"),
    *("CHURN_ACCEPT", "CHURN_ACCEPT__CAMPAIGN_LOG"),
    *("CHURN_API", "CHURN_API__KEY_FILE", "CHURN_API__KEY_HASHES"),
    *("CHURN_ALERTS", "CHURN_ALERTS__WEBHOOK"),
    *("CHURN_CAMPAIGN", "CHURN_CAMPAIGN__LEDGER", "CHURN_CAMPAIGN__PEOPLE"),
    *("CHURN_CAMPAIGN__RULES", "CHURN_CAMPAIGN__RULES__SUPPRESSION_LIST"),
}

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
SCORING_PACKAGES = (*SERVING_PACKAGES, "xgboost")  # imported once there is a table to score

with one_line_exit():
    config = load_settings().compute.modal
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


def deployed_settings() -> dict[str, str]:
    """The product's settings in force at the deployment, which the containers shall see too.

    An image is no place for secrets: whoever may read the workspace may read its variables.
    """
    mine = {
        k: v for k, v in os.environ.items() if k.upper().startswith(("CHURN_", "FORCE_BASELINE"))
    }
    deployed = {k: v for k, v in mine.items() if k.upper() not in NOT_DEPLOYED}
    return deployed | {"CHURN_HOME": "/churn"}


def _with_sources(image: modal.Image) -> modal.Image:
    # Not only *.py, as Modal would have it: rules, templates and the console page go too.
    return image.add_local_python_source(*SOURCES, ignore=NOT_SOURCES)


# PyPI's torch is the CUDA build; bitsandbytes comes with it. HF_HOME lies on a volume, so that the
# weights of a pinned revision are downloaded once.
stage_image = _with_sources(
    modal.Image.debian_slim(python_version=PYTHON)
    .pip_install(*pins.pinned(pins.stage_packages))
    .env({"HF_HOME": "/weights", "TOKENIZERS_PARALLELISM": "false", **deployed_settings()})
)

serving_image = _with_sources(
    modal.Image.debian_slim(python_version=PYTHON)
    .pip_install(*pins.pinned(lambda: SERVING_PACKAGES))
    .env(deployed_settings())
)

scoring_image = _with_sources(
    modal.Image.debian_slim(python_version=PYTHON)
    .pip_install(*pins.pinned(lambda: SCORING_PACKAGES))
    .env(deployed_settings())
)
