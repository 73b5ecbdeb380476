"""What the API takes and returns: the specification's JSON, key for key.

Requests are strict: no type is guessed, no number is NaN or infinite, no unknown field is ignored.
Optional fields that are absent stay absent; the models were trained with real missing values.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from churn_assets.messages.shield.brief import MAX_CHARGES, MAX_TENURE, Contract, Tone
from churn_assets.messages.shield.names import MAX_LENGTH, validate_name
from churn_assets.serving.zones import known_zone

SAMPLE_REQUEST: dict[str, Any] = {
    "customer_id": "C12345",
    "name": "Sam",
    "tenure": 12,
    "monthly_charges": 89.99,
    "contract": "Month-to-month",
    "payment_method": "Electronic check",
}
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

# The bank's and the card's names in the data say "(automatic)"; callers may leave it out.
_PAYMENT_ALIASES = {
    "Bank transfer": "Bank transfer (automatic)",
    "Credit card": "Credit card (automatic)",
}

ServiceUse = Literal["Yes", "No", "No internet service"]
Payment = Literal[
    "Electronic check",
    "Mailed check",
    "Bank transfer (automatic)",
    "Credit card (automatic)",
    "Bank transfer",
    "Credit card",
]


def whole_number(value: Any) -> Any:
    """30.0 is a whole number: in JSON Schema, in JavaScript, and as pandas writes it."""
    return int(value) if type(value) is float and value.is_integer() else value


def _ibm_flag(flag: Any) -> Any:
    """The IBM file's flags (Yes/No, and 0/1 for senior citizens, which a CSV reader may leave as
    text) as booleans."""
    if isinstance(flag, str):
        known = {"Yes": True, "1": True, "No": False, "0": False}.get(flag)
    else:
        known = bool(flag) if type(flag) in (bool, int, float) and flag in (0, 1) else None
    if known is None:
        raise PydanticCustomError("flag", "write true or false, Yes or No, 1 or 0")
    return known


CustomerId = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"),
]
Name = Annotated[str, Field(min_length=1, max_length=MAX_LENGTH), AfterValidator(validate_name)]
Flag = Annotated[
    bool,
    BeforeValidator(_ibm_flag),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": ["Yes", "No", 0, 1, "0", "1"]}]}),
]
WHOLE = BeforeValidator(whole_number)  # after the limits, which then stay in the OpenAPI document
Probability = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    """No guessed types, no unknown fields, no NaN or infinity."""

    # An error that is printed or logged must not quote what somebody sent.
    model_config = ConfigDict(
        strict=True, extra="forbid", allow_inf_nan=False, frozen=True, hide_input_in_errors=True
    )


class CustomerRequest(Strict):
    """What a request of any contract has in common: answers of the period have their contacts."""

    @field_validator(
        "acceptances_this_period",
        "refusals_this_period",
        "acceptances_in_cooldown",
        check_fields=False,
    )
    @classmethod
    def _answers_have_a_contact(cls, value: int | None, info: ValidationInfo) -> int | None:
        """What is wrong is said of the first field that doesn't fit those before it."""
        whole, others = _ANSWERS_OF[info.field_name or ""]
        given = info.data
        if value is None or not {whole, *others} <= given.keys():  # what lacks is refused itself
            return value
        if value + sum(given[other] or 0 for other in others) > (given[whole] or 0):
            raise PydanticCustomError(
                "answers", "more than {whole} has (absent: 0)", {"whole": whole}
            )
        return value


class PredictRequest(CustomerRequest):
    """One customer. The six fields of the sample are required, all others optional."""

    model_config = ConfigDict(json_schema_extra={"examples": [SAMPLE_REQUEST]})

    customer_id: CustomerId = Field(description="your own key", examples=["C12345"])
    name: Name = Field(
        description="how to address the customer, in any script; a doubtful name is left out of "
        "the message, which `metadata.name_used` then says",
        examples=["Sam"],
    )
    tenure: Annotated[int, Field(ge=0, le=MAX_TENURE), WHOLE] = Field(
        description="months with the company", examples=[12]
    )
    monthly_charges: float = Field(
        ge=0, le=MAX_CHARGES, description="monthly bill, in currency", examples=[89.99]
    )
    contract: Contract = Field(examples=["Month-to-month"])
    payment_method: Annotated[
        Payment, AfterValidator(lambda method: _PAYMENT_ALIASES.get(method, method))
    ] = Field(examples=["Electronic check"])

    gender: Literal["Female", "Male"] | None = Field(
        None, description="accepted for compatibility; no model reads it", examples=["Female"]
    )
    senior_citizen: Flag | None = Field(None, examples=[False])
    partner: Flag | None = Field(None, examples=[True])
    dependents: Flag | None = Field(None, examples=[False])
    phone_service: Flag | None = Field(None, examples=[True])
    multiple_lines: Literal["Yes", "No", "No phone service"] | None = Field(None, examples=["No"])
    internet_service: Literal["DSL", "Fiber optic", "No"] | None = Field(
        None, examples=["Fiber optic"]
    )
    online_security: ServiceUse | None = Field(None, examples=["No"])
    online_backup: ServiceUse | None = Field(None, examples=["No"])
    device_protection: ServiceUse | None = Field(None, examples=["No"])
    tech_support: ServiceUse | None = Field(None, examples=["No"])
    streaming_tv: ServiceUse | None = Field(None, examples=["Yes"])
    streaming_movies: ServiceUse | None = Field(None, examples=["Yes"])
    paperless_billing: Flag | None = Field(None, examples=[True])
    total_charges: float | None = Field(
        None, ge=0, le=MAX_CHARGES * MAX_TENURE, description="billed so far", examples=[1079.88]
    )

    days_since_contact: Annotated[int, Field(ge=0, le=36_500), WHOLE] | None = Field(
        None,
        description="days since the last retention contact, of an earlier period if there was none "
        "in this one; null or absent: never contacted",
        examples=[30],
    )
    contacts_this_period: Annotated[int, Field(ge=0, le=1_000), WHOLE] | None = Field(
        None, description="retention contacts in the running period", examples=[0]
    )
    acceptances_this_period: Annotated[int, Field(ge=0, le=1_000), WHOLE] | None = Field(
        None,
        description="how many of `contacts_this_period` were accepted; each lowers the churn risk",
        examples=[0],
    )
    refusals_this_period: Annotated[int, Field(ge=0, le=1_000), WHOLE] | None = Field(
        None,
        description="how many of `contacts_this_period` were refused; each raises the churn risk",
        examples=[0],
    )
    acceptances_in_cooldown: Annotated[int, Field(ge=0, le=1_000), WHOLE] | None = Field(
        None,
        description="how many of `acceptances_this_period` answered a contact that came within "
        "the cooldown of the one before (7 days unless the release says otherwise); each raises "
        "the churn risk a little",
        examples=[0],
    )
    previous_contacts: Annotated[int, Field(ge=0, le=100_000), WHOLE] | None = Field(
        None, description="contacts before this period", examples=[1]
    )
    previous_outcome: Literal["failure", "success", "nonexistent"] | None = Field(
        None, examples=["failure"]
    )
    contact_channel: Literal["cellular", "telephone"] | None = Field(None, examples=["cellular"])
    budget_remaining: Probability | None = Field(
        None,
        description="share of this customer's discount allowance that is left; absent: all of it",
        examples=[1.0],
    )

    time_zone: Annotated[str, Field(max_length=64), AfterValidator(known_zone)] | None = Field(
        None, description="IANA zone for quiet hours", examples=["America/New_York"]
    )
    tone: Tone = Field("warm", description="how the message sounds", examples=["warm"])
    force_baseline: bool = Field(
        False, description="use the rule-based policy and a reviewed template", examples=[False]
    )


_ANSWERS_OF: dict[str, tuple[str, tuple[str, ...]]] = {
    "acceptances_this_period": ("contacts_this_period", ()),
    "refusals_this_period": ("contacts_this_period", ("acceptances_this_period",)),
    "acceptances_in_cooldown": ("acceptances_this_period", ()),
}
"""Of each count of answers: what it is a part of, and the other parts."""


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


class Metadata(BaseModel):
    """The figures behind the decision, and what made it."""

    churn_risk: Probability = Field(
        description="P(leaving within the period) now: acceptances of this period lower it, "
        "refusals and contacts in the cooldown raise it",
        examples=[0.68],
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
    message_source: Literal["model", "template"] | None = Field(examples=["model"])
    release_id: str = Field(examples=["20260101-0123456789ab"])
    send_not_before: str | None = Field(
        description="local time at which quiet hours end, when the message must wait for it",
        examples=["2026-01-15T08:00:00-05:00"],
    )
    decision_id: str | None = Field(
        None,
        description="the key of this decision in the log; name it in `POST /feedback`. Present "
        "where decisions are logged",
        examples=["5f0c9a7be1d84f0b8f6d3f0e2a9c4b17"],
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
    reasons: list[Reason] = Field(description="what moved the risk most; what wasn't given doesn't")
    warnings: list[str] = Field(
        description="given values that contradict each other, though each of them is allowed",
        examples=[
            [
                "total_charges 20.00 doesn't fit 72 months at 89.99 (about 6479.28): "
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
