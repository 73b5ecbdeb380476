"""Which files of the hub's data sets are kept and used again, and which are read anew."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from churn_assets.datasets.config import DatasetsConfig, DownloadConfig, HubConfig
from churn_assets.datasets.sources import hub, public
from churn_assets.stages.spec import silent
from tests.datasets.test_public import CONVERSATION, config, message, write_lines


def test_what_is_in_a_folder_now_is_read(quick: DownloadConfig, tmp_path: Path) -> None:
    """Its revision is the setting's word; the folder may be replaced under it."""
    repo = tmp_path / "ours"
    write_lines(repo / "validation.jsonl", [message("q", None, "prompter")])
    settings = config(quick, oasst1={"hub": {"repo": str(repo), "revision": "0" * 40}})
    digests = []
    for rows in (CONVERSATION, CONVERSATION[:2], CONVERSATION):
        write_lines(repo / "train.jsonl", rows)
        digests.append(public.fetch("oasst1_pairs", settings, tmp_path / "raw").sha256)
    assert digests[0] == digests[2] != digests[1]


def test_each_repository_has_a_file_of_its_own(
    quick: DownloadConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the repository under the same commit is another source; what was kept of the usual
    one before keeps its name."""

    def save(source: HubConfig, target: Path, *_: object) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(gzip.compress(source.repo.encode()))

    monkeypatch.setattr(hub, "save", save)
    usual = DatasetsConfig().oasst1.hub
    names = []
    for repo in (usual.repo, "ours/oasst1"):
        given = {"hub": {"repo": repo, "revision": usual.revision}}
        names.append(public.fetch("oasst1_pairs", config(quick, oasst1=given), tmp_path).path.name)
    assert names[0] == f"oasst1-{usual.revision[:12]}.jsonl.gz"
    assert names[1] == f"oasst1-ours--oasst1-{usual.revision[:12]}.jsonl.gz"


def test_a_commit_of_the_hub_is_fetched_once(quick: DownloadConfig, tmp_path: Path) -> None:
    """It can't change; nobody is asked again."""
    kept = tmp_path / "rows.jsonl.gz"
    kept.write_bytes(b"rows")
    source = HubConfig(repo="ours/texts", revision="0" * 40)
    hub.save(source, kept, lambda _: pytest.fail("fetched again"), quick, silent)
    assert kept.read_bytes() == b"rows"
