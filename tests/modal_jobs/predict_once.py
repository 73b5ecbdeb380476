"""Ask the API, as Modal would host it, one question, the very first that its container gets; prints
readiness and answer as JSON."""

from __future__ import annotations

import json

from fastapi.testclient import TestClient

from churn_assets.serving.schemas import SAMPLE_REQUEST
from modal_jobs import serving
from tests.api.server import HERE, zone_where_it_is_noon

if __name__ == "__main__":
    with TestClient(serving.api.local(), base_url="http://localhost", client=HERE) as client:
        answer = client.post(
            "/predict", json={**SAMPLE_REQUEST, "time_zone": zone_where_it_is_noon()}
        )
        ready = client.get("/readyz")
        print(json.dumps({"ready": ready.json(), "status": answer.status_code, **answer.json()}))
