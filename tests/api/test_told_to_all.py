"""`/readyz` needs no key, others take one for little: what they say of a problem names no place and
no account."""

from __future__ import annotations

import pytest

from api.errors import without_addresses

BUCKET, FOLDER = "gs://my-bucket/churn", "/srv/my company/store"


@pytest.mark.parametrize(
    ("store", "problem", "told"),
    [
        (
            BUCKET,
            "it can't be read: gs://my-bucket/churn: 403 Forbidden: robot@p.iam.gserviceaccount.com"
            " does not have storage.objects.get access to my-bucket/churn/pointers/x.",
            "it can't be read: the store: 403 Forbidden: … does not have storage.objects.get access"
            " to …",
        ),
        (
            BUCKET,
            "gs://my-bucket/churn: Timeout of 5.0s exceeded: HTTPConnectionPool: Max retries "
            "exceeded with url: /download/storage/v1/b/my-bucket/o/churn%2Fk?alt=media",
            "the store: Timeout of 5.0s exceeded: HTTPConnectionPool: Max retries exceeded with "
            "url: …",
        ),
        (
            BUCKET,
            "HTTPSConnectionPool(host='private.example', port=443): Max retries exceeded with url: "
            "/b/x (Caused by NameResolutionError(\"Failed to resolve 'private.example'\"))",
            "HTTPSConnectionPool(host='…', port=443): Max retries exceeded with url: … (Caused by "
            "NameResolutionError(\"Failed to resolve '…'\"))",
        ),
        (
            FOLDER,
            "release 1 is refused: /srv/my company/store/objects/a is damaged; release 0 stands in",
            "release 1 is refused: the store/objects/a is damaged; release 0 stands in",
        ),
        (FOLDER, "[Errno 13] denied: '/home/me/.churn/x'", "[Errno 13] denied: '…'"),
        (FOLDER, "risk/model.ubj is damaged", "risk/model.ubj is damaged"),
        (
            FOLDER,
            "the contact ledger postgresql+psycopg2://u:***@db.internal:5432/crm: connection to "
            'server at "db.internal" (10.0.0.5), port 5432 failed: Connection refused',
            'the contact ledger …: connection to server at "…" (…), port 5432 failed: Connection '
            "refused",
        ),
        (
            FOLDER,
            'could not translate host name "db.internal" to address: Unknown host',
            'could not translate host name "…" to address: Unknown host',
        ),
        (
            FOLDER,
            'connection to server at "db.internal" (fd00::1:5%eth0), port 5432 failed: FATAL:  '
            'password authentication failed for user "crm_writer"',
            'connection to server at "…" (…), port 5432 failed: FATAL:  password authentication '
            'failed for user "…"',
        ),
        (
            FOLDER,
            'no pg_hba.conf entry for host "10.0.0.5", user "crm_writer", database "crm", SSL off',
            'no pg_hba.conf entry for host "…", user "…", database "…", SSL off',
        ),
        (FOLDER, "approved today (10:30:15)", "approved today (10:30:15)"),
        (FOLDER, "made by version 1.2.3 of 2026.01.14", "made by version 1.2.3 of 2026.01.14"),
    ],
)
def test_addresses_are_left_out(store: str, problem: str, told: str) -> None:
    assert without_addresses(problem, store) == told
