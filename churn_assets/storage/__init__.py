"""Artifacts, folders with a digest, on this machine or in Google Cloud Storage. No Dagster."""
