"""What happens inside a Modal container: identity, the stage's process, housekeeping."""

from __future__ import annotations

import base64
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import modal.experimental

from churn_assets.stages.child_process import run_child, stage_command

log = logging.getLogger(__name__)

# Between the notice of a pre-emption and the end of the container Modal leaves 30 seconds, and so
# does a cancellation by Dagster; no document promises any after a time limit. The volume is saved
# after the stage has stopped.
GRACE_SECONDS = 25.0
REPLACED_SECONDS = 600.0  # before the identity token expires
TOKEN = "MODAL_IDENTITY_TOKEN"  # noqa: S105 (a variable's name)
TOKEN_FILE = "MODAL_IDENTITY_TOKEN_FILE"  # noqa: S105 (a variable's name)
TOKEN_TYPE = "urn:ietf:params:oauth:token-type:jwt"  # noqa: S105 (the type's name)


def run_program(stage: str, bootstrap: Mapping[str, str], identity: Path) -> None:
    """Run a stage's program in a child process, so that even its out-of-memory kill is reported.

    Args:
        bootstrap: environment variables that connect the program to its Dagster Pipes session.
        identity: folder for the container's Google credentials.

    Raises:
        StageError: the program failed; carries its last lines.
    """
    env = {**google_identity(identity), **bootstrap}
    run_child(stage_command(stage), env, grace_seconds=GRACE_SECONDS)


def google_identity(folder: Path) -> dict[str, str]:
    """Let Google's clients use the identity token that Modal gives a container; no key file.

    The token is exchanged for a service account's access by workload identity federation, anew
    every hour. The pool's provider and the account come from the Modal secret
    (`modal_jobs/deploy/README.md`). Where Modal keeps the token in a file, which it renews, the
    clients read that file. A token in the environment is never renewed: it is copied to a file, and
    access to Google ends an hour after it expires, at the latest.

    Returns:
        Environment variables for the clients; empty outside a Modal container, where the clients
        find application-default credentials by themselves.
    """
    file, token = os.environ.get(TOKEN_FILE), os.environ.get(TOKEN)
    if file is None and token is None:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    if file is None and token is not None:
        file = str(folder / "token")
        Path(file).write_text(token, encoding="utf-8")
        log.info("Modal's identity token is never renewed; it expires at %s", _told(token))
    account = os.environ["GOOGLE_SERVICE_ACCOUNT"]
    credentials = {
        "type": "external_account",
        "audience": f"//iam.googleapis.com/{os.environ['GOOGLE_IDENTITY_PROVIDER']}",
        "subject_token_type": TOKEN_TYPE,
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url": (
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
            f"{account}:generateAccessToken"
        ),
        "credential_source": {"file": file},
    }
    path = folder / "credentials.json"
    path.write_text(json.dumps(credentials))
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}


def replace_before_expiry(clock: Callable[[], float] = time.time) -> threading.Timer | None:
    """Let Modal replace a container that serves for days before its identity token expires.

    It finishes what it was asked and takes no more; the next container gets a new token.

    Returns:
        What waits for that moment; None where there is no token, or Modal renews it.
    """
    token = os.environ.get(TOKEN)
    if TOKEN_FILE in os.environ or token is None or (expiry := _expiry(token)) is None:
        return None
    timer = threading.Timer(
        max(0.0, expiry - REPLACED_SECONDS - clock()), modal.experimental.stop_fetching_inputs
    )
    timer.daemon = True
    timer.start()
    return timer


def _expiry(token: str) -> float | None:
    """When a JSON Web Token expires, in seconds since the epoch; None if it doesn't say."""
    try:
        claims = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        return float(found)
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def _told(token: str) -> str:
    expiry = _expiry(token)
    return "an unknown time" if expiry is None else datetime.fromtimestamp(expiry, UTC).isoformat()


def remove_stale_checkpoints(root: Path, days: float) -> list[str]:
    """Remove checkpoint folders `<stage>/<digest>` in which nothing was written for `days`.

    A stage removes its own checkpoints when it succeeds; what is left belongs to runs that were
    given up. Dagster can't see the volume, so this is the one job that Modal schedules itself.

    Returns:
        The folders removed, relative to `root`.
    """
    limit = time.time() - days * 86_400
    removed = []
    for folder in sorted(root.glob("*/*")):
        newest = max(path.stat().st_mtime for path in [folder, *folder.rglob("*")])
        if newest < limit:
            shutil.rmtree(folder)
            removed.append(folder.relative_to(root).as_posix())
    return removed
