"""The same work makes the same artifact, or what is trained from it is trained anew each time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.models import base_model, ppo_stage, reward, sft
from churn_assets.messages.writing import bank_stage
from churn_assets.stages.runner import run_stage
from churn_assets.stages.spec import Stage, StageSpec
from churn_assets.storage.local import LocalArtifactStore
from churn_assets.storage.trees import tree_files
from tests.messages.conftest import PROCESSES, TINY, Chain

STAGES = {
    "message_base_model": base_model,
    "sft_model": sft,
    "reward_model": reward,
    "ppo_text_model": ppo_stage,
    "message_bank": bank_stage,
}


def run_all(inputs: dict[str, Path], root: Path) -> None:
    for name, stage in STAGES.items():
        (root / name).mkdir()
        report = stage.run(inputs, root / name, TINY)
        (root / name / "report.json").write_text(json.dumps(report))


def test_every_stage_makes_the_same_bytes_elsewhere_and_later(chain: Chain, tmp_path: Path) -> None:
    """Why: seconds, paths and the order of a set gave two equal models two digests, so that a
    killed PPO-Text never found its checkpoints again."""
    inputs = {name: tmp_path / "elsewhere" / name for name in chain.folders}
    for name, folder in inputs.items():
        shutil.copytree(chain.folders[name], folder)
    # Another interpreter: it orders sets differently.
    process = PROCESSES.Process(target=run_all, args=(inputs, tmp_path))
    process.start()
    process.join()
    assert process.exitcode == 0
    for name in STAGES:
        assert tree_files(tmp_path / name) == tree_files(chain.folders[name]), name


def test_an_adapter_says_nothing_of_where_it_was_made(chain: Chain) -> None:
    """Why: the path of a private folder is nobody's business, and differs from run to run."""
    for stage, adapter in (("sft_model", "sft"), ("reward_model", "judge")):
        folder = chain.folders[stage] / adapter
        config = json.loads((folder / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] is None
        assert config["target_modules"] == sorted(TINY.lora.targets)
        assert not (folder / "README.md").exists()


def test_a_stages_time_stands_beside_the_artifact_not_in_it(tmp_path: Path) -> None:
    """Why: whoever watches a run wants to know it; the artifact's digest must not."""

    def run(inputs: object, out: Path, config: object, progress: object) -> dict[str, float]:
        (out / "model.txt").write_text("weights")
        return {"quality": 0.9}

    stage = Stage(name="toy", run=run, settings=MessagesConfig)
    store = LocalArtifactStore(tmp_path / "store")
    spec = StageSpec(stage="toy", inputs={}, config={}, store_url=store.url)
    one, two = run_stage(stage, spec, store), run_stage(stage, spec, store)
    assert one.artifact == two.artifact
    assert one.seconds is not None
    assert one.seconds != two.seconds
    assert one.metrics == {"quality": 0.9}
