"""Which offers a decision's level meant, by the release that decided: kept for longer than releases
are.

Outcomes of a decision are known months later, and read for years. Its release may be gone by then,
but a level of a company's own offers is no level of the built-in ones.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pydantic import BaseModel, TypeAdapter

from churn_assets.customers.schema import FILE
from churn_assets.domain.offers import Offers
from churn_assets.storage.current import change_pointer, parse_pointer
from churn_assets.storage.protocol import Artifact, ArtifactStore, DamagedArtifactError

POINTER = "outcomes/offers.json"


class _Contract(BaseModel):
    """What is asked of a release's contract, of whichever version."""

    offers: Offers | None = None


_NOTED = TypeAdapter(dict[str, Offers | None])
log = logging.getLogger(__name__)


def note_offers(store: ArtifactStore, releases: Mapping[str, Artifact]) -> None:
    """Keep what releases offer, by id. What is noted stays; whose files are damaged is left out,
    which the log says.

    Raises:
        DamagedArtifactError: what was noted can't be read.
    """
    known = noted_offers(store)
    new: dict[str, Offers | None] = {}
    for release_id in releases.keys() - known.keys():
        try:
            contract = store.read(releases[release_id], FILE).get(FILE, b"{}")
        except DamagedArtifactError as error:
            log.warning("decisions of %s count as of the built-in offers: %s", release_id, error)
            continue
        new[release_id] = _Contract.model_validate_json(contract).offers
    if new:
        change_pointer(
            store, POINTER, lambda before: _NOTED.dump_json(_parsed(store, before) | new, indent=1)
        )


def noted_offers(store: ArtifactStore) -> dict[str, Offers | None]:
    """Release id -> its contract's own offers; None where it names none, which are the built-in
    ones."""
    return _parsed(store, store.read_pointer(POINTER))


def _parsed(store: ArtifactStore, content: bytes | None) -> dict[str, Offers | None]:
    try:
        return parse_pointer(_NOTED, store.url, POINTER, content or b"{}")
    except DamagedArtifactError as error:
        raise DamagedArtifactError(
            f"{error}; restore it, or delete it (decisions of releases that are gone then count as "
            "of the built-in offers)"
        ) from error
