"""The kill switch: in the store, by setting, by environment; and when it can't be read."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from api.main import build_app
from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.writing.bank import Author, ScoredTemplate
from churn_assets.release.bundle import ReleaseError
from churn_assets.release.switches import kill_switch
from churn_assets.serving.answers.generation import LiveWriter
from churn_assets.serving.live.hosting import EngineHost
from churn_assets.serving.live.version_watcher import Version
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.settings import Settings
from tests.api.conftest import Unreachable, publish_small_release
from tests.api.server import HERE, running


@pytest.mark.parametrize(
    ("content", "on"),
    [
        (b"on", True),
        (b"incident 42", True),
        (b"", True),
        (b"\n", True),
        (b"off", False),
        (b"off\n", False),
        (b" OFF", False),
        (b"0", False),
        (b"false", False),
    ],
)
def test_kill_switch_in_the_store(host: EngineHost, content: bytes, on: bool) -> None:
    """Anything but an explicit "off" switches to the baseline: who is in a hurry can't get it
    wrong. `touch` made an empty file, which counted as off."""
    host.store.write_pointer(kill_switch.POINTER, content)
    host.refresh()
    assert host.switched_off is on


def test_switch_works_while_everything_else_is_busy(host: EngineHost) -> None:
    """An emergency is no time to queue: a load that never ends and a default executor whose only
    thread is taken don't keep the switch from being seen."""
    freed = threading.Event()

    def endless() -> Version:
        freed.wait(60)
        raise ReleaseError("there is no release yet")

    async def throw_and_wait() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        blocked = loop.run_in_executor(None, freed.wait, 60)
        follower = asyncio.create_task(host.follow(0.02))
        await asyncio.sleep(0.1)
        assert not host.switched_off
        kill_switch.set_switch(host.store, on=True)
        async with asyncio.timeout(20):
            while not host.switched_off:
                await asyncio.sleep(0.02)
        assert not blocked.done()
        follower.cancel()
        freed.set()
        await blocked

    host.releases.find = endless
    asyncio.run(throw_and_wait())


class Unasked:
    """A language model that nobody may ask."""

    author: Author = "model"

    def candidates(self, brief: MessageBrief, seed: str, until: float) -> list[ScoredTemplate]:
        raise AssertionError("the switch was thrown")


def test_switch_overtakes_a_queue_for_the_language_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for the language model while the switch is thrown gets a reviewed template."""
    home = tmp_path / "home"
    publish_small_release(home, tmp_path / "a")
    freed = threading.Event()
    app = build_app(Settings(home=home))
    host: EngineHost = app.state.services.host
    with (
        TestClient(app, base_url="http://localhost", client=HERE) as client,
        ThreadPoolExecutor(1) as caller,
    ):
        assert host.engine is not None
        host.engine.live_writer = LiveWriter(host.engine.writer, Unasked())
        thread = app.state.services.live_thread
        thread.submit(freed.wait, 60)
        queued, submit = threading.Event(), thread.submit
        monkeypatch.setattr(thread, "submit", lambda *task: (queued.set(), submit(*task))[1])
        waiting = caller.submit(client.post, "/predict", json=SAMPLE_REQUEST)
        assert queued.wait(60)
        kill_switch.set_switch(host.store, on=True)
        while not host.switched_off:
            time.sleep(0.02)
        assert not waiting.done()
        freed.set()
        metadata = waiting.result(60).json()["metadata"]
    assert (metadata["baseline"], metadata["message_source"]) == (True, "template")


def test_a_switch_that_cannot_be_read_counts_as_on(host: EngineHost) -> None:
    """Who can't see whether somebody threw it in an incident must not use the learned policy, from
    the first look on."""
    store = host.store
    host.store = Unreachable()
    host.look_at_switch()
    assert host.switched_off
    assert "counts as on: read_pointer: no route to host" in (host.switch_problem or "")
    host.store = store
    host.look_at_switch()
    assert not host.switched_off
    assert host.switch_problem is None
    kill_switch.set_switch(store, on=True)
    host.store = Unreachable()
    host.look_at_switch()
    assert host.switched_off


@pytest.mark.parametrize(
    "variables", [{"FORCE_BASELINE": "1"}, {"CHURN_API__FORCE_BASELINE": "true"}]
)
def test_force_baseline_by_environment(tmp_path: Path, variables: dict[str, str]) -> None:
    """The specification's variable, verbatim, and the setting."""
    publish_small_release(tmp_path / "home", tmp_path / "a")
    with running(tmp_path / "home", **variables) as server:
        metadata = httpx.post(server.url + "/predict", json=SAMPLE_REQUEST).json()["metadata"]
    assert metadata["baseline"] is True
    assert metadata["policy"] == "priced_greedy"
