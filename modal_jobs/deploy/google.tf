# Google Cloud for one environment: buckets, the account that Modal's containers act as, roles.
# Each environment is a workspace with a state of its own:
#   terraform workspace select -or-create dev
#   terraform apply -var project=... -var environment=dev -var modal_workspace=ac-...

terraform {
  required_version = ">= 1.6"
  required_providers {
    google = { source = "hashicorp/google", version = "~> 6.13" }
  }
}

variable "project" { type = string }
variable "location" {
  type    = string
  default = "US"
}
variable "environment" {
  type = string
  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "The environment is dev or prod."
  }
}
variable "modal_workspace" {
  type        = string
  description = "Workspace id, ac-...: only this workspace's containers may act as the account."
}
variable "dagster_members" {
  type        = set(string)
  default     = []
  description = "Who runs Dagster: user:..., serviceAccount:..."
}

provider "google" { project = var.project }

resource "google_project_service" "apis" {
  for_each           = toset(["iam", "iamcredentials", "storage", "sts"])
  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false
  lifecycle {
    # In one state, applying prod would replace everything that dev has.
    precondition {
      condition     = terraform.workspace == var.environment
      error_message = "terraform workspace select -or-create ${var.environment}"
    }
  }
}

# Artifacts: immutable by content, so old generations matter only for pointers and accidents.
resource "google_storage_bucket" "artifacts" {
  name                        = "${var.project}-churn-artifacts-${var.environment}"
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  versioning { enabled = true }
  lifecycle_rule {
    action { type = "Delete" }
    condition {
      days_since_noncurrent_time = 30
      with_state                 = "ARCHIVED"
    }
  }
  # What the steps of Dagster's runs wrote to stdout and stderr, for a season.
  lifecycle_rule {
    action { type = "Delete" }
    condition {
      age            = 90
      matches_prefix = ["compute-logs/"]
    }
  }
  lifecycle_rule {
    action { type = "AbortIncompleteMultipartUpload" }
    condition { age = 1 }
  }
}

# Messages between a running stage and Dagster: nobody reads them after the run.
resource "google_storage_bucket" "pipes" {
  name                        = "${var.project}-churn-pipes-${var.environment}"
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  lifecycle_rule {
    action { type = "Delete" }
    condition { age = 7 }
  }
}

resource "google_service_account" "churn" {
  depends_on   = [google_project_service.apis]
  account_id   = "churn-${var.environment}"
  display_name = "Churn retention on Modal (${var.environment})"
}

# Modal signs an identity token for each container; Google exchanges it for the account's access.
resource "google_iam_workload_identity_pool" "modal" {
  depends_on                = [google_project_service.apis]
  workload_identity_pool_id = "modal-${var.environment}"
}

resource "google_iam_workload_identity_pool_provider" "modal" {
  workload_identity_pool_id          = google_iam_workload_identity_pool.modal.workload_identity_pool_id
  workload_identity_pool_provider_id = "modal"
  attribute_mapping = {
    # `sub` names the container and is too long for Google's 127 bytes.
    "google.subject"        = "assertion.function_id"
    "attribute.environment" = "assertion.environment_name"
  }
  attribute_condition = "assertion.workspace_id == '${var.modal_workspace}' && assertion.environment_name == '${var.environment}'"
  oidc {
    issuer_uri        = "https://oidc.modal.com"
    allowed_audiences = ["oidc.modal.com"]
  }
}

resource "google_service_account_iam_member" "modal" {
  service_account_id = google_service_account.churn.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.modal.name}/attribute.environment/${var.environment}"
}

locals {
  members = setunion(["serviceAccount:${google_service_account.churn.email}"], var.dagster_members)
  # Objects may be read, written, listed and deleted; no bucket may be changed.
  grants = {
    for grant in setproduct(local.members, [
      { bucket = google_storage_bucket.artifacts.name, role = "roles/storage.objectUser" },
      { bucket = google_storage_bucket.pipes.name, role = "roles/storage.objectUser" },
      # Dagster (Pipes, compute logs) and deploy.check look the bucket itself up, which objectUser
      # does not allow.
      { bucket = google_storage_bucket.artifacts.name, role = "roles/storage.legacyBucketReader" },
      { bucket = google_storage_bucket.pipes.name, role = "roles/storage.legacyBucketReader" },
    ]) : "${grant[0]} ${grant[1].bucket} ${grant[1].role}" => merge(grant[1], { member = grant[0] })
  }
}

resource "google_storage_bucket_iam_member" "grants" {
  for_each = local.grants
  bucket   = each.value.bucket
  role     = each.value.role
  member   = each.value.member
}

output "churn_store" { value = "gs://${google_storage_bucket.artifacts.name}/v1" }
output "artifact_bucket" { value = google_storage_bucket.artifacts.name }
output "pipes_bucket" { value = google_storage_bucket.pipes.name }
output "google_service_account" { value = google_service_account.churn.email }
output "google_identity_provider" { value = google_iam_workload_identity_pool_provider.modal.name }
