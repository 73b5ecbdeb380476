"""A download is whole and verified, or an error that says what happened; nothing between."""

from __future__ import annotations

import gzip
import hashlib
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest

from churn_assets.datasets.config import DownloadConfig
from churn_assets.datasets.errors import DataError, DigestMismatchError, SourceUnavailableError
from churn_assets.datasets.sources.files import verify
from churn_assets.datasets.sources.transfer import (
    IncompleteDownloadError,
    download,
    ensure_reachable,
    open_client,
)
from tests.datasets.host import Answer, Host, break_off, status

CONTENT = bytes(range(256)) * 2_000  # 512,000 bytes: several blocks
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_arrives_and_nothing_else_is_left(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """The plain case; progress must end at the file's size or the bar never fills."""
    steps: list[tuple[int, int]] = []
    url = host.serve("/data.csv", CONTENT)
    path = download(
        url,
        tmp_path / "data.csv",
        quick,
        progress=lambda step, total, **_: steps.append((step, total)),
        check=lambda part: verify(part, DIGEST),
    )
    assert path.read_bytes() == CONTENT
    assert files_in(tmp_path) == ["data.csv"]
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert [step for step, _ in steps] == sorted(step for step, _ in steps)


def test_a_wrong_digest_names_file_expected_and_found_and_leaves_nothing(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """A file cut short at the host has a right length header: only the digest can tell."""
    url = host.serve("/data.csv", CONTENT[:-1])
    with pytest.raises(DigestMismatchError) as error:
        download(url, tmp_path / "data.csv", quick, check=lambda part: verify(part, DIGEST))
    assert DIGEST in str(error.value)
    assert hashlib.sha256(CONTENT[:-1]).hexdigest() in str(error.value)
    assert "data.csv" in str(error.value)
    assert files_in(tmp_path) == []


def test_a_missing_file_is_unavailable_and_not_asked_for_again(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """A 404 does not pass by waiting."""
    with pytest.raises(SourceUnavailableError, match="404"):
        download(host.url + "/gone.csv", tmp_path / "gone.csv", quick)
    assert len(host.requests) == 1
    assert files_in(tmp_path) == []


def test_a_server_error_that_passes_is_retried(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """Public hosts have bad moments; one must not fail the weekly refresh."""
    url = host.serve("/data.csv", CONTENT)
    host.script += [status(500), status(503)]
    assert download(url, tmp_path / "data.csv", quick).read_bytes() == CONTENT
    assert len(host.requests) == 3


def test_a_server_error_that_stays_is_unavailable(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """After the last attempt the caller may try another source."""
    host.script += [status(500)] * quick.attempts
    with pytest.raises(SourceUnavailableError, match="500"):
        download(host.url + "/data.csv", tmp_path / "data.csv", quick)
    assert len(host.requests) == quick.attempts


def test_an_interrupted_transfer_is_resumed_where_it_broke_off(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """Only the missing rest is asked for, on the condition that the file is the same."""
    url = host.serve("/data.csv", CONTENT)
    host.script.append(break_off(CONTENT, 300_000))
    path = download(url, tmp_path / "data.csv", quick, check=lambda part: verify(part, DIGEST))
    assert path.read_bytes() == CONTENT
    assert host.requests[1]["Range"] == f"bytes={len(CONTENT) - host.sent}-"
    assert host.requests[1]["If-Range"] == '"v1"'
    assert 0 < host.sent < len(CONTENT)
    assert files_in(tmp_path) == ["data.csv"]


def test_a_later_download_resumes_what_an_earlier_one_left(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """The rest of a large file is fetched after a restart; the final name never holds a part."""
    url = host.serve("/data.csv", CONTENT)
    once = quick.model_copy(update={"attempts": 1})
    host.script.append(break_off(CONTENT, 300_000))
    with pytest.raises(IncompleteDownloadError, match=r"data\.csv broke off after \d+ bytes"):
        download(url, tmp_path / "data.csv", once)
    assert files_in(tmp_path) == ["data.csv.part", "data.csv.part.etag"]
    download(url, tmp_path / "data.csv", once, check=lambda part: verify(part, DIGEST))
    assert "Range" in host.requests[1]
    assert files_in(tmp_path) == ["data.csv"]


def test_a_file_that_changed_meanwhile_is_fetched_whole(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """Two versions must never be joined; the host answers the condition with the whole new file."""
    new = CONTENT[::-1]
    url = host.serve("/data.csv", new, etag='"v2"')
    host.script.append(break_off(CONTENT, 300_000, etag='"v1"'))
    assert download(url, tmp_path / "data.csv", quick).read_bytes() == new
    assert host.sent == len(new)


def test_without_a_strong_etag_nothing_is_resumed(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """A weak ETag does not promise the same bytes."""
    url = host.serve("/data.csv", CONTENT, etag='W/"v1"')
    host.script.append(break_off(CONTENT, 300_000, etag='W/"v1"'))
    assert download(url, tmp_path / "data.csv", quick).read_bytes() == CONTENT
    assert "Range" not in host.requests[1]


def test_a_part_that_is_longer_than_the_file_starts_again(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """The host refuses the range (416); the left-over part is of no use."""
    url = host.serve("/data.csv", CONTENT)
    (tmp_path / "data.csv.part").write_bytes(CONTENT + b"more")
    (tmp_path / "data.csv.part.etag").write_text('"v1"')
    assert download(url, tmp_path / "data.csv", quick).read_bytes() == CONTENT


def test_another_range_than_asked_for_starts_again(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """A faulty host or cache: joining the pieces would give a file of the right size at best."""

    def wrong_range(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 0-9/{len(CONTENT)}")
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(CONTENT[:10])

    url = host.serve("/data.csv", CONTENT)
    host.script += [break_off(CONTENT, 300_000), wrong_range]
    assert download(url, tmp_path / "data.csv", quick).read_bytes() == CONTENT
    assert "Range" not in host.requests[2]


def test_a_transfer_that_always_breaks_off_is_an_error_and_no_reason_for_other_data(
    host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """The host is there and has the file, so synthetic data must not take its place."""
    host.script += [break_off(CONTENT, 1_000, etag="")] * quick.attempts
    with pytest.raises(IncompleteDownloadError, match="in each of 3 attempts") as error:
        download(host.url + "/data.csv", tmp_path / "data.csv", quick)
    assert not isinstance(error.value, SourceUnavailableError)
    assert "data.csv" not in files_in(tmp_path)


def redirect(to: str) -> Answer:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return send


@pytest.mark.parametrize("to", ["/data.csv", "x://nowhere", "http://[", "https://:0/"])
def test_redirects_that_lead_nowhere_are_unavailable(
    to: str, host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """In a circle, or to what is no address: one line, for the check of the hub too."""
    host.script += [redirect(to)] * 100
    for ask in (lambda url: download(url, tmp_path / "data.csv", quick), reachable(quick)):
        with pytest.raises(SourceUnavailableError, match="cannot be") as error:
            ask(host.url + "/data.csv")
        assert "\n" not in str(error.value)
    assert files_in(tmp_path) == []


def reachable(config: DownloadConfig) -> Callable[[str], None]:
    return lambda url: ensure_reachable(url, config)


@pytest.mark.parametrize("told", [True, False])
def test_more_than_the_file_can_have_is_an_error(
    told: bool, host: Host, quick: DownloadConfig, tmp_path: Path
) -> None:
    """A host that never ends would fill the disk; told by the length beforehand or not."""

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("ETag", '"v1"')
        handler.send_header("Connection", "close")
        if told:
            handler.send_header("Content-Length", str(10**12))
        handler.end_headers()
        with suppress(OSError):
            while True:
                handler.wfile.write(CONTENT)

    host.script.append(endless)
    small = quick.model_copy(update={"most_bytes": 2_000_000})
    with pytest.raises(DataError, match="is larger than 2,000,000 bytes"):
        download(host.url + "/data.csv", tmp_path / "data.csv", small)
    assert files_in(tmp_path) == []


def test_a_packed_answer_is_not_unpacked(host: Host, quick: DownloadConfig, tmp_path: Path) -> None:
    """Nobody asked for it, and a few bytes of it can be gigabytes."""

    def packed(handler: BaseHTTPRequestHandler) -> None:
        content = gzip.compress(CONTENT)
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    host.script.append(packed)
    with pytest.raises(SourceUnavailableError, match="sends gzip in place of the file"):
        download(host.url + "/data.csv", tmp_path / "data.csv", quick)
    assert files_in(tmp_path) == []


def test_nobody_listening_is_unavailable(
    closed_url: str, quick: DownloadConfig, tmp_path: Path
) -> None:
    """A refused connection is not retried: without a network every source must give up quickly."""
    with pytest.raises(SourceUnavailableError, match="cannot be reached"):
        download(closed_url + "/data.csv", tmp_path / "data.csv", quick)


def test_a_name_that_nobody_answers_for_gives_up_in_time(
    quick: DownloadConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver may hang far longer than a connection may take."""
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: released.wait(30))
    impatient = quick.model_copy(update={"connect_timeout": 0.05})
    with pytest.raises(SourceUnavailableError, match="no answer in time"):
        open_client("https://data.example/file.csv", impatient)
    released.set()


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "http://127.0.0.1:9"])
def test_a_proxy_for_everything_is_used_and_named_when_it_is_away(
    quick: DownloadConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, proxy: str
) -> None:
    """Behind it no name is resolved here, and a SOCKS proxy needs no package more."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setattr(socket, "getaddrinfo", refusing(socket.getaddrinfo, "data.example"))
    with pytest.raises(SourceUnavailableError, match=r"https://data\.example/a cannot be reached"):
        download("https://data.example/a", tmp_path / "a", quick)


def refusing(resolve: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A resolver that must not be asked for `name`."""

    def ask(host: str, *arguments: Any, **options: Any) -> Any:
        assert host != name
        return resolve(host, *arguments, **options)

    return ask


def test_a_proxy_that_is_none_is_said(
    quick: DownloadConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A mistyped proxy is the environment's fault, in the words of a source that is away."""
    monkeypatch.setenv("ALL_PROXY", "carrier-pigeon://coop")
    with pytest.raises(SourceUnavailableError, match="the environment's proxy cannot be used"):
        download("https://data.example/a", tmp_path / "a", quick)


def test_certificates_are_verified(quick: DownloadConfig) -> None:
    """Whoever intercepts the connection must not be able to hand over data."""
    with open_client("https://localhost/", quick) as client:
        transport = client._transport
        assert isinstance(transport, httpx.HTTPTransport)
        context = transport._pool._ssl_context
        assert context is not None
        assert context.check_hostname
        assert context.verify_mode.name == "CERT_REQUIRED"
