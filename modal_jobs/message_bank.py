"""Program of the stage `message_bank`."""

from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.writing.bank_stage import run
from churn_assets.stages.entry import main
from churn_assets.stages.spec import Stage

STAGE = Stage(name="message_bank", run=run, config=MessagesConfig)

if __name__ == "__main__":
    main(STAGE)
