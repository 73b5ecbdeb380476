"""With `live_generation` a language model writes while the customer's request waits."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from churn_assets.messages.config import BaseModelConfig, LoraSettings, MessagesConfig
from churn_assets.messages.corpus.prompts import random_situation
from churn_assets.messages.models import base_model
from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.api.conftest import publish_small_release
from tests.api.server import running
from tests.release.small_release import BANK_TEMPLATE

LEARNT = "Hello {name}, after {tenure} with us you have earned {offer} off for {months}. Thank you."
SMALL = BaseModelConfig(
    vocabulary=400, hidden_size=32, projection=16, feed_forward=64, layers=2, heads=2, steps=400
)


def train_parrot(root: Path) -> Path:
    """A model folder as `copy_for_live` leaves it; the model has learnt one single message."""
    # torch and its like are imported here: the server under test must do without them till asked.
    from safetensors.torch import save_file

    from churn_assets.messages.models.language_model import (
        RewardHead,
        head_width,
        load_base,
        with_new_adapter,
    )

    rng = random.Random(0)
    prompts = [random_situation(rng).prompt for _ in range(64)]
    good = [{"prompt": prompt, "response": LEARNT} for prompt in prompts]
    flawed = [{"prompt": prompt, "rejected": "Bye.", "flaw": "cold"} for prompt in prompts]
    inputs = {}
    for name, rows in {"retention_messages": good, "retention_preferences": flawed}.items():
        inputs[name] = root / name
        inputs[name].mkdir()
        for split in ("train", "test"):
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (inputs[name] / f"{split}.jsonl").write_text(lines)
    live = root / "live"
    for part in ("base", "ppo", "reward"):
        (live / part).mkdir(parents=True)
    base_model.run(inputs, live / "base", MessagesConfig(threads=1, base=SMALL))
    for part, adapter in (("ppo", "policy"), ("reward", "reward")):
        model, _ = load_base(live / "base", eight_bit=False)
        adapted = with_new_adapter(model, LoraSettings(), adapter)
        adapted.save_pretrained(str(live / part))
    head = RewardHead(head_width(adapted)).state_dict()
    save_file(head, live / "reward" / "reward_head.safetensors")
    return live


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A real server whose release brings a language model along."""
    home = tmp_path_factory.mktemp("home")
    live = train_parrot(tmp_path_factory.mktemp("parrot"))
    publish_small_release(home, tmp_path_factory.mktemp("release"), live=live)
    with running(home) as server, httpx.Client(base_url=server.url, timeout=60) as session:
        yield session


def answer(client: httpx.Client, **changes: object) -> dict[str, Any]:
    response = client.post("/predict", json={**SAMPLE_REQUEST, **changes})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_the_model_writes_and_slots_are_filled(client: httpx.Client) -> None:
    """What the model wrote is served, with the customer's values, and passes the shield."""
    found = answer(client, time_zone="UTC")
    assert found["metadata"]["message_source"] == "model"
    offer = found["decision"]["offer_percentage"]
    filled = {"{name}": "Sam", "{tenure}": "12 months", "{offer}": f"{offer}%"}
    expected = LEARNT.replace("{months}", "12 months")
    for slot, value in filled.items():
        expected = expected.replace(slot, value)
    assert found["message"] == expected


def test_the_same_request_gives_the_same_message(client: httpx.Client) -> None:
    """The seed is the customer and the release, not the clock."""
    assert answer(client)["message"] == answer(client)["message"]


def test_the_kill_switch_silences_the_model(client: httpx.Client) -> None:
    """Rules and reviewed templates only: nothing that was learnt speaks."""
    found = answer(client, force_baseline=True)
    assert found["metadata"]["message_source"] in ("template", None)
    assert "you have earned" not in str(found["message"])


def test_batches_are_written_from_the_bank(client: httpx.Client) -> None:
    """A thousand generations would keep a caller waiting for minutes."""
    response = client.post("/predict/batch", json={"customers": [SAMPLE_REQUEST] * 3})
    beginning = BANK_TEMPLATE.partition(",")[0].replace("{name}", "Sam")
    messages = [row["answer"]["message"] for row in response.json()["results"]]
    assert all(message.startswith(beginning) for message in messages)
