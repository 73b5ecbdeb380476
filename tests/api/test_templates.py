"""Templates that answers have judged, as a client of a running server meets them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from churn_assets.messages.writing.bandit import STATE, Audience, Outcome, TemplateBandit
from churn_assets.release.switches import templates
from churn_assets.serving.decision_log import parts
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_small_release
from tests.api.server import running
from tests.processes import wait_until

CUSTOMERS = [SAMPLE_REQUEST | {"customer_id": f"C{i}"} for i in range(200)]


def ask(client: httpx.Client) -> list[dict[str, Any]]:
    """The answers to all of them, in one batch."""
    rows = client.post("/predict/batch", json={"customers": CUSTOMERS}).json()["results"]
    return [row["answer"] for row in rows]


def test_a_running_server_takes_over_what_answers_said(tmp_path: Path) -> None:
    """All are equal; then a state is made, in which one template is accepted and no other is."""
    publish_small_release(tmp_path, tmp_path / "release")
    store = LocalArtifactStore(tmp_path / "store")
    learning = {"CHURN_MESSAGES__LEARN_FROM_ANSWERS": "true"}
    with (
        running(tmp_path, CHURN_API__DECISION_LOG_SECONDS="0.05", **learning) as server,
        httpx.Client(base_url=server.url, timeout=120, trust_env=False) as client,
    ):
        answers = ask(client)
        [even] = {answer["metadata"]["template_probability"] for answer in answers}
        wait_until(lambda: parts.read(store).num_rows == len(CUSTOMERS))
        log = parts.read(store).to_pandas()
        arms = sorted(log["template"].unique())
        assert even == round(1 / len(arms), 4) < 1
        assert (log["template_probability"].round(4) == even).all()

        bandit = TemplateBandit()
        [audience] = map(json.loads, log["audience"].unique())
        assert audience[:4] == [10, "settled", "Month-to-month", "warm"]
        for arm in arms:
            outcome = Outcome(Audience.read(audience), arm, arm == arms[0])
            bandit.learn([outcome] * 300)
        (tmp_path / "state").mkdir()
        bandit.save(tmp_path / "state" / STATE)
        artifact = store.put(templates.ASSET, tmp_path / "state")
        store.write_pointer(asset_pointer(templates.ASSET), artifact.model_dump_json().encode())

        def sure() -> bool:
            answer = client.post("/predict", json=SAMPLE_REQUEST).json()
            return bool(answer["metadata"]["template_probability"] != even)

        wait_until(sure)
        texts = Counter(answer["message"] for answer in ask(client))
        assert texts.most_common(1)[0][1] > 0.9 * len(CUSTOMERS)
        switched = {"customers": [SAMPLE_REQUEST | {"force_baseline": True}]}
        [row] = client.post("/predict/batch", json=switched).json()["results"]
        assert "template_probability" not in row["answer"]["metadata"]


def test_the_built_in_sample_is_answered_without_a_draw(client: httpx.Client) -> None:
    """Nobody asked for an experiment with IBM's customers."""
    metadata = client.post("/predict", json=SAMPLE_REQUEST).json()["metadata"]
    assert "template_probability" not in metadata
    assert metadata["language"] == {"name": "en", "source": "settings"}


def test_a_language_is_a_tag(client: httpx.Client) -> None:
    """Anything else is refused by name, not written to in English."""
    body = SAMPLE_REQUEST | {"language": "in Spanish, please"}
    refused = client.post("/predict", json=body)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", "language"]
