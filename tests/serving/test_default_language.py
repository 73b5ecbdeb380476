"""A contract whose customers all read one language: nobody has to say it of each of them."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.customers.contract.model import load_contract
from churn_assets.customers.fields import schema_of
from churn_assets.serving.engine import RetentionEngine, ServedMessages
from tests.customers.conftest import CONTRACT

NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)


def test_the_contract_says_it_once(tmp_path: Path) -> None:
    file = tmp_path / "customers.yaml"
    file.write_text(CONTRACT + "people: {default_language: es}\n", encoding="utf-8")
    assert schema_of(load_contract(file)).default_language == "es"
    file.write_text(CONTRACT, encoding="utf-8")
    assert schema_of(load_contract(file)).default_language is None


@pytest.fixture(scope="module")
def spanish(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> RetentionEngine:
    """A release of a contract with Spanish as its default."""
    folder = tmp_path_factory.mktemp("release") / "bundle"
    shutil.copytree(bundle, folder)
    BUILT_IN_SCHEMA.model_copy(update={"default_language": "es"}).save(folder)
    messages = ServedMessages(currency="€", offer_months=12)
    return RetentionEngine(
        folder, release_id="es", messages=messages, default_time_zone="Europe/Madrid"
    )


@pytest.mark.parametrize("tone", ["warm", "formal", "cheerful", "plain"])
@pytest.mark.parametrize("name", ["Ana", None])
def test_everybody_is_written_to_in_it(
    spanish: RetentionEngine, tone: str, name: str | None
) -> None:
    """In every tone, with a name and without; a request may ask for another language."""
    row = {**spanish.form.sample, "name": name, "tone": tone}
    answer = spanish.predict(spanish.form.model.model_validate(row), now=NOON)
    assert answer["metadata"]["language"] == {"name": "es", "source": "contract"}
    assert answer["message"].startswith(("Hola", "¡Hola"))
    assert (name is None) or name in answer["message"]
    assert answer["safety"]["passed"]
    row["language"] = "en"
    english = spanish.predict(spanish.form.model.model_validate(row), now=NOON)
    assert english["metadata"]["language"] == {"name": "en", "source": "request"}
    assert not english["message"].startswith(("Hola", "¡Hola"))
