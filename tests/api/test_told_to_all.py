"""`/readyz` needs no key: what it says of a problem names no place and no account."""

from __future__ import annotations

import pytest

from api.routes.health import without_addresses

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
            FOLDER,
            "release 1 is refused: /srv/my company/store/objects/a is damaged; release 0 stands in",
            "release 1 is refused: the store/objects/a is damaged; release 0 stands in",
        ),
        (FOLDER, "[Errno 13] denied: '/home/me/.churn/x'", "[Errno 13] denied: '…'"),
        (FOLDER, "risk/model.ubj is damaged", "risk/model.ubj is damaged"),
        (FOLDER, None, None),
    ],
)
def test_addresses_are_left_out(store: str, problem: str | None, told: str | None) -> None:
    assert without_addresses(problem, store) == told
