"""What of a run's events a person who follows it sees."""

import dagster as dg
import pytest

from churn_assets.orchestration.run_follower import to_run_event


def test_what_dagster_says_of_its_own_pipes_is_not_shown() -> None:
    """Why: of a stage that somebody stopped it says "[pipes] did not receive closed message …" and
    how a program should be written; that it was stopped, and what is kept, is our last line."""

    @dg.op
    def stage(context: dg.OpExecutionContext) -> None:
        context.log.warning("[pipes] did not receive closed message from external process.")
        context.log.info("step 3 of 4")

    @dg.job
    def one() -> None:
        stage()

    with dg.DagsterInstance.ephemeral() as instance:
        entries = instance.all_logs(one.execute_in_process(instance=instance).run_id)
    events = filter(None, map(to_run_event, entries))
    assert [event.text for event in events if event.kind == "log"] == ["step 3 of 4"]


def test_what_dagster_says_of_a_step_that_is_not_made_is_not_shown() -> None:
    """Why: the last line of a failed run was "Dependencies for step … weren't executed"."""

    @dg.asset
    def table() -> int:
        raise ValueError("no rows")

    @dg.asset
    def model(table: int) -> int:
        return table

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([table, model], instance=instance, raise_on_error=False)
        entries = instance.all_logs(run.run_id)
    assert any(entry.user_message.startswith("Dependencies for step") for entry in entries)
    events = [event for event in map(to_run_event, entries) if event is not None]
    assert [event.subject for event in events if event.kind == "failed"] == ["table"]
    assert not [event.text for event in events if event.kind == "log"]


def test_a_check_is_told_with_its_figures_and_bound() -> None:
    """Why: a name alone says neither how far it was missed nor what to change."""

    @dg.asset
    def model() -> int:
        return 1

    @dg.asset_check(asset=model)
    def it_ranks_well() -> dg.AssetCheckResult:
        found = {"value": 0.71234, "is_new": True, "b": 1, "c": 2, "d": 3, "bound": 0.75}
        return dg.AssetCheckResult(passed=False, description="as it ranks", metadata=found)

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([model, it_ranks_well], instance=instance, raise_on_error=False)
        entries = instance.all_logs(run.run_id)
    [event] = [e for e in filter(None, map(to_run_event, entries)) if e.kind == "check_failed"]
    assert event.subject == "model: it_ranks_well"
    assert event.text == "as it ranks; value 0.7123, b 1, c 2, bound 0.75"


@pytest.mark.parametrize("blocking", [True, False])
def test_a_check_that_blocks_is_told_from_others(blocking: bool) -> None:
    """Why: minutes of messages were made after a table was refused, and nobody knew that they are
    kept, nor that the run could be stopped."""

    @dg.asset
    def table() -> int:
        return 1

    @dg.asset_check(asset=table, blocking=blocking)
    def it_holds() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, description="3 rows are refused")

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([table, it_holds], instance=instance, raise_on_error=False)
        entries = instance.all_logs(run.run_id)
    [event] = [e for e in filter(None, map(to_run_event, entries)) if e.kind == "check_failed"]
    assert (event.text, event.blocks) == ("3 rows are refused", blocking)
