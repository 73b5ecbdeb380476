"""A run of the job `predictors` of the small graph that never comes to its check.

DAGSTER_HOME=<folder> python -m tests.release.partial_job <folder>
"""

import sys
from pathlib import Path

import dagster as dg

from tests.release.test_assets import World, definitions

if __name__ == "__main__":
    root = Path(sys.argv[1])
    root.mkdir()
    world = World(root)
    world.hang = root / "hangs"
    with dg.DagsterInstance.get() as instance:
        definitions(world).resolve_job_def("predictors").execute_in_process(instance=instance)
