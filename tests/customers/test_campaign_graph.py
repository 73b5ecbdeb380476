"""The asset graph of a contract with a campaign, of one without, and of one that can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from churn_assets.definitions import definitions, job_names
from churn_assets.domain.plain_errors import WrongSettingError
from churn_assets.settings import load_settings
from tests.customers.charity import EXAMPLE
from tests.customers.conftest import CONTRACT
from tests.customers.test_own_offers import OWN


@pytest.fixture
def graph_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The asset graph under a contract's text."""

    def graph(contract: str) -> Any:
        file = tmp_path / "customers.yaml"
        file.write_text(contract)
        monkeypatch.setenv("CHURN_CUSTOMERS", str(file))
        monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
        load_settings.cache_clear()
        return definitions().resolve_asset_graph()

    yield graph
    load_settings.cache_clear()


def test_the_graph_has_the_log_where_the_bank_was(graph_of: Any) -> None:
    """Whatever read the public contacts reads the contract's own; their checks go with them."""
    graph = graph_of(OWN)
    bank, log = dg.AssetKey("bank_contacts"), dg.AssetKey("campaign_contacts")
    assert bank not in graph.get_all_asset_keys()
    for name in ("accept_model", "release"):
        parents = graph.get(dg.AssetKey(name)).parent_keys
        assert log in parents
        assert bank not in parents
    names = {key.name for key in graph.asset_check_keys if key.asset_key.path[-1] == "accept_model"}
    assert "offers_were_made_as_the_contract_says" in names
    assert "acceptance_is_ranked" not in names  # a bound of the bank's


def test_a_contract_without_a_log_keeps_the_bank(graph_of: Any) -> None:
    keys = graph_of(CONTRACT).get_all_asset_keys()
    assert dg.AssetKey("bank_contacts") in keys
    assert dg.AssetKey("campaign_contacts") not in keys


def test_a_campaign_alone_is_a_graph_of_its_log_and_the_accept_model(graph_of: Any) -> None:
    """Nobody to decide about: no jobs, schedules or sensors of what isn't there."""
    keys = graph_of(EXAMPLE.read_text()).get_all_asset_keys()
    assert keys == {dg.AssetKey("campaign_contacts"), dg.AssetKey("accept_model")}
    assert job_names() == ["everything", "predictors"]
    assert not definitions().schedules


def test_a_contract_that_can_t_be_read_still_shows_a_graph(graph_of: Any) -> None:
    """The code location loads; the asset says what is wrong with the file."""
    assert dg.AssetKey("customer_history") in graph_of("name: [").get_all_asset_keys()


def test_messages_promise_the_months_that_are_paid(
    graph_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting made them promise six months of a discount that plans and budgets counted as
    twelve; now the contract's offers say it for all, and what to write is said at once."""
    monkeypatch.setenv("CHURN_MESSAGES__OFFER_MONTHS", "6")
    with pytest.raises(WrongSettingError, match=r"write offers: .*months: 6.* into the contract"):
        graph_of(CONTRACT)
    release = dg.AssetKey("release")
    offers = "offers: {percent: [0, 5, 10, 15], months: 6}\n"
    assert release in graph_of(CONTRACT + offers).get_all_asset_keys()
    assert release in graph_of("name: [").get_all_asset_keys()  # its asset says what is wrong
    monkeypatch.setenv("CHURN_MESSAGES__OFFER_MONTHS", "12")
    assert release in graph_of(CONTRACT).get_all_asset_keys()
