"""Program of the stage `sft_model`."""

from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.sft import run
from churn_assets.stage import Stage
from modal_jobs.entry import main

STAGE = Stage(name="sft_model", run=run, config=MessagesConfig, resumable=True)

if __name__ == "__main__":
    main(STAGE)
