"""Program of the stage `accept_model`."""

from churn_assets.predictors.accept import run
from churn_assets.predictors.config import AcceptConfig
from churn_assets.stage import Stage
from modal_jobs.entry import main

STAGE = Stage(name="accept_model", run=run, config=AcceptConfig)

if __name__ == "__main__":
    main(STAGE)
