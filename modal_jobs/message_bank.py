"""Program of the stage `message_bank`."""

from churn_assets.messages.bank_stage import run
from churn_assets.messages.config import MessagesConfig
from churn_assets.stage import Stage
from modal_jobs.entry import main

STAGE = Stage(name="message_bank", run=run, config=MessagesConfig)

if __name__ == "__main__":
    main(STAGE)
