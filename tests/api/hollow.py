"""A proxy before a bucket that can go hollow: it then answers 200, without anything, by itself."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Proxy(BaseHTTPRequestHandler):
    """Passes a request on, or doesn't."""

    server: HollowServer

    def answer(self) -> None:
        """Of any method."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.server.hollow.is_set():
            self.respond(200, {}, b"")
            return
        there = http.client.HTTPConnection(self.server.target)
        there.request(self.command, self.path, body, dict(self.headers))
        found = there.getresponse()
        self.respond(found.status, dict(found.getheaders()), found.read())
        there.close()

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - the names that are called

    def respond(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "date", "server"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests have enough to show."""


class HollowServer(ThreadingHTTPServer):
    """The proxy.

    Attributes:
        url: where to connect instead of to the target.
        hollow: while set, nothing is passed on.
    """

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), Proxy)
        self.target = urlsplit(target).netloc
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.hollow = threading.Event()


@contextmanager
def hollow_proxy(target: str) -> Iterator[HollowServer]:
    """A proxy that is closed at the block's end."""
    with HollowServer(target) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
