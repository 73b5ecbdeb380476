"""The API on Modal where its language model has to write while a request waits."""

from __future__ import annotations

from pathlib import Path

from modal_jobs import pins, shared
from tests.modal_jobs.test_app import SERVED_MODULES, run

IMAGE = "from modal_jobs import serving, shared; print(shared.api_image is shared.serving_image)"
LIVE = "churn_assets.messages.writing.live"


def test_the_apis_image_has_torch_where_it_is_needed_alone(tmp_path: Path) -> None:
    """Why: it never had, so that a release that was built with `live_generation` could never
    write; and torch is gigabytes, which every other API would wait for at each cold start."""
    for variable, small in (("false", True), ("true", False)):
        home = {"CHURN_HOME": str(tmp_path), "CHURN_MESSAGES__LIVE_GENERATION": variable}
        done = run("-c", IMAGE, **home)
        assert done.stdout.strip() == str(small), done.stderr
    names = {pin.partition("==")[0] for pin in pins.pinned(lambda: shared.LIVE_PACKAGES)}
    assert {"torch", "transformers", "peft", "accelerate"} <= names


def test_the_image_has_all_that_the_model_imports(tmp_path: Path) -> None:
    """Why: a package missing there is found by the first customer."""
    check, home = ("-m", "tests.modal_jobs.import_within"), {"CHURN_HOME": str(tmp_path)}
    done = run(*check, ",".join(shared.LIVE_PACKAGES), *SERVED_MODULES, LIVE, **home)
    assert done.returncode == 0, done.stderr
    done = run(*check, ",".join(shared.SERVING_PACKAGES), LIVE, **home)
    assert "No module named 'torch'" in done.stderr
