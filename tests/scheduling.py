"""Which worker of pytest-xdist runs which tests, and in what order."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

GRAPH = "tests/modal_jobs/test_graph.py"
TOGETHER = ("tests/messages/", "tests/decision/", "tests/predictors/")
"""Folders whose tests share models that take long to train: one worker makes them, once."""
WITH_GRAPH = "tests/domain/"
"""Short tests behind the graph's: xdist gives a worker that has a single test another unit as well,
which would then wait for minutes."""
LONGEST = (
    GRAPH,
    *TOGETHER,
    "tests/customers/test_campaign.py",
    "tests/cli/test_materialize.py",
    "tests/orchestration/test_compute.py",
    "tests/outcomes/test_assets.py",
    "tests/api/test_campaign_view.py",
    "tests/api/test_plans_in_force.py",
    "tests/api/test_live.py",
    "tests/cli/test_environment.py",
    "tests/release/test_assets.py",
    "tests/release/test_damage.py",
    "tests/release/test_faults.py",
    "tests/cli/test_campaign_contract.py",
    "tests/datasets/test_synthetic_tables.py",
    "tests/api/test_reliability.py",
    "tests/api/test_connections.py",
    "tests/customers/test_own_data_document.py",
    "tests/customers/test_own_release.py",
    "tests/test_automation.py",
    "tests/test_readme.py",
)
"""What takes longest. Begun first, the graph's single test on a core of its own above all: the last
thing to end should be a short one, or a core waits for it."""


def unit(node: str) -> str:
    """What is run by one worker as a whole: a test's file, or its folder."""
    file = node.partition("::")[0]
    if file.startswith(WITH_GRAPH):
        return GRAPH
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def rank(node: str) -> tuple[int, bool]:
    """The place of a test's unit in the order, the same for all that aren't long; and whether it
    comes behind the graph's."""
    found = unit(node)
    place = LONGEST.index(found) if found in LONGEST else len(LONGEST)
    return place, node.startswith(WITH_GRAPH)


class Scheduling(LoadScopeScheduling):
    """Units in the order of collection; xdist's own begins with the most tests, not the longest."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
