"""Where a run on this machine keeps its copies of a bucket's artifacts."""

from __future__ import annotations

import uuid
from pathlib import Path

import dagster as dg
import pytest

from churn_assets.stages.spec import StageSpec
from churn_assets.storage.opening import open_store
from churn_assets.storage.protocol import Artifact
from tests.orchestration.conftest import PROJECT
from tests.orchestration.graph import Backend, toy_definitions


def test_a_stage_leaves_no_copies_outside_the_home_folder(
    emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: a stage's process had copies of its own in `~/.cache/churn`, which no retention reached:
    customers who had long been erased stood there."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    backend = Backend(
        home=str(tmp_path / "home"),
        store=f"gs://churn-artifacts/{uuid.uuid4().hex}",
        compute={"backend": "local", "local": {"grace_seconds": 0.5}},
    )
    with dg.DagsterInstance.ephemeral() as instance:
        toy = toy_definitions(backend).resolve_job_def("toy")
        result = toy.execute_in_process(instance=instance)
    assert not (tmp_path / "person").exists()
    numbers: Artifact = result.output_for_node("numbers")
    store = open_store(backend.store, cache=tmp_path / "home/cache")
    [copy] = (tmp_path / "home/cache").rglob("numbers.txt")
    assert copy.parent.name == numbers.version
    store.delete("numbers", numbers.version)  # as an erased customer's tables are, in the end
    store.sweep()
    assert not list((tmp_path / "home/cache").rglob("numbers.txt"))


def test_the_folder_of_copies_is_no_part_of_the_work(tmp_path: Path) -> None:
    """What another home made from the same is found again."""

    spec = StageSpec(stage="sft_model", inputs={}, config={}, store_url="gs://b/x")
    assert spec.model_copy(update={"cache": str(tmp_path)}).digest == spec.digest
