"""`make deploy.check`: what a deployment still lacks, each with the command that mends it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any
from urllib.parse import urlsplit

import modal
import requests
from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.auth.exceptions import GoogleAuthError, TransportError

from churn_assets.campaign.opening import contract_named
from churn_assets.datasets.errors import DataError
from churn_assets.domain.plain_errors import describe, one_line_exit
from churn_assets.domain.variables import variables_of
from churn_assets.orchestration.sources import PACKAGES, SERVING_PACKAGES
from churn_assets.serving.config import Scope, parse_key_line
from churn_assets.settings import Settings, load_settings
from churn_assets.storage.gcs import storage_client
from modal_jobs.deployed import carried, tags_of

Check = Callable[[Settings], str | None]
"""Looks at one thing; returns None if it is there, else the command that mends it."""

Handle = modal.Secret | modal.Function[Any, Any, Any]

SECRET_KEYS = ["GOOGLE_SERVICE_ACCOUNT", "GOOGLE_IDENTITY_PROVIDER"]
KEY_HASHES = "CHURN_API__KEY_HASHES"
LEDGER = "CHURN_CAMPAIGN__LEDGER"
TOLD_BY: frozenset[Scope] = frozenset({"feedback", "campaign"})
"""What a key has to be for to tell a contact ledger something."""
ROLE_OF = {
    **{f"storage.objects.{verb}": "objectUser" for verb in ("create", "delete", "get", "list")},
    "storage.buckets.get": "legacyBucketReader",
}
"""Permissions on both buckets -> the least role `roles/storage.<...>` that gives each."""
ANSWER_SECONDS = 20.0
NO_ANSWER = f"try again: no answer within {ANSWER_SECONDS:.0f} s (is there a network?)"
MODAL = ".venv/bin/modal"
TERRAFORM = "terraform -chdir=modal_jobs/deploy"
LOG_IN_AT_MODAL = f"{MODAL} setup"
LOG_IN_AT_GOOGLE = "gcloud auth application-default login"


def terraform_output(settings: Settings, name: str) -> str:
    """A shell expression for what the environment's Terraform workspace says."""
    environment = settings.compute.modal.environment
    return f'"$(TF_WORKSPACE={environment} {TERRAFORM} output -raw {name})"'


def terraform_apply(settings: Settings) -> str:
    """The command that makes what is missing at Google."""
    environment = settings.compute.modal.environment
    return (
        f"{TERRAFORM} workspace select -or-create {environment} && {TERRAFORM} apply "
        f"-var environment={environment} -var project=<project> -var modal_workspace=<ac-...> "
        """-var 'dagster_members=["user:<you>"]'"""
    )


def store_is_a_bucket(settings: Settings) -> str | None:
    """Modal's containers can't see a folder of this machine."""
    if settings.store.startswith("gs://"):
        return None
    return f"export CHURN_STORE={terraform_output(settings, 'churn_store')}"


def contract_can_be_read(settings: Settings) -> str | None:
    """The containers get the customers' contract, which has to be one."""
    try:
        contract_named(settings.customers)
    except (DataError, OSError) as error:
        return f"mend the contract, or unset CHURN_CUSTOMERS   # {describe(error)}"
    return None


def modal_token(settings: Settings) -> str | None:
    """This machine may talk to Modal, and its token is one that Modal knows."""

    def look() -> None:
        modal.Client.from_env().hello()

    return _at_modal(look)


def modal_environment(settings: Settings) -> str | None:
    """The environment exists; `dev` and `prod` are deployed apart."""
    wanted = settings.compute.modal.environment

    def look() -> str | None:
        known = {environment.name for environment in modal.environments.list_environments()}
        return None if wanted in known else f"{MODAL} environment create {wanted}"

    return _at_modal(look)


def modal_secret(settings: Settings) -> str | None:
    """The secret tells the containers which Google account they may act as."""
    values = [f"{key}={terraform_output(settings, key.lower())}" for key in SECRET_KEYS]
    return _has_secret(settings, settings.compute.modal.secret, SECRET_KEYS, " ".join(values))


def api_key_secret(settings: Settings) -> str | None:
    """The production API refuses to start without the hash of at least one key; where a contact
    ledger is set, containers have to write and read the same one, with the variables that its URL
    names."""
    keys, values = [KEY_HASHES], f"{KEY_HASHES}='<name>:<sha256>'"
    if url := settings.campaign.ledger.get_secret_value():
        named = variables_of(url)
        # Unset here, it ends the command: an empty password would be taken for one there.
        own = [f'{LEDGER}="${LEDGER}"', *(f'{name}="${{{name}:?}}"' for name in named)]
        keys, values = [*keys, LEDGER, *named], " ".join([values, *own])
    origin = "   # as `.venv/bin/python -m api.security <name>` prints"
    return _has_secret(settings, settings.compute.modal.api_secret, keys, values + origin)


def share_ledger(why: str) -> str:
    """The command that names a contact ledger for all containers, and when none is needed."""
    return (
        f"export {LEDGER}='postgresql+psycopg2://<user>:${{LEDGER_PASSWORD}}@<host>/<database>'"
        f"   # {why}, so each container has a ledger of its own, and who opts out by one is "
        "contacted by the others. Where nobody reports feedback or runs campaigns over HTTP: "
        f"export {KEY_HASHES} as the secret has it, with all keys limited to other things "
        "(`--may decide` of `python -m api.security`)"
    )


def contact_ledger_is_shared(settings: Settings) -> str | None:
    """What one container is told of contacts and opt-outs, the others know: they share no disk. Not
    asked for where the keys that are known here tell it nothing."""
    if url := settings.campaign.ledger.get_secret_value():
        return share_ledger("it names a file") if url.lower().startswith("sqlite") else None
    if contacts_are_untold(settings):
        return None
    config = settings.compute.modal

    def secret() -> Handle:
        return modal.Secret.from_name(
            config.api_secret, environment_name=config.environment, required_keys=[LEDGER]
        )

    return _hydrated(secret, share_ledger(f"it is set neither here nor in {config.api_secret}"))


def contacts_are_untold(settings: Settings) -> bool:
    """By the keys that are known here, nobody may report feedback or run campaigns over HTTP."""
    keys = [parse_key_line(line) for line in settings.api.key_hashes]
    return bool(keys) and not any(key.may & TOLD_BY for key in keys)


def _has_secret(settings: Settings, name: str, keys: list[str], values: str) -> str | None:
    environment = settings.compute.modal.environment

    def secret() -> Handle:
        return modal.Secret.from_name(name, environment_name=environment, required_keys=keys)

    # It may exist and lack a key: --force replaces it.
    return _hydrated(secret, f"{MODAL} secret create --force --env {environment} {name} {values}")


def deployed_functions(settings: Settings) -> str | None:
    """Stages and API are deployed, from the sources, libraries, settings and contract of here."""
    config = settings.compute.modal
    return (
        contract_can_be_read(settings)
        or _deployed(settings, config.app, "sft_model", PACKAGES)
        or _deployed(settings, config.api_app, "api", SERVING_PACKAGES)
    )


def _deployed(settings: Settings, app: str, function: str, packages: Sequence[str]) -> str | None:
    environment = settings.compute.modal.environment

    def look() -> str | None:
        try:
            deployed = modal.App.lookup(app, environment_name=environment).get_tags()
        except (modal.exception.NotFoundError, modal.exception.InvalidError):
            return "make deploy"
        here = tags_of(settings, packages)
        other = ", ".join(what for what in here if deployed.get(what) != here[what])
        stale = f"make deploy   # the app {app} in {environment} was deployed from other {other}"
        return stale if other else None

    def named() -> Handle:
        return modal.Function.from_name(app, function, environment_name=environment)

    return _at_modal(look) or _hydrated(named, "make deploy")


def _hydrated(handle: Callable[[], Handle], remedy: str) -> str | None:
    def look() -> str | None:
        try:
            handle().hydrate()
        except (modal.exception.NotFoundError, modal.exception.InvalidError):
            return remedy
        return None

    return _at_modal(look)


def _at_modal(look: Callable[[], str | None]) -> str | None:
    """What `look` finds at Modal, or what stands in the way of looking."""
    try:
        return look()
    except modal.exception.AuthError:
        return LOG_IN_AT_MODAL
    except (modal.exception.ConnectionError, modal.exception.ServiceError) as error:
        return f"try again when Modal can be reached ({error})"


def google_credentials(settings: Settings) -> str | None:
    """This machine has application-default credentials."""

    def look() -> None:
        storage_client()

    return _at_google(settings, look)


def artifact_bucket(settings: Settings) -> str | None:
    """The bucket of CHURN_STORE exists and may be read and written."""
    return store_is_a_bucket(settings) or _usable(settings, urlsplit(settings.store).netloc)


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

    return _at_google(settings, look)


def pipes_bucket(settings: Settings) -> str | None:
    """The bucket for messages between stages and Dagster exists and may be read and written."""
    return _usable(settings, settings.compute.modal.pipes_bucket)


def _usable(settings: Settings, name: str) -> str | None:
    def look() -> str | None:
        granted = storage_client().bucket(name).test_iam_permissions([*ROLE_OF])
        missing = sorted(set(ROLE_OF) - set(granted))
        grants = [
            f"gcloud storage buckets add-iam-policy-binding gs://{name} "
            f"--member=user:<you> --role=roles/storage.{role}"
            for role in sorted({ROLE_OF[permission] for permission in missing})
        ]
        return f"{' && '.join(grants)}   # lacks {', '.join(missing)}" if missing else None

    return _at_google(settings, look)


def _at_google(settings: Settings, look: Callable[[], str | None]) -> str | None:
    """What `look` finds at Google, or what stands in the way of looking."""
    try:
        return look()
    except (TransportError, requests.ConnectionError) as error:
        return f"try again when Google can be reached ({error})"
    except GoogleAuthError:
        return LOG_IN_AT_GOOGLE
    except NotFound as error:
        return f"{terraform_apply(settings)}   # {error.message}"
    except GoogleAPICallError as error:
        return f"{LOG_IN_AT_GOOGLE}   # as somebody with access: {error.message}"


BEFORE_DEPLOYMENT: Sequence[Check] = (
    store_is_a_bucket,
    contract_can_be_read,
    modal_token,
    modal_environment,
    modal_secret,
    api_key_secret,
    contact_ledger_is_shared,
)
GOOGLE: Sequence[Check] = (
    google_credentials,
    artifact_bucket,
    artifact_bucket_is_safe,
    pipes_bucket,
)
ALL: Sequence[Check] = (*BEFORE_DEPLOYMENT, *GOOGLE, deployed_functions)


def report(checks: Sequence[Check]) -> int:
    """Print a line for each check; returns how many found something missing.

    All look at once, each for at most `ANSWER_SECONDS`: without a network the clients would try
    again for minutes, one after the other.
    """
    settings = load_settings()
    until = time.monotonic() + ANSWER_SECONDS
    looking = [_started(check, settings) for check in checks]
    missing = 0
    for check, found in zip(checks, looking, strict=True):
        wait([found], timeout=max(0.0, until - time.monotonic()))
        remedy = found.result() if found.done() else NO_ANSWER
        missing += remedy is not None
        label = check.__name__.replace("_", " ")
        print(f"ok       {label}" if remedy is None else f"missing  {label}: {remedy}")
    return missing


def _started(check: Check, settings: Settings) -> Future[str | None]:
    """What the check will find, in a thread that doesn't keep the process from ending."""
    found: Future[str | None] = Future()

    def look() -> None:
        try:
            found.set_result(check(settings))
        except BaseException as error:  # noqa: BLE001 (raised again by whoever asks for the result)
            found.set_exception(error)

    threading.Thread(target=look, name=check.__name__, daemon=True).start()
    return found


if __name__ == "__main__":
    with one_line_exit(DataError):
        missing = report(ALL)
        print(*carried(load_settings(), "would carry"), sep="\n")
        sys.exit(min(1, missing))
