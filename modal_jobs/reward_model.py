"""Program of the stage `reward_model`."""

from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.reward import run
from churn_assets.stage import Stage
from modal_jobs.entry import main

STAGE = Stage(name="reward_model", run=run, config=MessagesConfig)

if __name__ == "__main__":
    main(STAGE)
