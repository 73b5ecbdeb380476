"""What a key is for, and whom a service without one answers; of the real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from api.main import build_app
from api.security import Keyring, admitted_hosts
from churn_assets.domain.plain_errors import WrongSettingError
from churn_assets.serving.config import SCOPES, ApiConfig, parse_key_line
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.settings import Settings
from tests.api.conftest import publish_small_release
from tests.api.server import Server, running
from tests.api.test_security import line

EVERYWHERE = "0.0.0.0"  # noqa: S104 (which is to be refused)
ROUTES = {
    "decide": [("POST", "/predict"), ("POST", "/predict/batch")],
    "feedback": [("POST", "/feedback")],
    "customers": [("GET", "/customers"), ("GET", "/customers/C1"), ("GET", "/campaign")],
    "campaign": [
        ("GET", "/campaign/plan"),
        ("GET", "/campaign/plan/list"),
        ("POST", "/campaign/plan/approve"),
        ("POST", "/campaign/plan/handed-over"),
    ],
    "watch": [("GET", "/release"), ("GET", "/results"), ("GET", "/metrics")],
}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a key for each kind of thing, one for two of them, and one for all."""
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    lines = [f"{line(scope, scope)}:{scope}" for scope in SCOPES]
    lines += [f"{line('shop', 'shop')}:decide+feedback", line("ana", "ana")]
    with running(home, CHURN_API__KEY_HASHES=",".join(lines)) as server:
        yield server


def status(server: Server, method: str, path: str, key: str) -> int:
    headers = {"x-api-key": key}
    body = {} if method == "POST" else None
    return httpx.request(method, server.url + path, json=body, headers=headers).status_code


def test_a_shop_s_key_decides_and_approves_nothing(keyed: Server) -> None:
    """What leaks from a shop's back end lists no customer and sends nobody anything; the refusal
    says what the key is for."""
    headers = {"x-api-key": "shop"}
    answer = httpx.post(keyed.url + "/predict", json=SAMPLE_REQUEST, headers=headers)
    assert answer.status_code == 200
    refused = httpx.post(keyed.url + "/campaign/plan/approve", json={}, headers=headers)
    assert refused.status_code == 403
    [said] = refused.json()["detail"]
    assert said["type"] == "forbidden"
    assert said["msg"] == "the API key shop is for decide, feedback; this takes one for campaign"


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_opens_its_own_routes_only(keyed: Server, scope: str) -> None:
    """And one without a third part opens all of them."""
    for behind, routes in ROUTES.items():
        for method, path in routes:
            assert (status(keyed, method, path, scope) == 403) is (behind != scope), path
            assert status(keyed, method, path, "ana") not in (401, 403), path


@pytest.mark.parametrize("key", [*SCOPES, "shop", "ana"])
def test_the_document_says_what_takes_a_key(keyed: Server, key: str) -> None:
    """Whoever integrates reads it first, with whatever key: all but health, and the refusals."""
    document = httpx.get(keyed.url + "/openapi.json", headers={"x-api-key": key}).json()
    gated = {
        path: operation["responses"].keys()
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if operation.get("security") == [{"Gate": []}]
    }
    assert document["paths"].keys() - gated.keys() == {"/healthz", "/readyz"}
    assert all({"401", "403", "429"} <= statuses for statuses in gated.values())
    assert list(document["components"]["securitySchemes"]) == ["Gate"]


@pytest.mark.parametrize("may", ["decide+aprove", "", "decide,feedback"])
def test_what_no_key_can_be_for_is_refused(may: str) -> None:
    """At the start, in one line that doesn't repeat what somebody may have pasted."""
    with pytest.raises(ValueError, match=r"'web' is for something that there isn't") as caught:
        parse_key_line(f"{line('web', 'k')}:{may}")
    assert "aprove" not in str(caught.value)
    assert "decide+feedback+customers+campaign+watch" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_key_maker_makes_narrow_keys() -> None:
    """Its line is one that the keyring takes; what a key can't be for makes none."""
    command = [sys.executable, "-m", "api.security", "shop", "--may"]
    output = subprocess.run([*command, "decide"], capture_output=True, text=True, check=True).stdout
    key, configured = (entry.rpartition(": ")[2] for entry in output.splitlines())
    found = Keyring(ApiConfig(key_hashes=(configured,))).find(key)
    assert found is not None
    assert (found.name, found.may) == ("shop", {"decide"})
    refused = subprocess.run([*command, "fly"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert "there isn't" in refused.stderr


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.7", "desk.example"])
def test_without_a_key_the_network_is_refused(tmp_path: Path, host: str) -> None:
    """Everybody there could read customers and approve campaigns; one setting allows it."""
    api = ApiConfig(host=host)
    with pytest.raises(WrongSettingError, match=f"everybody who reaches {host} could read") as said:
        build_app(Settings(home=tmp_path, api=api))
    assert "CHURN_API__OPEN_TO_NETWORK=true" in str(said.value)
    assert len(str(said.value).splitlines()) == 1
    keys = (line("web", "k"),)
    build_app(Settings(home=tmp_path, api=api.model_copy(update={"key_hashes": keys})))
    build_app(Settings(home=tmp_path, api=api.model_copy(update={"open_to_network": True})))


@pytest.mark.parametrize("given", [("--host", EVERYWHERE), ()])
def test_the_server_ends_with_one_line(tmp_path: Path, given: tuple[str, ...]) -> None:
    """Whether the address is an argument or a setting, and with workers, too."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CHURN_")}
    environment |= {"CHURN_HOME": str(tmp_path)}
    if not given:
        environment["CHURN_API"] = json.dumps({"host": EVERYWHERE})
    done = subprocess.run(
        [sys.executable, "-m", "api", "--port", "0", "--workers", "2", *given],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    [said] = done.stderr.splitlines()
    assert said.startswith("without an API key everybody who reaches 0.0.0.0 could")


def asked_as(server: Server, host: str, path: str = "/release") -> int:
    return httpx.get(server.url + path, headers={"host": host}).status_code


def test_without_a_key_a_foreign_name_is_misdirected(server: Server) -> None:
    """A page whose own name has been made to lead here gets nothing, health and page included."""
    port = httpx.URL(server.url).port
    for host in ("localhost", f"localhost:{port}", f"LOCALHOST:{port}", "[::1]:80", "127.0.0.1"):
        assert asked_as(server, host) == 200, host
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "localhost.evil.example",
        "127.0.0.1x",
        "",
    ):
        for path in ("/release", "/healthz", "/"):
            assert asked_as(server, host, path) == 421, host
    answer = httpx.post(
        server.url + "/predict", json=SAMPLE_REQUEST, headers={"host": "evil.example"}
    )
    assert answer.status_code == 421
    [said] = answer.json()["detail"]
    assert (said["type"], said["loc"]) == ("misdirected", ["header", "host"])


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_without_a_key_nobody_is_answered_through_a_proxy(server: Server, header: str) -> None:
    """Why: a proxy here may call us by our own name, and everybody behind it was answered."""
    for path in ("/release", "/healthz", "/"):
        answer = httpx.get(server.url + path, headers={header: "for=192.0.2.60"})
        assert answer.status_code == 421
    [said] = httpx.post(
        server.url + "/predict", json=SAMPLE_REQUEST, headers={header: "127.0.0.1"}
    ).json()["detail"]
    assert (said["type"], said["loc"]) == ("misdirected", ["header", header])
    assert "nobody through a proxy: configure a key" in said["msg"]


@pytest.mark.parametrize(
    ("caller", "status"),
    [("127.0.0.1", 200), ("127.0.0.9", 200), ("::1", 200), ("192.168.1.7", 421), ("fe80::7", 421)],
)
@pytest.mark.parametrize("opened", [False, True])
def test_without_a_key_another_machine_is_refused(
    tmp_path: Path, caller: str, status: int, opened: bool
) -> None:
    """A server that isn't ours may listen where others reach it, and a `Host` is what they say."""
    app = build_app(Settings(home=tmp_path, api=ApiConfig(open_to_network=opened)))
    client = TestClient(app, base_url="http://localhost", client=(caller, 50_000))
    assert client.get("/healthz").status_code == (200 if opened else status)


def test_with_a_key_any_name_is_ours(keyed: Server) -> None:
    """Behind a proxy, or on Modal, the service has names that it doesn't know of."""
    assert asked_as(keyed, "desk.example") == 401
    assert asked_as(keyed, "desk.example", "/healthz") == 200
    forwarded = httpx.get(keyed.url + "/healthz", headers={"x-forwarded-for": "192.0.2.60"})
    assert forwarded.status_code == 200


def test_which_names_are_admitted() -> None:
    """Those of this machine and the one that it listens on; all where the settings say so."""
    ring = Keyring(ApiConfig())
    found = admitted_hosts(ring, ApiConfig(host="127.0.0.9"))
    assert found is not None
    assert found.fullmatch(b"127.0.0.9:8000")
    assert not found.fullmatch(b"127.0.0.8:8000")
    assert admitted_hosts(ring, ApiConfig(open_to_network=True)) is None
    keys = ApiConfig(key_hashes=(line("web", "k"),))
    assert admitted_hosts(Keyring(keys), keys) is None
