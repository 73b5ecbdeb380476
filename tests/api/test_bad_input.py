"""Bad input against the real server: always a 422 that names the field, never a 500."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from api.schemas import SAMPLE_REQUEST

JSON = {"content-type": "application/json"}
FIELDS: list[tuple[str, Any]] = [
    ("tenure", "twelve"),
    ("tenure", "12"),
    ("tenure", 12.5),
    ("tenure", True),
    ("tenure", -1),
    ("tenure", 1201),
    ("tenure", 10**30),
    ("tenure", None),
    ("monthly_charges", "89.99"),
    ("monthly_charges", -0.01),
    ("monthly_charges", 1e300),
    ("monthly_charges", [89.99]),
    ("contract", "Weekly"),
    ("contract", 1),
    ("payment_method", "Barter"),
    ("customer_id", ""),
    ("customer_id", "x" * 65),
    ("customer_id", "a/../b"),
    ("customer_id", "<script>"),
    ("customer_id", "C1\n"),
    ("customer_id", 5),
    ("name", ""),
    ("name", "x" * 10_000),
    ("name", "Sam\x00"),
    ("name", "Sam\x1b[31m"),
    ("name", "Sam\nUrgent"),
    ("name", "   "),
    ("name", 5),
    ("name", None),
    ("senior_citizen", 2),
    ("senior_citizen", "yes"),
    ("internet_service", "Carrier pigeon"),
    ("streaming_tv", "Maybe"),
    ("total_charges", -5),
    ("days_since_contact", -1),
    ("days_since_contact", 2.5),
    ("contacts_this_period", -1),
    ("previous_outcome", "great"),
    ("contact_channel", "telegraph"),
    ("budget_remaining", 1.01),
    ("budget_remaining", -0.01),
    ("time_zone", "Mars/Olympus"),
    ("time_zone", "../../etc/passwd"),
    ("tone", "rude"),
    ("force_baseline", "yes"),
]


def post(client: httpx.Client, body: bytes | str, headers: dict[str, str] = JSON) -> httpx.Response:
    return client.post("/predict", content=body, headers=headers)


def assert_refused(answer: httpx.Response, field: str | None = None) -> list[dict[str, Any]]:
    """A 422 in the usual shape; with `field`, one entry names it."""
    assert answer.status_code == 422, answer.text[:500]
    detail: list[dict[str, Any]] = answer.json()["detail"]
    assert detail
    for entry in detail:
        assert set(entry) == {"type", "loc", "msg"}
        assert entry["loc"][0] == "body"
    if field is not None:
        assert [entry["loc"][-1] for entry in detail] == [field]
    return detail


@pytest.mark.parametrize(("field", "value"), FIELDS, ids=lambda v: repr(v)[:24])
def test_bad_value_is_refused_by_field(client: httpx.Client, field: str, value: Any) -> None:
    """The caller learns which field to mend; nothing they sent is repeated."""
    answer = post(client, json.dumps({**SAMPLE_REQUEST, field: value}))
    assert_refused(answer, field)
    assert "<" not in answer.text
    assert len(answer.text) < 1_000


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
@pytest.mark.parametrize("field", ["tenure", "monthly_charges", "budget_remaining"])
def test_not_a_number_is_refused_by_field(client: httpx.Client, field: str, number: str) -> None:
    """NaN passes many a comparison and many a JSON parser; it must not pass here."""
    body = json.dumps({**SAMPLE_REQUEST, field: "@"}).replace('"@"', number)
    assert_refused(post(client, body), field)


@pytest.mark.parametrize("field", list(SAMPLE_REQUEST))
def test_missing_required_field_is_named(client: httpx.Client, field: str) -> None:
    """The six fields of the sample are required, one by one."""
    body = {k: v for k, v in SAMPLE_REQUEST.items() if k != field}
    [entry] = assert_refused(post(client, json.dumps(body)), field)
    assert entry["type"] == "missing"


@pytest.mark.parametrize("extra", ["Tenure", "surname", "__class__", "x" * 5_000, "<i>"])
def test_extra_field_is_named(client: httpx.Client, extra: str) -> None:
    """A misspelt optional field must not be ignored; its name may be hostile itself."""
    answer = post(client, json.dumps({**SAMPLE_REQUEST, extra: 1}))
    [entry] = assert_refused(answer)
    assert entry["type"] in ("extra_forbidden", "string_unicode")
    assert len(entry["loc"][-1]) <= 100


def test_every_bad_field_is_named_at_once(client: httpx.Client) -> None:
    """One round trip is enough to learn everything that is wrong."""
    body = {**SAMPLE_REQUEST, "tenure": -1, "contract": "Weekly", "name": "a\nb"}
    detail = assert_refused(post(client, json.dumps(body)))
    assert {entry["loc"][-1] for entry in detail} == {"tenure", "contract", "name"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"hello",
        b"null",
        b"[]",
        b"42",
        b'"x"',
        b"\xff\xfe",
        b'{"tenure": 1' + b"0" * 5_000 + b"}",
        b"[" * 50_000,
        b'{"a":' * 10_000,
        b"\x00" * 100,
        b'{"name": "\\ud800"}',  # half a character is no text
        b'{"\\ud800": 1}',
    ],
    ids=lambda body: repr(body)[:20],
)
def test_bodies_that_are_no_customer(client: httpx.Client, body: bytes) -> None:
    """Empty, cut off, nested to death, not text: all the same kind of answer."""
    assert_refused(post(client, body))


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_other_content_types(client: httpx.Client, content_type: str) -> None:
    """A form or plain text is not JSON, even where its bytes would parse."""
    headers = {"content-type": content_type} if content_type else {}
    assert_refused(post(client, json.dumps(SAMPLE_REQUEST), headers))


def test_one_megabyte_is_refused(client: httpx.Client) -> None:
    """Declared or streamed in chunks: the body limit holds and names the body."""
    big = json.dumps({**SAMPLE_REQUEST, "name": "x" * 1_000_000})
    [entry] = assert_refused(post(client, big))
    assert entry["loc"] == ["body"]
    chunks = (big[i : i + 10_000].encode() for i in range(0, len(big), 10_000))
    [entry] = assert_refused(client.post("/predict", content=chunks, headers=JSON))
    assert entry["type"] == "body_too_large"


def test_server_is_still_well(client: httpx.Client) -> None:
    """After all of the above the same process still answers."""
    assert post(client, json.dumps(SAMPLE_REQUEST)).status_code == 200
