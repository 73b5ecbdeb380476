"""A run that fails by night is told to a person, by a line that gives nobody away."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from churn_assets import automation
from churn_assets.orchestration.failed_runs import without_values
from churn_assets.release.config import AlertsConfig


class Webhook(ThreadingHTTPServer):
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Posted)
        self.told: list[str] = []


class Posted(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Webhook)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append(body["text"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@dg.asset
def table() -> int:
    return 1


@dg.asset_check(asset=table, blocking=True)
def is_sound() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, description="3 rows of eva@example.com are torn\nand")


@dg.asset_check(asset=table, blocking=False)
def is_pretty() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, description="it isn't")


@dg.op
def deliver() -> None:
    raise dg.Failure("CHURN_CAMPAIGN__DELIVER_TO is not set", allow_retries=False)


@dg.job
def deliver_campaign() -> None:
    deliver()


@dg.job
def quiet() -> None:
    pass


class Night:
    """Ticks of the sensor, as a daemon makes them, with this webhook."""

    def __init__(self, instance: dg.DagsterInstance, webhook: Webhook) -> None:
        self.instance, self.cursor = instance, None
        address = f"http://127.0.0.1:{webhook.server_port}/hush"
        self.resources = {"alerts_config": AlertsConfig(webhook=SecretStr(address))}
        self.definitions = dg.Definitions(
            assets=[table],
            asset_checks=[is_sound, is_pretty],
            jobs=[dg.define_asset_job("score_customers"), deliver_campaign, quiet],
        )
        self.tick()

    def tick(self) -> None:
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            definitions=self.definitions,
            resources=self.resources,
        ) as context:
            told: Any = automation.run_failed.evaluate_tick(context)
            self.cursor = told.cursor

    def run(self, job: str) -> str:
        found = self.definitions.resolve_job_def(job)
        return found.execute_in_process(instance=self.instance, raise_on_error=False).run_id


def test_a_failed_run_is_told_once_in_a_line(webhook: Webhook) -> None:
    """Which job, at which step, why, and where to look; of a run that did its work nothing."""
    with dg.DagsterInstance.ephemeral() as instance:
        night = Night(instance, webhook)
        night.run("quiet")
        night.tick()
        assert webhook.told == []
        run = night.run("deliver_campaign")
        night.tick()
        night.tick()
    assert webhook.told == [
        "a run of deliver_campaign failed at the step deliver: CHURN_CAMPAIGN__DELIVER_TO is not "
        f"set; see `churn report`, and run {run} in the Dagster UI (`churn dev`)"
    ]


def test_a_blocking_check_is_told_by_its_name(webhook: Webhook) -> None:
    """Not by the error of its step; one that blocks nothing has nothing to do with it."""
    with dg.DagsterInstance.ephemeral() as instance:
        night = Night(instance, webhook)
        night.run("score_customers")
        night.tick()
    [told] = webhook.told
    assert told.startswith(
        "a run of score_customers failed at the check table: is_sound: 3 rows of … are torn; see"
    )


@pytest.mark.parametrize(
    "secret",
    [
        "eva@example.com",
        "postgresql://eva:hush@db/x",
        "'Eva O'Hara'",
        "7590-VHVEG",
        "+49 170 555 12",
    ],
)
def test_the_line_has_no_personal_data(secret: str) -> None:
    """An error may name a cell, a customer or an address with its password."""
    assert without_values(f"\ncan't read {secret} here\nTraceback") == "can't read … here"
