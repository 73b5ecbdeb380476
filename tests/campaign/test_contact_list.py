"""The list that a sending system is given: columns, words, formats, and cells that run nothing."""

from __future__ import annotations

import csv
import io
import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from churn_assets.campaign.config import CampaignConfig, Channel
from churn_assets.campaign.contact_list import LIST, list_bytes, name_tag, write_list
from churn_assets.campaign.contacts.ledger import Ledger
from churn_assets.campaign.workflow import Campaigns
from churn_assets.customers.people import PEOPLE
from churn_assets.domain.cells import DANGEROUS
from churn_assets.messages.writing.bandit import STATE, Audience, Outcome, TemplateBandit
from churn_assets.release.switches import templates
from churn_assets.serving.decision_log import parts
from churn_assets.storage.current import asset_pointer, current_artifact
from churn_assets.storage.local import LocalArtifactStore
from tests.api.conftest import publish_predictions, publish_small_release
from tests.campaign.test_workflow import NOW, SETTINGS, TODAY, Desk, customers_of, desk, people

__all__ = ["desk"]  # a fixture


@pytest.mark.parametrize(
    ("dialect", "field", "tag"),
    [
        ("liquid", "", "{{ customer.first_name }}"),
        ("handlebars", "", "{{first_name}}"),
        ("mailchimp", "VORNAME", "*|VORNAME|*"),
    ],
)
def test_the_list_says_everything_that_the_sending_system_needs(
    dialect: Any, field: str, tag: str, desk: Desk, tmp_path: Path
) -> None:
    """Names as merge tags; where one is known, the filled text; hours in the customer's zone."""
    assert name_tag(dialect, field) == tag
    plan = desk().plan(NOW, "Ana", curves=False)
    named, *_ = customers_of(plan, TODAY)
    file = people(tmp_path, f"{named},Zoë,America/New_York,no\n")
    campaigns = desk(dialect=dialect, name_tag=field, people=file)
    campaigns.approve(None, "Eva", NOW)
    rows = campaigns.export(None, TODAY, NOW).rows
    assert [list(row) for row in rows] == [LIST.names] * 8
    for row in rows:
        assert row["decision_id"] == f"{plan.plan_id}:{row['customer_id']}"
        assert tag in row["message"]
        assert f"{row['offer_percentage']}%" in row["message"] or not row["offer_percentage"]
        assert row["shield_passed"]
        assert row["shield_violations"] == ""
        assert "lowers" not in row["reason"]  # it is why they may leave
        assert row["send_not_before"] < row["send_not_after"]
    assert any("raises the churn risk" in row["reason"] for row in rows)
    [mine] = [row for row in rows if row["customer_id"] == named]
    assert mine["message_filled"] == mine["message"].replace(tag, "Zoë")
    assert mine["send_not_before"] in ("2026-03-10T08:00:00-04:00", "2026-03-10T09:00:00-04:00")
    assert mine["zone"] == "America/New_York"
    others = [row for row in rows if row["customer_id"] != named]
    assert all(row["message_filled"] is None for row in others)
    assert {row["zone"] for row in others} == {"Europe/Madrid"}  # the only one that anybody has


def test_a_zone_is_unknown_only_where_the_company_has_several(desk: Desk) -> None:
    """Then the hours suit all of them; with one, nobody doubts which zone the hours are of."""
    rules = {"zones": ["Europe/Madrid", "Atlantic/Canary"]}
    campaigns = desk(rules=rules)
    campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    rows = campaigns.export(None, TODAY, NOW).rows
    assert {row["zone"] for row in rows} == {"unknown: hours that all of the company's zones allow"}
    assert all(row["send_not_before"].endswith("+00:00") for row in rows)
    one = desk(rules=rules | {"zones": ["Atlantic/Canary"]})
    assert {row["zone"] for row in one.export(None, TODAY, NOW).rows} == {"Atlantic/Canary"}


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
    assert rows[other]["zone"] == "Europe/Madrid"
    assert "Zoë" in rows[overruled]["message_filled"]
    assert rows[overruled]["zone"] == "America/New_York"
    assert all(row["shield_passed"] for row in rows.values())
    strangers = rows.keys() - {spanish, other, overruled}
    assert {rows[i]["language"] for i in strangers} <= {"en"}


def test_templates_are_drawn_once_and_logged(tmp_path: Path) -> None:
    """At approval, by what answers said until then; every list has the words that are in the log,
    whatever is learnt meanwhile, and a plan that keeps the promise keeps them, too."""
    publish_small_release(tmp_path / "home", tmp_path / "release")
    publish_predictions(tmp_path / "home", tmp_path / "predictions")
    campaigns = Campaigns(
        LocalArtifactStore(tmp_path / "home" / "store"),
        Ledger.open("", tmp_path),
        CampaignConfig.model_validate(SETTINGS),
        "Europe/Madrid",
        learn_from_answers=True,
    )
    plan = campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    log = {row["decision_id"]: row for row in parts.read(campaigns.store).to_pylist()}
    drawn = {i: log[i] for i in plan.contacts["decision_id"].to_pylist()}
    assert all(0 < row["template_probability"] <= 1 for row in drawn.values())
    audience = Audience.read(json.loads(next(iter(drawn.values()))["audience"]))
    assert audience.offer in (0, 5, 10, 15)
    assert audience.services is not None
    others = [row for i, row in log.items() if row["customer_id"] not in customers_of(plan)]
    assert not any(row["template"] for row in others)

    before = campaigns.export(None, TODAY, NOW).rows
    bandit = TemplateBandit()
    for row in drawn.values():
        cell = Audience.read(json.loads(row["audience"]))
        bandit.learn([Outcome(cell, row["template"], False)] * 200)  # nobody likes what was drawn
    (tmp_path / "state").mkdir()
    bandit.save(tmp_path / "state" / STATE)
    state = campaigns.store.put(templates.ASSET, tmp_path / "state")
    pointer = asset_pointer(templates.ASSET)
    campaigns.store.write_pointer(pointer, state.model_dump_json().encode())
    assert campaigns.export(None, TODAY, NOW)[1] == before

    later = NOW + timedelta(minutes=5)
    second = campaigns.plan(later, "Ana", curves=False)
    campaigns.approve(None, "Eva", later)
    after = {row["decision_id"]: row for row in campaigns.export(None, TODAY, later)[1]}
    kept = [row for row in before if row["decision_id"] in after]
    assert kept
    assert all(after[row["decision_id"]]["message"] == row["message"] for row in kept)
    again = {row["decision_id"] for row in parts.read(campaigns.store).to_pylist()}
    promised = {f"{second.plan_id}:{row['customer_id']}" for row in kept}
    assert not again & promised  # its answer counts once


def test_every_format_holds_the_same_rows(desk: Desk, tmp_path: Path) -> None:
    """Parquet, JSON Lines and CSV; a name without a format is refused."""
    campaigns = desk()
    campaigns.plan(NOW, "Ana", curves=False)
    campaigns.approve(None, "Eva", NOW)
    rows = campaigns.export(None, TODAY, NOW).rows
    for suffix in (".csv", ".parquet", ".jsonl"):
        write_list(rows, tmp_path / f"list{suffix}")
    assert pq.read_table(tmp_path / "list.parquet").to_pylist() == rows
    lines = (tmp_path / "list.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows
    with (tmp_path / "list.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["message"] for row in read] == [row["message"] for row in rows]
    with pytest.raises(ValueError, match=r"name the list \.csv, \.parquet or \.jsonl"):
        write_list(rows, tmp_path / "list.xlsx")


ODD = ("=1+1", "+34 600", "@x", "-7", 'a,"b"', "Ñandú 5", "C/7", "k;l", "'q", "x" * 64)


def test_ids_as_companies_have_them(store: LocalArtifactStore, tmp_path: Path) -> None:
    """From the plan to list and ledger every id stays what it is; in CSV those are defused that a
    spreadsheet would run."""
    own = LocalArtifactStore(shutil.copytree(store.root, tmp_path / "store"))
    folder = own.get(current_artifact(own, "predictions"))
    changed = shutil.copytree(folder, tmp_path / "changed")
    table = pq.read_table(changed / "predictions.parquet")
    ids = [*ODD, *table["customer_id"].to_pylist()[len(ODD) :]]
    column = table.schema.get_field_index("customer_id")
    pq.write_table(table.set_column(column, "customer_id", [ids]), changed / "predictions.parquet")
    pointer = own.put("predictions", changed).model_dump_json().encode()
    own.write_pointer(asset_pointer("predictions"), pointer)
    channels = {"email": Channel(contacts_a_day=90)}
    config = CampaignConfig(days=1, budget=9e9, channels=channels)
    campaigns = Campaigns(own, Ledger.open("", tmp_path), config, "Europe/Madrid")
    planned = set(customers_of(campaigns.plan(NOW, "Ana", curves=False)))
    odd = planned & {*ODD}
    assert len(odd) > len(ODD) / 2
    campaigns.approve(None, "Eva", NOW)
    rows = campaigns.export(None, TODAY, NOW).rows
    assert {row["customer_id"] for row in rows} == planned
    assert all(row["decision_id"].endswith(f":{row['customer_id']}") for row in rows)
    content = list_bytes(rows, ".csv").decode()
    read = {row["customer_id"] for row in csv.DictReader(io.StringIO(content, newline=""))}
    assert read == {f"'{name}" if name.startswith(DANGEROUS) else name for name in planned}
    lines = list_bytes(rows, ".jsonl").decode().splitlines()
    assert {json.loads(line)["customer_id"] for line in lines} == planned
    assert campaigns.hand_over(None, TODAY, NOW, "Ana").new == len(planned)
    assert campaigns.ledger.histories().keys() == planned
    campaigns.ledger.close()


@pytest.mark.parametrize("begin", DANGEROUS)
def test_a_cell_that_a_spreadsheet_would_run_is_defused(begin: str) -> None:
    """A name such as =HYPERLINK(…) stays text, and so does what follows a tab."""
    row = dict.fromkeys(LIST.names, "ok") | {"message_filled": f"{begin}cmd|' /C calc'!A0"}
    content = list_bytes([row], ".csv").decode()
    [read] = csv.DictReader(io.StringIO(content, newline=""))
    assert read["message_filled"] == f"'{begin}cmd|' /C calc'!A0"
    assert read["message"] == "ok"
