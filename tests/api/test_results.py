"""GET /results: what contacting brought, over real HTTP."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from api.routes.results import Results
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from tests.api import reports
from tests.api.conftest import publish_small_release
from tests.api.server import running
from tests.api.test_security import line


def test_from_nothing_to_a_verdict_to_a_damaged_report(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In plain words before anything is measured; new reports without a restart; 503 for one that
    can't be read."""
    publish_small_release(tmp_path, tmp_path_factory.mktemp("release"))
    keys = f'["{line("desk", "the-key")}"]'
    with running(tmp_path, CHURN_API__KEY_HASHES=keys) as server:
        assert httpx.get(server.url + "/results").status_code == 401
        with httpx.Client(base_url=server.url, headers={"x-api-key": "the-key"}) as session:
            nothing = session.get("/results").json()
            assert (nothing["lift"], nothing["spend"], nothing["watched"]) == (None, None, [])

            reports.publish(tmp_path, "lift_report", reports.lift_of(-0.1))
            reports.publish(tmp_path, "drift_report", reports.nothing_watched())
            answer = session.get("/results").json()
            Results.model_validate(answer)
            assert answer["lift"]["verdict"] == "helps"
            assert answer["lift"]["over_time"][-1]["lower"] > 0
            assert answer["lift"]["by_customer"] == reports.BY_CUSTOMER
            assert [m["name"] for m in answer["lift"]["measures"]][-1] == "net"
            assert {one["state"] for one in answer["watched"]} == {"unknown"}
            assert answer["spend"] is None

            store = LocalArtifactStore(tmp_path / "store")
            store.write_pointer(asset_pointer("lift_report"), b"{}")
            broken = session.get("/results")
            assert broken.status_code == 503
            assert broken.json()["detail"][0]["type"] == "not_ready"
