"""Program of the stage `accept_model`."""

from churn_assets.predictors.config import AcceptConfig
from churn_assets.predictors.training.accept import run
from churn_assets.stages.entry import main
from churn_assets.stages.spec import Stage

STAGE = Stage(name="accept_model", run=run, config=AcceptConfig)

if __name__ == "__main__":
    main(STAGE)
