"""Program of the stage `ppo_text_model`."""

from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.ppo_stage import run
from churn_assets.stage import Stage
from modal_jobs.entry import main

STAGE = Stage(name="ppo_text_model", run=run, config=MessagesConfig, resumable=True)

if __name__ == "__main__":
    main(STAGE)
