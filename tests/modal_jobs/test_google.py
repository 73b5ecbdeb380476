"""The Terraform file, parsed: nobody outside reads the buckets, and Modal's account may little."""

from __future__ import annotations

import re
from typing import Any

import hcl2
import pytest

from churn_assets.settings import PROJECT

TERRAFORM = PROJECT / "modal_jobs/deploy/google.tf"


def resources(kind: str) -> list[dict[str, Any]]:
    """Every resource block of one kind."""
    blocks = hcl2.loads(TERRAFORM.read_text())["resource"]
    return [
        body
        for block in blocks
        for found, named in block.items()
        if found.strip('"') == kind
        for body in named.values()
    ]


@pytest.mark.parametrize("bucket", resources("google_storage_bucket"), ids=lambda b: b["name"])
def test_buckets_are_private_and_clean_up(bucket: dict[str, Any]) -> None:
    """No object has rights of its own, none can be made public, old ones go by themselves."""
    assert bucket["uniform_bucket_level_access"] is True
    assert bucket["public_access_prevention"] == '"enforced"'
    actions = {rule["action"][0]["type"].strip('"') for rule in bucket["lifecycle_rule"]}
    assert "Delete" in actions


def test_artifacts_are_versioned() -> None:
    """A pointer that was overwritten by mistake can be brought back."""
    [artifacts] = [b for b in resources("google_storage_bucket") if "artifacts" in b["name"]]
    assert artifacts["versioning"][0]["enabled"] is True


def test_roles_are_given_on_buckets_and_only_over_objects() -> None:
    """Least privilege: no role on the project, and none that manages buckets or their policy."""
    assert not resources("google_project_iam_member")
    [members] = resources("google_storage_bucket_iam_member")
    assert members["role"] == "${each.value.role}"
    assert set(re.findall(r"roles/storage\.\w+", TERRAFORM.read_text())) == {
        "roles/storage.objectUser",
        "roles/storage.legacyBucketReader",  # only looks at the bucket itself
    }


def test_each_environment_has_a_state_of_its_own() -> None:
    """With one state for both, applying prod destroys dev's buckets and everything in them."""
    [apis] = resources("google_project_service")
    [precondition] = apis["lifecycle"][0]["precondition"]
    assert precondition["condition"] == "${terraform.workspace == var.environment}"


def test_no_key_of_the_account_is_made() -> None:
    """Modal's containers prove themselves by their identity token."""
    assert not resources("google_service_account_key")
    [provider] = resources("google_iam_workload_identity_pool_provider")
    assert "assertion.workspace_id" in provider["attribute_condition"]
