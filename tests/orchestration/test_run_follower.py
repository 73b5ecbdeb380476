"""What of a run's events a person who follows it sees."""

import dagster as dg

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
