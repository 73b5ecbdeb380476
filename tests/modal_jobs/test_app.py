"""What is deployed to Modal, as the real client sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import modal
import pytest
from dagster._utils.schedules import is_valid_cron_string
from packaging.requirements import Requirement
from pydantic import ValidationError

from churn_assets.orchestration.config import MODAL_TIMEOUT_LIMIT, Machine, ModalConfig
from churn_assets.orchestration.sources import SERVING_PACKAGES, sources_digest
from churn_assets.settings import PROJECT, Settings
from churn_assets.stages import registry
from churn_assets.stages.registry import PROGRAMS
from modal_jobs import app, container, pins, serving, shared
from modal_jobs.deployed import tags_of
from tests.modal_jobs.control_plane import running_control_plane
from tests.modal_jobs.standin import process_tree

GPU_STAGES = ("sft_model", "reward_model", "ppo_text_model", "message_bank")
CPU_STAGES = ("risk_model", "accept_model", "decision_policy", "message_base_model")
SERVED_MODULES = (
    "api.main",
    "churn_assets.predictors.scoring.scorers",
    "churn_assets.serving.bulk.scoring",
    "churn_assets.storage.gcs",
    "modal_jobs.app",
    "modal_jobs.serving",
)
STAGES = (*GPU_STAGES, *CPU_STAGES)


def info(name: str) -> modal.types.FunctionInfo:
    function: modal.Function = getattr(app, name)
    return function.info()


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_has_secrets_volumes_and_no_retries_of_its_own(name: str) -> None:
    """Dagster owns retries; a retry by Modal would train twice and report once."""
    deployed = info(name)
    assert deployed.max_retries == 0
    assert deployed.single_use_containers
    assert deployed.secrets == ["modal.Secret.from_name('churn-google-cloud')"]
    assert {path: volume.name for path, volume in deployed.volumes.items()} == {
        "/checkpoints": "churn-checkpoints",
        "/weights": "churn-weights",
    }
    assert 0 < deployed.timeout <= MODAL_TIMEOUT_LIMIT


@pytest.mark.parametrize("name", GPU_STAGES)
def test_a_gpu_stage_gets_an_l4(name: str) -> None:
    """The client takes any string for a GPU; the deployment must ask for the one we mean."""
    deployed = info(name)
    assert deployed.gpus == [("L4", 1)]


@pytest.mark.parametrize("name", CPU_STAGES)
def test_a_cpu_stage_pays_for_no_gpu(name: str) -> None:
    """Trees and small networks train on cores."""
    assert info(name).gpus == []


@pytest.mark.parametrize("name", STAGES)
def test_every_function_has_its_program(name: str) -> None:
    """The function `x` runs `python -m churn_assets.stages x`, which must make the artifact `x`."""
    assert name in PROGRAMS
    assert registry.STAGES[name].load().name == name


def test_every_program_has_its_function_on_its_machine() -> None:
    """The registry says which stages run elsewhere, and which of them need a GPU."""
    machines = {name: registry.STAGES[name].machine for name in PROGRAMS}
    assert machines == dict.fromkeys(GPU_STAGES, "gpu") | dict.fromkeys(CPU_STAGES, "cpu")


def test_shards_are_scored_on_cheap_machines_side_by_side() -> None:
    """Batch scoring needs neither GPU nor volume."""
    deployed = info("score_shard")
    assert (deployed.gpus, deployed.volumes, deployed.max_retries) == ([], {}, 0)
    assert deployed.secrets == ["modal.Secret.from_name('churn-google-cloud')"]


def test_the_scheduled_job_has_a_valid_schedule() -> None:
    """The client accepts any text as a cron schedule."""
    deployed = info("remove_checkpoints")
    assert deployed.schedule == "Cron('0 4 * * *', UTC)"
    assert is_valid_cron_string("0 4 * * *")
    assert set(deployed.volumes) == {"/checkpoints"}


def test_the_api_is_a_web_function_of_its_own_app() -> None:
    """Redeploying the API must not touch running stages. A large company's plan takes minutes, and
    no request outlives the identity token of a container that takes no more of them."""
    deployed = serving.api.info()
    assert deployed.timeout == container.REPLACED_SECONDS == 600
    assert serving.app.name != app.app.name
    assert deployed.web_info is not None
    assert deployed.concurrency_info is not None
    assert deployed.gpus == []
    assert deployed.secrets == [
        "modal.Secret.from_name('churn-google-cloud')",
        "modal.Secret.from_name('churn-api-keys')",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"gpu": "L5"},
        {"timeout_seconds": -1},
        {"timeout_seconds": MODAL_TIMEOUT_LIMIT + 1},
        {"memory_mib": 0},
        {"cpu": 0.0},
        {"gpus": "L4"},
    ],
)
def test_what_modal_would_swallow_is_refused_here(wrong: dict[str, object]) -> None:
    """Modal's client fails on such values only after the deployment, if at all."""
    with pytest.raises(ValidationError):
        Machine.model_validate(wrong)


def test_containers_of_the_api_are_kept_in_order() -> None:
    """More kept warm than there may be is a mistake in one of both."""
    with pytest.raises(ValidationError, match=r"api_min_containers \(9\) is more than"):
        ModalConfig(api_min_containers=9)


def run(*arguments: str, cwd: Path = PROJECT, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


CONTAINER = """
from modal._runtime.task_lifecycle_manager import _TaskLifecycleManager
_TaskLifecycleManager._singleton = object()  # by which Modal's client knows a container
"""


@pytest.mark.parametrize(
    ("setting", "function"),
    [
        ("GPU_STAGE", "app.sft_model"),
        ("CPU_STAGE", "app.risk_model"),
        ("SHARD", "app.score_shard"),
        ("API", "serving.api"),
    ],
)
def test_a_machine_is_what_its_setting_says(tmp_path: Path, setting: str, function: str) -> None:
    """Cores, memory and time of a deployment are its settings', not numbers of the code."""
    machine = {"CPU": "3.0", "MEMORY_MIB": "5120", "TIMEOUT_SECONDS": "777"}
    env = {f"CHURN_COMPUTE__MODAL__{setting}__{key}": value for key, value in machine.items()}
    code = (
        "from modal_jobs import app, serving\n"
        f"i = {function}.info()\nprint(i.cpu, i.memory_mib, i.timeout)"
    )
    done = run("-c", code, CHURN_HOME=str(tmp_path), **env)
    assert done.stdout.strip() == "3.0 5120 777", done.stderr


def test_the_apps_load_where_only_the_sources_are(tmp_path: Path) -> None:
    """A container imports the same modules, without pyproject.toml and the lock file."""
    copy_sources(tmp_path)
    code = f"{CONTAINER}import modal_jobs.app, modal_jobs.serving; print(modal_jobs.app.__file__)"
    done = run("-c", code, cwd=tmp_path, CHURN_HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "modal_jobs" / "app.py")


def test_nothing_is_deployed_without_a_lock_file(tmp_path: Path) -> None:
    """Unpinned images would differ from what was tested, and from each other."""
    copy_sources(tmp_path)
    done = run("-c", "import modal_jobs.app", cwd=tmp_path, CHURN_HOME=str(tmp_path / "home"))
    assert done.returncode != 0
    assert str(tmp_path / "constraints.txt") in done.stderr.splitlines()[-1]


def copy_sources(to: Path) -> None:
    for package in shared.SOURCES:
        shutil.copytree(
            PROJECT / package, to / package, ignore=shutil.ignore_patterns("__pycache__")
        )


LEFT_BESIDE_THE_SOURCES = (
    "modal_jobs/deploy/terraform.tfstate",
    "modal_jobs/deploy/terraform.tfstate.backup",
    "modal_jobs/deploy/terraform.tfstate.d/dev/terraform.tfstate",
    "modal_jobs/deploy/.terraform/providers/google",
    "modal_jobs/__pycache__/app.cpython-311.pyc",
)
DEPLOY = """
from modal_jobs import app, serving
app.app.deploy(environment_name="dev")
serving.app.deploy(environment_name="dev")
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What the real client asks Modal for when both apps are deployed from a folder in which
    Terraform has worked: requests by method."""
    project = tmp_path_factory.mktemp("project")
    copy_sources(project)
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(PROJECT / name, project)
    for path in LEFT_BESIDE_THE_SOURCES:
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text("a secret of the project")
    env = {"PYTHONPATH": "", "CHURN_HOME": str(project / "home")}
    with running_control_plane() as plane:
        done = plane.run("-c", DEPLOY, cwd=project, env=env)
        assert done.returncode == 0, done.stderr
        return dict(plane.requests)


def test_no_terraform_state_is_mounted_anywhere(deployment: dict[str, list[Any]]) -> None:
    """A state names everything of the project at Google; the containers have no use for it."""
    mounts = [
        {file.filename for file in request.files}
        for request in deployment["MountGetOrCreate"]
        if request.files
    ]
    assert mounts
    for files in mounts:  # the sources, and nothing that Modal adds by itself
        assert "/root/modal_jobs/app.py" in files
        assert "/root/churn_assets/messages/shield/rules.json" in files
        assert "/root/api/main.py" in files
        unwanted = ("tfstate", ".terraform", "__pycache__")
        assert not [path for path in files if any(part in path for part in unwanted)]
    for request in deployment["FunctionCreate"]:
        assert len(request.function.mount_ids) == 2  # Modal's client, and the sources once


def test_no_function_may_grow_without_limit(deployment: dict[str, list[Any]]) -> None:
    """Two containers of a stage would write the same checkpoints; a flood of requests or shards
    must not cost any amount."""
    most = {
        request.function.function_name: request.function.autoscaler_settings.max_containers
        for request in deployment["FunctionCreate"]
    }
    assert most == {
        **dict.fromkeys(STAGES, 1),
        "remove_checkpoints": 1,
        "score_shard": 32,
        "api": 8,
    }


def test_housekeeping_runs_on_the_small_image(deployment: dict[str, list[Any]]) -> None:
    """Gigabytes of CUDA to remove a few folders every night."""
    images = {
        request.function.function_name: request.function.image_id
        for request in deployment["FunctionCreate"]
    }
    assert len({images[name] for name in ("remove_checkpoints", "score_shard", "sft_model")}) == 3


def test_the_apps_say_from_what_they_were_deployed(deployment: dict[str, list[Any]]) -> None:
    """Dagster compares the tag `sources` with its own before it calls a function;
    `make deploy.check` compares all of them."""
    [stages, api] = deployment["AppPublish"]
    assert (stages.name, api.name) == ("churn-stages", "churn-api")
    assert dict(stages.tags) == tags_of(Settings())
    assert dict(api.tags) == tags_of(Settings(), SERVING_PACKAGES)
    assert stages.tags["sources"] == sources_digest() != api.tags["sources"]


def test_the_images_hold_what_they_need_in_the_versions_of_the_lock_file() -> None:
    """No development tool, which would build the layer with torch anew with each of its versions;
    no web server and no Dagster beside a GPU; no torch where it isn't imported."""
    stages, serving_pins = (
        pins.pinned(pins.stage_packages),
        pins.pinned(lambda: shared.SERVING_PACKAGES),
    )
    locked = set((PROJECT / "constraints.txt").read_text().splitlines())
    assert set(stages) <= locked
    assert set(serving_pins) <= locked
    names = {pin.partition("==")[0].lower() for pin in stages}
    assert {"torch", "transformers", "bitsandbytes", "dagster-pipes", "xgboost", "modal"} <= names
    assert not names & {"pytest", "ruff", "mypy", "hypothesis", "coverage", "playwright"}
    assert not names & {"dagster", "dagster-webserver", "dagster-gcp", "uvicorn", "sqlalchemy"}
    assert not [name for name in names if name.startswith(("nvidia", "cuda", "triton"))]
    assert "torch" not in {pin.partition("==")[0] for pin in serving_pins}


def test_the_stage_image_has_all_that_stages_import(tmp_path: Path) -> None:
    """A package missing from the image is a crash on a GPU, not at the deployment."""
    packages = [Requirement(line).name for line in pins.stage_packages()]
    modules = sorted({registry.STAGES[name].function.partition(":")[0] for name in PROGRAMS})
    here = [name for name in packages if name != "bitsandbytes"]  # needs a GPU to be of use
    check = ("-m", "tests.modal_jobs.import_within", ",".join(here))
    entry = ("modal_jobs.app", "churn_assets.stages.entry", "churn_assets.storage.gcs")
    done = run(*check, *entry, *modules, CHURN_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_the_serving_image_has_all_that_serving_imports(tmp_path: Path) -> None:
    """A package missing from the image is a crash at the first request, not at the deployment."""
    check = ("-m", "tests.modal_jobs.import_within")
    home = {"CHURN_HOME": str(tmp_path)}
    done = run(*check, ",".join(shared.SERVING_PACKAGES), *SERVED_MODULES, **home)
    assert done.returncode == 0, done.stderr
    without = [name for name in shared.SERVING_PACKAGES if name != "prometheus-client"]
    done = run(*check, ",".join(without), *SERVED_MODULES, **home)
    assert "No module named 'prometheus_client'" in done.stderr


def test_the_scoring_image_has_all_that_a_shard_imports(tmp_path: Path) -> None:
    """XGBoost scores tables, and is imported when the first one comes."""
    check = ("-m", "tests.modal_jobs.import_within")
    home = {"CHURN_HOME": str(tmp_path)}
    done = run(*check, ",".join(shared.SCORING_PACKAGES), "xgboost", *SERVED_MODULES, **home)
    assert done.returncode == 0, done.stderr
    done = run(*check, ",".join(shared.SERVING_PACKAGES), "xgboost", **home)
    assert "No module named 'xgboost'" in done.stderr


def test_a_process_tree_has_its_root() -> None:
    """The stand-in for a container ends everything in it."""
    assert os.getpid() in process_tree(os.getppid())
