"""How a table writes its numbers: decimal and thousands marks. Detected, and overridable.

Only cells that can't be anything else tell: `1,250` may be 1250 or 1.25, and tells nothing. Nor
does `1.250`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from churn_assets.customers.contract.tables import DateOrder, Format

DECIMAL_COMMA, DECIMAL_POINT = "comma", "point"
_CODES = (
    "AED|ARS|AUD|BGN|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KRW|MAD|"
    "MXN|MYR|NOK|NZD|PEN|PHP|PLN|RON|RSD|SAR|SEK|SGD|THB|TND|TRY|TWD|UAH|USD|UYU|VND|XAF|XOF|ZAR"
)
CURRENCY = f"(?:[A-Z]{{0,2}}[$]|[€£¥₹₽₺₩₪₴₫₱]|kr|zł|Kč|Ft|Fr[.]|[Ee]uros?|{_CODES})"
_GAP = "[ \u00a0\u202f]*"
AMOUNT = f"^([+-]?){CURRENCY}{_GAP}([+-]?[0-9.,].*)$|^([+-]?[0-9.,](?:.*[0-9.,])?){_GAP}{CURRENCY}$"
"""What begins or ends with a currency's sign or code, as "€ 34.90", "-$5" or "34,90 EUR": the
number is in the groups 1 to 3. RE2 and Python read the pattern alike."""
_THOUSANDS = (",", ".", "'", " ", "\u00a0", "\u202f")


@dataclass(frozen=True)
class Marks:
    """How numbers are written, and dates.

    Attributes:
        decimal: before decimals.
        thousands: between thousands; empty where no cell has such a mark.
        told: whether cells or the contract say which the decimal mark is; else it is a point, and
            a cell such as `1.250` may be 1250 all the same.
        dates: what 01/09/2025 begins with; None where nobody said.
        zone: in whose days moments with an offset are; None: each in its own.
        typed: columns whose numbers a Parquet file or a database has as such; only its text is
            written by these marks.
    """

    decimal: str
    thousands: str
    told: bool = True
    dates: DateOrder | None = None
    zone: str | None = None
    typed: frozenset[str] = frozenset()

    @property
    def in_text(self) -> bool:
        """Whether text in a Parquet file or a database has other marks than a point."""
        return bool(self.typed) and (self.decimal != "." or self.thousands != "")

    def of(self, column: str) -> Marks:
        """How one column is written; what we write of a number has a point."""
        if column not in self.typed:
            return self
        return replace(self, decimal=".", thousands="", told=True)


def number_pattern(marks: Marks) -> str:
    """What the whole of a number looks like, blanks around it aside."""
    whole = "[0-9]+"
    if marks.thousands:
        whole = f"([0-9]+|[0-9]{{1,3}}([{marks.thousands}][0-9]{{3}})+)"
    point = f"[{marks.decimal}]"
    return f"[+-]?({whole}({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]+)?"


def _telling() -> dict[str, str]:
    grouped = "[+-]?[1-9][0-9]{{0,2}}([{0}][0-9]{{3}})"
    decimals = "([0-9]{1,2}|[0-9]{4,})"
    comma = f"[+-]?([0-9]+,{decimals}|[0-9]{{4,}},[0-9]{{3}}|0,[0-9]+"
    point = f"[+-]?([0-9]*[.]{decimals}|[0-9]{{4,}}[.][0-9]{{3}}|0[.][0-9]+|[0-9]+[.]"
    found = {
        DECIMAL_COMMA: f"{comma}|[1-9][0-9]{{0,2}}([. '\u00a0\u202f][0-9]{{3}})+,[0-9]+)",
        DECIMAL_POINT: f"{point}|[1-9][0-9]{{0,2}}([, '\u00a0\u202f][0-9]{{3}})+[.][0-9]+)",
    }
    for mark in _THOUSANDS:
        other = "." if mark == "," else ","
        certain = grouped.format(mark) + "+[" + other + "][0-9]+|" + grouped.format(mark) + "{2,}"
        if mark in "' \u00a0\u202f":
            certain = grouped.format(mark) + "+([.,][0-9]+)?"
        found[mark] = certain
    return found


TELLING = _telling()
"""What a cell tells -> what the whole of it looks like: that the comma or the point is the decimal
mark, or that a mark stands between thousands. RE2 and Python read the patterns alike."""


def marks_of(counts: Counter[str], given: Format) -> Marks:
    """The marks of a table whose telling cells were counted, by what they tell."""
    decimal, thousands = given.decimal, given.thousands
    if decimal is None and thousands in (",", "."):
        decimal = "." if thousands == "," else ","
    told = decimal is not None or thousands is not None
    if decimal is None:
        point, comma = counts[DECIMAL_POINT], counts[DECIMAL_COMMA]
        decimal = "," if comma > point or (counts["."] and not point) else "."
        told = told or decimal == "," or point > 0
    if thousands is None:
        others = [mark for mark in _THOUSANDS if mark != decimal]
        most = max(others, key=lambda mark: counts[mark])
        thousands = most if counts[most] else ""
    return Marks(decimal, thousands, told or thousands != "", given.date)


def marks_by_column(rows: Iterable[Sequence[str]], columns: int, given: Format) -> list[Marks]:
    """The marks of each column of numbers, by rows of their cells without blanks around them: as
    given, else as its own cells tell, or else as all of them do."""
    patterns = {mark: re.compile(pattern) for mark, pattern in TELLING.items()}
    amount = re.compile(AMOUNT)
    told: list[Counter[str]] = [Counter() for _ in range(columns)]
    for cells in rows:
        for counts, cell in zip(told, cells, strict=True):
            plain = amount.sub(r"\1\2\3", cell)
            counts.update(mark for mark, of in patterns.items() if of.fullmatch(plain))
    return [marks_of(one or sum(told, Counter()), given) for one in told]


def grouped(mark: str) -> str:
    """What the whole of a number looks like that the mark parts as it would thousands: `1.250`."""
    return f"[+-]?[1-9][0-9]{{0,2}}([{mark}][0-9]{{3}})+"


def unclear(marks: Marks) -> Iterator[tuple[str, str]]:
    """What the whole of a number looks like whose mark may stand between thousands or before
    decimals, and that in words. RE2 and Python read the patterns alike."""
    may_have = "may have thousands or decimals after its"
    if not marks.told:
        yield grouped("."), f"{may_have} point: say format.decimal or format.thousands"
    if not marks.thousands:
        mark, name = (",", "comma") if marks.decimal == "." else (".", "point")
        yield grouped(mark), f"{may_have} {name}: say format.thousands"


def doubt_of(cell: str, marks: Marks) -> str:
    """Why it isn't certain which number a cell is; empty where it is, and where it is none."""
    plain = re.sub(AMOUNT, r"\1\2\3", cell)
    found = (said for pattern, said in unclear(marks) if re.fullmatch(pattern, plain))
    return next(found, "")


def number_in(cell: str, marks: Marks) -> float | None:
    """The cell's number, a currency's sign or code aside; None where it isn't certainly one."""
    cell = re.sub(AMOUNT, r"\1\2\3", cell)
    if not re.fullmatch(number_pattern(marks), cell):
        return None
    digits = cell.replace(marks.thousands, "") if marks.thousands else cell
    return float(digits.replace(marks.decimal, "."))


def worded(marks: Iterable[Marks]) -> str:
    """The marks in words, as the reports show them."""
    return ", ".join(
        dict.fromkeys(
            f"decimal {m.decimal!r}"
            + (f", thousands {m.thousands!r}" if m.thousands else "")
            + (f", dates {m.dates}" if m.dates else "")
            for m in marks
        )
    )
