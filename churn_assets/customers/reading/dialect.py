"""How a text table is written: encoding, delimiter, decimal mark. Detected, and overridable."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from churn_assets.customers.contract.tables import Format
from churn_assets.datasets.errors import CorruptFileError
from churn_assets.datasets.formats import MARKS, OTHER_FORMATS, SEPARATORS
from churn_assets.datasets.sources.files import blocks

SAYS_DELIMITER = re.compile(r"sep=(.)\r?\n")  # a first line of Excel's, above the header
_SAMPLE = 1 << 18  # bytes that a delimiter is found in
_C1 = frozenset(range(0x80, 0xA0))  # letters in Windows-1252, control characters in Latin-1
_NOT_1252 = frozenset((0x81, 0x8D, 0x8F, 0x90, 0x9D))
_UTF_8 = re.compile(  # a letter or sign of two bytes and more
    rb"[\xC2-\xDF][\x80-\xBF]|[\xE0-\xEF][\x80-\xBF]{2}|[\xF0-\xF4][\x80-\xBF]{3}"
)
_TELLING = (
    re.compile(  # those of Europe, and two of Asia's in a row: others are Latin-1's by chance
        rb"[\xC2-\xC5][\x80-\xBF]|\xC8[\x98-\x9B]|[\xCE-\xD1][\x80-\xBF]"
        rb"|\xE1[\xB8-\xBB][\x80-\xBF]|\xE2[\x80-\x84][\x80-\xBF]"
        rb"|([\xE3-\xED][\x80-\xBF]{2}){2}"
    )
)
_ONE_ENCODING = (
    "Two exports were joined? Make both anew in one encoding, or turn the other one into UTF-8 "
    "before you join them"
)
_OR_SAY = (
    "or, if all of it is in another encoding, name it (cp1252, cp1250, cp1251 …) as "
    "format.encoding in the contract"
)
_CUT_OFF = "it is cut off within its last letter", "Export it or copy it anew"


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    Attributes:
        delimiter: between cells.
        encoding: Python's name of it.
        guessed: whether the encoding is a guess: other than UTF-8, and no mark says so.
    """

    delimiter: str
    encoding: str
    guessed: bool = False


def dialect_of(path: Path, given: Format) -> Dialect:
    """The dialect of a text file, plain or gzip; reads all of it, block by block.

    Raises:
        CorruptFileError: it is of another format, not in the encoding that was given, or in two.
    """
    start = b""
    for block in blocks(path):
        start += block
        if len(start) >= _SAMPLE:
            break
    for mark, what in OTHER_FORMATS.items():
        if start.startswith(mark):
            raise CorruptFileError(path, f"it is not CSV but {what}")
    encoding, guessed = (given.encoding, False) if given.encoding else _encoding(path, start)
    _decodes(path, encoding)
    if codecs.lookup(encoding).name == "utf-8" and start.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    text = codecs.getincrementaldecoder(encoding)().decode(start[:_SAMPLE])
    said = SAYS_DELIMITER.match(text)
    return Dialect(given.delimiter or (said[1] if said else _delimiter(text)), encoding, guessed)


def _encoding(path: Path, start: bytes) -> tuple[str, bool]:
    for mark, name in MARKS.items():
        if start.startswith(mark):
            return name, False
    if b"\0" in start:
        raise CorruptFileError(
            path, "it has NUL characters; if it is UTF-16 without a mark, say so in format.encoding"
        )
    decoder = codecs.getincrementaldecoder("utf-8")()
    high: set[int] = set()
    utf_8 = True
    for block in blocks(path):
        if utf_8:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                utf_8 = False
        high.update(block.translate(None, bytes(range(0x80))))
    if utf_8 and not decoder.getstate()[0]:  # no half of a letter at the end
        return "utf-8", False
    _refuse_two_encodings(path, cut_off=utf_8)
    return ("cp1252" if high & _C1 and not high & _NOT_1252 else "latin-1"), True


def _refuse_two_encodings(path: Path, *, cut_off: bool) -> None:
    """Raises CorruptFileError where lines in UTF-8 stand beside others, as where two exports were
    joined: whatever the guess, some names would be read as other ones, and nobody be told.
    `cut_off`: all but the end is UTF-8."""
    utf_8, other, first_utf_8, first_other = 0, 0, 0, 0
    for number, line in enumerate(_lines(path), start=1):
        if line.isascii():
            continue
        if _TELLING.search(line):
            utf_8, first_utf_8 = utf_8 + 1, first_utf_8 or number
        if not _UTF_8.sub(b"", line).isascii():
            other, first_other = other + 1, first_other or number
    if not (utf_8 and other):
        return
    if cut_off:
        raise CorruptFileError(path, *_CUT_OFF)
    said = f"line {first_other} is not UTF-8, but line {first_utf_8} is"
    if first_utf_8 == first_other:
        said = f"line {first_other} is partly UTF-8, partly not"
    elif other > utf_8:
        said = f"line {first_utf_8} is UTF-8, but line {first_other} is not"
    raise CorruptFileError(path, f"{said}: it is in two encodings", f"{_ONE_ENCODING}; {_OR_SAY}")


def _lines(path: Path) -> Iterator[bytes]:
    rest = b""
    for block in blocks(path):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    yield rest


def _decodes(path: Path, encoding: str) -> None:
    try:  # the mark is a character of UTF-8, too, and left out it would move what follows
        encoding = "utf-8" if codecs.lookup(encoding).name == "utf-8-sig" else encoding
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError as error:
        raise CorruptFileError(path, f"there is no encoding {encoding!r}") from error
    line = 1
    for block in blocks(path):
        before = decoder.getstate()[0]
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            line += (before + block)[: error.start].count(b"\n")
            raise CorruptFileError(path, f"line {line} is not {encoding}", _ONE_ENCODING) from error
        line += block.count(b"\n")
    if decoder.getstate()[0]:
        raise CorruptFileError(path, *_CUT_OFF)


def _delimiter(text: str) -> str:
    """The separator that gives the most rows of the header's width, and of them the widest."""
    return max(SEPARATORS, key=lambda mark: _fit(text, mark))


def _fit(text: str, mark: str) -> tuple[float, int]:
    widths: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    with suppress(csv.Error):  # damaged further down: the rows before it tell
        widths += (len(row) for row in reader if row)
    if not widths or widths[0] < 2:
        return 0.0, 0
    share = sum(width == widths[0] for width in widths) / len(widths)
    return round(share, 1), widths[0]
