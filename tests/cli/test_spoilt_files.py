"""Files that a spreadsheet or a broken transfer spoilt: nothing of them keeps the right one out."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.storage.local import LocalArtifactStore
from tests.cli.test_strangers import put_ids, run
from tests.release.small_release import publish

PLAN = "20261130-0123456789"
HEADER = "event_id,customer_id,kind,occurred_at,decision_id"
WHAT = {"outcomes": "events", "campaign": "contacts"}
BOTH = pytest.mark.parametrize("command", ["outcomes", "campaign"])


@pytest.fixture
def home(own_home: Path) -> Path:
    """A home with a release and five customers; the ids of four begin with zeros."""
    publish(LocalArtifactStore(own_home / "store"), own_home / "published", "Acme")
    put_ids(own_home, "predictions", *(f"000{n}" for n in (8110, 8111, 8112, 8113)), "k8113")
    return own_home


def write(home: Path, *rows: str, end: str = "\n") -> str:
    file = home / "events.csv"
    file.write_text("\n".join([HEADER, *rows]) + end, encoding="utf-8")
    return str(file)


def row(number: int, customer: str, decision: str = "") -> str:
    return f"e{number},{customer},accepted,2026-01-05T10:00:00Z,{decision}"


@BOTH
def test_a_file_without_its_zeros_is_refused_and_the_right_one_taken(
    home: Path, command: str
) -> None:
    """Why: all of it was recorded, of nobody, and the corrected file refused: "another event has
    the id"; accepted offers and opt-outs were lost."""
    file = write(home, row(1, "8110"), row(2, "8111"), row(3, "0008112"))
    code, said = run(command, "import", file)
    assert code == 1
    assert (
        "2 of 3 ids are of no customer in the latest predictions or the history, as '8110'" in said
    )
    assert f"Nothing of {file} is recorded." in said
    right = write(home, row(1, "0008110"), row(2, "0008111"), row(3, "0008112"))
    code, said = run(command, "import", right)
    assert code == 0
    assert f"3 {WHAT[command]} added, 0 were" in said


@BOTH
def test_half_of_the_ids_is_too_many_unless_somebody_insists(home: Path, command: str) -> None:
    """Of customers who left long ago, say; fewer are named, as ever."""
    half = write(home, row(1, "0008110"), row(2, "8111"))
    assert run(command, "import", half)[0] == 1
    code, said = run(command, "import", half, "--force")
    assert (code, f"2 {WHAT[command]} added" in said) == (0, True)
    assert "1 of 2 ids are of no customer" in said
    few = write(home, row(3, "0008110"), row(4, "0008111"), row(5, "8112"))
    code, said = run(command, "import", few)
    assert (code, "1 of 3 ids are of no customer" in said) == (0, True)


@BOTH
@pytest.mark.parametrize("ids", [["new1"], ["0008110", "new1"], ["new1", "new2", "8110"], ["000"]])
def test_new_customers_spoil_no_file(home: Path, command: str, ids: list[str]) -> None:
    """Why: a small day's file with somebody new was refused whole, and the opt-outs of customers
    who are known were lost. Of ids that nobody has, too few are nearly a customer's."""
    code, said = run(command, "import", write(home, *(row(n, each) for n, each in enumerate(ids))))
    assert (code, f"{len(ids)} {WHAT[command]} added, 0 were" in said) == (0, True)
    strangers = sorted({*ids} - {"0008110"})
    assert f"{len(strangers)} of {len(ids)} ids are of no customer" in said


@BOTH
@pytest.mark.parametrize("spoilt", ["8110", "0008-110", "K8113"])
def test_half_of_the_strangers_nearly_customers_is_evidence(
    home: Path, command: str, spoilt: str
) -> None:
    """Zeros, punctuation or capitals, beside one who is new."""
    code, said = run(command, "import", write(home, row(1, "new1"), row(2, spoilt)))
    assert code == 1
    assert "2 of 2 ids are of no customer" in said
    assert (
        f"1 of them are customers' ids but for zeros, capitals or punctuation, as {spoilt!r}"
        in (" ".join(said.split()))
    )


@BOTH
def test_a_plans_decision_about_another_customer_is_refused(home: Path, command: str) -> None:
    """The decision says whose it is: the row alone shows that its customer's id lost its zeros."""
    file = write(
        home,
        row(1, "0008110", f"{PLAN}:0008110"),
        row(2, "8111", f"{PLAN}:0008111"),
        row(3, "0008112", "f" * 32),
    )
    code, said = run(command, "import", file)
    assert code == 1
    assert "row 2: decision_id: it is a decision about another customer than customer_id" in said
    assert f"2 {WHAT[command]} added" in said
    right = write(home, row(2, "0008111", f"{PLAN}:0008111"))
    code, said = run(command, "import", right)
    assert (code, f"1 {WHAT[command]} added" in said) == (0, True)


@BOTH
def test_a_decision_of_the_caller_s_own_is_about_whom_its_row_names(
    home: Path, command: str
) -> None:
    """Why: the day, a number and a word passed for a plan's, about the customer "letter", and every
    row of such a file was refused."""
    file = write(home, row(1, "0008110", "20260105-1:letter"), row(2, "0008111", "20260105-2:b"))
    code, said = run(command, "import", file)
    assert (code, f"2 {WHAT[command]} added" in said) == (0, True)


@BOTH
@pytest.mark.parametrize("decision", [f"{PLAN}:0008111", "0123456789abcdef" * 2])
def test_a_file_that_is_cut_anywhere_spoils_no_event(
    home: Path, command: str, decision: str
) -> None:
    """Why: what was left of a decision's id was taken, and the whole row refused ever after. At
    every place in the cell but its two ends, where nobody can see a cut."""
    whole = row(2, "0008111", decision)
    for left in range(1, len(decision)):
        cut = write(home, row(1, "0008110"), whole[: len(whole) - len(decision) + left], end="")
        code, said = run(command, "import", cut)
        assert code == 1, said
        assert "row 2: " in said
    assert f"0 {WHAT[command]} added, 1 were there already" in said  # row 1, once
    code, said = run(command, "import", write(home, row(1, "0008110"), whole, end=""))
    assert (code, " 1 were there already" in said) == (0, True)


def test_a_decision_of_any_form_is_taken_where_its_line_ends(home: Path) -> None:
    """Whatever it is of: it is the end of the file that is doubted."""
    for end in ("\n", "\r\n", "\r"):
        file = write(home, row(1, "0008110", "ours"), end=end)
        assert run("outcomes", "import", file)[0] == 0
    code, said = run("outcomes", "import", write(home, row(2, "0008110", "ours"), end=""))
    assert code == 1
    assert "row 1: the file ends here without a line end" in said


@pytest.mark.parametrize(("before", "taken"), [("call-16", True), ("f" * 32, False), ("", False)])
def test_a_whole_file_with_decisions_of_the_caller_s_own(
    before: str, taken: bool, home: Path
) -> None:
    """Its other rows were taken, the last one refused: exports need not end their last line."""
    rows = row(1, "0008110", before), row(2, "0008111"), row(3, "0008112", "call-17")
    code, said = run("outcomes", "import", write(home, *rows, end=""))
    assert code == (0 if taken else 1)
    assert f"{3 if taken else 2} events added" in said
