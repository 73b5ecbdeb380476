"""`make deploy.check`: what a deployment still lacks, each with the command that mends it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import modal
from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.auth.exceptions import GoogleAuthError

from churn_assets.resources.gcs_store import storage_client
from churn_assets.settings import Settings, load_settings

Check = Callable[[Settings], str | None]
"""Looks at one thing; returns None if it is there, else the command that mends it."""

SECRET_KEYS = ["GOOGLE_SERVICE_ACCOUNT", "GOOGLE_IDENTITY_PROVIDER"]
KEY_HASHES = "CHURN_API__KEY_HASHES"
STORE_PERMISSIONS = [f"storage.objects.{verb}" for verb in ("create", "delete", "get", "list")]
# The messages' reader and writer also look the bucket itself up.
PIPES_PERMISSIONS = [*STORE_PERMISSIONS, "storage.buckets.get"]


def store_is_a_bucket(settings: Settings) -> str | None:
    """Modal's containers can't see a folder of this machine."""
    if settings.store.startswith("gs://"):
        return None
    return "export CHURN_STORE=gs://<bucket>/<prefix>"


def modal_token(settings: Settings) -> str | None:
    """This machine may talk to Modal."""
    try:
        modal.Client.from_env()
    except modal.exception.AuthError:
        return "modal setup"
    return None


def modal_environment(settings: Settings) -> str | None:
    """The environment exists; `dev` and `prod` are deployed apart."""
    wanted = settings.compute.modal.environment
    try:
        known = {environment.name for environment in modal.environments.list_environments()}
    except modal.exception.AuthError:
        return "modal setup"
    return None if wanted in known else f"modal environment create {wanted}"


def modal_secret(settings: Settings) -> str | None:
    """The secret tells the containers which Google account they may act as."""
    config = settings.compute.modal
    secret = modal.Secret.from_name(
        config.secret, environment_name=config.environment, required_keys=SECRET_KEYS
    )
    values = " ".join(f'{key}="$(terraform output -raw {key.lower()})"' for key in SECRET_KEYS)
    return _hydrated(
        secret, f"modal secret create --env {config.environment} {config.secret} {values}"
    )


def api_key_secret(settings: Settings) -> str | None:
    """The production API refuses to start without the hash of at least one key."""
    config = settings.compute.modal
    secret = modal.Secret.from_name(
        config.api_secret, environment_name=config.environment, required_keys=[KEY_HASHES]
    )
    return _hydrated(
        secret,
        f"modal secret create --env {config.environment} {config.api_secret} "
        f"{KEY_HASHES}='[\"<name>:<sha256>\"]'   # as `python -m api.security <name>` prints it",
    )


def deployed_functions(settings: Settings) -> str | None:
    """The stages and the API are deployed."""
    config = settings.compute.modal
    for app, name in ((config.app, "sft_model"), (config.api_app, "api")):
        function = modal.Function.from_name(app, name, environment_name=config.environment)
        if remedy := _hydrated(function, "make deploy"):
            return remedy
    return None


def _hydrated(handle: modal.Secret | modal.Function[Any, Any, Any], remedy: str) -> str | None:
    try:
        handle.hydrate()
    except modal.exception.AuthError:
        return "modal setup"
    except (modal.exception.NotFoundError, modal.exception.InvalidError):
        return remedy
    return None


def google_credentials(settings: Settings) -> str | None:
    """This machine has application-default credentials."""

    def look() -> None:
        storage_client()

    return _asked(look)


def artifact_bucket(settings: Settings) -> str | None:
    """The bucket of CHURN_STORE exists and may be read and written."""
    if remedy := store_is_a_bucket(settings):
        return remedy
    return _usable(urlsplit(settings.store).netloc, STORE_PERMISSIONS)


def artifact_bucket_is_safe(settings: Settings) -> str | None:
    """Old generations are kept, and access is by role only."""
    if remedy := artifact_bucket(settings):
        return remedy
    name = urlsplit(settings.store).netloc

    def look() -> str | None:
        bucket = storage_client().get_bucket(name)
        flags = {
            "--versioning": bucket.versioning_enabled,
            "--uniform-bucket-level-access": (
                bucket.iam_configuration.uniform_bucket_level_access_enabled
            ),
        }
        missing = " ".join(flag for flag, is_set in flags.items() if not is_set)
        return f"gcloud storage buckets update gs://{name} {missing}" if missing else None

    return _asked(look)


def pipes_bucket(settings: Settings) -> str | None:
    """The bucket for messages between stages and Dagster exists and may be read and written."""
    return _usable(settings.compute.modal.pipes_bucket, PIPES_PERMISSIONS)


def _usable(name: str, permissions: list[str]) -> str | None:
    def look() -> str | None:
        granted = storage_client().bucket(name).test_iam_permissions(permissions)
        missing = ", ".join(sorted(set(permissions) - set(granted)))
        grant = f"gcloud storage buckets add-iam-policy-binding gs://{name}"
        role = "--member=user:<you> --role=roles/storage.objectUser"
        return f"{grant} {role}   # lacks {missing}" if missing else None

    return _asked(look)


def _asked(look: Callable[[], str | None]) -> str | None:
    """What `look` finds at Google, or what stands in the way of looking."""
    try:
        return look()
    except GoogleAuthError:
        return "gcloud auth application-default login"
    except NotFound as error:
        return f"terraform apply   # {error.message}; see modal_jobs/deploy/README.md"
    except GoogleAPICallError as error:
        return f"gcloud auth application-default login   # as somebody with access: {error.message}"


BEFORE_DEPLOYMENT: Sequence[Check] = (
    store_is_a_bucket,
    modal_token,
    modal_environment,
    modal_secret,
    api_key_secret,
)
GOOGLE: Sequence[Check] = (
    google_credentials,
    artifact_bucket,
    artifact_bucket_is_safe,
    pipes_bucket,
)
ALL: Sequence[Check] = (*BEFORE_DEPLOYMENT, *GOOGLE, deployed_functions)


def report(checks: Sequence[Check]) -> int:
    """Print a line for each check; returns how many found something missing."""
    settings = load_settings()
    missing = 0
    for check in checks:
        label = check.__name__.replace("_", " ")
        remedy = check(settings)
        missing += remedy is not None
        print(f"ok       {label}" if remedy is None else f"missing  {label}: {remedy}")
    return missing


if __name__ == "__main__":
    sys.exit(min(1, report(ALL)))
