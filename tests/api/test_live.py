"""With `live_generation` a language model writes while the customer's request waits; where it
can't, the message bank does, and the answer, /readyz and the log say why."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from churn_assets.decision.rules.families import PricedGreedy
from churn_assets.messages.config import BaseModelConfig, LoraSettings, MessagesConfig
from churn_assets.messages.corpus.prompts import random_situation
from churn_assets.messages.models import base_model
from churn_assets.release.bundle import Manifest
from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.api.conftest import publish_small_release
from tests.api.server import Server, running, zone_where_it_is_noon
from tests.release.small_release import BANK_TEMPLATE, reseal

BEGINNING = BANK_TEMPLATE.partition(",")[0].replace("{name}", "Sam")
LEARNT = "Hello {name}, after {tenure} with us you have earned {offer} off for {months}. Thank you."
SMALL = BaseModelConfig(
    vocabulary=400, hidden_size=32, projection=16, feed_forward=64, layers=2, heads=2, steps=400
)


def train_parrot(root: Path) -> Path:
    """A model folder as `copy_for_live` leaves it; the model has learnt one single message."""
    # torch and its like are imported here: the server under test must do without them till asked.
    from safetensors.torch import save_file

    from churn_assets.messages.models.language_model import (
        head_width,
        load_base,
        with_new_adapter,
    )
    from churn_assets.messages.models.scoring import RewardHead

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
def parrot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_parrot(tmp_path_factory.mktemp("parrot"))


@contextmanager
def asked(home: Path, **environment: str) -> Iterator[tuple[httpx.Client, Server]]:
    """A real server and somebody who asks it."""
    with (
        running(home, **environment) as server,
        httpx.Client(base_url=server.url, timeout=60) as session,
    ):
        yield session, server


@pytest.fixture(scope="module")
def live(
    tmp_path_factory: pytest.TempPathFactory, parrot: Path
) -> Iterator[tuple[httpx.Client, Server]]:
    """A real server whose release brings a language model along."""
    home, release = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("release")
    publish_small_release(home, release, live=parrot, policy=PricedGreedy())
    with asked(home) as served:
        yield served


@pytest.fixture
def client(live: tuple[httpx.Client, Server]) -> httpx.Client:
    return live[0]


def answer(client: httpx.Client, **changes: object) -> dict[str, Any]:
    """Where it is noon: in quiet hours no message passes."""
    asked_for = {**SAMPLE_REQUEST, "time_zone": zone_where_it_is_noon(), **changes}
    response = client.post("/predict", json=asked_for)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_the_model_writes_and_slots_are_filled(client: httpx.Client) -> None:
    """What the model wrote is served, with the customer's values, and passes the shield."""
    found = answer(client)
    assert found["metadata"]["message_source"] == "model"
    assert "not_generated" not in found["metadata"]
    offer = found["decision"]["offer_percentage"]
    filled = {"{name}": "Sam", "{tenure}": "12 months", "{offer}": f"{offer}%"}
    expected = LEARNT.replace("{months}", "12 months")
    for slot, value in filled.items():
        expected = expected.replace(slot, value)
    assert found["message"] == expected


def test_the_same_request_gives_the_same_message(client: httpx.Client) -> None:
    """The seed is the customer and the release, not the clock."""
    assert answer(client)["message"] == answer(client)["message"]


def test_the_libraries_print_nothing_of_their_own(live: tuple[httpx.Client, Server]) -> None:
    """The log is the service's: no bar that fills while weights are read, no name that a library
    should call by another, no kernel that it does without."""
    client, server = live
    assert answer(client)["metadata"]["message_source"] == "model"
    said = server.log.read_text()
    assert "weights" not in said
    assert "Warning" not in said
    assert "kernels" not in said


def test_the_kill_switch_silences_the_model(client: httpx.Client) -> None:
    """Rules and reviewed templates only: nothing that was learnt speaks."""
    found = answer(client, force_baseline=True)
    assert found["metadata"]["message_source"] in ("template", None)
    assert "you have earned" not in str(found["message"])


def test_batches_are_written_from_the_bank(client: httpx.Client) -> None:
    """A thousand generations would keep a caller waiting for minutes."""
    response = client.post("/predict/batch", json={"customers": [SAMPLE_REQUEST] * 3})
    messages = [row["answer"]["message"] for row in response.json()["results"]]
    assert all(message.startswith(BEGINNING) for message in messages)


def test_a_message_that_does_not_pass_is_replaced_by_the_banks(client: httpx.Client) -> None:
    """What the model has learnt promises a discount, which a customer without one must not read."""
    found = answer(client, budget_remaining=0.0)
    assert found["decision"]["offer_percentage"] == 0
    assert (found["message"] is not None, found["safety"]["passed"]) == (True, True)
    assert found["metadata"]["message_source"] == "template", "the bank has none for this offer"
    assert found["metadata"]["not_generated"] == "nothing that it wrote passes the shield"


def test_nobody_reads_english_because_the_model_writes_nothing_else(client: httpx.Client) -> None:
    """The reviewed templates of the customer's own language stand in."""
    found = answer(client, language="es")
    assert found["message"].startswith("Hola")
    assert found["metadata"]["not_generated"] == "it writes English only"


def stand_ins(client: httpx.Client) -> dict[str, str]:
    found: dict[str, str] = client.get("/readyz").json()["stand_ins"]
    return found


def from_bank(found: dict[str, Any]) -> bool:
    return str(found["message"]).startswith(BEGINNING) and found["safety"]["passed"]


def test_without_torch_the_bank_writes(tmp_path: Path, parrot: Path) -> None:
    """A machine without the packages serves everything else of the release."""
    home, packages = tmp_path / "home", tmp_path / "packages"
    packages.mkdir()
    (packages / "torch.py").write_text("raise ImportError('no such driver')")
    publish_small_release(home, tmp_path / "release", live=parrot)
    path = os.pathsep.join([str(packages), os.environ.get("PYTHONPATH", "")])
    with asked(home, PYTHONPATH=path) as (client, server):
        found, said = answer(client), stand_ins(client)
        log = server.log.read_text()
    assert from_bank(found)
    assert "packages can't be imported here" in found["metadata"]["not_generated"]
    assert said == {"live_generation": f"the message bank: {found['metadata']['not_generated']}"}
    assert "needs torch, transformers and peft: install them" in log
    assert "no such driver" in log


def test_a_model_that_cannot_be_loaded_takes_nothing_else_down(
    tmp_path: Path, parrot: Path
) -> None:
    """Its files are as they were released, but these libraries can't read them."""
    home, broken = tmp_path / "home", tmp_path / "broken"
    shutil.copytree(parrot, broken)
    (broken / "base/model.safetensors").write_bytes(b"no weights")
    publish_small_release(home, tmp_path / "release", live=broken)
    with asked(home) as (client, _):
        found, said = answer(client), stand_ins(client)
    assert from_bank(found)
    assert "it can't be loaded here" in found["metadata"]["not_generated"]
    assert said == {"live_generation": f"the message bank: {found['metadata']['not_generated']}"}


def within(seconds: float) -> Callable[[Path], Manifest]:
    return lambda bundle: reseal(bundle, live=True, live_seconds=seconds)


def test_who_would_wait_too_long_gets_the_banks_message(tmp_path: Path, parrot: Path) -> None:
    """No machine writes within a nanosecond: all are answered, four of them at once."""
    home = tmp_path / "home"
    publish_small_release(home, tmp_path / "release", live=parrot, change=within(1e-9))
    with asked(home) as (client, _), ThreadPoolExecutor(4) as callers:
        ids = [f"C{number}" for number in range(8)]
        answers = list(callers.map(lambda name: answer(client, customer_id=name), ids))
        said = stand_ins(client)
        forced = answer(client, force_baseline=True)
    assert all(map(from_bank, answers))
    told = {found["metadata"]["not_generated"] for found in answers}
    assert told == {"it took longer than 1e-09 s"}
    assert said == {}, "the model itself is sound"
    assert "not_generated" not in forced["metadata"], "nobody asked it"
