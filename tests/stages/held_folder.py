"""Hold a checkpoints folder with a checkpoint in it until killed.

python -m tests.stages.held_folder FOLDER
"""

import sys
import time
from pathlib import Path

from churn_assets.stages.checkpoints import held_checkpoints

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with held_checkpoints(folder, lambda: None):
        (folder / "step-1").touch()
        print("held", flush=True)
        time.sleep(3_600)
