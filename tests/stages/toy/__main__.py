"""`python -m tests.stages.toy NAME`: in the place of `python -m churn_assets.stages NAME`."""

from churn_assets.stages.entry import main
from tests.stages.toy.stage import STAGE

if __name__ == "__main__":
    main(STAGE)
