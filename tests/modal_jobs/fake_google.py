"""Google's endpoints at the level of requests: token exchange, impersonation, one bucket."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests
from urllib3 import HTTPResponse


class FakeGoogle:
    """Answers each request by its address.

    Attributes:
        objects: the bucket's content.
        tokens: every `Authorization` that the storage service was shown.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.tokens: set[str] = set()

    def answer(self, request: requests.PreparedRequest) -> requests.Response:
        response = self._answer(request)
        response.request = request
        return response

    def _answer(self, request: requests.PreparedRequest) -> requests.Response:
        url = urlsplit(str(request.url))
        if url.netloc == "sts.googleapis.com":
            assert "signed-by-modal" in str(request.body)
            granted = {"access_token": "federated", "token_type": "Bearer", "expires_in": 3600}
            return _response(granted)
        if url.netloc == "iamcredentials.googleapis.com":
            assert request.headers["authorization"] == "Bearer federated"
            return _response({"accessToken": "the-account's", "expireTime": "2100-01-01T00:00:00Z"})
        if url.netloc == "storage.googleapis.com":
            self.tokens.add(request.headers["authorization"])
            return self._storage(request, url.path, parse_qs(url.query))
        return _response({"error": {"message": "forbidden"}}, 403)  # the project's name

    def _storage(
        self, request: requests.PreparedRequest, path: str, query: dict[str, list[str]]
    ) -> requests.Response:
        if path.startswith("/upload"):
            body = request.body
            assert isinstance(body, bytes)
            found = re.search(rb'"name": "([^"]+)"', body)
            assert found is not None
            self.objects[found[1].decode()] = body
            return _response({"name": found[1].decode()})
        name = unquote(path.partition("/o/")[2])
        if name and name not in self.objects:
            return _response({"error": {"message": "no such object"}}, 404)
        if query.get("alt") == ["media"]:
            return _response(self.objects[name])
        return _response({"name": name or "churn-pipes"})


def _response(content: Any, status: int = 200) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    response.raw = HTTPResponse(BytesIO(body), status=status, preload_content=False)
    return response
