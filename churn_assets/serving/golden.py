"""The golden set: requests stored in a release with the answers that its builder computed.

A server answers them again before it serves the release. Equal answers show that this machine, with
these libraries, computes what was checked; anything else keeps the release from being served.
Explanations are the code's, not the release's, and so is how a message is chosen, judged and
written: those of another version are not compared, or an update would take every release of before
out of service.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from churn_assets.orchestration.sources import sources_digest
from churn_assets.release.bundle import GOLDEN, ReleaseError, canonical_json
from churn_assets.serving import explain
from churn_assets.serving.answers.generation import OF_THE_CUSTOMER
from churn_assets.serving.engine import RetentionEngine

log = logging.getLogger(__name__)

# A weekday's noon in UTC; requests name their own time zones, so quiet hours are covered too.
NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
TOLERANCE = 1e-6
FORMAT = 2
REDEFINED = {"action_probability": 2}
"""Fields of `metadata` that mean something else since a format: an older release isn't held to what
it wrote there. Before 2, the policy's softmax of an action that was then taken for certain."""
CODE = ("churn_assets",)  # the packages by which a message comes out as it does
WRITTEN = ("message_source", "language", "name_used", "name_doubt", "template_probability")
"""Fields of `metadata` that come with a message."""


def write_golden(engine: RetentionEngine, requests: Sequence[dict[str, Any]], folder: Path) -> None:
    """Answer the requests and store both in the bundle that `engine` was loaded from.

    The settings by which it answers stand beside: a release with other ones is another release,
    whose content has to differ.
    """
    # Named, since another server's default zone may differ.
    requests = [{"time_zone": engine.default_time_zone, **request} for request in requests]
    answers = _answers(engine, requests)
    cases = [{"request": r, "answer": a} for r, a in zip(requests, answers, strict=True)]
    golden = {
        "format": FORMAT,
        "now": NOON.isoformat(),
        "explanations": explain.VERSION,
        "code": sources_digest(packages=CODE),
        "settings": engine.messages.model_dump(mode="json"),
        "cases": cases,
    }
    (folder / GOLDEN).write_bytes(canonical_json(golden))


def check_golden(engine: RetentionEngine, folder: Path) -> int:
    """Answer the stored requests again.

    Returns:
        How many there were.

    Raises:
        ReleaseError: an answer differs; names the request by its number and the first differing
            field, but no values: requests are of real customers, and /readyz is public.
    """
    golden = json.loads((folder / GOLDEN).read_bytes())
    cases = golden["cases"]
    if not cases:
        raise ReleaseError(f"{folder / GOLDEN} has no requests")
    other = [name for name, since in REDEFINED.items() if golden.get("format", 1) < since]
    if golden.get("explanations") != explain.VERSION:
        other += explain.EXPLANATIONS
    if golden.get("code") != sources_digest(packages=CODE):
        other += WRITTEN
        for case in cases:
            case["answer"].pop("message")
    for case, name in product(cases, other):
        case["answer"]["metadata"].pop(name, None)
    answers = _answers(engine, [case["request"] for case in cases])
    for number, (case, answer) in enumerate(zip(cases, answers, strict=True)):
        difference = next(_differences(case["answer"], answer), None)
        if difference:
            raise ReleaseError(
                f"release {engine.release_id}: golden request {number} of {len(cases)} is answered "
                f"differently here: {difference} differs (cases[{number}] of {GOLDEN})"
            )
    return len(cases)


def check_live(engine: RetentionEngine, folder: Path) -> None:
    """Have the language model, where the release has one, write a message before any customer waits
    for it: what only fails while generating fails here, and the first one is the slowest.

    One that writes none of the golden requests' messages is asked no more: the bank, which has
    passed every check, writes in its place, and log, /readyz and answers say why.
    """
    writer = engine.live_writer
    if writer is None:
        return
    if writer.problem is None:
        writer.problem = _why_nothing_is_generated(engine, folder)
    if writer.problem is not None:
        log.error(
            "release %s: the message bank writes in place of its language model: %s",
            engine.release_id,
            writer.problem,
        )


def _why_nothing_is_generated(engine: RetentionEngine, folder: Path) -> str | None:
    """None as soon as a message is; and where no golden request says anything of the model."""
    reasons: set[str] = set()
    for case in json.loads((folder / GOLDEN).read_bytes())["cases"]:
        told = case["answer"]["metadata"]
        if told["message_source"] is None or told["baseline"]:
            continue
        request = engine.form.model.model_validate(case["request"])
        reason = engine.predict(request, now=NOON)["metadata"].get("not_generated")
        if reason is None:
            return None
        reasons.add(reason)
    return "; ".join(sorted(reasons - OF_THE_CUSTOMER)) or None


def _answers(engine: RetentionEngine, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    parsed = [engine.form.model.model_validate(request) for request in requests]
    answers = engine.predict_many(parsed, now=NOON, live=False, exact=True)
    for answer in answers:
        del answer["metadata"]["release_id"]  # the id depends on this very file
    return answers


def _differences(expected: Any, found: Any, where: str = "answer") -> Iterator[str]:
    """Where the answers differ. A field that was not answered yet when the release was built, as
    later code adds to `metadata`, is no difference."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() <= found.keys():
        for key in expected:
            yield from _differences(expected[key], found[key], f"{where}.{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for i, pair in enumerate(zip(expected, found, strict=True)):
            yield from _differences(*pair, f"{where}[{i}]")
    elif isinstance(expected, float) and isinstance(found, float):
        if not math.isclose(expected, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield where
    elif expected != found:
        yield where
