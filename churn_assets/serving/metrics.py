"""Prometheus metrics of the service. One process per container, so the default registry serves."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable
from functools import cache
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("churn_requests_total", "Requests answered.", ["route", "method", "status"])
LATENCY = Histogram(
    "churn_request_seconds",
    "Time from a request's first byte to its answer's last.",
    ["route"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
DECISIONS = Counter(
    "churn_decisions_total", "Decisions made.", ["contact", "offer_percentage", "baseline"]
)
MESSAGES = Counter("churn_messages_total", "Messages written.", ["source", "passed"])
FEEDBACK = Counter("churn_feedback_total", "Feedback events.", ["kind", "outcome"])
RELEASE_LOADS = Counter("churn_release_loads_total", "Attempts to load a release.", ["outcome"])
PREDICTION_LOADS = Counter("churn_prediction_loads_total", "Attempts to load them.", ["outcome"])
LOOKS_FAILED = Counter("churn_store_looks_failed_total", "Looks at the store in vain.", ["what"])
CONNECTIONS_CLOSED = Counter(
    "churn_connections_closed_total", "Connections that were closed on their caller.", ["reason"]
)
SERVING = Gauge("churn_serving_release", "1 for the release that serves.", ["release_id"])
BASELINE_FORCED = Gauge("churn_baseline_forced", "1 while the kill switch is on for everybody.")


# Looking a label up costs several times what counting does. The label values are few: routes,
# methods, statuses, offers; never anything that a caller makes up.


@cache
def requests_of(route: str, method: str, status: int) -> Counter:
    """The counter of one kind of answer."""
    return REQUESTS.labels(route, method, status)


@cache
def latency_of(route: str) -> Histogram:
    """The histogram of one route."""
    return LATENCY.labels(route)


@cache
def decisions_of(contact: bool, offer_percentage: int, baseline: bool) -> Counter:
    """The counter of one kind of decision."""
    return DECISIONS.labels(contact, offer_percentage, baseline)


@cache
def messages_of(source: str, passed: bool) -> Counter:
    """The counter of one kind of message."""
    return MESSAGES.labels(source, passed)


def count_answers(answers: Iterable[dict[str, Any]]) -> None:
    """Account for answers to customers, each in the shape of `PredictResponse`."""
    decisions: Tally[tuple[bool, int, bool]] = Tally()
    messages: Tally[tuple[str, bool]] = Tally()
    for answer in answers:
        decision, metadata = answer["decision"], answer["metadata"]
        decisions[decision["contact"], decision["offer_percentage"], metadata["baseline"]] += 1
        if answer["message"] is not None:
            messages[metadata["message_source"], answer["safety"]["passed"]] += 1
    for kind, count in decisions.items():
        decisions_of(*kind).inc(count)
    for written, count in messages.items():
        messages_of(*written).inc(count)
