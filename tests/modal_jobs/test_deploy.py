"""What `make deploy.check` finds, and the files that a deployment uses."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import modal
import pytest
import yaml
from dagster._config import validate_config
from dagster._core.instance.config import (
    dagster_instance_config_schema,
    validate_concurrency_config,
)
from google.auth.exceptions import RefreshError, TransportError
from google.cloud import storage
from google.protobuf.message import Message
from grpclib import GRPCError, Status
from pydantic import SecretStr

from churn_assets.campaign.config import CampaignConfig
from churn_assets.orchestration.config import ComputeConfig, ModalConfig
from churn_assets.orchestration.sources import PACKAGES, SERVING_PACKAGES
from churn_assets.settings import PROJECT, Settings
from modal_jobs.deploy import check
from modal_jobs.deploy.__main__ import main
from modal_jobs.deployed import tags_of
from tests.customers.conftest import CONTRACT
from tests.modal_jobs.control_plane import running_control_plane


def settings(store: str = "gs://churn-artifacts/dev", **config: str) -> Settings:
    return Settings(store=store, compute=ComputeConfig(modal=ModalConfig(**config)))


def refusing(error: Exception) -> object:
    """Something at Modal that can be looked up but not found."""

    def hydrate() -> None:
        raise error

    return SimpleNamespace(hydrate=hydrate)


def test_a_local_store_is_named(emulator: str) -> None:
    """The commonest gap: nothing was said about a bucket yet."""
    remedy = check.store_is_a_bucket(settings(store="", environment="prod"))
    assert remedy == (
        'export CHURN_STORE="$(TF_WORKSPACE=prod terraform -chdir=modal_jobs/deploy '
        'output -raw churn_store)"'
    )
    assert check.artifact_bucket(settings(store="")) is not None
    assert check.store_is_a_bucket(settings()) is None


def test_a_contract_that_is_none_is_named(tmp_path: Path) -> None:
    """Before the containers have it, which would then all end at their start."""
    assert check.contract_can_be_read(settings()) is None
    file = tmp_path / "customers.yaml"
    lacking = check.contract_can_be_read(Settings(customers=file))
    assert lacking is not None
    assert f"{file}: No such file" in lacking
    file.write_text("name: Shop\n")
    wrong = check.contract_can_be_read(Settings(customers=file))
    assert wrong is not None
    assert f"{file}:1: has neither customers" in wrong


def test_a_ledger_has_to_be_the_containers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one of its own, a container would contact whom another one has just contacted."""
    asked: list[list[str]] = []

    def from_name(*args: object, required_keys: list[str], **kwargs: object) -> object:
        asked.append(required_keys)
        return refusing(modal.exception.NotFoundError("lacks a key"))

    monkeypatch.setattr(modal.Secret, "from_name", from_name)
    check.api_key_secret(settings())
    ledger = CampaignConfig(ledger=SecretStr("postgresql://a@b/c"))
    remedy = check.api_key_secret(Settings(campaign=ledger))
    assert check.contact_ledger_is_shared(Settings(campaign=ledger)) is None
    assert asked == [["CHURN_API__KEY_HASHES"], ["CHURN_API__KEY_HASHES", "CHURN_CAMPAIGN__LEDGER"]]
    assert remedy is not None
    assert 'CHURN_CAMPAIGN__LEDGER="$CHURN_CAMPAIGN__LEDGER"' in remedy


def test_a_bucket_that_is_there_is_fine(emulator: str) -> None:
    """Nothing to mend: no command."""
    assert check.google_credentials(settings()) is None
    assert check.artifact_bucket(settings()) is None
    assert check.pipes_bucket(settings()) is None


def test_a_missing_bucket_and_a_careless_one_get_their_commands(emulator: str) -> None:
    """Each line ends with what to type."""
    missing = check.artifact_bucket_is_safe(settings(store="gs://not-made-yet/dev"))
    assert missing is not None
    assert missing.startswith(
        "terraform -chdir=modal_jobs/deploy workspace select -or-create dev && "
        "terraform -chdir=modal_jobs/deploy apply -var environment=dev -var project=<project> "
    )
    careless = check.artifact_bucket_is_safe(settings())
    assert careless is not None
    assert careless.startswith("gcloud storage buckets update gs://churn-artifacts --versioning")


def test_missing_permissions_are_listed(emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each permission that lacks is named, with the role that gives it and no other."""
    granted = {*check.ROLE_OF}
    monkeypatch.setattr(storage.Bucket, "test_iam_permissions", lambda self, _: [*granted])
    assert check.pipes_bucket(settings()) is None
    granted -= {"storage.buckets.get"}
    lookup = check.pipes_bucket(settings())
    assert lookup is not None
    assert lookup.endswith("--role=roles/storage.legacyBucketReader   # lacks storage.buckets.get")
    assert "objectUser" not in lookup
    granted -= {"storage.objects.delete"}
    both = check.pipes_bucket(settings())
    assert both is not None
    assert "legacyBucketReader && gcloud storage buckets add-iam-policy-binding" in both
    assert "--role=roles/storage.objectUser   # lacks storage.buckets.get, storage.obj" in both


def test_terraform_grants_every_permission_that_is_looked_for() -> None:
    """Whoever applied it finds nothing missing: both roles on both buckets."""
    text = (PROJECT / "modal_jobs/deploy/google.tf").read_text()
    for bucket in ("artifacts", "pipes"):
        for role in set(check.ROLE_OF.values()):
            grant = f'google_storage_bucket.{bucket}.name, role = "roles/storage.{role}"'
            assert grant in text


@pytest.mark.parametrize(
    "error", [modal.exception.ConnectionError("no route"), modal.exception.ServiceError("down")]
)
def test_an_unreachable_modal_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Logging in again mends no network."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(modal.Client, "from_env", refuse)
    monkeypatch.setattr(modal.environments, "list_environments", refuse)
    monkeypatch.setattr(modal.Secret, "from_name", lambda *a, **k: refusing(error))
    for look in (check.modal_token, check.modal_environment, check.modal_secret):
        assert look(settings()) == f"try again when Modal can be reached ({error})"


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (TransportError("no route"), "try again when Google can be reached (no route)"),  # type: ignore[no-untyped-call]
        (RefreshError("expired"), "gcloud auth application-default login"),  # type: ignore[no-untyped-call]
    ],
)
def test_an_unreachable_google_is_no_missing_login(
    monkeypatch: pytest.MonkeyPatch, error: Exception, remedy: str
) -> None:
    """Both are errors of authentication to the client library."""

    def refuse() -> None:
        raise error

    monkeypatch.setattr(check, "storage_client", refuse)
    assert check.google_credentials(settings()) == remedy


def test_without_a_token_everything_at_modal_says_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody with an empty machine gets one command, not four stack traces."""
    error = modal.exception.AuthError("token missing")

    def refuse(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(modal.Client, "from_env", refuse)
    monkeypatch.setattr(modal.environments, "list_environments", refuse)
    monkeypatch.setattr(modal.Secret, "from_name", lambda *a, **k: refusing(error))
    monkeypatch.setattr(modal.App, "lookup", refuse)
    monkeypatch.setattr(modal.Function, "from_name", lambda *a, **k: refusing(error))
    looks = (
        check.modal_token,
        check.modal_environment,
        check.modal_secret,
        check.api_key_secret,
        check.deployed_functions,
    )
    assert {look(settings()) for look in looks} == {".venv/bin/modal setup"}


def test_an_empty_account_gets_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, secret and deployment are each named with the configured names."""
    error, prod = modal.exception.NotFoundError("not found"), settings(environment="prod")
    monkeypatch.setattr(
        modal.environments, "list_environments", lambda: [SimpleNamespace(name="main")]
    )
    app = SimpleNamespace(get_tags=lambda: tags_of(prod))
    monkeypatch.setattr(modal.Secret, "from_name", lambda *a, **k: refusing(error))
    monkeypatch.setattr(modal.App, "lookup", lambda *a, **k: app)
    monkeypatch.setattr(modal.Function, "from_name", lambda *a, **k: refusing(error))
    assert check.modal_environment(prod) == ".venv/bin/modal environment create prod"
    assert check.deployed_functions(prod) == "make deploy"
    secret = check.modal_secret(prod)
    assert secret is not None
    assert secret.startswith(
        ".venv/bin/modal secret create --force --env prod churn-google-cloud "
        'GOOGLE_SERVICE_ACCOUNT="$(TF_WORKSPACE=prod terraform '
    )
    keys = check.api_key_secret(prod)
    assert keys is not None
    assert "--env prod churn-api-keys CHURN_API__KEY_HASHES=" in keys


def checked(url: str, *names: str) -> subprocess.CompletedProcess[str]:
    """`deploy.check` with a token, in a process of its own; only the named checks."""
    program = f"""
from modal_jobs.deploy import check
check.ANSWER_SECONDS = 3.0
raise SystemExit(check.report([{", ".join(f"check.{name}" for name in names)}]))
"""
    token = {"MODAL_TOKEN_ID": "ak-made-up", "MODAL_TOKEN_SECRET": "as-made-up"}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, **token, "MODAL_SERVER_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("known", [True, False])
def test_a_made_up_token_is_no_token(known: bool) -> None:
    """The client takes any two words for one; only Modal can say."""

    def refuse(_: object) -> Message:
        raise GRPCError(Status.UNAUTHENTICATED, "no such token")

    with running_control_plane() as plane:
        if not known:
            plane.answers["ClientHello"] = refuse
        done = checked(plane.url, "modal_token")
    assert done.stdout == (
        "ok       modal token\n" if known else "missing  modal token: .venv/bin/modal setup\n"
    )
    assert done.returncode == (0 if known else 1)


def test_without_a_network_the_check_ends_all_the_same() -> None:
    """Nobody listens: the client would try again for a minute, for each of the checks."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = checked(url, "modal_token", "modal_environment", "modal_secret")
    lines = done.stdout.splitlines()
    assert len(lines) == done.returncode == 3, done.stderr
    assert all("try again" in line for line in lines)


def deployed(monkeypatch: pytest.MonkeyPatch, **apps: dict[str, str]) -> None:
    """Let Modal have these apps (`_` for `-`), with their tags and every function."""

    def lookup(name: str, *, environment_name: str) -> object:
        if (tags := apps.get(name.replace("-", "_"))) is None:
            raise modal.exception.NotFoundError(f"{environment_name}: {name}")
        return SimpleNamespace(get_tags=lambda: tags)

    there = SimpleNamespace(hydrate=lambda: None)
    monkeypatch.setattr(modal.App, "lookup", lookup)
    monkeypatch.setattr(modal.Function, "from_name", lambda *a, **k: there)


def test_a_stale_deployment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a run of hours is refused for it, or the API answers as yesterday's code did."""
    stages, api = tags_of(settings(), PACKAGES), tags_of(settings(), SERVING_PACKAGES)
    deployed(monkeypatch, churn_stages=stages, churn_api=api)
    assert check.deployed_functions(settings()) is None
    deployed(monkeypatch, churn_stages={"sources": "0" * 32}, churn_api=api)
    assert check.deployed_functions(settings()) == (
        "make deploy   # the app churn-stages in dev was deployed from other "
        "sources, libraries, settings, contract"
    )
    deployed(monkeypatch, churn_stages=stages, churn_api=api | {"sources": stages["sources"]})
    assert check.deployed_functions(settings()) == (
        "make deploy   # the app churn-api in dev was deployed from other sources"
    )
    deployed(monkeypatch, churn_stages=stages)
    assert check.deployed_functions(settings()) == "make deploy"


def test_other_rules_are_another_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom the API may contact follows from the contract and the settings that went along; keys and
    paths of this machine don't."""
    file = tmp_path / "customers.yaml"
    file.write_text(CONTRACT)
    monkeypatch.setenv("CHURN_CAMPAIGN__BUDGET", "500")
    here = Settings(store="gs://churn-artifacts/dev", customers=file)
    deployed(
        monkeypatch,
        churn_stages=tags_of(here),
        churn_api=tags_of(here, SERVING_PACKAGES),
    )
    monkeypatch.setenv("CHURN_CAMPAIGN__LEDGER", "postgresql://a@b/c")
    monkeypatch.setenv("CHURN_HOME", str(tmp_path))
    assert check.deployed_functions(here) is None
    monkeypatch.setenv("CHURN_CAMPAIGN__BUDGET", "900")
    other = "make deploy   # the app churn-stages in dev was deployed from other "
    assert check.deployed_functions(here) == f"{other}settings"
    file.write_text(CONTRACT + "contact: {rules: {consent_needed: true}}\n")
    assert check.deployed_functions(here) == f"{other}settings, contract"
    file.unlink()
    told = check.deployed_functions(here)
    assert told is not None
    assert told.startswith("mend the contract, or unset CHURN_CUSTOMERS")


def test_nothing_is_deployed_while_something_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A half-configured deployment would fail at its first stage, hours later."""
    monkeypatch.setattr("modal_jobs.deploy.__main__.BEFORE_DEPLOYMENT", (check.store_is_a_bucket,))
    monkeypatch.setattr(check, "load_settings", lambda: settings(store=""))
    assert main() == 1
    assert "missing  store is a bucket: export CHURN_STORE" in capsys.readouterr().out


def test_the_instance_file_is_what_dagster_accepts() -> None:
    """A typing error in dagster.yaml stops every run; GPU stages run one at a time."""
    content = yaml.safe_load((PROJECT / "modal_jobs/deploy/dagster.yaml").read_text())
    validated = validate_config(dagster_instance_config_schema(), content)
    assert validated.success, validated.errors
    validate_concurrency_config(content)
    assert content["concurrency"]["pools"] == {"granularity": "op", "default_limit": 1}
    assert content["run_monitoring"]["enabled"] is True
    # Not the messages' bucket, which is emptied every week.
    assert content["compute_logs"]["config"]["bucket"] == {"env": "DAGSTER_LOGS_BUCKET"}


def test_the_provider_is_new_enough() -> None:
    """What the file says, Google's provider understands from 6.13 on."""
    assert 'version = "~> 6.13"' in (PROJECT / "modal_jobs/deploy/google.tf").read_text()


def test_terraform_grants_no_more_than_objects() -> None:
    """Least privilege: no admin role, no key, no public access."""
    text = Path(PROJECT / "modal_jobs/deploy/google.tf").read_text()
    assert "dmin" not in text
    assert "google_service_account_key" not in text
    assert text.count('public_access_prevention    = "enforced"') == 2
    for output in ("google_service_account", "google_identity_provider"):
        assert f'output "{output}"' in text
        assert output.upper() in check.SECRET_KEYS
