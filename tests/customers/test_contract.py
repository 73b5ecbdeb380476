"""The contract: what it may say, and errors that a person finds at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.customers.contract.expression import columns_of, to_sql
from churn_assets.customers.contract.model import BUILT_IN, ContractError, load_contract
from churn_assets.customers.fields import schema_of
from tests.customers.conftest import CONTRACT
from tests.messages.briefs import brief

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def problems(tmp_path: Path, text: str) -> list[str]:
    """What `load_contract` says of a text, without the file's name."""
    file = tmp_path / "customers.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ContractError) as found:
        load_contract(file)
    assert all(said.startswith(f"{file}:") for said in found.value.problems)
    return [said.removeprefix(f"{file}:") for said in found.value.problems]


@pytest.mark.parametrize("name", ["ibm_telco", "iranian_telecom", "charitable_mail"])
def test_the_examples_are_contracts(name: str) -> None:
    """Somebody copies one to begin with."""
    assert load_contract(EXAMPLES / name / "customers.yaml").name


def test_the_built_in_contract_is_the_example() -> None:
    """There is one IBM Telco contract, not two that drift apart."""
    assert (EXAMPLES / "ibm_telco" / "customers.yaml").samefile(BUILT_IN)


def test_a_contract_may_say_when_somebody_is_long_a_customer(tmp_path: Path) -> None:
    """A prepaid company's customers of a year are old friends; messages speak to them as such."""
    file = tmp_path / "customers.yaml"
    file.write_text(CONTRACT, encoding="utf-8")
    assert schema_of(load_contract(file)).bands is None
    file.write_text(CONTRACT.replace("months: Months}", "months: Months, bands: [3, 12]}"))
    bounds = schema_of(load_contract(file)).bands
    assert bounds == (3, 12)
    bands = [brief(tenure=months, bounds=bounds).band for months in (2, 3, 11, 12)]
    assert bands == ["new", "settled", "settled", "long"]
    assert [brief(tenure=months).band for months in (5, 6, 23, 24)] == [
        *("new", "settled", "settled", "long")
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("horizon_months: 3", "horizon_months: -3", "7: identity.horizon_months: input should be"),
        ("kind: flag", "kind: boolean", "15: features.Paperless.kind: input should be 'number'"),
        ("unit: months", "unti: months", "12: features.Months.unti: is no key here; did you"),
        ("  horizon_months: 3\n", "", "4: identity.horizon_months: is missing"),
        ("levels: [Basic, Plus, Max]", "range: [0, 1]", "11: features.Plan: range, unit and"),
        ("yes: yes, no: no", "yes: yes, no: YES", "6: identity.churned: 'yes' is both yes and no"),
        ("yes: yes, no: no", "yes: 1, no: 1.0", "6: identity.churned: '1' is both yes and no"),
        ("monthly: Monthly Fee", "monthly: '[Fee] ** 2'", "8: value: '[Fee] ** 2' is no sum"),
        ("range: [0, 600]", "range: [600, 0]", "12: features.Months: the range's lowest"),
        ("range: [0, 600]", "range: [0, inf]", "12: features.Months.range.1: input should be a"),
        ("range: [0, 600]", "range: [nan, 9]", "12: features.Months.range.0: input should be a"),
        ("  Plan:", "  Cancelled:", "11: features.Cancelled: is what is to be predicted"),
        ("  Months: {", "  Plan: {kind: flag}\n  Months: {", "12: Plan: is there twice"),
        ("features:", "features: [", "is not YAML"),
        ("tenure: {months: Months}\n", "", "1: lacks tenure"),
        ("EUR}", "Euros please}", "8: value.currency: 'Euros please' is no currency; write"),
        ("EUR}", "eur}", "8: value.currency: 'eur' is no currency; write its code"),
        ("features:", "left_out:\n  Seats: few\n  Plan: old\nfeatures:", "12: left_out.Plan: is"),
        ("months: Months}", "months: Months, bands: [24, 6]}", "9: tenure: bands has to have two"),
        ("months: Months}", "months: Months, bands: [0, 6]}", "9: tenure: bands has to have two"),
    ],
)  # fmt: skip
def test_an_error_says_line_and_key(tmp_path: Path, before: str, after: str, said: str) -> None:
    """One line for each problem, which an editor can jump to."""
    assert before in CONTRACT
    [problem] = problems(tmp_path, CONTRACT.replace(before, after, 1))
    assert said in problem
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("unit: months", "when: months", "12: features.Months.when: is no key here"),
        ("yes: yes, no: no", "yes: yes, no: no, label: x", "churned.label: is no key here"),
        ("{months: Months}", "{month: Months, months: Months}", "key here; did you mean months?"),
        ("features:", "featurs: {}\nfeatures:", "featurs: is no key here; did you mean features?"),
    ],
)  # fmt: skip
def test_a_key_is_likened_to_those_of_its_place(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    """Why: "says: is no key here; did you mean says?" it said, of a key of quite another part."""
    assert before in CONTRACT
    [problem] = problems(tmp_path, CONTRACT.replace(before, after, 1))
    assert problem.endswith(said)


def test_all_errors_come_at_once(tmp_path: Path) -> None:
    """Mending one after the other takes as many attempts."""
    wrong = CONTRACT.replace("kind: flag", "kind: boolean").replace("EUR}", "EUR, per: year}")
    assert [said.partition(":")[0] for said in problems(tmp_path, wrong)] == ["8", "15"]


def test_words_stay_as_they_are_written(tmp_path: Path) -> None:
    """YAML would read no as false, 010 as 8 and 2026-01-31 as a date: they're cells of a table."""
    file = tmp_path / "customers.yaml"
    file.write_text(CONTRACT.replace("[Basic, Plus, Max]", "[no, 010, 2026-01-31, 1.50]"))
    assert load_contract(file).features["Plan"].levels == ("no", "010", "2026-01-31", "1.50")


def test_a_campaign_is_valid_by_itself(tmp_path: Path) -> None:
    """A log of answers has no churn label."""
    file = tmp_path / "customers.yaml"
    file.write_text(
        """\
name: mail
campaign:
  table: {path: log.csv}
  offer: {column: level, levels: {0: 0, 1: 10}}
  outcome: {column: gave, yes: 1, no: 0}
  features: {age: {kind: number}}
"""
    )
    contract = load_contract(file)
    assert contract.customers is None
    assert contract.campaign is not None
    assert contract.campaign.offer.levels == {"0": 0.0, "1": 10.0}


def test_propensities_are_probabilities(tmp_path: Path) -> None:
    """They divide later on: what doesn't sum to one would bias every estimate."""
    said = problems(
        tmp_path,
        """\
name: mail
campaign:
  table: {path: log.csv}
  offer: {column: level, levels: {0: 0, 1: 10}}
  outcome: {column: gave, yes: 1, no: 0}
  propensity: {0: 0.5, 1: 0.6}
  features: {age: {kind: number}}
""",
    )
    assert said == ["2: campaign: the propensities have to be above 0 and sum to 1"]


@pytest.mark.parametrize(
    ("feature", "said"),
    [("level", "7: campaign.features.level: is the offer"),
     ("who", "7: campaign.features.who: names the customer"),
     ("gave", "7: campaign.features.gave: is what is to be predicted")],
)  # fmt: skip
def test_what_a_campaign_may_not_learn_from_is_named_where_it_stands(
    tmp_path: Path, feature: str, said: str
) -> None:
    """Long contracts have many features: the line is that of the one."""
    text = """\
name: mail
campaign:
  table: {path: log.csv}
  customer: who
  offer: {column: level, levels: {0: 0, 1: 10}}
  outcome: {column: gave, yes: 1, no: 0}
  features: {age: {kind: number}, FEATURE: {kind: number}}
"""
    [problem] = problems(tmp_path, text.replace("FEATURE", feature))
    assert said in problem


@pytest.mark.parametrize("currency", ["CHF", "₹", "kr", "R$", "''"])
def test_a_currency_is_a_code_or_a_short_sign(tmp_path: Path, currency: str) -> None:
    """Both stand before an amount; without one no message names a bill."""
    file = tmp_path / "customers.yaml"
    file.write_text(CONTRACT.replace("currency: EUR", f"currency: {currency}"), encoding="utf-8")
    value = load_contract(file).value
    assert value is not None
    assert value.currency == currency.strip("'")


def test_an_expression_names_its_columns() -> None:
    """A monthly value may be computed from several columns."""
    assert columns_of("[Customer Value] / 9 - [Refunds]") == ("Customer Value", "Refunds")
    assert columns_of("Monthly Fee") == ("Monthly Fee",)
    assert to_sql("[a b] / [c]", lambda name: f'"{name}"') == '("a b" / nullif("c", 0))'


@pytest.mark.parametrize("text", ["[a] and [b]", "f([a])", "[a] +", "[a] / __import__('os')"])
def test_an_expression_is_nothing_but_sums(text: str) -> None:
    """It comes from a file: it must not run code."""
    with pytest.raises(ValueError, match="no sum of"):
        columns_of(text)


@pytest.mark.parametrize(
    ("added", "said"),
    [
        (
            "messages: {Seats: {say: {a: your seat}}}",
            "16: messages.Seats: is no feature",
        ),
        ("messages: {Plan: {say: {Gold: your gold plan}}}", "16: messages.Plan: 'Gold' is none of"),
        ("messages: {Paperless: {say: {1: your mail}}}", "messages.Paperless: write yes or no"),
        (
            "messages: {Plan: {say: {Plus: Plus plan}}}",
            "say.Plus: 'Plus plan' has to begin with your, our or the, in small letters, as in",
        ),
        (
            "messages: {Plan: {say: {Plus: your 5G plan}}}",
            "say.Plus: 'your 5G plan' has '5' in it: write words, without digits, %, $ and braces",
        ),
        ("messages: {Plan: {say_in: {es: {Plus: plan 5G}}}}", "'plan 5G' has '5' in it: write"),
        (
            "messages: {Plan: {says: {Plus: your plan}}}",
            "messages.Plan.says: is no key here; did you mean say?",
        ),
        ("messages: {Plan: {contract: {Plus: Weekly}}}", "messages.Plan.contract.Plus: input"),
        ("messages: {Plan: {service: internet}}", "messages.Plan: service and cells go together"),
        ("messages: {Plan: {}}", "messages.Plan: needs say, contract, or service"),
        ("accepted: {Seats: {kind: number}}", "16: accepted.Seats: isn't left out"),
    ],
)
def test_what_messages_may_say_is_held_to_the_features(
    tmp_path: Path, added: str, said: str
) -> None:
    """A word for a cell that there is none of would never be said, and nobody would know why."""
    [problem] = problems(tmp_path, CONTRACT + added + "\n")
    assert said in problem


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("repeats: {column: Seats}", "11: features.Plan.repeats: 'Seats' is no feature"),
        ("repeats: {column: Paperless, when: maybe, says: Max}", "features.Plan.repeats: write"),
        ("repeats: {column: Paperless, when: 'no'}", "features.Plan.repeats: when and says go"),
        ("codes: [Max, Plus]", "features.Plan: codes has to have the same words as levels"),
        ("aliases: {Maximum: Most}", "features.Plan: aliases: 'Most' is none of the levels"),
        ("shown: {Most: best}", "features.Plan: shown: 'Most' is none of the levels"),
        ("example: Most", "features.Plan: 'Most' is none of the levels"),
        ("billed: true", "features.Plan: range, unit and billed are a number's"),
    ],
)
def test_what_a_feature_says_of_itself_fits(tmp_path: Path, changed: str, said: str) -> None:
    """Typing errors in the parts that speak of other columns or of levels."""
    levels = "levels: [Basic, Plus, Max]"
    assert levels in CONTRACT
    [problem] = problems(tmp_path, CONTRACT.replace(levels, f"{levels}, {changed}"))
    assert said in problem


def test_lines_may_be_shared_by_an_anchor(tmp_path: Path) -> None:
    """Ten columns of one kind are written once."""
    file = tmp_path / "customers.yaml"
    written = CONTRACT.replace("  Plan: {", "  Plan: &plan {").replace(
        "  Paperless:", "  Extra: {<<: *plan, label: extra}\n  Paperless:"
    )
    file.write_text(written, encoding="utf-8")
    features = load_contract(file).features
    assert (features["Extra"].label, features["Extra"].levels) == ("extra", features["Plan"].levels)
