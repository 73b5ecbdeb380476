"""A local HTTP server that plays the public host: ranges, ETags, and every way to go wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


class Host:
    """Serves `files`; `script` holds special answers that the next requests get, in order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.script: list[Answer] = []
        self.requests: list[dict[str, str]] = []
        self.sent = 0

    def serve(self, path: str, content: bytes, etag: str = '"v1"') -> str:
        """Put a file on the host and return its address."""
        self.files[path], self.etags[path] = content, etag
        return self.url + path

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append({"method": handler.command, **dict(handler.headers.items())})
        if self.script:
            self.script.pop(0)(handler)
        elif handler.path in self.files:
            self._send_file(handler)
        else:
            status(404)(handler)

    def _send_file(self, handler: BaseHTTPRequestHandler) -> None:
        content, etag = self.files[handler.path], self.etags[handler.path]
        wanted = handler.headers.get("Range")
        if wanted and handler.headers.get("If-Range") == etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                status(416)(handler)
                return
            handler.send_response(206)
            rest = content[start:]
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            handler.send_header("Content-Range", span)
        else:
            handler.send_response(200)
            rest = content
        handler.send_header("ETag", etag)
        handler.send_header("Content-Length", str(len(rest)))
        handler.end_headers()
        self.sent += len(rest)  # counted first: the client may go on before `write` returns
        handler.wfile.write(rest)


def status(code: int) -> Answer:
    """An answer with no file and the given status."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return send


def break_off(content: bytes, after: int, etag: str = '"v1"') -> Answer:
    """Promise all of `content`, send its first `after` bytes, and hang up."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("ETag", etag)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:after])
        handler.close_connection = True

    return send


@contextmanager
def running_host() -> Iterator[Host]:
    """The host, on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            host.answer(self)

        def do_HEAD(self) -> None:
            host.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host = Host(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
