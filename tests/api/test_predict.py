"""`POST /predict` on the real server: the specification's JSON and what its figures mean."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from churn_assets.serving.schemas import SAMPLE_ANSWER, SAMPLE_REQUEST, PredictResponse


def predict(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    answer = client.post("/predict", json={**SAMPLE_REQUEST, **changes})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    assert result["metadata"].pop("decision_id")  # another one for each answer
    return result


def test_sample_answer_has_the_specified_shape(client: httpx.Client) -> None:
    """Key for key and type for type; additions only inside `metadata`."""
    answer = predict(client)
    assert list(answer) == list(SAMPLE_ANSWER)
    for part in ("decision", "safety"):
        assert list(answer[part]) == list(SAMPLE_ANSWER[part])
        for key, value in SAMPLE_ANSWER[part].items():
            assert type(answer[part][key]) is type(value)
    assert set(SAMPLE_ANSWER["metadata"]) <= set(answer["metadata"])
    PredictResponse.model_validate(answer, strict=True)


def test_figures_agree_with_the_alternatives(client: httpx.Client) -> None:
    """The chosen alternative carries the decision's own figures; not contacting is worth 0."""
    answer = predict(client)
    alternatives = answer["metadata"]["alternatives"]
    [chosen] = [a for a in alternatives if a["chosen"]]
    assert chosen["contact"] == answer["decision"]["contact"]
    assert chosen["offer_percentage"] == answer["decision"]["offer_percentage"]
    assert chosen["expected_value"] == answer["metadata"]["expected_value"]
    assert chosen["accept_prob"] == answer["metadata"]["accept_prob"]
    assert chosen["estimated_retention_prob"] == answer["decision"]["estimated_retention_prob"]
    assert [a["offer_percentage"] for a in alternatives] == [0, 0, 5, 10, 15]
    assert alternatives[0]["expected_value"] == 0
    assert alternatives[0]["estimated_retention_prob"] == pytest.approx(
        1 - answer["metadata"]["churn_risk"], abs=1e-4
    )


def figures(answer: dict[str, Any]) -> list[tuple[str, float]]:
    """Every number of an answer that is not whole, with its name."""
    named = [*answer["decision"].items(), *answer["metadata"].items()]
    named += [pair for row in answer["metadata"]["alternatives"] for pair in row.items()]
    named += [pair for row in answer["metadata"]["reasons"] for pair in row.items()]
    return [(name, value) for name, value in named if type(value) is float and name != "value"]


def test_money_has_cents_and_probabilities_four_places(client: httpx.Client) -> None:
    """A person reads them; more digits would be noise of the machine."""
    shown = [pair for tenure in range(1, 40) for pair in figures(predict(client, tenure=tenure))]
    money = {"expected_value", "expected_cost"}
    assert {name for name, _ in shown} > money | {"churn_risk", "estimated_retention_prob"}
    for name, value in shown:
        assert value == round(value, 2 if name in money else 4), name
        assert str(value) != "-0.0", name


def test_message_is_null_exactly_when_nobody_is_contacted(client: httpx.Client) -> None:
    """No decision to contact, no text; and the shield has nothing to object to."""
    contacted = predict(client)
    assert contacted["decision"]["contact"] is True
    assert "Sam" in contacted["message"]
    cooling = predict(client, days_since_contact=1, contacts_this_period=1)
    assert cooling["decision"]["contact"] is False
    assert cooling["message"] is None
    assert cooling["metadata"]["message_source"] is None
    assert cooling["safety"] == {"passed": True, "violations": []}


def test_same_request_same_answer(client: httpx.Client) -> None:
    """No hidden state: two equal requests agree in everything but the hour."""
    assert predict(client)["decision"] == predict(client)["decision"]
    assert predict(client)["message"] == predict(client)["message"]


def test_missing_and_null_mean_the_same(client: httpx.Client) -> None:
    """An absent optional field is a missing value, exactly like null, and differs from a value."""
    absent = predict(client)
    null = predict(client, internet_service=None, senior_citizen=None, total_charges=None)
    assert absent["metadata"]["churn_risk"] == null["metadata"]["churn_risk"]
    fiber = predict(client, internet_service="Fiber optic")
    dsl = predict(client, internet_service="DSL")
    assert fiber["metadata"]["reasons"] != dsl["metadata"]["reasons"]


def test_payment_method_may_leave_out_automatic(client: httpx.Client) -> None:
    """The specification says "Credit card", the data "Credit card (automatic)"."""
    short, full = (
        predict(client, payment_method=method)
        for method in ("Credit card", "Credit card (automatic)")
    )
    assert short["metadata"]["churn_risk"] == full["metadata"]["churn_risk"]


@pytest.mark.parametrize(
    ("sent", "meant"),
    [("Yes", True), ("No", False), (1, True), (0, False), ("1", True), ("0", False), (1.0, True)],
)
def test_flags_may_be_written_as_in_the_ibm_file(
    client: httpx.Client, sent: object, meant: bool
) -> None:
    """Somebody who has the IBM columns sends them as they are."""
    assert predict(client, partner=sent) == predict(client, partner=meant)


@pytest.mark.parametrize("name", ["Zoë", "José María", "Łukasz", "李雷", "محمد", "O'Brien", "Ngọc"])
def test_names_beyond_ascii(client: httpx.Client, name: str) -> None:
    """People's names are not ASCII."""
    answer = predict(client, name=name)
    assert name in answer["message"]


@pytest.mark.parametrize(
    ("name", "doubt"),
    [("Your Bill Is Free", "advertising"), ("Urgᴇnt", "characters"), ("<b>Sam</b>", "characters"),
     ("免费", "advertising"), ("evil.com", "link"), ("🙂", "letter"), ("x" * 90, "60 characters")],
)  # fmt: skip
def test_a_doubtful_name_is_left_out_and_the_decision_answered(
    client: httpx.Client, name: str, doubt: str
) -> None:
    """The customer isn't shut out for their name, nor are others' words sent under ours."""
    answer, usual = predict(client, name=name), predict(client)
    assert answer["decision"] == usual["decision"]
    assert name not in answer["message"]
    assert answer["safety"] == usual["safety"]
    assert answer["metadata"].pop("name_used") is False
    assert doubt in answer["metadata"].pop("name_doubt")
    assert answer["metadata"].keys() == usual["metadata"].keys()


@pytest.mark.parametrize("tenure", [0, 1])
def test_a_name_that_reads_like_a_value_is_answered(client: httpx.Client, tenure: int) -> None:
    """It was a 500, and so were the answers to all who came in the same moment."""
    answer = predict(client, name="first month", tenure=tenure)
    assert set(answer["safety"]["violations"]) <= {"quiet_hours"}
    assert tenure or "first month" not in answer["message"]


def test_force_baseline_by_request(client: httpx.Client) -> None:
    """One request can ask for the rules and the reviewed templates."""
    answer = predict(client, force_baseline=True)
    assert answer["metadata"]["baseline"] is True
    assert answer["metadata"]["policy"] == "priced_greedy"
    assert answer["metadata"]["message_source"] in (None, "template")
    assert predict(client)["metadata"]["policy"] == "risk_threshold"
