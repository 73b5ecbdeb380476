"""The contact list: the people of a company's own table, and cells that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest

from churn_assets.campaign.config import CampaignConfig
from churn_assets.campaign.contact_list import DANGEROUS, LIST, list_bytes
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.workflow import Campaigns
from churn_assets.customers.people import PEOPLE
from churn_assets.storage.current import asset_pointer
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_predictions, publish_small_release
from tests.campaign.test_workflow import NOW, SETTINGS, TODAY, customers_of, people


def test_the_contract_s_people_reach_the_list(tmp_path: Path) -> None:
    """Names, zones, languages and opt-outs that the company's own table has: nobody has to write a
    second one. A table of people that the settings name goes before it, cell by cell."""
    home = tmp_path / "home"
    publish_small_release(home, tmp_path / "release")
    publish_predictions(home, tmp_path / "predictions")
    store = LocalArtifactStore(home / "store")
    config = CampaignConfig.model_validate(SETTINGS)
    ledger = Ledger.open("", tmp_path)
    plan = Campaigns(store, ledger, config, "Europe/Madrid").plan(NOW, "Ana", curves=False)
    spanish, other, overruled, gone, *_ = customers_of(plan, TODAY)
    active = tmp_path / "active"
    (active / PEOPLE).parent.mkdir(parents=True)
    pd.DataFrame(
        {
            "customer_id": [spanish, other, overruled, gone],
            "first_name": ["Ana", "Rui", "Zoe", "Max"],
            "zone": ["America/New_York", None, "America/New_York", None],
            "language": ["es-ES", "pt", None, None],
            "opt_out": [False, False, False, True],
        }
    ).to_parquet(active / PEOPLE)
    artifact = store.put("active_customers", active)
    store.write_pointer(asset_pointer("active_customers"), artifact.model_dump_json().encode())
    file = people(tmp_path, f"{overruled},Zoë,,\n")
    campaigns = Campaigns(
        store, ledger, config.model_copy(update={"people": file}), "Europe/Madrid"
    )
    plan = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    rows = {row["customer_id"]: row for row in campaigns.export(None, TODAY, NOW)[1]}
    assert gone not in customers_of(plan)
    assert {spanish, other, overruled} <= rows.keys()
    assert rows[spanish]["language"] == "es"
    assert "Ana" in rows[spanish]["message_filled"]
    assert any(word in rows[spanish]["message"] for word in ("Hola", "Buenos"))
    assert rows[spanish]["zone"] == "America/New_York"
    assert rows[spanish]["send_not_before"] >= "2026-03-10T08:00:00-04:00"
    assert rows[other]["language"] == "en: nothing is reviewed in pt"
    assert rows[other]["zone"].startswith("unknown")
    assert "Zoë" in rows[overruled]["message_filled"]
    assert rows[overruled]["zone"] == "America/New_York"
    assert all(row["shield_passed"] for row in rows.values())
    strangers = rows.keys() - {spanish, other, overruled}
    assert {rows[i]["language"] for i in strangers} <= {"en"}


@pytest.mark.parametrize("begin", DANGEROUS)
def test_a_cell_that_a_spreadsheet_would_run_is_defused(begin: str) -> None:
    """A name such as =HYPERLINK(…) stays text, and so does what follows a tab."""
    row = dict.fromkeys(LIST.names, "ok") | {"message_filled": f"{begin}cmd|' /C calc'!A0"}
    content = list_bytes([row], ".csv").decode()
    [read] = csv.DictReader(io.StringIO(content, newline=""))
    assert read["message_filled"] == f"'{begin}cmd|' /C calc'!A0"
    assert read["message"] == "ok"
