"""A first contract as YAML, from what a table's columns seem to be; a person has to look at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from churn_assets.customers.headings import plain, says
from churn_assets.customers.inspection.answered import quoted
from churn_assets.customers.inspection.guess import Guess
from churn_assets.customers.inspection.words import one_word, yes_and_no_of, yes_of
from churn_assets.customers.quality.leakage import Leak
from churn_assets.customers.quality.profile import ColumnProfile
from churn_assets.domain.cells import TRUTHS
from churn_assets.domain.contracts import CONTRACTS


def first_contract(guess: Guess, paths: Sequence[str], leaks: Sequence[Leak]) -> str:
    """The contract of the table at `paths`; each line on which a person decides says DECIDE."""
    left_out, decide, hidden = guess.left_out(leaks), guess.decisions(leaks), guess.hidden()
    features = [c for c in guess.columns if c not in guess.no_features and c.name not in left_out]
    lines = [
        "# Made by `churn customers inspect`: guesses. Look at every line that says DECIDE.",
        f"name: {quoted(Path(paths[0]).name.split('.')[0])}   # DECIDE: your company's name",
        *([f"# DECIDE campaign: {decide['campaign']}"] if "campaign" in decide else []),
        "",
        "tables:",
        "  history:",
        f"    path: {quoted(paths[0]) if len(paths) == 1 else _flow(paths)}",
        *_format(guess, decide),
        *_missing(guess, decide),
        *_totals(guess, decide),
        "",
        "identity:",
        *_identity(guess, decide),
        _asked("  horizon_months: 1", decide, "identity.horizon_months"),
        "",
        _number_of("value", "monthly", guess.value, decide),
        f"tenure: {{since: {quoted(guess.since.name)}}}"
        if guess.since
        else _number_of("tenure", "months", guess.tenure, decide),
        "",
        "features:",
        *(
            _asked(
                f"  {quoted(c.name)}: {_feature(c, guess.kind(c), shown=c.name not in hidden)}",
                decide,
                f"features.{c.name}",
            )
            for c in features
        ),
    ]
    lines += [*_left_out(guess, left_out, decide), *_messages(features)]
    lines += [*_people(guess), *_contact(guess, decide)]
    return "\n".join(lines) + "\n"


def _asked(line: str, decide: Mapping[str, str], key: str, words: str = "") -> str:
    """The line, with what is to be decided about it: in other `words`, where it says it itself."""
    return f"{line}   # DECIDE: {words or decide[key]}" if key in decide else line


def _format(guess: Guess, decide: Mapping[str, str]) -> list[str]:
    """How dates are written, where cells tell; asked for where a check couldn't read the numbers
    or the dates without it."""
    asked, dates = decide.get("tables.history.format"), guess.dates
    date = f"date: {dates.order}" if dates else ""
    if dates and dates.told:
        line = f"    format: {{{date}}}"
        return [f"{line}   # DECIDE: add decimal: '.'? {asked}" if asked else line]
    point = "decimal: '.'" if guess.which_point else ""
    said = ", ".join(filter(None, (point, date)))
    return [f"    # DECIDE format: {{{said}}}   # {asked}"] if asked else []


def _missing(guess: Guess, decide: Mapping[str, str]) -> list[str]:
    """Words among numbers, taken for signs that a number isn't known."""
    words = list(dict.fromkeys(chain.from_iterable(u.words for u in guess.unknown.values())))
    asked = decide.get("tables.history.missing", "")
    line = f"    missing: {_flow(words)}   # DECIDE: {asked}" if words else (
        f"    # DECIDE missing: [...]   # {asked}"
    )  # fmt: skip
    return [line] if asked else []


def _totals(guess: Guess, decide: Mapping[str, str]) -> list[str]:
    """The lines that add up, which are nobody's."""
    if not (totals := guess.totals):
        return []
    rule = f"column: {quoted(totals.column)}, values: {_flow(totals.words)}, reason: the total"
    return [_asked(f"    leave_out: [{{{rule}}}]", decide, "tables.history.leave_out")]


def _identity(guess: Guess, decide: Mapping[str, str]) -> list[str]:
    lines = (
        [_asked(f"  id: {quoted(guess.id.name)}", decide, "identity.id")]
        if guess.id
        else [f"  # DECIDE id: {decide['identity.id']}"]
    )
    if guess.snapshot:
        line = f"  snapshot: {quoted(guess.snapshot.name)}"
        lines.append(_asked(line, decide, "identity.snapshot"))
    if guess.end:
        line = f"  churned: {{end_date: {quoted(guess.end.name)}}}"
        return [*lines, _asked(line, decide, "identity.churned")]
    if not guess.label:
        return [*lines, "  # DECIDE churned: {column: ..., yes: ..., no: ...}"]
    return [*lines, _asked(f"  churned: {_yes_no(guess.label)}", decide, "identity.churned")]


def _yes_no(column: ColumnProfile) -> str:
    """A column of two meanings as the contract has it: the cell that means yes, and the others."""
    return f"{{column: {quoted(column.name)}, {_yes_and_no(column)}}}"


def _yes_and_no(column: ColumnProfile) -> str:
    """Which cells mean which; blanks mean no beside one word, and in a consent."""
    yes = yes_of(column)
    others = [cell for cell, _ in column.top if cell != yes]
    if not others or (column.missing and says(column.name, "consent")):
        others.append("")
    return f"yes: {_cells([yes])}, no: {_cells(others)}"


def _cells(found: Sequence[str]) -> str:
    """Cells as the contract has them; where PostgreSQL's export has t, a query of it has true."""
    also = {"t": "true", "f": "false"}
    cells = [*found, *(also[cell] for cell in found if cell in also)]
    return quoted(cells[0]) if len(cells) == 1 else _flow(cells)


def _number_of(part: str, key: str, column: ColumnProfile | None, decide: Mapping[str, str]) -> str:
    if column:
        return _asked(f"{part}: {{{key}: {quoted(column.name)}}}", decide, f"{part}.{key}")
    return f"# DECIDE {part}: {{{key}: ...}}   # {decide[f'{part}.{key}']}"


def _messages(features: Sequence[ColumnProfile]) -> list[str]:
    """The kinds of contract that the language model knows, where a column has them."""
    for column in features:
        cells = {cell: plain(cell) for cell, _ in column.top}
        said = {cell: kind for cell, words in cells.items() for kind in CONTRACTS
                if words == plain(kind)}  # fmt: skip
        if len(said) == len(CONTRACTS) == column.distinct:
            told = ", ".join(f"{quoted(cell)}: {quoted(kind)}" for cell, kind in said.items())
            return ["", f"messages: {{{quoted(column.name)}: {{contract: {{{told}}}}}}}"]
    return []


def _left_out(guess: Guess, left_out: Mapping[str, str], decide: Mapping[str, str]) -> list[str]:
    """What isn't used, and why; of what may be a flag, what is asked stands there, too."""
    flags = {column.name for column in guess.flags.unsure}
    lines = [
        _asked(
            f"  {quoted(name)}: {quoted(why)}", decide, f"left_out.{name}",
            "" if name in flags else "is that so?",
        )
        for name, why in left_out.items()
    ]  # fmt: skip
    return ["", "left_out:", *lines] if lines else []


def _people(guess: Guess) -> list[str]:
    """How somebody is addressed."""
    columns = {"first_name": guess.first_name, "zone": guess.zone, "language": guess.language}
    people = [f"{key}: {quoted(c.name)}" for key, c in columns.items() if c]
    return ["", f"people: {{{', '.join(people)}}}"] if people else []


def _contact(guess: Guess, decide: Mapping[str, str]) -> list[str]:
    """Who may be contacted: by every channel, and by one."""
    lines = [
        _asked(f"  {key}: {_permission(column)}", decide, f"contact.{key}")
        for key, column in guess.flags.general.items()
    ]
    if guess.flags.channels:
        lines.append("  channels:")
    for channel, flags in guess.flags.channels.items():
        lines.append(f"    {channel}:")
        for key, column in flags.items():
            line = f"      {key}: {_permission(column)}"
            lines.append(_asked(line, decide, f"contact.channels.{channel}.{key}"))
    return ["", "contact:", *lines] if lines else []


def _permission(column: ColumnProfile) -> str:
    """An opt-out or a consent: the words for yes and no, where it has other cells beside."""
    if column.distinct <= 2 or (words := yes_and_no_of(column)) is None:
        return _yes_no(column)
    yes, no = map(quoted, words)
    return f"{{column: {quoted(column.name)}, yes: {yes}, no: {no}}}"


def _feature(column: ColumnProfile, kind: str, *, shown: bool) -> str:
    """What a feature is; its words where they may be `shown`."""
    label = f"label: {quoted(plain(column.name))}"
    blank_is_no = kind == "flag" and one_word(column)
    required = ", required: false" if column.missing and not blank_is_no else ""
    if kind == "flag":
        known = not blank_is_no and all(cell.lower() in TRUTHS for cell, _ in column.top)
        words = "" if known else f", {_yes_and_no(column)}"
        return f"{{kind: flag, {label}{words}{required}}}"
    if kind == "number":
        low = "0" if column.low is not None and column.low >= 0 else "null"
        return f"{{kind: number, {label}, range: [{low}, null]{required}}}"
    if kind == "ordered":
        levels = [f"{n:d}" for n in range(int(column.low or 0), int(column.high or 0) + 1)]
        return f"{{kind: ordered, {label}, levels: [{', '.join(levels)}]{required}}}"
    few = column.distinct <= len(column.top)
    if shown and few and not all(c.lower() in TRUTHS for c, _ in column.top):
        levels = sorted(cell for cell, _ in column.top)
        return f"{{kind: category, {label}, levels: {_flow(levels)}{required}}}"
    return f"{{kind: category, {label}{required}}}"


def _flow(words: Sequence[str]) -> str:
    return "[" + ", ".join(map(quoted, words)) + "]"
