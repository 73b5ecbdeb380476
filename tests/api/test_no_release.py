"""While no release is loaded, nothing is refused for good that is only too early."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from api.campaigns import CampaignDesk
from api.errors import ApiError
from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.errors import LedgerError, PeopleError
from churn_assets.domain.offers import Offers
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.serving.live import hosting
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.protocol import ArtifactError
from tests.api.conftest import publish_small_release
from tests.api.test_unread_people import serving
from tests.processes import wait_until
from tests.release.small_release import publish

COMPANY_S = {"customer_id": "A10001", "plan": "Plus", "months": 7, "monthly_fee": 39.9}
EVENT = {"customer_id": "C1", "kind": "accepted", "occurred_at": "2026-01-14T12:00:00+01:00"}


def told(answer: httpx.Response) -> tuple[int, str, str]:
    [problem] = answer.json()["detail"]
    return answer.status_code, problem["type"], problem["msg"]


def report(client: TestClient, name: str, **said: Any) -> httpx.Response:
    return client.post("/feedback", json=EVENT | {"event_id": name} | said)


def test_a_company_s_customer_is_no_mistake_before_its_release_is_loaded(tmp_path: Path) -> None:
    """Why: they were judged by the built-in contract and answered 422, which callers take as
    final."""
    with serving(tmp_path) as client:
        for body in (COMPANY_S, SAMPLE_REQUEST, {"customer_id": 7}):
            answer = client.post("/predict", json=body)
            assert told(answer)[:2] == (503, "not_ready")
            assert int(answer.headers["retry-after"]) >= 1
        batch = client.post("/predict/batch", json={"customers": [COMPANY_S]})
        assert told(batch)[:2] == (503, "not_ready")
        publish_small_release(tmp_path, tmp_path / "a")
        wait_until(lambda: client.get("/readyz").json()["ready"])
        assert client.post("/predict", json=COMPANY_S).status_code == 422
        assert client.post("/predict", json=SAMPLE_REQUEST).status_code == 200


def test_an_answer_to_an_offer_is_no_mistake_before_offers_are_known(tmp_path: Path) -> None:
    """Why: answers to a company's 20 % were refused for good by the built-in offers. What names no
    offer, as somebody's no, is taken at once; what no offer can be is refused at once."""
    with serving(tmp_path) as client:
        assert report(client, "no", kind="unsubscribed").status_code == 200
        for given in (0, 5, 20):
            answer = report(client, "early", offer_percentage=given)
            assert told(answer)[:2] == (503, "not_ready")
            assert int(answer.headers["retry-after"]) >= 1
        for wrong in (-1, 101, 7.5, "ten"):
            assert report(client, "wrong", offer_percentage=wrong).status_code == 422
        earlier = Offers(percent=(0, 10, 20, 30))
        publish(LocalArtifactStore(tmp_path / "store"), tmp_path / "earlier", "Earlier", earlier)
        wait_until(lambda: report(client, "early", offer_percentage=20).status_code == 200)
        assert report(client, "five", offer_percentage=5).status_code == 422


def test_earlier_releases_that_were_never_read_may_have_offered_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release in service answers for its own offers meanwhile."""
    publish_small_release(tmp_path, tmp_path / "a")
    read, broken = hosting.percent_offered, [True]

    def unread(store: Any) -> frozenset[int]:
        if broken:
            raise ArtifactError("no route to host")
        return read(store)

    monkeypatch.setattr(hosting, "percent_offered", unread)
    with serving(tmp_path) as client:
        assert report(client, "e10", offer_percentage=10).status_code == 200
        assert told(report(client, "e20", offer_percentage=20))[:2] == (503, "not_ready")
        broken.clear()
        wait_until(lambda: report(client, "e20", offer_percentage=20).status_code == 422)


def test_a_503_names_no_place(tmp_path: Path) -> None:
    """Why: a key that may only decide was told folders and buckets; the log has them, and `/readyz`
    took care to hide them."""
    publish_small_release(tmp_path, tmp_path / "a")
    folder = ReleaseRegistry(LocalArtifactStore(tmp_path / "store")).folder()
    (folder / "manifest.json").unlink()
    with serving(tmp_path) as client:
        status, kind, message = told(client.post("/predict", json=SAMPLE_REQUEST))
        assert (status, kind) == (503, "not_ready")
        assert "is refused" in message
        assert "the store" in message
        assert str(tmp_path) not in message
        assert message == client.get("/readyz").json()["problem"]


@pytest.mark.parametrize(
    ("why", "status", "said"),
    [
        (
            LedgerError("the contact ledger /srv/contacts.sqlite3 is empty: restore it"),
            503,
            "the contact ledger … is empty: restore it",
        ),
        (PeopleError("/srv/people.csv: row 3 has no customer_id"), 409, "…: row 3 has no cust"),
    ],
)
def test_no_answer_about_a_plan_names_a_place_either(
    why: Exception, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    desk = CampaignDesk(CampaignConfig(), lambda: None, "gs://bucket/x")  # type: ignore[arg-type,return-value]

    def fails(_: Any) -> None:
        raise why

    with pytest.raises(ApiError) as error:
        asyncio.run(desk.run(fails))
    desk.close()
    assert error.value.status_code == status
    assert error.value.detail.startswith(said)
    assert str(why) in caplog.text
