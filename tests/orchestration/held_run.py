"""A run of a job that never ends, in a process to be killed.

DAGSTER_HOME=<folder> python -m tests.orchestration.held_run
"""

import time

import dagster as dg


@dg.asset(pool="gpu")
def endless() -> None:
    """Say that the run is under way, and go on."""
    print("held", flush=True)
    time.sleep(3_600)


if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        dg.materialize([endless], instance=instance)
