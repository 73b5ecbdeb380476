"""What requests of every contract have in common: their fields, and how values are read.

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

from churn_assets.customers.languages import TAG
from churn_assets.messages.shield.brief import MAX_TENURE, Tone
from churn_assets.messages.shield.names import MAX_LENGTH, validate_name
from churn_assets.serving.zones import known_zone


def whole_number(value: Any) -> Any:
    """30.0 is a whole number: in JSON Schema, in JavaScript, and as pandas writes it."""
    return int(value) if type(value) is float and value.is_integer() else value


def _flag(flag: Any) -> Any:
    """Flags as the built-in contract's file has them (Yes/No, and 0/1, which a CSV reader may leave
    as text) as booleans."""
    if isinstance(flag, str):
        known = {"Yes": True, "1": True, "No": False, "0": False}.get(flag)
    else:
        known = bool(flag) if type(flag) in (bool, int, float) and flag in (0, 1) else None
    if known is None:
        raise PydanticCustomError("flag", "write true or false, Yes or No, 1 or 0")
    return known


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("text", "must be printable text")
    return text


def _own_key(text: str) -> str:
    """A key of whatever system: "KD 123", "0042/7", an address."""
    if text != text.strip():
        raise PydanticCustomError("blanks", "mustn't have blanks around it")
    if text.startswith("'"):
        message = "mustn't begin with an apostrophe, which only a list's CSV puts before it"
        raise PydanticCustomError("apostrophe", message)
    return text


Printable = AfterValidator(_printable)
CustomerId = Annotated[str, Field(min_length=1, max_length=64), Printable, AfterValidator(_own_key)]
EventId = Annotated[  # becomes the name of a file; a kind and a plan's decision id fit into it
    str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")
]
Name = Annotated[str, Field(min_length=1, max_length=MAX_LENGTH), AfterValidator(validate_name)]
Flag = Annotated[
    bool,
    BeforeValidator(_flag),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": ["Yes", "No", 0, 1, "0", "1"]}]}),
]
WHOLE = BeforeValidator(whole_number)  # after the limits, which then stay in the OpenAPI document
Count = Annotated[int, Field(ge=0, le=1_000), WHOLE]
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
        "acceptances_without_discount",
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


class SharedFields(CustomerRequest):
    """The fields that requests of any contract may have; a contract's own stand between them."""

    customer_id: CustomerId = Field(
        description="your own key: any printable text without blanks around it",
        examples=["C12345"],
    )
    name: Name = Field(
        description="how to address the customer, in any script; a doubtful name is left out of "
        "the message, which `metadata.name_used` then says",
        examples=["Sam"],
    )
    tenure: Annotated[int, Field(ge=0, le=MAX_TENURE), WHOLE] = Field(
        description="months with the company", examples=[12]
    )

    days_since_contact: Annotated[int, Field(ge=0, le=36_500), WHOLE] | None = Field(
        None,
        description="days since the last retention contact, of an earlier period if there was none "
        "in this one; null or absent: never contacted",
        examples=[30],
    )
    contacts_this_period: Count | None = Field(
        None, description="retention contacts in the running period", examples=[0]
    )
    acceptances_this_period: Count | None = Field(
        None,
        description="how many of `contacts_this_period` were accepted; each lowers the churn risk",
        examples=[0],
    )
    refusals_this_period: Count | None = Field(
        None,
        description="how many of `contacts_this_period` were refused; each raises the churn risk",
        examples=[0],
    )
    acceptances_in_cooldown: Count | None = Field(
        None,
        description="how many of `acceptances_this_period` answered a contact that came within "
        "the cooldown of the one before (7 days unless the release says otherwise); each raises "
        "the churn risk a little",
        examples=[0],
    )
    acceptances_without_discount: Count | None = Field(
        None, description="how many of `acceptances_this_period` had no discount", examples=[0]
    )
    previous_contacts: Annotated[int, Field(ge=0, le=100_000), WHOLE] | None = Field(
        None, description="contacts before this period", examples=[1]
    )
    previous_outcome: Literal["failure", "success", "nonexistent"] | None = Field(
        None,
        description="the newest answer to a contact before this period; `failure` if none of them "
        "was answered, `nonexistent` if there was none",
        examples=["failure"],
    )
    contact_channel: Literal["cellular", "telephone"] | None = Field(None, examples=["cellular"])
    budget_remaining: Probability | None = Field(
        None,
        description="share of this customer's discount allowance that is left; absent: what the "
        "acceptances in the product's own ledger leave of it",
        examples=[1.0],
    )

    time_zone: Annotated[str, Field(max_length=64), AfterValidator(known_zone)] | None = Field(
        None, description="IANA zone for quiet hours", examples=["America/New_York"]
    )
    language: Annotated[str, Field(min_length=2, max_length=35, pattern=TAG)] | None = Field(
        None,
        description="to write the message in, as en, es or es-MX; absent: the customer's of the "
        "contract's table, or its default. English stands in for one that nothing is reviewed in, "
        "which `metadata.language` then says",
        examples=["es"],
    )
    tone: Tone = Field("warm", description="how the message sounds", examples=["warm"])
    force_baseline: bool = Field(
        False, description="use the rule-based policy and a reviewed template", examples=[False]
    )


_ANSWERS_OF: dict[str, tuple[str, tuple[str, ...]]] = {
    "acceptances_this_period": ("contacts_this_period", ()),
    "refusals_this_period": ("contacts_this_period", ("acceptances_this_period",)),
    "acceptances_in_cooldown": ("acceptances_this_period", ()),
    "acceptances_without_discount": ("acceptances_this_period", ()),
}
"""Of each count of answers: what it is a part of, and the other parts."""
