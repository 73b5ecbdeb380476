"""Program of the stage `risk_model`."""

from churn_assets.predictors.config import RiskConfig
from churn_assets.predictors.training.risk import run
from churn_assets.stages.entry import main
from churn_assets.stages.spec import Stage

STAGE = Stage(name="risk_model", run=run, config=RiskConfig)

if __name__ == "__main__":
    main(STAGE)
