"""Every stage of the product, declared once: what runs, with which settings, on which machine.

Assets, the Modal functions and `python -m churn_assets.stages NAME` read this table. Functions and
settings are named, not imported: an asset that only starts a stage elsewhere needs no torch.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from churn_assets.stages.spec import Stage

Machine = Literal["here", "cpu", "gpu"]


@dataclass(frozen=True)
class Declaration:
    """A stage by name.

    Attributes:
        name: the asset and artifact that it makes.
        function: `module:function`, imported when the stage runs.
        settings: `module:class`, the pydantic model of what the stage reads.
        machine: `here`: seconds of work, done in Dagster's own process. `cpu`, `gpu`: a program of
            its own; on Modal it gets the machine of that kind.
        resumable: see `Stage`.
    """

    name: str
    function: str
    settings: str
    machine: Machine
    resumable: bool = False

    @property
    def area(self) -> str:
        """The room of the product that the stage is of, such as `decision`."""
        return self.function.split(".")[1]

    def settings_type(self) -> type[BaseModel]:
        """The pydantic model of the stage's settings; importing it is cheap."""
        found: type[BaseModel] = _named(self.settings)
        return found

    def load(self) -> Stage:
        """The stage ready to run; imports everything that it needs."""
        return Stage(self.name, _named(self.function), self.settings_type(), self.resumable)


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


_PREDICTORS = "churn_assets.predictors"
_DECISION = "churn_assets.decision"
_MESSAGES = "churn_assets.messages"

_ALL = (
    Declaration(
        "risk_model", f"{_PREDICTORS}.training.risk:run", f"{_PREDICTORS}.config:RiskConfig", "cpu"
    ),
    Declaration(
        "accept_model",
        f"{_PREDICTORS}.training.accept:run",
        f"{_PREDICTORS}.config:AcceptConfig",
        "cpu",
    ),
    Declaration(
        "retention_environment",
        f"{_DECISION}.world:run_environment",
        f"{_DECISION}.config:WorldSettings",
        "here",
    ),
    Declaration(
        "oracle_policy",
        f"{_DECISION}.world:run_oracle",
        f"{_DECISION}.config:WorldSettings",
        "here",
    ),
    Declaration(
        "baseline_policies",
        f"{_DECISION}.world:run_baselines",
        f"{_DECISION}.config:RuleSettings",
        "here",
    ),
    Declaration(
        "decision_policy",
        f"{_DECISION}.learning.training:run",
        f"{_DECISION}.config:TrainingSettings",
        "cpu",
    ),
    Declaration(
        "policy_report",
        f"{_DECISION}.evaluation.report:run",
        f"{_DECISION}.config:ReportSettings",
        "here",
    ),
    Declaration(
        "message_base_model",
        f"{_MESSAGES}.models.base_model:run",
        f"{_MESSAGES}.config:BaseSettings",
        "cpu",
        resumable=True,
    ),
    Declaration(
        "sft_model",
        f"{_MESSAGES}.models.sft:run",
        f"{_MESSAGES}.config:SftSettings",
        "gpu",
        resumable=True,
    ),
    Declaration(
        "reward_model",
        f"{_MESSAGES}.models.reward:run",
        f"{_MESSAGES}.config:RewardSettings",
        "gpu",
        resumable=True,
    ),
    Declaration(
        "ppo_text_model",
        f"{_MESSAGES}.models.ppo_stage:run",
        f"{_MESSAGES}.config:PpoTextSettings",
        "gpu",
        resumable=True,
    ),
    Declaration(
        "message_bank",
        f"{_MESSAGES}.writing.bank_stage:run",
        f"{_MESSAGES}.config:BankSettings",
        "gpu",
        resumable=True,
    ),
)
STAGES = {declared.name: declared for declared in _ALL}
PROGRAMS = tuple(declared.name for declared in _ALL if declared.machine != "here")
"""The stages that run as a program of their own, here or on Modal."""
