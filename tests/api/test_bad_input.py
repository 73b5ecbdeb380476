"""Bad input against the real server: always a 422 that names the field, never a 500."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest

from churn_assets.serving.schemas import SAMPLE_REQUEST

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
    ("customer_id", " C1"),
    ("customer_id", "<b>\x00</b>"),
    ("customer_id", "'=1+1"),
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
    ("senior_citizen", "2"),
    ("senior_citizen", []),
    ("internet_service", "Carrier pigeon"),
    ("streaming_tv", "Maybe"),
    ("total_charges", -5),
    ("days_since_contact", -1),
    ("days_since_contact", 2.5),
    ("contacts_this_period", -1),
    ("acceptances_this_period", -1),
    ("acceptances_this_period", 1),  # of no contact
    ("refusals_this_period", 1.5),
    ("refusals_this_period", 1),
    ("acceptances_in_cooldown", True),
    ("acceptances_in_cooldown", 1),
    ("previous_outcome", "great"),
    ("contact_channel", "telegraph"),
    ("budget_remaining", 1.01),
    ("budget_remaining", -0.01),
    ("time_zone", "Mars/Olympus"),
    ("time_zone", "localtime"),
    ("time_zone", "Factory"),
    ("time_zone", "../../etc/passwd"),
    ("tone", "rude"),
    ("force_baseline", "yes"),
]


def post(client: httpx.Client, body: bytes | str, headers: dict[str, str] = JSON) -> httpx.Response:
    return client.post("/predict", content=body, headers=headers)


def assert_refused(
    answer: httpx.Response, field: str | None = None, status: int = 422
) -> list[dict[str, Any]]:
    """A refusal in the usual shape; with `field`, one entry names it."""
    assert answer.status_code == status, answer.text[:500]
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


@pytest.mark.parametrize(
    ("contacts", "acceptances", "refusals", "in_cooldown", "field"),
    [
        (3, 4, 0, 0, "acceptances_this_period"),
        (3, 2, 2, 0, "refusals_this_period"),
        (3, 4, 4, 0, "acceptances_this_period"),
        (None, None, 1, None, "refusals_this_period"),
        (3, 1, 1, 2, "acceptances_in_cooldown"),
        (3, None, 3, 1, "acceptances_in_cooldown"),
    ],
)
def test_more_answers_than_contacts_are_refused_by_field(
    client: httpx.Client,
    contacts: int | None,
    acceptances: int | None,
    refusals: int | None,
    in_cooldown: int | None,
    field: str,
) -> None:
    """A ledger that contradicts itself is told so, of the count that doesn't fit; in a batch too,
    and only of the row it is in."""
    body = {
        **SAMPLE_REQUEST,
        "contacts_this_period": contacts,
        "acceptances_this_period": acceptances,
        "refusals_this_period": refusals,
        "acceptances_in_cooldown": in_cooldown,
    }
    assert_refused(post(client, json.dumps(body)), field)
    batch = client.post("/predict/batch", json={"customers": [SAMPLE_REQUEST, body]}).json()
    good, bad = batch["results"]
    assert (bool(good["answer"]), good["errors"]) == (True, [])
    assert [entry["loc"][-1] for entry in bad["errors"]] == [field]


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
    answer = post(client, json.dumps(SAMPLE_REQUEST), headers)
    assert_refused(answer, status=415)
    assert "application/json" in answer.text


def test_one_megabyte_is_refused(client: httpx.Client) -> None:
    """Declared or streamed in chunks: the body limit holds and names the body."""
    big = json.dumps({**SAMPLE_REQUEST, "name": "x" * 1_000_000})
    [entry] = assert_refused(post(client, big), status=413)
    assert entry["loc"] == ["body"]
    chunks = (big[i : i + 10_000].encode() for i in range(0, len(big), 10_000))
    [entry] = assert_refused(client.post("/predict", content=chunks, headers=JSON), status=413)
    assert entry["type"] == "body_too_large"


def body_in(encoding: str) -> bytes:
    return json.dumps({**SAMPLE_REQUEST, "name": "Zoë"}, ensure_ascii=False).encode(encoding)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_every_unicode_encoding_is_understood(client: httpx.Client, encoding: str) -> None:
    """JSON shows by itself how it is encoded; Excel and PowerShell write a byte order mark."""
    answer = post(client, body_in(encoding))
    assert answer.status_code == 200, answer.text
    assert "Zoë" in answer.json()["message"]


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"content-type": "application/json; charset=latin-1"}, "charset"),
        ({"content-type": "application/json; charset=klingon"}, "charset"),
        ({**JSON, "content-encoding": "gzip"}, "content_encoding"),
        ({**JSON, "content-encoding": "br"}, "content_encoding"),
    ],
)
def test_other_encodings_are_refused_by_name(
    client: httpx.Client, headers: dict[str, str], kind: str
) -> None:
    """Said outright, instead of "not valid JSON"."""
    answer = post(client, json.dumps(SAMPLE_REQUEST), headers)
    [entry] = assert_refused(answer, status=415)
    assert entry["type"] == kind
    if kind == "content_encoding":
        assert answer.headers["accept-encoding"] == "identity"
    named = {"content-type": 'application/json; charset="UTF-8"'}
    assert post(client, json.dumps(SAMPLE_REQUEST), named).status_code == 200


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (gzip.compress(json.dumps(SAMPLE_REQUEST).encode()), "compressed"),
        (body_in("latin-1"), "not utf-8 at byte"),
        (b'{"tenure": 1,}', "line 1, column"),
        (b"[" * 50_000, "nested too deeply"),
        (b'{"tenure": 1' + b"0" * 5_000 + b"}", "too many digits"),
    ],
    ids=["gzip", "latin-1", "comma", "deep", "long"],
)
def test_what_is_wrong_with_the_bytes_is_said(
    client: httpx.Client, body: bytes, named: str
) -> None:
    """Whoever wrote the client learns what to look for."""
    [entry] = assert_refused(post(client, body))
    assert named in entry["msg"]


@pytest.mark.parametrize("field", ["tenure", "name", "budget_remaining"])
def test_a_key_that_is_there_twice_is_named(client: httpx.Client, field: str) -> None:
    """Parsers differ in which of the two they take: nobody knows which one is meant."""
    whole = json.dumps({**SAMPLE_REQUEST, "budget_remaining": 1.0})
    twice = whole[:-1] + f', "{field}": 1' + "}"
    [entry] = assert_refused(post(client, twice), field)
    assert entry["type"] == "duplicate_key"
    rows = f'{{"customers": [{whole}, {twice}], "with_messages": false}}'
    batch = client.post("/predict/batch", content=rows, headers=JSON).json()
    assert (batch["answered"], batch["refused"]) == (1, 1)
    assert batch["results"][1]["errors"][0]["loc"] == ["body", "customers", 1, field]
    whole_batch = client.post(
        "/predict/batch", content=rows[:-1] + ', "customers": []}', headers=JSON
    )
    assert_refused(whole_batch, "customers")


@pytest.mark.parametrize(
    "field",
    [
        *("tenure", "days_since_contact", "contacts_this_period", "previous_contacts"),
        *("acceptances_this_period", "refusals_this_period", "acceptances_in_cooldown"),
    ],
)
def test_a_whole_number_may_be_written_with_a_point(client: httpx.Client, field: str) -> None:
    """30.0 is an integer in JSON Schema, and what pandas writes for a column with gaps."""
    body = {**SAMPLE_REQUEST, "contacts_this_period": 3}
    body |= {"acceptances_this_period": 3} if field == "acceptances_in_cooldown" else {}
    with_point, without = (
        post(client, json.dumps({**body, field: value})).json() for value in (3.0, 3)
    )
    assert with_point["decision"] == without["decision"]
    assert_refused(post(client, json.dumps({**body, field: 3.5})), field)


def test_server_is_still_well(client: httpx.Client) -> None:
    """After all of the above the same process still answers."""
    assert post(client, json.dumps(SAMPLE_REQUEST)).status_code == 200
