"""What a bucket's service answers: its refusals in words, and whether it is one at all: a proxy, a
login page or a broken emulator says 200, too, and says nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from urllib.parse import urlsplit

import requests
from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError, RetryError
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption

from churn_assets.storage.protocol import ArtifactError

P = ParamSpec("P")
R = TypeVar("R")
REFUSALS = (GoogleAPIError, GoogleAuthError, DataCorruption)  # of the service or on the way
OF_OBJECTS = ("x-goog-hash", "x-goog-generation")  # headers, one of which comes with any content

LONGEST_SENTENCE = 250


class NoAnswerError(GoogleAPIError):
    """200 came with something that no bucket's service says; it isn't asked again, as who sits in
    between stays there."""


class _Placed(Protocol):
    url: str


S = TypeVar("S", bound=_Placed)


def explained(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Let a store's method raise ArtifactError for what the service or its authentication refuses,
    and for bytes that arrive damaged."""

    @wraps(method)
    def wrapper(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except REFUSALS as error:
            raise ArtifactError(f"{self.url}: {in_words(error)}") from error

    return wrapper


def in_words(error: Exception) -> str:
    """A refusal in one line: the service's own sentence, which the client's text has twice, with a
    URL and the whole answer around it."""
    if isinstance(error, RetryError):
        return f"{error.message}: {in_words(error.cause)}" if error.cause else error.message
    answer = error.response if isinstance(error, GoogleAPICallError) else None
    if not isinstance(answer, requests.Response):  # nothing came, or what came was damaged
        return " ".join(str(error).split())
    sentence = answer.text
    with suppress(ValueError, LookupError, TypeError):  # a page, or JSON of somebody else's
        sentence = str(answer.json()["error"]["message"])
    said = " ".join(sentence.split())[:LONGEST_SENTENCE]
    code = answer.status_code
    kind = f"{code} {HTTPStatus(code).phrase}" if code in {*HTTPStatus} else str(code)
    return f"{kind}: {said}" if said else kind


def checked(client: storage.Client) -> storage.Client:
    """The client, which from now on takes no such answer for one.

    By itself it takes an empty one for an object without properties, and an empty download for an
    empty object.
    """
    hooks = client._http.hooks["response"]
    if _check not in hooks:
        hooks.append(_check)
    return client


def _check(answer: requests.Response, **_: Any) -> None:
    """Raises NoAnswerError; called by `requests` with each answer."""
    request = answer.request
    if answer.status_code != requests.codes.ok:
        return
    if "alt=media" in urlsplit(str(request.url)).query:
        if not any(header in answer.headers for header in OF_OBJECTS):
            answer.close()
            raise _no_answer(request, "200 without the headers of an object")
        return
    if not answer.content and (request.method == "DELETE" or "location" in answer.headers):
        return  # it is gone, or: a large upload may go there
    try:
        told = answer.json()
    except requests.JSONDecodeError:
        told = None
    if not isinstance(told, dict) or not told:
        found = f"200 with {len(answer.content):,} bytes" if answer.content else "200 and no more"
        raise _no_answer(request, f"{found} where JSON was expected")


def _no_answer(request: requests.PreparedRequest, found: str) -> NoAnswerError:
    url = urlsplit(str(request.url))
    return NoAnswerError(
        f"{url.scheme}://{url.hostname} answered {found}, as no bucket does: is a proxy in "
        "between, or STORAGE_EMULATOR_HOST set? Mend that, and try again"
    )
