"""One contact ledger for all containers, and what its URL needs there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from types import SimpleNamespace

import modal
import pytest
from pydantic import SecretStr

from churn_assets.campaign.config import CampaignConfig
from churn_assets.serving.config import ApiConfig
from churn_assets.settings import Settings
from modal_jobs.deploy import check
from modal_jobs.deployed import carried

DIGEST = "a" * 64
WITH_PASSWORD = "postgresql+psycopg2://churn:${LEDGER_PASSWORD}@${LEDGER_HOST}/churn"


def settings(*keys: str, ledger: str = "") -> Settings:
    return Settings(
        api=ApiConfig(key_hashes=keys), campaign=CampaignConfig(ledger=SecretStr(ledger))
    )


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets the API's secret at Modal have these keys, separated by spaces."""
    has: set[str] = set()

    def from_name(*_: object, required_keys: list[str], **__: object) -> object:
        def hydrate() -> None:
            if not has.issuperset(required_keys):
                raise modal.exception.NotFoundError("lacks a key")

        return SimpleNamespace(hydrate=hydrate)

    monkeypatch.setattr(modal.Secret, "from_name", from_name)
    return lambda keys: has.update(keys.split())


@pytest.mark.parametrize(
    "keys",
    [(), (f"shop:{DIGEST}",), (f"a:{DIGEST}:decide", f"b:{DIGEST}:decide+feedback")],
    ids=["unknown", "all", "feedback"],
)
def test_a_ledger_for_each_container_is_refused(
    keys: tuple[str, ...], secret: Callable[[str], None]
) -> None:
    """Why: the check was content, and who opted out by one container was contacted by the next."""
    remedy = check.contact_ledger_is_shared(settings(*keys)) or ""
    assert remedy.startswith("export CHURN_CAMPAIGN__LEDGER='postgresql+psycopg2://")
    assert "who opts out by one is contacted by the others" in remedy
    assert "neither here nor in churn-api-keys" in remedy
    assert "\n" not in remedy
    assert check.contact_ledger_is_shared in check.BEFORE_DEPLOYMENT
    secret("CHURN_CAMPAIGN__LEDGER")  # told nowhere but there
    assert check.contact_ledger_is_shared(settings(*keys)) is None


def test_a_file_is_no_ledger_for_all(secret: Callable[[str], None]) -> None:
    """Containers share no disk."""
    secret("CHURN_CAMPAIGN__LEDGER")
    remedy = check.contact_ledger_is_shared(settings(ledger="sqlite:////churn/ledger.sqlite3"))
    assert "it names a file" in (remedy or "")


def test_who_tells_the_ledger_nothing_needs_none(secret: Callable[[str], None]) -> None:
    """By the keys that are known here, nobody may; what it means is said all the same."""
    here = settings(f"a:{DIGEST}:decide", f"b:{DIGEST}:decide+customers+watch")
    assert check.contact_ledger_is_shared(here) is None
    [told] = [line for line in carried(here) if "contact ledger" in line]
    assert "doesn't know of opt-outs and contacts that another one was told of" in told
    assert not [line for line in carried(settings(ledger=WITH_PASSWORD)) if "contact ledg" in line]


def test_the_secret_has_the_variables_of_the_ledgers_url(secret: Callable[[str], None]) -> None:
    """Why: the URL lay there as it was written, the check was content, and every container ended at
    its start: LEDGER_PASSWORD wasn't set."""
    here = settings(ledger=WITH_PASSWORD)
    secret("CHURN_API__KEY_HASHES CHURN_CAMPAIGN__LEDGER LEDGER_HOST")
    remedy = check.api_key_secret(here) or ""
    command = remedy.partition("   #")[0].replace(check.MODAL, "printf '%s\\n'")
    shell = {
        "CHURN_CAMPAIGN__LEDGER": WITH_PASSWORD,
        "LEDGER_PASSWORD": "s3 $cret",
        "LEDGER_HOST": "db",
    }
    done = subprocess.run(  # as whoever types it
        ["/bin/sh", "-c", command], env=shell, capture_output=True, text=True, check=True
    )
    stored = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert {name: stored[name] for name in shell} == shell
    secret("LEDGER_PASSWORD")
    assert check.api_key_secret(here) is None
