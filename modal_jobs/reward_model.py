"""Program of the stage `reward_model`."""

from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.models.reward import run
from churn_assets.stages.entry import main
from churn_assets.stages.spec import Stage

STAGE = Stage(name="reward_model", run=run, config=MessagesConfig)

if __name__ == "__main__":
    main(STAGE)
