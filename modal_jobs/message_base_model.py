"""Program of the stage `message_base_model`."""

from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.models.base_model import run
from churn_assets.stages.entry import main
from churn_assets.stages.spec import Stage

STAGE = Stage(name="message_base_model", run=run, config=MessagesConfig, cached=True)

if __name__ == "__main__":
    main(STAGE)
