"""Program of the stage `message_base_model`."""

from churn_assets.messages.base_model import run
from churn_assets.messages.config import MessagesConfig
from churn_assets.stage import Stage
from modal_jobs.entry import main

STAGE = Stage(name="message_base_model", run=run, config=MessagesConfig, cached=True)

if __name__ == "__main__":
    main(STAGE)
