"""Program of the stage `ppo_text_model`."""

from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.models.ppo_stage import run
from churn_assets.stages.entry import main
from churn_assets.stages.spec import Stage

STAGE = Stage(name="ppo_text_model", run=run, config=MessagesConfig, resumable=True)

if __name__ == "__main__":
    main(STAGE)
