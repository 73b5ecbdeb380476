"""Deployment: `python -m modal_jobs.deploy` deploys, `python -m modal_jobs.deploy.check` looks."""
