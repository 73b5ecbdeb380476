"""Keys, rates, headers and logs of the real server, and their rules in process."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.main import build_app
from api.security import Keyring, RateLimiter
from churn_assets.domain.plain_errors import WrongSettingError
from churn_assets.serving.config import ApiConfig, parse_key_line
from churn_assets.serving.schemas import SAMPLE_REQUEST
from churn_assets.settings import Settings
from tests.api.conftest import publish_small_release
from tests.api.server import Server, running


def line(name: str, key: str) -> str:
    return f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"


def owner(ring: Keyring, key: str) -> str | None:
    """The name of a key that the ring takes."""
    found = ring.find(key)
    return None if found is None else found.name


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two keys; a spent burst stays spent, however slowly the tests run."""
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("workspace"))
    keys = json.dumps([line("web", "first-key"), line("nightly", "second-key")])
    with running(
        home,
        CHURN_API__KEY_HASHES=keys,
        CHURN_API__REQUESTS_PER_SECOND="0.001",
        CHURN_API__BURST="20",
        CHURN_API__CORS_ORIGINS='["https://desk.example"]',
    ) as server:
        yield server


PROTECTED = ["/release", "/customers", "/customers/C1", "/campaign", "/metrics", "/openapi.json"]


@pytest.mark.parametrize("path", PROTECTED)
def test_every_route_with_data_needs_a_key(guarded: Server, path: str) -> None:
    """Without a key, or with a wrong one, nothing is said but 401 in the usual shape."""
    wrong = {"x-api-key": "wrong", "authorization": "Bearer wrong"}
    no_bearer = {"x-api-key": "", "authorization": "Basic first-key"}
    for headers in ({}, {"x-api-key": "wrong"}, {"x-api-key": ""}, wrong, no_bearer):
        answer = httpx.get(guarded.url + path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["detail"][0]["type"] == "unauthorized"


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/feedback"])
def test_every_writing_route_needs_a_key(guarded: Server, path: str) -> None:
    """The key is asked for before the body is judged: strangers learn nothing about it."""
    assert httpx.post(guarded.url + path, json={}).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/"])
def test_health_and_page_are_public(guarded: Server, path: str) -> None:
    """A load balancer has no key, and the page asks its user for one."""
    assert httpx.get(guarded.url + path).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": "first-key"},
        {"x-api-key": "second-key"},
        {"authorization": "Bearer first-key"},
        {"x-api-key": "wrong", "authorization": "Bearer first-key"},
        {"x-api-key": "first-key", "authorization": "Bearer wrong"},
        {"authorization": "bearer   first-key"},
    ],
)
def test_each_key_opens(guarded: Server, headers: dict[str, str]) -> None:
    """Several keys hold at once, so that one can be replaced without a gap."""
    answer = httpx.post(guarded.url + "/predict", json=SAMPLE_REQUEST, headers=headers)
    assert answer.status_code == 200


def test_rate_limit_is_per_key(guarded: Server) -> None:
    """One caller's flood is answered 429 with a time to wait; another caller notices nothing."""
    flood = {"x-api-key": "second-key"}
    codes = [httpx.get(guarded.url + "/release", headers=flood).status_code for _ in range(30)]
    assert set(codes) == {200, 429}
    answer = httpx.get(guarded.url + "/release", headers=flood)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    other = httpx.get(guarded.url + "/release", headers={"x-api-key": "first-key"})
    assert other.status_code == 200


def test_logs_hold_nothing_personal(guarded: Server) -> None:
    """Names, messages, bodies and keys never reach a log line; the request id always does."""
    person = {**SAMPLE_REQUEST, "name": "Wilhelmina", "customer_id": "SECRET-77"}
    headers = {"x-api-key": "first-key", "x-request-id": "trace-me-0001"}
    answer = httpx.post(guarded.url + "/predict", json=person, headers=headers)
    assert answer.headers["x-request-id"] == "trace-me-0001"
    httpx.post(guarded.url + "/predict", json={**person, "tenure": "x"}, headers=headers)
    httpx.get(guarded.url + "/customers/SECRET-77?name=Wilhelmina", headers=headers)
    deadline = time.monotonic() + 60
    while (text := guarded.log.read_text()).count("trace-me-0001") < 3:  # after each answer
        assert time.monotonic() < deadline, text
        time.sleep(0.05)
    for secret in ("Wilhelmina", "first-key", "SECRET-77", answer.json()["message"] or "@@"):
        assert secret not in text
    lines = [json.loads(entry) for entry in text.splitlines() if entry.startswith("{")]
    traced = [entry for entry in lines if entry["request_id"] == "trace-me-0001"]
    assert [entry["status"] for entry in traced] == [200, 422, 503]
    assert all("request_id" in entry for entry in lines)


def test_hostile_request_id_is_replaced(guarded: Server) -> None:
    """A caller's id goes into logs and headers only if it is harmless."""
    headers = {"x-request-id": 'x" injected="1'}
    answer = httpx.get(guarded.url + "/healthz", headers=headers)
    assert "injected" not in answer.headers["x-request-id"]


def test_security_headers_are_on_every_answer(guarded: Server) -> None:
    """Also on errors: no sniffing, no framing, no foreign scripts, no caching of personal data."""
    for path in ("/", "/healthz", "/release", "/nothing-here"):
        headers = httpx.get(guarded.url + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


def test_cors_is_closed_but_for_listed_origins(guarded: Server, client: httpx.Client) -> None:
    """A browser page elsewhere can't read answers unless its origin was listed."""
    listed, other = "https://desk.example", "https://evil.example"
    allowed = "access-control-allow-origin"
    exposed = httpx.get(guarded.url + "/healthz", headers={"origin": listed}).headers
    assert exposed["access-control-expose-headers"] == "x-request-id, retry-after"
    assert (
        httpx.get(guarded.url + "/healthz", headers={"origin": listed}).headers[allowed] == listed
    )
    assert allowed not in httpx.get(guarded.url + "/healthz", headers={"origin": other}).headers
    assert allowed not in client.get("/healthz", headers={"origin": listed}).headers


def test_production_refuses_to_start_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten key must be noticed at the start, not by a stranger."""
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if "CHURN" not in k})
    with pytest.raises(WrongSettingError, match="needs an API key"):
        build_app(Settings(profile="production", home=tmp_path))
    config = ApiConfig(key_hashes=(line("web", "k"),))
    build_app(Settings(profile="production", home=tmp_path, api=config))


def test_key_file_is_followed_without_a_restart(tmp_path: Path) -> None:
    """A mounted secret changes: the old key closes, the new one opens; rubbish changes nothing."""
    file = tmp_path / "keys"
    file.write_text(line("old", "old-key"))
    ring = Keyring(ApiConfig(key_file=file))
    assert owner(ring, "old-key") == "old"
    file.write_text(line("new", "new-key"))
    os.utime(file, ns=(1, 1))
    assert owner(ring, "old-key") is None
    assert owner(ring, "new-key") == "new"
    file.write_text("rubbish")
    os.utime(file, ns=(2, 2))
    assert owner(ring, "new-key") == "new"
    file.unlink()
    assert owner(ring, "new-key") == "new"


def test_malformed_key_line_is_refused_without_repeating_it() -> None:
    """Somebody may have pasted the key itself where its hash belongs."""
    with pytest.raises(ValueError, match="name:sha256") as caught:
        parse_key_line("web:my-secret-key")
    assert "my-secret-key" not in str(caught.value)


def test_a_key_in_place_of_its_hash_is_not_printed(tmp_path: Path) -> None:
    """Whoever pastes it there must not find it in the log of the failed start."""
    environment = {**os.environ, "CHURN_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "api", "--port", "0"]
    for given in ('["my-raw-secret"]', '["web:my-raw-secret"]', '{"web": "my-raw-secret"}'):
        environment["CHURN_API__KEY_HASHES"] = given
        start = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        assert start.returncode != 0
        assert "key_hashes" in start.stderr.lower()
        assert "my-raw-secret" not in start.stderr + start.stdout


def test_keys_are_not_handed_on() -> None:
    """A release's manifest records the settings and goes wherever the release goes."""
    config = ApiConfig(key_hashes=(line("web", "k"),), key_file=Path("/run/secrets/keys"))
    recorded = Settings(api=config).recorded()
    assert recorded["api"]["default_time_zone"] == config.default_time_zone
    assert not {"key_hashes", "key_file"} & recorded["api"].keys()
    assert line("web", "k").partition(":")[2] not in json.dumps(recorded)


def test_the_empty_key_opens_nothing(tmp_path: Path) -> None:
    """`printf "$KEY" | sha256sum` with KEY unset gives a valid digest; every caller without a key
    would match it."""
    with pytest.raises(ValueError, match="'web' is that of an empty key"):
        ApiConfig(key_hashes=(line("web", ""),))
    file = tmp_path / "keys"
    file.write_text(line("web", ""))
    with pytest.raises(ValueError, match="empty key"):
        Keyring(ApiConfig(key_file=file))
    assert owner(Keyring(ApiConfig(key_hashes=(line("web", "k"),))), "") is None


def test_lost_key_file_is_complained_about_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line for every request would bury the log and fill the disk."""
    complaints: list[object] = []
    monkeypatch.setattr("api.security.log.error", lambda *args: complaints.append(args))
    file = tmp_path / "keys"
    file.write_text(line("web", "k"))
    ring = Keyring(ApiConfig(key_file=file))
    file.unlink()
    assert {owner(ring, "k") for _ in range(5)} == {"web"}
    assert len(complaints) == 1
    file.write_text("rubbish")
    assert {owner(ring, "k") for _ in range(5)} == {"web"}
    assert len(complaints) == 2
    file.write_text(line("web", "other"))
    os.utime(file, ns=(3, 3))
    assert owner(ring, "k") is None
    assert len(complaints) == 2


def test_new_key_fits_its_line() -> None:
    """What the key maker prints is what the keyring takes."""
    command = [sys.executable, "-m", "api.security", "web"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    key, configured = (entry.rpartition(": ")[2] for entry in output.splitlines())
    assert owner(Keyring(ApiConfig(key_hashes=(configured,))), key) == "web"


def test_bucket_refills_at_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Burst at once, then the rate: the closed form of a token bucket."""
    now = 100.0
    monkeypatch.setattr("api.security.time.monotonic", lambda: now)
    limiter = RateLimiter(rate=2.0, burst=3)
    assert [limiter.wait_of("a") for _ in range(4)] == [0, 0, 0, 0.5]
    now = 100.5
    assert [limiter.wait_of("a") for _ in range(2)] == [0, 0.5]
    assert limiter.wait_of("b") == 0
    assert RateLimiter(rate=0, burst=1).wait_of("a") == 0
