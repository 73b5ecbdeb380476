"""The Modal backend: a stage is a call of a deployed function, followed through a bucket."""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

import dagster as dg
import modal
from dagster_gcp.gcs import GCSResource
from dagster_gcp.pipes import PipesGCSContextInjector, PipesGCSMessageReader

from churn_assets.orchestration.config import CHECKPOINTS, ModalConfig
from churn_assets.orchestration.pipes import received_report, stop_if_canceled
from churn_assets.stages.child_process import StageError
from churn_assets.stages.spec import StageReport, StageSpec

ENDED = (StageError, modal.exception.FunctionTimeoutError, modal.exception.InternalFailure)
"""By these a call itself has ended; any other error only ends the wait for it."""


class ModalBackend:
    """Calls the deployed function of the stage's name and follows it through Dagster Pipes.

    Messages travel through objects in `config.pipes_bucket`, because the container can't reach this
    process. Not `dagster-modal`: that one opens the Pipes session in the local entry point of
    `modal run`, so the remote code has none to report to.
    """

    def __init__(self, config: ModalConfig) -> None:
        self.config = config

    def run(self, context: dg.AssetExecutionContext, spec: StageSpec) -> StageReport:
        """Call the function and wait; raises StageError if the stage or Modal fails."""
        if not spec.store_url.startswith("gs://"):
            raise StageError(
                f"{spec.stage} can't run on Modal with artifacts in the local folder "
                f"{spec.store_url}: set CHURN_STORE=gs://<bucket>/<prefix>"
            )
        spec = spec.with_checkpoints_below(PurePosixPath(CHECKPOINTS))
        client = GCSResource().get_client()
        bucket = self.config.pipes_bucket
        with dg.open_pipes_session(
            context=context,
            context_injector=PipesGCSContextInjector(bucket=bucket, client=client),
            message_reader=PipesGCSMessageReader(
                bucket=bucket, client=client, interval=self.config.message_seconds
            ),
            extras={"spec": spec.model_dump(mode="json")},
        ) as session:
            try:
                self._call(context, spec.stage, dict(session.get_bootstrap_env_vars()))
            except modal.exception.Error as error:
                raise StageError(f"{spec.stage} on Modal: {explain(error)}") from error
        return received_report(session, spec.stage)

    def _call(self, context: dg.AssetExecutionContext, stage: str, env: dict[str, str]) -> None:
        """Start the stage's function and wait; whatever interrupts the wait ends the call."""
        function = modal.Function.from_name(
            self.config.app, stage, environment_name=self.config.environment
        )
        call = function.spawn(env)
        context.log.info(f"{stage} runs on Modal as {call.object_id}")
        try:
            while not finished(call, self.config.poll_seconds):
                stop_if_canceled(context)
        except ENDED:
            raise
        except BaseException:
            # Also when Modal can't be reached: a stage that nobody follows must not go on.
            with suppress(modal.exception.Error):
                call.cancel(terminate_containers=True)
            raise


def finished(call: modal.FunctionCall[Any], seconds: float) -> bool:
    """Whether the call has returned, after waiting for at most `seconds`; raises what it raised.

    The built-in TimeoutError can only be the wait's: the functions raise nothing but StageError,
    and Modal's own time limit arrives as `modal.exception.FunctionTimeoutError`.
    """
    try:
        call.get(timeout=seconds)
    except TimeoutError:
        return False
    return True


def explain(error: modal.exception.Error) -> str:
    """What Modal refused or broke off, and what to do about it."""
    match error:
        case modal.exception.NotFoundError():
            remedy = "deploy the app with `make deploy`"
        case modal.exception.AuthError():
            remedy = "log in with `modal setup`"
        case modal.exception.FunctionTimeoutError():
            remedy = "raise CHURN_COMPUTE__MODAL__{GPU,CPU}_STAGE__TIMEOUT_SECONDS and deploy"
        case _:
            remedy = "look at the call's page on modal.com"
    return f"{type(error).__name__}: {error} ({remedy})"
