"""Google Cloud Storage on this machine: the emulator, and a transport that adds preconditions."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import requests
from gcp_storage_emulator.server import create_server
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage
from requests.adapters import HTTPAdapter

logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)  # a 404 is no error
BUCKETS = ("churn-artifacts", "churn-pipes")


@contextmanager
def running_emulator() -> Iterator[str]:
    """An empty in-memory emulator with the product's buckets; yields its URL.

    While it runs, every storage client of this process and of its children talks to it.
    """
    server = create_server("localhost", 0, in_memory=True)
    server.start()
    # The server thread is no daemon: without `stop` the test process would never end.
    try:
        url = f"http://localhost:{server._api._httpd.server_address[1]}"
        os.environ["STORAGE_EMULATOR_HOST"] = url
        client = storage.Client()
        for name in BUCKETS:
            client.create_bucket(name)
        yield url
    finally:
        os.environ.pop("STORAGE_EMULATOR_HOST", None)
        server.stop()


class Preconditions(HTTPAdapter):
    """Enforces `ifGenerationMatch`, which the emulator ignores, as the real service does."""

    lock = threading.Lock()  # one for all clients: comparing and writing is one step in the service

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        wanted = parse_qs(urlsplit(str(request.url)).query).get("ifGenerationMatch")
        if wanted is None:
            return super().send(request, **options)
        with self.lock:
            if self._generation(request, options) == int(wanted[0]):
                return super().send(request, **options)
        refusal = requests.Response()
        refusal.status_code = 412
        refusal.request = request
        refusal.url = str(request.url)
        refusal._content = b'{"error": {"code": 412, "message": "conditionNotMet"}}'
        return refusal

    def _generation(self, request: requests.PreparedRequest, options: dict[str, Any]) -> int:
        """The current generation of the object that the request is about; 0 if there is none."""
        url = urlsplit(str(request.url))
        bucket = re.search(r"/b/([^/]+)/o", url.path)
        assert bucket is not None
        if url.path.startswith("/upload"):
            body = request.body if isinstance(request.body, bytes) else b""
            found = re.search(rb'"name": "([^"]+)"', body)
            assert found is not None, "only multipart uploads carry preconditions here"
            name = quote(found[1].decode(), safe="")
        else:
            name = url.path.rsplit("/o/", 1)[1]
        address = f"{url.scheme}://{url.netloc}/storage/v1/b/{bucket[1]}/o/{name}"
        query = requests.Request("GET", address).prepare()
        answer = super().send(query, **{**options, "stream": False})
        return int(answer.json()["generation"]) if answer.ok else 0


def strict_client() -> storage.Client:
    """A client of the running emulator whose preconditions hold."""
    session = AuthorizedSession(AnonymousCredentials())  # type: ignore[no-untyped-call]
    session.mount("http://", Preconditions())
    return storage.Client(_http=session)
