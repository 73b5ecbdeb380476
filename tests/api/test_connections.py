"""Connections that dawdle, shout or come in crowds, against a real server."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from churn_assets.serving.schemas import SAMPLE_REQUEST
from tests.api.conftest import publish_small_release
from tests.api.server import Server, running
from tests.processes import wait_until

PLACES = 20
CUSTOMERS = 300
HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    publish_small_release(home, tmp_path_factory.mktemp("release"))
    with running(
        home,
        CHURN_API__MAX_CONNECTIONS=str(PLACES),
        CHURN_API__HEADER_SECONDS="1",
        CHURN_API__BODY_SECONDS="1",
        CHURN_API__REQUESTS_PER_SECOND="0",
        CHURN_API__OPEN_TO_NETWORK="true",  # under any name
    ) as server:
        yield server


def connect(server: Server) -> socket.socket:
    url = httpx.URL(server.url)
    return socket.create_connection((url.host, url.port or 80), timeout=30)


def until_closed(connection: socket.socket) -> bytes:
    """What the server says before it closes the connection (it must, or the read times out)."""
    said = b""
    try:
        while part := connection.recv(65_536):
            said += part
    except ConnectionResetError:
        pass
    return said


def send(connection: socket.socket, content: bytes, times: int = 1) -> int:
    """Send until the server hangs up; returns how often it could be sent."""
    for sent in range(times):
        try:
            connection.sendall(content)
        except (BrokenPipeError, ConnectionResetError):
            return sent
    return times


def late(server: Server) -> float:
    """How many connections were closed for being late so far."""
    name = 'churn_connections_closed_total{reason="late"} '
    lines = httpx.get(server.url + "/metrics").text.splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b""),
        (b"\r\n\r\n", b"408"),
        (b"GET /healthz HT", b"408"),
        (HEAD + b"x-slow: ", b"408"),
        (HEAD + b"content-length: 9\r\n\r\n", b"408"),
        (HEAD + b"content-length: 9\r\n\r\n{", b"408"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n{", b"408"),
    ],
)
def test_a_request_that_never_becomes_whole_is_ended(
    guarded: Server, sent: bytes, status: bytes
) -> None:
    """Whether it stops before, in or after its head."""
    with connect(guarded) as connection:
        connection.sendall(sent)
        assert until_closed(connection)[9:12] == status


def test_a_drop_now_and_then_is_no_request(guarded: Server) -> None:
    """The time is for the whole head: one byte a moment doesn't prolong it."""
    with connect(guarded) as connection:
        connection.settimeout(0.05)
        connection.sendall(HEAD + b"x-slow: ")
        said, started = b"", time.monotonic()
        while not said:
            send(connection, b"a")
            try:
                said = connection.recv(65_536)
            except TimeoutError:
                assert time.monotonic() < started + 30
        assert said[9:12] == b"408"


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (HEAD + b"x-large: ", b"a" * 65_536),
        (HEAD, b"x-many: a\r\n" * 6_000),
        (b"GET /", b"a" * 65_536),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nx-trailer: ", b"a" * 65_536),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1;x=", b"a" * 65_536),
    ],
    ids=["one header", "many headers", "path", "trailer", "extension"],
)
def test_a_header_without_end_is_refused(guarded: Server, start: bytes, part: bytes) -> None:
    """200 MB are not kept in memory until they turn out to be too much."""
    with connect(guarded) as connection:
        connection.sendall(start)
        assert send(connection, part, times=3_000) < 1_000  # what the kernel's buffers hold
    assert httpx.get(guarded.url + "/healthz").status_code == 200


@pytest.mark.parametrize("size", [33_000, 60_000])
def test_a_whole_header_that_is_too_large_says_so(guarded: Server, size: int) -> None:
    """431 in the usual shape, also where it comes in one piece."""
    with connect(guarded) as connection:
        connection.sendall(
            b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * size + b"\r\n\r\n"
        )
        said = until_closed(connection)
    assert said.startswith(b"HTTP/1.1 431 ")
    [entry] = json.loads(said.partition(b"\r\n\r\n")[2])["detail"]
    assert entry["type"] == "header_too_large"


def test_headers_of_a_usual_size_pass(guarded: Server) -> None:
    """Cookies and tracing take some kilobytes."""
    answer = httpx.get(guarded.url + "/healthz", headers={f"x-{i}": "a" * 1_000 for i in range(20)})
    assert answer.status_code == 200


def test_silent_crowds_shut_nobody_out(guarded: Server) -> None:
    """Many times as many as there is room for, half-open and kept alive: an honest caller in their
    midst is answered at once, since the longest silent make room."""
    with ExitStack() as crowd:
        for number in range(20 * PLACES):
            connection = crowd.enter_context(connect(guarded))
            send(connection, b"GET /healthz HTTP/1.1\r\n" if number % 2 else b"")
            # Before as many wait to be let in as may: the next would try again after a second.
            if number % (PLACES // 2) == 0:
                assert httpx.get(guarded.url + "/healthz").status_code == 200
        for _ in range(5):
            assert httpx.get(guarded.url + "/healthz").status_code == 200


def ask_for_much(server: Server) -> socket.socket:
    """A caller who has asked for an answer of 600 kB and reads no more than its beginning."""
    url = httpx.URL(server.url)
    connection = socket.socket()
    # So small that the kernel can't take the whole answer in the caller's place.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    connection.settimeout(60)
    connection.connect((url.host, url.port or 80))
    body = json.dumps({"customers": [SAMPLE_REQUEST] * CUSTOMERS}).encode()
    head = HEAD.replace(b"/predict", b"/predict/batch")
    connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
    assert connection.recv(9) == b"HTTP/1.1 "
    return connection


def rest_of_much(connection: socket.socket) -> int:
    """How many of the customers' answers are read."""
    return until_closed(connection).count(b'"index":')


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Server]:
    """One that waits a second for a request, but for ever for who reads."""
    publish_small_release(tmp_path / "home", tmp_path / "release")
    with running(
        tmp_path / "home",
        CHURN_API__MAX_CONNECTIONS=str(PLACES),
        CHURN_API__HEADER_SECONDS="1",
        CHURN_API__BODY_SECONDS="600",
        CHURN_API__REQUESTS_PER_SECOND="0",
    ) as server:
        yield server


def test_reading_an_answer_takes_longer_than_a_request_may(patient: Server) -> None:
    """The time for the next request's head begins once the answer was read; it is closed then."""
    with ask_for_much(patient) as reader:
        for _ in range(2):  # two that came later are late: so would this one be
            with connect(patient) as silent:
                assert until_closed(silent) == b""
        assert rest_of_much(reader) == CUSTOMERS


def test_crowds_cut_off_nobody_who_reads(patient: Server) -> None:
    """Who is silent makes room before those whose answers aren't read yet; where nobody is, the one
    who has been at it for the longest does."""
    with ExitStack() as crowd:
        reader = crowd.enter_context(ask_for_much(patient))
        for _ in range(2 * PLACES):
            crowd.enter_context(connect(patient))
        assert httpx.get(patient.url + "/healthz").status_code == 200
        assert rest_of_much(reader) == CUSTOMERS
        readers = [crowd.enter_context(ask_for_much(patient)) for _ in range(PLACES)]
        assert httpx.get(patient.url + "/healthz").status_code == 200
        assert rest_of_much(readers[0]) < CUSTOMERS
        assert rest_of_much(readers[-1]) == CUSTOMERS


@pytest.mark.parametrize("more", [b"", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"])
def test_who_reads_nothing_is_cut_off(guarded: Server, more: bytes) -> None:
    """Also one who asks for something else meanwhile."""
    before = late(guarded)
    with ask_for_much(guarded) as reader:
        reader.sendall(more)
        wait_until(lambda: late(guarded) > before, 60)
        assert rest_of_much(reader) < CUSTOMERS


def test_keep_alive_and_pipelining_still_work(guarded: Server) -> None:
    """Several requests on one connection, and two in one packet."""
    request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with connect(guarded) as connection:
        for _ in range(3):
            connection.sendall(request)
            said = b""
            while not said.endswith(b'{"status":"ok"}'):
                said += connection.recv(65_536)
            assert said.count(b"200 OK") == 1
        connection.sendall(request + request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        assert until_closed(connection).count(b"200 OK") == 2


def test_nonsense_is_answered_in_the_usual_shape(guarded: Server) -> None:
    """400, as JSON."""
    with connect(guarded) as connection:
        connection.sendall(b"\x16\x03\x01 this is TLS\r\n\r\n")
        said = until_closed(connection)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["detail"][0]["type"] == "bad_request"


@pytest.mark.parametrize(
    ("trusted", "expected"), [("[]", [503, 429, 429]), ('["127.0.0.1"]', [503, 429, 503])]
)
def test_only_listed_proxies_say_who_calls(
    tmp_path: Path, trusted: str, expected: list[int]
) -> None:
    """Without keys callers are told apart by address: the real one, even on this machine, unless a
    reverse proxy is listed; behind it, each caller has a limit of their own."""
    with running(
        tmp_path,
        status=503,  # no release: what is let in is told so
        CHURN_API__TRUSTED_PROXIES=trusted,
        CHURN_API__OPEN_TO_NETWORK="true",
        CHURN_API__REQUESTS_PER_SECOND="0.001",
        CHURN_API__BURST="1",
    ) as server:
        codes = [
            httpx.get(server.url + "/release", headers={"x-forwarded-for": caller}).status_code
            for caller in ("10.0.0.1", "10.0.0.1", "10.0.0.2")
        ]
    assert codes == expected


def test_nothing_leads_to_another_host(guarded: Server) -> None:
    """A redirect to the host that a caller names would lead others there."""
    answer = httpx.get(guarded.url + "/customers/", headers={"host": "evil.example"})
    assert answer.status_code == 404
    assert "evil.example" not in answer.text + str(answer.headers)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/openapi.json"])
def test_head_is_get_without_a_body(guarded: Server, path: str) -> None:
    """Load balancers and monitors ask with HEAD."""
    head, get = httpx.head(guarded.url + path), httpx.get(guarded.url + path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-length"] == str(len(get.content))
    assert httpx.head(guarded.url + "/predict").status_code == 405


def test_closed_connections_are_counted(guarded: Server) -> None:
    """An operator sees an attack in the metrics."""
    before = late(guarded)
    with connect(guarded) as connection:
        assert until_closed(connection) == b""
    assert late(guarded) > before
