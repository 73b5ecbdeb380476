"""Languages as a company's table writes them: by tag, by name, or by words of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

import duckdb

from churn_assets.customers.contract.people import People
from churn_assets.customers.languages import LANGUAGES, NAMES, TAG
from churn_assets.customers.quality.columns import listed, one_spaced, text, word
from churn_assets.customers.quality.judging import USED, Judged
from churn_assets.customers.quality.said import Said, customers_in, levels
from churn_assets.domain.cells import as_word, listed_cells, shortened


def language_of(people: People, judged: Judged) -> str:
    """SQL of a customer's language: its tag where the contract says it, else as the cell has it."""
    value = judged.value(people.language or "", "people")
    known = {as_word(cell): tag for cell, tag in people.languages.items()}
    said = "".join(f" WHEN {text(cell)} THEN {text(tag)}" for cell, tag in known.items())
    return f"CASE {word(value)}{said} ELSE {value} END" if said else value


def unserved_languages(
    connection: duckdb.DuckDBPyConnection, judged: Judged, people: People
) -> Iterator[str]:
    """What is worth knowing: languages that no message is reviewed in, or that aren't understood
    (as `served_language` has it)."""
    if people.language is None or one_spaced(people.language) not in judged.read.columns:
        return
    language = language_of(people, judged)
    base = "lower(trim(split_part(replace(language, '_', '-'), '-', 1)))"
    found = connection.execute(
        f"SELECT language, count(*), {customers_in(judged)} FROM (SELECT *, {language} AS language "
        f"FROM {judged.name} WHERE {USED}) WHERE {base} NOT IN {listed((*LANGUAGES, *NAMES))} "
        "GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    if not found:
        return
    count = sum(rows for _, rows, _ in found)
    own = next((cell for cell, *_ in found if not re.fullmatch(TAG, cell)), None)
    hint = f"; if it means es, say so: people.languages: {{{shortened(own)}: es}}" if own else ""
    where = f"{judged.name}: {people.language}:"
    said = (
        f"not understood, or no message is reviewed in it: {count:,} rows are written to in English"
    )
    yield Said(
        f"{where} {listed_cells([each[:2] for each in found])}: {said}{hint}",
        f"{where} {levels(connection, found)}: {said}",
    )
