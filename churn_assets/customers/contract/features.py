"""The part of a contract that says what a column is, and what a message may say of it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from churn_assets.customers.contract.tables import Cell, Cells, Part
from churn_assets.domain.contracts import Contract as ContractKind
from churn_assets.domain.contracts import Service

Kind = Literal["number", "flag", "category", "ordered"]
YES, NO = "yes", "no"
"""How a contract writes a flag's two values, however the table's cells write them."""

DETERMINERS = {"tu", "su", "mi", "el", "la", "los", "las", "nuestro", "nuestra"}
_ENGLISH = re.compile(r"(?:your|our|the) .", re.DOTALL)
_NEVER = re.compile(r"[{}%$\d]")


def _without_values(phrase: str) -> str:
    if found := _NEVER.search(phrase):
        raise ValueError(
            f"{phrase!r} has {found[0]!r} in it: write words, without digits, %, $ and braces"
        )
    return phrase


def _determined(phrase: str) -> str:
    if not _ENGLISH.match(phrase):
        raise ValueError(
            f"{phrase!r} has to begin with your, our or the, in small letters, as in 'your fiber "
            "connection'"
        )
    return phrase


def _bare_noun(phrase: str) -> str:
    if phrase[0].isspace():
        raise ValueError(f"{phrase!r} begins with a space: take it away")
    if (first := phrase.split()[0].lower()) in DETERMINERS:
        raise ValueError(f"without {first!r}: a message says tu or su before it")
    return phrase


Phrase = Annotated[
    str,
    StringConstraints(min_length=6, max_length=40),
    AfterValidator(_determined),
    AfterValidator(_without_values),
]
"""Words of a message that stand for something of the customer's, as in "your fiber connection"."""
PhraseEs = Annotated[
    str,
    StringConstraints(min_length=2, max_length=30),
    AfterValidator(_bare_noun),
    AfterValidator(_without_values),
]
"""The same in Spanish: a noun in the singular that follows tu or su, as in "tarifa familiar"."""


class Repeats(Part):
    """A column that says again what another one says.

    Attributes:
        column: the other one.
        when: its cell (of a flag: yes or no) at which this one only repeats it; without it, always.
        says: this column's own cell then, and at no other time.
    """

    column: str
    when: Cell | None = None
    says: Cell | None = None

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.when is None) != (self.says is None):
            raise ValueError("when and says go together")
        return self


class Feature(Part):
    """A column that models may use.

    Attributes:
        kind: `number`; `flag` (yes or no); `category` (words without order); `ordered` (words or
            numbers in the order of `levels`).
        label: its name for people.
        unit: of a number.
        range: lowest and highest allowed number.
        levels: the allowed words, in order where the kind is `ordered`. Without them a category's
            words are learnt, and one that wasn't seen is "other".
        codes: the levels in the order in which trees split them, where that is another one.
        aliases: what a table or a request may write instead of a level, as a plan's new name: word
            -> level.
        yes, no: the cells of a flag, where they aren't yes/no, y/n, true/false or 1/0.
        required: whether a row, and later a request, has to have it.
        direction: -1 or 1 where churn may only fall or rise with it.
        field: its name in a request, where not the column's in lower case with underscores.
        shown: level -> how reasons call it, where not by its own name.
        repeats: the column that it says again something of: both are one reason, and a customer in
            whom they contradict each other gets a warning.
        billed: it is what was billed so far: a warning where tenure and value say otherwise.
        about: what documents say of the request's field.
        example: of a value, for documents; without it a usual one is taken from the table.
    """

    kind: Kind
    label: str = ""
    unit: str = ""
    range: tuple[float | None, float | None] | None = None
    levels: Cells = ()
    codes: Cells = ()
    aliases: dict[str, Cell] = Field(default_factory=dict)
    yes: Cells = ()
    no: Cells = ()
    required: bool = True
    direction: int = Field(default=0, ge=-1, le=1)
    field: str = Field(default="", pattern=r"^([a-z][a-z0-9_]*)?$")
    shown: dict[str, str] = Field(default_factory=dict)
    repeats: Repeats | None = None
    billed: bool = False
    about: str = ""
    example: Cell | None = None

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        if self.kind == "ordered" and len(self.levels) < 2:
            raise ValueError("ordered needs its levels, from low to high")
        if self.levels and self.kind in ("number", "flag"):
            raise ValueError(f"a {self.kind} has no levels")
        if (self.range or self.unit or self.billed) and self.kind != "number":
            raise ValueError("range, unit and billed are a number's")
        if bool(self.yes) != bool(self.no) or (self.yes and self.kind != "flag"):
            raise ValueError("yes and no go together, in a flag")
        if self.range and None not in self.range and self.range[0] > self.range[1]:  # type: ignore[operator]
            raise ValueError("the range's lowest number is above its highest")
        if self.direction and self.kind in ("category", "flag"):
            raise ValueError("only a number or an ordered feature has a direction")
        return self

    @model_validator(mode="after")
    def _known_levels(self) -> Self:
        if self.codes and sorted(self.codes) != sorted(self.levels):
            raise ValueError("codes has to have the same words as levels")
        told = {"aliases": self.aliases.values(), "shown": self.shown}
        for key, words in told.items():
            if strangers := sorted(set(words) - set(self.levels)):
                raise ValueError(f"{key}: {strangers[0]!r} is none of the levels")
        if self.example is not None:
            self.typed(self.example)
        return self

    def typed(self, cell: str) -> float | int | bool | str:
        """A value as a row has it, from how the contract writes it; raises ValueError."""
        if self.kind == "number":
            number = float(cell)
            return int(number) if number.is_integer() else number
        if self.kind == "flag":
            if cell.lower() not in (YES, NO):
                raise ValueError(f"write yes or no, not {cell!r}")
            return cell.lower() == YES
        if self.levels and cell not in self.levels:
            raise ValueError(f"{cell!r} is none of the levels")
        return cell


class Words(Part):
    """What messages may say of a column.

    Attributes:
        say: cell (of a flag: yes or no) -> a phrase, as in "your fiber connection".
        say_in: the same in another language that messages are written in; a cell without a phrase
            there isn't spoken of in that language.
        contract: cell -> the kind of contract that it is, of those that the language model knows.
        service: the service that a customer has, of those that the language model knows...
        cells: ...where the column is one of these.
    """

    say: dict[str, Phrase] = Field(default_factory=dict)
    say_in: dict[Literal["es"], dict[str, PhraseEs]] = Field(default_factory=dict)
    contract: dict[str, ContractKind] = Field(default_factory=dict)
    service: Service | None = None
    cells: Cells = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.service is None) != (not self.cells):
            raise ValueError("service and cells go together")
        if not (self.say or any(self.say_in.values()) or self.contract or self.service):
            raise ValueError("needs say, contract, or service with cells")
        return self

    @property
    def mentioned(self) -> set[str]:
        """The cells that it speaks of."""
        others = (cell for phrases in self.say_in.values() for cell in phrases)
        return {*self.say, *others, *self.contract, *self.cells}
