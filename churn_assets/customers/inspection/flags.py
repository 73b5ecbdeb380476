"""Which columns seem to say who may be contacted: opt-outs and consents, some of one channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from churn_assets.customers.headings import Meaning, folded, may_refuse, pattern_of, plain
from churn_assets.customers.inspection.words import means_yes, named, yes_and_no_of, yes_of
from churn_assets.customers.quality.contact import MOST_CELLS
from churn_assets.customers.quality.profile import ColumnProfile

Kind = Literal["opt_out", "consent"]
WORDS: Final[dict[Kind, str]] = {"opt_out": "opt-out", "consent": "consent"}
_CHANNELS: Final[tuple[Meaning, ...]] = ("letter", "email", "sms", "call", "push", "whatsapp")

_WHICH = (
    "its name says no: which cells mean that they may not be contacted? "
    "contact: {opt_out: {column: ..., yes: ..., no: ...}}"
)
_BLANK: Final[dict[Kind, str]] = {
    "opt_out": "are they opted out? They count so until yes or no has ''",
    "consent": "that is no consent here; is that so?",
}


@dataclass
class Flags:
    """Opt-outs and consents, each by its key in the contract: `opt_out` and `consent`.

    Attributes:
        general: of every channel.
        channels: of one: its name -> the flags.
        unsure: columns that may be flags, and what is asked about each.
        asked: key of the contract -> what is asked about the flag there.
    """

    general: dict[Kind, ColumnProfile] = field(default_factory=dict)
    channels: dict[str, dict[Kind, ColumnProfile]] = field(default_factory=dict)
    unsure: dict[ColumnProfile, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)

    def columns(self) -> list[ColumnProfile]:
        """The flags that are told apart."""
        groups = (self.general, *self.channels.values())
        return [column for flags in groups for column in flags.values()]

    def roles(self) -> dict[str, str]:
        """Column -> what it seems to be."""
        found = {c.name: WORDS[kind] for kind, c in self.general.items()}
        for channel, flags in self.channels.items():
            found |= {c.name: f"{WORDS[kind]} ({channel})" for kind, c in flags.items()}
        return found


def find_flags(columns: Sequence[ColumnProfile]) -> Flags:
    """The flags among the columns, by their names and by how many different cells they have.

    The only one of its kind is of every channel; of several, each is of the channel that its name
    says, and one whose name says none is of all of them. What says no of either is asked about. One
    with yes, no and other cells is used, too: those count as opted out, or as no consent, until a
    person says what they mean.
    """
    flags = Flags()
    doubtful = [c for c in columns if _may_be_flag(c) and may_refuse(c.name)]
    flags.unsure |= dict.fromkeys(doubtful, _WHICH)
    rest = [c for c in columns if c not in doubtful]
    for kind in WORDS:
        fitting = named(kind, [c for c in rest if _may_be_flag(c)])
        rest = [c for c in rest if c not in fitting]
        readable = [c for c in fitting if _is_readable(c)]
        for column in fitting:
            if column not in readable:
                said = f"{kind}: {{column: ..., yes: ..., no: ...}}"
                if channel := channel_of(column.name) if len(fitting) > 1 else None:
                    said = f"channels: {{{channel}: {{{said}}}}}"
                flags.unsure[column] = (
                    f"may be {_one(kind)}: which cells mean yes? contact: {{{said}}}"
                )
        _place(flags, kind, readable, alone=len(fitting) == 1)
    return flags


def channel_of(name: str) -> str | None:
    """The channel that a column's name says; None for none, or several."""
    said, found = folded(plain(name)), []
    for channel in _CHANNELS:
        if pattern_of(channel).search(said):
            found.append(channel)
            said = pattern_of(channel).sub(" ", said)  # postal mail is no e-mail
    return found[0] if len(found) == 1 else None


def _place(flags: Flags, kind: Kind, columns: Sequence[ColumnProfile], *, alone: bool) -> None:
    for column in columns:
        channel = channel_of(column.name)
        if channel and not alone:
            key, held = f"contact.channels.{channel}.{kind}", flags.channels.get(channel, {})
        else:
            key, held = f"contact.{kind}", flags.general
        if before := held.get(kind):
            whose = f"by {channel}" if held is not flags.general else "by every channel"
            said = f"{before.name} is taken for the {WORDS[kind]} of contacts {whose}"
            flags.asked.setdefault(key, f"is it this one, or {column.name}?")
            flags.unsure[column] = f"may be {_one(kind)}; {said}: which of them is it?"
            continue
        if held is flags.general:
            held[kind] = column
        else:
            flags.channels.setdefault(channel or "", {})[kind] = column
        if column.distinct > 2:
            counts = "as opted out" if kind == "opt_out" else "as no consent"
            flags.asked[key] = (
                f"{column.name} has other cells than yes and no, which count {counts}: what do "
                "they mean?"
            )
        elif not means_yes(yes_of(column)):
            flags.asked[key] = f"is {yes_of(column)!r} of {column.name} yes?"
        elif channel and held is flags.general:
            flags.asked[key] = (
                f"it holds for every channel; if {column.name} is of {channel} alone, write "
                f"channels: {{{channel}: {{{kind}: ...}}}}"
            )
        if column.missing and column.distinct == 2:
            blank = f"{column.name} is blank in {column.missing:,} rows: {_BLANK[kind]}"
            flags.asked[key] = "; ".join(filter(None, (flags.asked.get(key), blank)))


def _one(kind: Kind) -> str:
    return f"an {WORDS[kind]}" if kind == "opt_out" else f"a {WORDS[kind]}"


def _is_readable(column: ColumnProfile) -> bool:
    """Whether a column's cells tell yes from no; what else it has keeps its customers out."""
    two = column.distinct == 2 or (column.distinct == 1 and column.missing > 0)
    return two or (column.distinct > 2 and yes_and_no_of(column) is not None)


def _may_be_flag(column: ColumnProfile) -> bool:
    """Whether a column may be read as yes and no: as a date or many words can't."""
    return column.guess not in ("empty", "date", "text") and column.distinct <= MOST_CELLS
