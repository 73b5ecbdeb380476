"""What the API takes and returns: the specification's JSON, key for key."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from churn_assets.customers.built_in import BUILT_IN_SCHEMA
from churn_assets.domain.contact_rules import RULES
from churn_assets.serving.forms import SAMPLE_REQUEST as SAMPLE_REQUEST
from churn_assets.serving.forms import PredictRequest as PredictRequest
from churn_assets.serving.requests.shared import CustomerId as CustomerId
from churn_assets.serving.requests.shared import CustomerRequest as CustomerRequest
from churn_assets.serving.requests.shared import EventId as EventId
from churn_assets.serving.requests.shared import Printable as Printable
from churn_assets.serving.requests.shared import Probability
from churn_assets.serving.requests.shared import Strict as Strict
from churn_assets.serving.requests.shared import whole_number as whole_number

BILLED = next(field.name for field in BUILT_IN_SCHEMA.fields if field.billed)
SAMPLE_ANSWER: dict[str, Any] = {
    "decision": {
        "contact": True,
        "offer_level": 2,
        "offer_percentage": 10,
        "delay_days": 0,
        "estimated_retention_prob": 0.73,
    },
    "message": "Hi Sam, thank you for 12 months with us. Enjoy 10% off your bill for 12 months.",
    "safety": {"passed": True, "violations": []},
    "metadata": {
        "churn_risk": 0.68,
        "accept_prob": 0.73,
        "expected_value": 45.23,
        "action_probability": 1.0,
        "alternatives": [
            {
                "contact": contact,
                "offer_percentage": percentage,
                "accept_prob": accept,
                "expected_value": value,
                "expected_cost": cost,
                "estimated_retention_prob": retention,
                "chosen": contact and percentage == 10,
            }
            for contact, percentage, accept, value, cost, retention in (
                (False, 0, None, 0.0, 0.0, 0.32),
                (True, 0, 0.12, 8.3, 0.0, 0.37),
                (True, 5, 0.45, 31.7, 24.3, 0.56),
                (True, 10, 0.73, 45.23, 78.8, 0.73),
                (True, 15, 0.89, 39.9, 144.2, 0.79),
            )
        ],
        "baseline": False,
        "policy": "ppo",
        "release_id": "20260101-0123456789ab",
        "reasons": [
            {
                "feature": "contract",
                "value": "Month-to-month",
                "contribution": 0.61,
                "text": "Contract: Month-to-month; raises the churn risk",
            }
        ],
        "warnings": [],
        "message_source": "model",
        "send_not_before": None,
    },
}


class Decision(BaseModel):
    """Whether to contact now, with which discount, and when to look again."""

    contact: bool = Field(examples=[True])
    offer_level: int = Field(ge=0, le=3, examples=[2])
    offer_percentage: Literal[0, 5, 10, 15] = Field(examples=[10])
    delay_days: int = Field(ge=0, le=7, description="days until the next decision", examples=[0])
    estimated_retention_prob: Probability = Field(
        description="P(still a customer at the end of the period | this decision)",
        examples=[0.73],
    )


class Safety(BaseModel):
    """The shield's verdict on the message; passed with no violations when there is no message."""

    passed: bool = Field(examples=[True])
    violations: list[str] = Field(examples=[[]])


class Reason(BaseModel):
    """One feature's signed contribution to the churn risk, in log-odds and in words."""

    feature: str = Field(examples=["contract"])
    value: Any = Field(examples=["Month-to-month"])
    contribution: float = Field(examples=[0.61])
    text: str = Field(examples=["Contract: Month-to-month; raises the churn risk"])


class Alternative(BaseModel):
    """What another decision would be expected to bring."""

    contact: bool = Field(examples=[True])
    offer_percentage: Literal[0, 5, 10, 15] = Field(examples=[5])
    accept_prob: Probability | None = Field(description="null without a contact", examples=[0.45])
    expected_value: float = Field(examples=[31.7])
    expected_cost: float = Field(examples=[24.3])
    estimated_retention_prob: Probability = Field(examples=[0.61])
    chosen: bool = Field(examples=[False])


class ContactHistory(BaseModel):
    """Which fields of the contact history came from where; what the caller gives wins."""

    from_ledger: list[str] = Field(examples=[["contacts_this_period", "days_since_contact"]])
    from_caller: list[str] = Field(examples=[[]])
    opted_out: bool = Field(description="the ledger holds an opt-out", examples=[False])
    churned: bool = Field(
        description="the ledger says that the customer has left", examples=[False]
    )


class Excluded(BaseModel):
    """Why a customer is not to be contacted, whatever the policy would do."""

    rule: str = Field(description="as in a campaign's plan", examples=["opt_out"])
    text: str = Field(description="the same in words", examples=[RULES["opt_out"]])


class TimeZoneUsed(BaseModel):
    """By whose clock the message's quiet hours were judged."""

    name: str = Field(description="IANA zone", examples=["Europe/Lisbon"])
    source: Literal["request", "customer", "contract", "settings"] = Field(
        description="who says so: the request, the customers' table, the contract's default zone, "
        "or the service's",
        examples=["contract"],
    )


class LanguageUsed(BaseModel):
    """What the message is written in."""

    name: Literal["en", "es"] = Field(examples=["es"])
    source: Literal["request", "customer", "contract", "settings"] = Field(
        description="who says so: the request, the customers' table, the contract's default "
        "language, or nobody",
        examples=["customer"],
    )
    missing: str | None = Field(
        None,
        description="present only where English stands in: the language that was asked for, in "
        "which nothing is reviewed",
        examples=["de"],
    )


class Metadata(BaseModel):
    """The figures behind the decision, and what made it."""

    churn_risk: Probability = Field(
        description="P(leaving within the period) now: acceptances of this period lower it, "
        "refusals and contacts in the cooldown raise it",
        examples=[0.68],
    )
    risk_source: Literal["out_of_fold", "adjusted"] | None = Field(
        None,
        description="present only for a customer whom the risk model learnt from, and remembers: "
        "`out_of_fold` is the risk by models that never saw them; `adjusted`, where their features "
        "have changed since, is the model's without what it remembers of them",
        examples=["out_of_fold"],
    )
    accept_prob: Probability = Field(
        description="P(accept | the chosen offer) now: contacts in this period and a running "
        "cooldown lower it",
        examples=[0.73],
    )
    expected_value: float = Field(
        description="expected reward of the decision minus that of not contacting, in currency",
        examples=[45.23],
    )
    action_probability: Probability = Field(
        description="with which probability this decision is taken of such a customer: 1, unless "
        "an experiment runs whose exploration tries the policy's second choice now and then",
        examples=[1.0],
    )
    policy: str = Field(examples=["ppo"])
    baseline: bool = Field(
        description="the kill switch is on, for everybody or for this request", examples=[False]
    )
    message_source: Literal["model", "grammar", "template"] | None = Field(examples=["model"])
    release_id: str = Field(examples=["20260101-0123456789ab"])
    send_not_before: str | None = Field(
        description="local time at which quiet hours end, when the message must wait for it",
        examples=["2026-01-15T08:00:00-05:00"],
    )
    time_zone: TimeZoneUsed | None = Field(
        None,
        description="present only with a message: the zone whose quiet hours hold",
        examples=[{"name": "Europe/Lisbon", "source": "contract"}],
    )
    language: LanguageUsed | None = Field(
        None,
        description="present only with a message: the language that it is written in",
        examples=[{"name": "es", "source": "customer"}],
    )
    template_probability: Probability | None = Field(
        None,
        description="present only where templates are chosen by what answers said of them: with "
        "which probability this one was drawn",
        examples=[0.31],
    )
    not_generated: str | None = Field(
        None,
        description="present only where a language model should have written the message while "
        "this request waited, and the message bank stands in for it: why",
        examples=["it took longer than 1 s"],
    )
    decision_id: str | None = Field(
        None,
        description="the key of this decision in the log; name it in `POST /feedback`. Present "
        "where decisions are logged, unless the customer is `excluded`",
        examples=["5f0c9a7be1d84f0b8f6d3f0e2a9c4b17"],
    )
    budget_price: float | None = Field(
        None,
        description="present only where a month's budget is followed: the price λ of a currency "
        "unit of discount, above the unit itself, by which the policy decided",
        examples=[1.85],
    )
    group: Literal["treated", "control"] | None = Field(
        None,
        description="present only while an experiment runs: `control` is left alone, so that it "
        "can be seen what contacting brings",
        examples=["treated"],
    )
    name_used: Literal[False] | None = Field(
        None,
        description="present, and false, only when the message leaves the customer's name out",
        examples=[False],
    )
    name_doubt: str | None = Field(
        None,
        description="why the name is left out; present only then, and without the name",
        examples=["it reads like advertising, a command or an insult"],
    )
    contact_history: ContactHistory | None = Field(
        None, description="present only for customers whom the product's own ledger knows"
    )
    excluded: Excluded | None = Field(
        None,
        description="present only for customers whom nobody is to contact, as they opted out or "
        "have left by the contact ledger, or opted out or gave no consent by the contract's table: "
        "the decision is not to contact them",
    )
    channels: list[str] | None = Field(
        None,
        description="present only where the contract's table says something of single channels for "
        "the customer, who isn't `excluded`: those that it doesn't forbid, as plans go by them",
        examples=[["email", "call"]],
    )
    reasons: list[Reason] = Field(description="what moved the risk most; what wasn't given doesn't")
    warnings: list[str] = Field(
        description="given values that contradict each other, though each of them is allowed",
        examples=[
            [
                f"{BILLED} 20.00 doesn't fit 72 months at 89.99 (about 6479.28): "
                "is one of the three wrong?"
            ]
        ],
    )
    alternatives: list[Alternative] = Field(
        description="not contacting, then each of the four offers"
    )


class PredictResponse(BaseModel):
    """The answer to one customer's request."""

    model_config = ConfigDict(json_schema_extra={"examples": [SAMPLE_ANSWER]})

    decision: Decision
    message: str | None = Field(
        description="null when the decision is not to contact",
        examples=[SAMPLE_ANSWER["message"]],
    )
    safety: Safety
    metadata: Metadata
