"""Program of the stage `decision_policy`."""

from churn_assets.decision.config import DecisionConfig
from churn_assets.decision.training import run
from churn_assets.stage import Stage
from modal_jobs.entry import main

STAGE = Stage(name="decision_policy", run=run, config=DecisionConfig)

if __name__ == "__main__":
    main(STAGE)
