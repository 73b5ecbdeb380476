"""The next days' campaign, planned from the latest predictions, and the day's list."""

from collections.abc import Callable

import dagster as dg

from churn_assets.campaign.workflow import Campaigns
from churn_assets.storage.protocol import Artifact

SAME_PLAN = "planned before for the same days, customers and limits"


@dg.asset(
    group_name="campaign", kinds={"parquet"}, code_version="1", deps=[dg.AssetKey("predictions")]
)
def campaign_plan(
    context: dg.AssetExecutionContext,
    campaigns: dg.ResourceParam[Callable[[], Campaigns]],
) -> dg.MaterializeResult[Artifact]:
    """Who is to be contacted on which day, by which channel, with which offer: a draft.

    Nobody is contacted until a person approves it (`churn campaign approve`). A draft that would
    only be made again stays.
    """
    opened = campaigns()
    try:
        plan, new = opened.draft(opened.now(), "the schedule")
        artifact = opened.stored(plan.plan_id)[1]
    finally:
        opened.ledger.close()
    report = plan.report
    # How many, not what they say: ids are in them, and Dagster's records forget nobody.
    if warned := len(report["warnings"]):
        context.log.warning(f"{warned} to look at first: churn campaign show {plan.plan_id}")
    shown = ("contacts", "expected_value", "expected_cost", "budget", "gap", "customers")
    excluded = [f"| {rule} | {count} |" for rule, count in report["excluded"].items()]
    return dg.MaterializeResult(
        value=artifact,
        data_version=dg.DataVersion(artifact.sha256),
        metadata={
            "plan_id": plan.plan_id,
            "dagster/row_count": plan.contacts.num_rows,
            **({} if new else {"unchanged": SAME_PLAN}),
            **({"warnings": warned} if warned else {}),
            **{name: report[name] for name in shown},
            "left_out": dg.MetadataValue.md(
                "\n".join(["| rule | customers |", "|---|---|", *excluded])
            ),
        },
    )


@dg.op
def deliver_contacts(
    context: dg.OpExecutionContext, campaigns: dg.ResourceParam[Callable[[], Campaigns]]
) -> None:
    """Put today's list of the approved plan where the sending system takes lists from.

    No asset: what it makes is somebody else's file, and the ledger knows of it.

    Raises:
        dg.Failure: contacts were due today, and none of them can be sent: a list that stays empty
            day by day must not look like one that was delivered.
    """
    opened = campaigns()
    try:
        now = opened.now()
        done = opened.deliver(now.date(), now, "the schedule")
    finally:
        opened.ledger.close()
    over = done.handed_over
    if over.dropped and not over.new and not over.already:
        raise dg.Failure(
            f"plan {done.plan_id}: none of the contacts of {now.date()} can be sent by {now:%H:%M} "
            f"({opened.default_zone}), by the reason: {over.dropped}",
            allow_retries=False,
        )
    context.log.info(
        f"plan {done.plan_id}: {over.new} contacts handed over in {done.file or 'no file'}, "
        f"{over.already} were handed over before, not handed over: {over.dropped or 'none'}"
    )
