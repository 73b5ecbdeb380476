"""Writers of the ledger that are killed, wherever they are, or hang: nobody is contacted twice,
nobody is lost, and nobody waits without end."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.contacts import database
from churn_assets.campaign.contacts.event import Event
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.errors import LedgerError
from churn_assets.campaign.workflow import Campaigns
from churn_assets.storage.local import LocalArtifactStore
from tests.campaign.test_workflow import NOW, SETTINGS, TODAY, customers_of

# Its arguments: where the store, the ledger and the lists are, the day's number, and the function
# of `sending` that is its last.
PROGRAM = f"""
import os, signal, sys
from datetime import datetime, timedelta
from pathlib import Path
from churn_assets.campaign import sending
from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.workflow import Campaigns
from churn_assets.storage.local import LocalArtifactStore

store, ledger, place, day, last = sys.argv[1:]
real = getattr(sending, last)

def dies(*given):
    real(*given)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(sending, last, dies)
config = CampaignConfig(deliver_to=place, max_age_hours=999)
now = datetime.fromisoformat({NOW.isoformat()!r}) + timedelta(days=int(day))
Campaigns(LocalArtifactStore(Path(store)), Ledger(ledger), config, "Europe/Madrid").deliver(
    now.date(), now, "killed"
)
"""
POINTS = ("insert_events", "write_file", "_write")
"""Events written but nothing committed; the file written besides; everything committed."""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_delivery_is_killed(
    kind: str, store: LocalArtifactStore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Each day at another point: the next delivery hands over what the killed one didn't, and who
    is in the ledger is in exactly one file."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    if kind == "postgresql":
        url = str(request.getfixturevalue("postgresql"))
    place = tmp_path / "out"
    config = CampaignConfig.model_validate(
        SETTINGS | {"deliver_to": str(place), "max_age_hours": 999}
    )
    campaigns = Campaigns(store, Ledger(url), config, "Europe/Madrid")
    plan = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    for number, point in enumerate(POINTS):
        given = [str(store.root), url, str(place), str(number), point]
        killed = subprocess.run(
            [sys.executable, "-c", PROGRAM, *given], env=os.environ, check=False, timeout=600
        )
        assert killed.returncode == -signal.SIGKILL
        done, now = point == "_write", NOW + timedelta(days=number)
        day = TODAY + timedelta(days=number)
        wanted = set(customers_of(plan, day))
        assert (wanted <= campaigns.ledger.histories().keys()) is done
        over = campaigns.deliver(day, now, "the schedule").handed_over
        assert (over.new, over.already) == ((0, 8) if done else (8, 0))
        [file] = place.glob(f"*{day}*")
        with file.open(encoding="utf-8", newline="") as opened:
            listed = [row["customer_id"] for row in csv.DictReader(opened)]
        assert sorted(listed) == sorted(wanted)
    histories = campaigns.ledger.histories()
    assert len(histories) == 8 * len(POINTS)
    assert all(len(history.contacts) == 1 for history in histories.values())
    campaigns.ledger.close()


def told(key: str) -> Event:
    """A contact of one customer."""
    return Event(event_key=key, customer_id="A1", kind="sent", occurred_at=NOW)


def test_a_writer_that_hangs_holds_others_up_for_a_while_only(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: an import waited without end and without a word. Who reads needn't wait at all."""
    ledger, other = Ledger(postgresql), Ledger(postgresql)
    ledger.record([told("a")])
    other.record([told("b")])
    monkeypatch.setattr(database, "LONGEST_WAIT", "50ms")
    with ledger.writing():
        assert other.known(["a", "b"]) == {"a", "b"}
        with pytest.raises(LedgerError, match="due to lock timeout"):
            other.record([told("c")])
    other.record([told("c")])
    assert ledger.known(["c"]) == {"c"}
    ledger.close()
    other.close()
