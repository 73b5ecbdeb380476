"""What happens inside a Modal container: identity, the stage's process, housekeeping."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from churn_assets.stages.child_process import run_child, stage_command

# Modal gives notice (a time limit: about a minute; a pre-emption: 30 s); the volume is saved after.
GRACE_SECONDS = 25.0
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

    The token is exchanged for a service account's access by workload identity federation. The
    pool's provider and the account come from the Modal secret (`modal_jobs/deploy/README.md`).

    Returns:
        Environment variables for the clients; empty outside a Modal container, where the clients
        find application-default credentials by themselves.
    """
    token = os.environ.get("MODAL_IDENTITY_TOKEN")
    if token is None:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token").write_text(token)
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
        "credential_source": {"file": str(folder / "token")},
    }
    path = folder / "credentials.json"
    path.write_text(json.dumps(credentials))
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}


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
