"""Leakage: what knows the outcome because it was written down afterwards, and what merely helps."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from churn_assets.customers.quality.leakage import comes_afterwards
from tests.customers.conftest import CONTRACT, Checked, Rows, as_csv, made_rows


def leaks(checked: Checked, tmp_path: Path, rows: Rows, features: str = "") -> set[tuple[str, str]]:
    """(column, sign) of a table, with further features in the contract."""
    (tmp_path / "history.csv").write_text(as_csv(rows))
    return {(leak.column, leak.sign) for leak in checked(CONTRACT + features).leaks}


def test_a_score_made_afterwards_ranks_churn_alone(checked: Checked, tmp_path: Path) -> None:
    """Upwards, downwards, or by words; and it is a problem only where the contract uses it."""
    rows = made_rows(1_000)
    draw = random.Random(1)
    for row in rows:
        left = row["Cancelled"] == "yes"
        row["Score"] = f"{draw.gauss(3.0 if left else 0.0, 1.0):.3f}"
        row["Health"] = f"{draw.gauss(0.0 if left else 3.0, 1.0):.3f}"
        row["Segment"] = draw.choice("ab" if left else "cd")
        row["Weak"] = f"{draw.gauss(0.8 if left else 0.0, 1.0):.3f}"
    features = "  Score: {kind: number}\n  Weak: {kind: number}\n"
    (tmp_path / "history.csv").write_text(as_csv(rows))
    report = checked(CONTRACT + features)
    assert {(leak.column, leak.role) for leak in report.leaks} == {
        ("Score", "feature"),
        ("Health", "unused"),
        ("Segment", "unused"),
    }
    [problem] = report.problems
    assert problem.startswith(
        "history: the feature Score leaks: alone it ranks who leaves with AUC 0.9"
    )


def test_words_of_one_row_each_say_nothing(checked: Checked, tmp_path: Path) -> None:
    """Judged on the rows that they were learnt from, ids would rank perfectly."""
    rows = made_rows(1_000)
    for number, row in enumerate(rows):
        row["Street"] = f"Street {number // 2}"
    assert leaks(checked, tmp_path, rows, "  Street: {kind: category}\n") == set()


def test_missing_for_one_outcome_only(checked: Checked, tmp_path: Path) -> None:
    """A cell that only those who stayed lack; a few such cells are chance."""
    rows = made_rows(1_000)
    stayed = [row for row in rows if row["Cancelled"] == "no"]
    for row in rows:
        row["Visit"] = row["Survey"] = "7"
    for row in stayed[:60]:
        row["Survey"] = ""
    for row in stayed[:5]:
        row["Visit"] = ""
    features = "".join(f"  {n}: {{kind: number, required: false}}\n" for n in ("Survey", "Visit"))
    assert leaks(checked, tmp_path, rows, features) == {("Survey", "missing")}


def test_given_for_one_outcome_only(checked: Checked, tmp_path: Path) -> None:
    """A reason for leaving that three quarters of the leavers gave ranks them with AUC 0.87 only;
    so does what most of those who stayed have. A few such cells are chance."""
    rows = made_rows(1_000)
    left = [row for row in rows if row["Cancelled"] == "yes"]
    stayed = [row for row in rows if row["Cancelled"] == "no"]
    draw = random.Random(6)
    for row in rows:
        row["Reason"] = row["Visit"] = row["Renewal"] = row["Half"] = ""
    for row in left:
        row["Reason"] = draw.choice(["price", "moved", "unhappy", ""])
    for row in draw.sample(stayed, len(stayed) * 3 // 5):
        row["Renewal"] = "7"
    for row in left[:5]:
        row["Visit"] = "7"
    for row in rows[::2]:
        row["Half"] = "7"
    features = "  Reason: {kind: category, required: false}\n"
    features += "".join(
        f"  {n}: {{kind: number, required: false, range: [0, 9]}}\n" for n in ("Visit", "Renewal")
    )
    found = leaks(checked, tmp_path, rows, features)
    assert found == {("Reason", "given"), ("Renewal", "given")}
    [leak] = [leak for leak in checked(CONTRACT + features).leaks if leak.column == "Reason"]
    given = sum(row["Reason"] != "" for row in left)
    assert leak.why == f"it is given for {given} customers, all of them such who left"


def test_a_word_that_only_leavers_have(checked: Checked, tmp_path: Path) -> None:
    """Half of the leavers' state; not a small plan that everybody left, nor one that most did."""
    rows = made_rows(1_000)
    left = [row for row in rows if row["Cancelled"] == "yes"]
    draw = random.Random(8)
    for row in rows:
        row["State"], row["Tariff"], row["Area"] = "open", draw.choice("ab"), draw.choice("ab")
    for row in draw.sample(left, len(left) // 2):
        row["State"] = "closed"
    for row in left[: len(left) // 20]:
        row["Tariff"] = "old"
    for row in [*left[: len(left) // 2], next(r for r in rows if r["Cancelled"] == "no")]:
        row["Area"] = "north"
    features = "".join(f"  {n}: {{kind: category}}\n" for n in ("State", "Tariff", "Area"))
    assert leaks(checked, tmp_path, rows, features) == {("State", "word")}


@pytest.mark.parametrize(
    "name",
    [
        "Churn Reason", "Churn Score", "Customer Status", "churn_category", "ChurnLabel",
        "Churned at", "cancellation_date", "reason for leaving", "Account Status", "Exit Survey",
        "deactivated_on", "End Date", "Attrition_Flag", "left_at",
    ],
)  # fmt: skip
def test_names_that_come_afterwards(name: str) -> None:
    """IBM's newer table has five of them."""
    assert comes_afterwards(name)


@pytest.mark.parametrize(
    "name",
    [
        "Status", "Contract", "Tenure Months", "Monthly Charges", "Weekend calls", "Last contact",
        "Reason for joining", "Legend", "Days since last login", "Marital status", "CLTV",
        "Remaining term",
    ],
)  # fmt: skip
def test_names_that_do_not(name: str) -> None:
    """A false alarm teaches people to overlook alarms."""
    assert not comes_afterwards(name)


def test_means_of_the_outcome_in_groups(checked: Checked, tmp_path: Path) -> None:
    """Of all rows, of those with a flag, and a difference of both: AUC below 0.6 each, and yet
    they know the outcomes. A number for each group that isn't its mean leaks nothing."""
    draw = random.Random(3)
    rows = made_rows(6_000)
    regions: dict[str, Rows] = {}
    for row in rows:
        row["Region"] = f"R{draw.randrange(25)}"
        regions.setdefault(row["Region"], []).append(row)

    def mean(some: Rows) -> float:
        return sum(row["Cancelled"] == "yes" for row in some) / len(some)

    for some in regions.values():
        paperless = mean([row for row in some if row["Paperless"] == "yes"])
        noise = mean(some) + draw.gauss(0, 0.02)  # as a model's calibrated score would be
        for row in some:
            row["Rate"], row["RateP"] = f"{mean(some):.5f}", f"{100 * paperless:.3f}"
            row["RateD"] = f"{float(row['Rate']) - float(row['RateP']):.6f}"
            row["Honest"] = f"{noise:.5f}"
        del some[:]
    names = ("Rate", "RateP", "RateD", "Honest")
    features = "".join(f"  {name}: {{kind: number}}\n" for name in names)
    assert leaks(checked, tmp_path, rows, features) == {
        (name, "group_mean") for name in ("Rate", "RateP", "RateD")
    }


def test_the_states_means_of_the_charitable_mail(
    checked: Checked, tmp_path: Path, real_data: Path
) -> None:
    """All rows', those with an offer, those without, and the difference; no other feature leaks,
    and of what the contract leaves out what was given, which is the outcome itself."""
    example = Path(__file__).resolve().parents[2] / "examples/charitable_mail/customers.yaml"
    leaky = [name + end for name in ("stateresponse",) for end in ("", "t", "c", "tminc")]
    lines = [
        line
        for line in example.read_text().splitlines(keepends=True)
        if line.strip().split(":")[0] not in leaky
    ]
    at = lines.index("  features:\n") + 1
    lines[at:at] = [f"    {name}: {{kind: number, required: false}}\n" for name in leaky]
    report = checked("".join(lines), mirror=real_data)
    found = {(leak.role, leak.column, leak.sign) for leak in report.leaks}
    assert found == {
        *(("feature", name, "group_mean") for name in leaky),
        ("left_out", "out_amountgive", "auc"),
    }
