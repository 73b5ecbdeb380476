"""Program of the stage `decision_policy`."""

from churn_assets.decision.config import DecisionConfig
from churn_assets.decision.learning.training import run
from churn_assets.stages.entry import main
from churn_assets.stages.spec import Stage

STAGE = Stage(name="decision_policy", run=run, config=DecisionConfig)

if __name__ == "__main__":
    main(STAGE)
