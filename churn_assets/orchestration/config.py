"""Where stages run and with what machines: the settings of both compute backends.

Modal accepts `gpu="L5"` or `timeout=-1` without a word and fails hours later, so the values are
checked here, when the settings are read.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MODAL_TIMEOUT_LIMIT = 86_400
"""Longest time in seconds that Modal lets one function call run."""

CHECKPOINTS = "/checkpoints"
"""Where the Modal functions mount the volume with the checkpoints of resumable stages."""

Gpu = Literal["T4", "L4", "A10", "L40S", "A100-40GB", "A100-80GB", "H100", "H200", "B200"]
ModalName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
BucketName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]$")]


class LocalConfig(BaseModel):
    """The local backend: a stage is a subprocess.

    Attributes:
        log_lines: last lines of a stage's output that reach the event log.
        grace_seconds: time between asking a cancelled stage to stop and killing it.
        threads: threads that a stage's numerical libraries may use; 0 leaves it to them.
        ahead: `churn materialize` makes predictors and policy in a second process while it makes
            the messages, where that leaves a core for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    log_lines: int = Field(default=40, ge=1, le=1_000)
    grace_seconds: float = Field(default=1.0, ge=0.0, le=60.0)
    threads: int = Field(default=0, ge=0, le=256)
    ahead: bool = True


class Machine(BaseModel):
    """What one Modal function call gets: a GPU or none, cores, MiB of memory, seconds.

    Attributes:
        gpu: kind of GPU; null for none.
        cpu: cores.
        memory_mib: memory in MiB.
        timeout_seconds: seconds after which Modal ends the call.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    gpu: Gpu | None = None
    cpu: float = Field(default=4.0, ge=0.125, le=64.0)
    memory_mib: int = Field(default=16_384, ge=128, le=344_064)
    timeout_seconds: int = Field(default=7_200, ge=60, le=MODAL_TIMEOUT_LIMIT)


class ModalConfig(BaseModel):
    """The Modal backend: a stage is a call of a deployed function.

    Attributes:
        app: name of the app with the stages.
        api_app: name of the app with the HTTP API.
        environment: Modal environment (`dev` and `prod` are separate deployments).
        secret: Modal secret with the Google workload identity (no key file).
        api_secret: Modal secret with CHURN_API__KEY_HASHES, the hashes of the API keys.
        pipes_bucket: bucket for messages between a stage and Dagster; a lifecycle rule empties it.
        checkpoints_volume: volume with the checkpoints of resumable stages.
        checkpoint_days: age at which checkpoints that nobody resumed are removed.
        weights_volume: volume that caches model weights of pinned revisions from the hub.
        poll_seconds: how often a running call is asked for its result, and how late at most a
            cancellation is noticed.
        outage_seconds: how long Modal may be out of reach before a running call is given up, and
            how long it is then told to end.
        cancel_seconds: time between asking a cancelled call to stop, so that it saves its
            checkpoints, and ending its container.
        message_seconds: how often a running stage's messages are read from the bucket; it writes
            them every two seconds.
        gpu_stage, cpu_stage, api, shard: machines for GPU stages, CPU stages, the API and one
            shard of a batch prediction.
        max_shards: most shards scored at once.
        api_inputs: requests that one container of the API answers at a time.
        api_min_containers: containers of the API kept warm; 0 saves money, 1 saves cold starts.
        api_max_containers: most containers of the API, whatever is asked of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    app: ModalName = "churn-stages"
    api_app: ModalName = "churn-api"
    environment: ModalName = "dev"
    secret: ModalName = "churn-google-cloud"  # noqa: S105 (a secret's name, not its content)
    api_secret: ModalName = "churn-api-keys"  # noqa: S105 (as above)
    pipes_bucket: BucketName = "churn-pipes"
    checkpoints_volume: ModalName = "churn-checkpoints"
    checkpoint_days: int = Field(default=14, ge=1, le=365)
    weights_volume: ModalName = "churn-weights"
    poll_seconds: float = Field(default=0.5, gt=0.0, le=60.0)
    outage_seconds: float = Field(default=600.0, ge=0.0, le=86_400.0)
    cancel_seconds: float = Field(default=30.0, ge=0.0, le=600.0)
    message_seconds: int = Field(default=5, ge=0, le=60)
    gpu_stage: Machine = Machine(gpu="L4", cpu=4.0, memory_mib=32_768, timeout_seconds=21_600)
    cpu_stage: Machine = Machine(cpu=8.0, memory_mib=16_384, timeout_seconds=7_200)
    api: Machine = Machine(cpu=2.0, memory_mib=4_096, timeout_seconds=600)
    shard: Machine = Machine(cpu=2.0, memory_mib=8_192, timeout_seconds=3_600)
    max_shards: int = Field(default=32, ge=1, le=1_000)
    api_inputs: int = Field(default=64, ge=1, le=1_000)
    api_min_containers: int = Field(default=0, ge=0, le=100)
    api_max_containers: int = Field(default=8, ge=1, le=1_000)

    @model_validator(mode="after")
    def _containers_in_order(self) -> ModalConfig:
        if self.api_min_containers > self.api_max_containers:
            raise ValueError(
                f"api_min_containers ({self.api_min_containers}) is more than "
                f"api_max_containers ({self.api_max_containers})"
            )
        return self


class ComputeConfig(BaseModel):
    """Where stages run: `local` subprocesses or `modal` functions.

    Attributes:
        backend: `local` subprocesses of this machine, or `modal` functions.
        reuse: what a stage has made before from the same inputs, settings and code is used again,
            and so are data sets; off, everything is made anew.
        local: the local backend.
        modal: the Modal backend.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    backend: Literal["local", "modal"] = "local"
    reuse: bool = True
    local: LocalConfig = LocalConfig()
    modal: ModalConfig = ModalConfig()
