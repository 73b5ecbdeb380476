"""Program of the stage `risk_model`."""

from churn_assets.predictors.config import RiskConfig
from churn_assets.predictors.risk import run
from churn_assets.stage import Stage
from modal_jobs.entry import main

STAGE = Stage(name="risk_model", run=run, config=RiskConfig)

if __name__ == "__main__":
    main(STAGE)
