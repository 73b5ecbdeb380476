"""`make deploy`: check what is needed, then deploy both apps to the configured environment."""

from __future__ import annotations

import sys

from churn_assets.domain.plain_errors import one_line_exit
from modal_jobs.deploy.check import BEFORE_DEPLOYMENT, report


def main() -> int:
    """Deploy the stages and the API; the exit code of the command line."""
    if report(BEFORE_DEPLOYMENT):
        return 1
    # Imported here: an app is built on import, with settings that the check explains better.
    import modal

    from modal_jobs import app, serving
    from modal_jobs.deployed import carried
    from modal_jobs.shared import config, settings

    print(*carried(settings), sep="\n")
    with modal.enable_output():
        for each in (app.app, serving.app):
            each.deploy(environment_name=config.environment)
    print(f"the API is at {serving.api.get_web_url()}")
    return 0


if __name__ == "__main__":
    with one_line_exit():
        sys.exit(main())
