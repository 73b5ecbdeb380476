"""An opt-out is told under either name, by whatever way: it has one meaning."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.customers.contract.events import Events
from churn_assets.serving.events import FeedbackEvent, event_model
from churn_assets.serving.feedback import open_feedback_log
from churn_assets.storage.local import LocalArtifactStore
from tests.cli.test_strangers import run
from tests.release.small_release import publish

NAMES = ("unsubscribed", "opted_out")


@pytest.mark.parametrize(("command", "what"), [("outcomes", "events"), ("campaign", "contacts")])
def test_either_name_is_taken_from_a_file(own_home: Path, command: str, what: str) -> None:
    """Why: each import refused the name that the other one asked for. The same row under the other
    name is the same event."""
    publish(LocalArtifactStore(own_home / "store"), own_home / "published", "Acme")
    file = own_home / "events.csv"
    for names, added, known in ((NAMES, 2, 0), (NAMES[::-1], 0, 2)):
        rows = (f"e{i},C{i},{name},2026-01-05T10:00:00Z\n" for i, name in enumerate(names))
        file.write_text("event_id,customer_id,kind,occurred_at\n" + "".join(rows))
        code, said = run(command, "import", str(file))
        assert (code, f"{added} {what} added, {known} were there already" in said) == (0, True)
    with closing(Ledger.open("", own_home)) as ledger:
        assert all(ledger.histories()[customer].opted_out for customer in ("C0", "C1"))
    with closing(open_feedback_log(LocalArtifactStore(own_home / "store"), own_home)) as log:
        kinds = {json.loads(event)["kind"] for event in log.events()}
    assert kinds == ({"unsubscribed"} if command == "outcomes" else set())


def test_the_api_and_a_contracts_words_take_either() -> None:
    """What is kept has one name, which the document of the API has alone."""
    told = {"event_id": "e", "customer_id": "C", "occurred_at": "2026-01-05T10:00:00Z"}
    for model in (FeedbackEvent, event_model((0, 10, 20, 30))):
        for name in NAMES:
            assert model.model_validate(told | {"kind": name}).kind == "unsubscribed"
        kind = model.model_json_schema()["properties"]["kind"]
        assert ("unsubscribed" in kind["enum"], "opted_out" in kind["enum"]) == (True, False)
    said = Events.model_validate({"kinds": {"afmelding": "opted_out"}})
    assert [said.kind_of(cell) for cell in ("Afmelding", *NAMES)] == ["unsubscribed"] * 3
