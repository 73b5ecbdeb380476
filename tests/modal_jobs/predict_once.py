"""Ask the API, as Modal would host it, one question; prints readiness and answer as JSON."""

from __future__ import annotations

import json
import time

from fastapi.testclient import TestClient

from api.schemas import SAMPLE_REQUEST
from modal_jobs import serving

if __name__ == "__main__":
    with TestClient(serving.api.local()) as client:
        deadline = time.monotonic() + 60
        while (ready := client.get("/readyz")).status_code != 200 and time.monotonic() < deadline:
            time.sleep(0.2)
        answer = client.post("/predict", json=SAMPLE_REQUEST)
        print(json.dumps({"ready": ready.json(), "status": answer.status_code, **answer.json()}))
