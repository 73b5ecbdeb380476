"""What `inspect` makes of snapshots, of values of 0, and of several consents and opt-outs."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn_assets.customers.inspection.flags import channel_of
from churn_assets.customers.inspection.inspect import Inspection, inspect_tables
from churn_assets.customers.reading.sources import Places
from tests.customers.conftest import CONTRACT, Checked, Rows, as_csv, made_rows
from tests.customers.test_inspect import inspected, renamed

DAYS = ("2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30")


def monthly(days: tuple[str, ...] = DAYS, day: str = "snapshot_date") -> Rows:
    """A row of each customer on each day until they leave, with an end date in all of theirs and
    an address that names them as the account does."""
    rows: Rows = []
    for number, row in enumerate(made_rows()):
        left = number % 7 if number % 7 < len(days) else None  # in the month after this one
        until = f"2026-{left + 2:02d}-15" if left is not None else ""
        kept = {k.replace("Account", "customer_no"): row[k] for k in row if k != "Cancelled"}
        rows += [
            {day: seen, **kept, "E-Mail": f"c{number}@mail.example", "cancelled_on": until}
            | {"Months": str(int(row["Months"]) + month)}
            for month, seen in enumerate(days[: len(days) if left is None else left + 1])
        ]
    return rows


def decided(found: Inspection) -> dict[str, str]:
    """Key of the contract -> what is asked."""
    return dict(line.split(": ", 1) for line in found.decide)


def test_a_folder_of_snapshots(checked: Checked, tmp_path: Path) -> None:
    """Each customer once in each file: the columns that say who and when are found, what names a
    customer is no leak, and the first contract holds."""
    (tmp_path / "snapshots").mkdir()
    for day in DAYS:
        rows = [row for row in monthly() if row["snapshot_date"] == day]
        (tmp_path / "snapshots" / f"{day}.csv").write_text(as_csv(rows))
    found = inspect_tables(["snapshots"], Places(tmp_path, tmp_path))
    assert found.guesses["customer_no"] == "id"
    assert found.guesses["snapshot_date"] == "snapshot"
    assert found.guesses["cancelled_on"] == "label"
    asked = decided(found)
    assert list(asked) == ["identity.churned", "identity.horizon_months", "features.Calls"]
    assert asked["identity.churned"].startswith("did they leave on the day in cancelled_on, and")
    assert "{end_date: cancelled_on}   # DECIDE: did they leave" in found.contract
    assert "\nleft_out:\n  E-Mail: an identifier\n" in found.contract
    report = checked(found.contract)
    assert report.problems == []
    known = [row for row in monthly() if row["snapshot_date"] < DAYS[-1]]
    assert report.tables[0].used == len(known)  # nobody left later than 15 May: May isn't over
    assert {c.column: c.uses for c in report.tables[0].columns}["snapshot_date"] == ("snapshot",)


def test_a_day_of_another_name_is_asked_about(tmp_path: Path) -> None:
    """Nothing but the cells tells that it is a snapshot, nor which column is the id."""
    rows = [
        {k.replace("customer_no", "Rachunek"): v for k, v in row.items()}
        for row in monthly(day="Dzien")
    ]
    found = inspected(tmp_path, rows)
    assert (found.guesses["Rachunek"], found.guesses["Dzien"]) == ("id", "snapshot")
    asked = decided(found)["identity.snapshot"]
    assert asked == "is each row as of this day? Rachunek has one row on each of 4 days"
    assert f"  snapshot: Dzien   # DECIDE: {asked}\n" in found.contract


@pytest.mark.parametrize("column", ["Household ID", "Contract"])
def test_days_in_a_table_of_customers_are_no_snapshots(tmp_path: Path, column: str) -> None:
    """Members of a household joined on different days, and so did some with two contracts."""
    rows = renamed(made_rows())
    for number, row in enumerate(rows):
        row[column] = f"H{number // 2}"
        row["Start Date"] = DAYS[number % 4]
        if column == "Contract":
            del row["Account"]
    found = inspected(tmp_path, rows)
    assert "snapshot" not in found.guesses.values()
    assert found.guesses[column] == "left out"
    assert found.guesses.get("Account", "id") == "id"


@pytest.mark.parametrize(
    ("cell", "other", "asked"),
    [
        ("0", "Yearly Fee", "30% of the rows have 0 in Monthly Fee, and most of them an amount in "
         "Yearly Fee: '[Monthly Fee] + [Yearly Fee] / 12'"),
        ("0", "Fee per Quarter", "30% of the rows have 0 in Monthly Fee, and most of them an "
         "amount in Fee per Quarter: '[Monthly Fee] + [Fee per Quarter] / 3'"),
        ("0", "Prepaid Amount", "30% of the rows have 0 in Monthly Fee, and most of them an "
         "amount in Prepaid Amount: '[Monthly Fee] + [Prepaid Amount]'"),
        ("", "Yearly Fee", "30% of the rows have nothing in Monthly Fee, and most of them an "
         "amount in Yearly Fee: '[Monthly Fee] + [Yearly Fee] / 12' (a blank there makes the sum "
         "unknown: write 0)"),
        ("0", "Visits", "30% of the rows have 0 in Monthly Fee: do these pay nothing, or is it in "
         "another column? '[A] / 12 + [B]'"),
    ],
)  # fmt: skip
def test_a_value_of_nothing_is_asked_about(
    tmp_path: Path, cell: str, other: str, asked: str
) -> None:
    """Who pays by the year has 0 in the column of months, and their price in another one."""
    rows = renamed(made_rows())
    for number, row in enumerate(rows):
        yearly = number % 10 < 3
        row[other] = f"{100 + number % 9}.50" if yearly else "0"
        row["Monthly Fee"] = cell if yearly else row["Monthly Fee"]
    found = inspected(tmp_path, rows)
    assert decided(found)["value.monthly"] == asked
    assert f"value: {{monthly: Monthly Fee}}   # DECIDE: {asked}\n" in found.contract


def test_a_few_values_of_nothing_are_not(checked: Checked, tmp_path: Path) -> None:
    """Staff and trials: below a twentieth of the rows nobody is asked, nor told by the check."""
    for few, said in ((19, False), (20, True)):
        rows = made_rows()
        for row in rows[:few]:
            row["Monthly Fee"] = "0"
        assert ("value.monthly" in decided(inspected(tmp_path, renamed(rows)))) is said
        (tmp_path / "history.csv").write_text(as_csv(rows))
        report = checked()
        assert report.problems == []
        assert (
            report.notes
            == [
                "history: the monthly value of 20 rows (5%) is 0: they count as customers who pay "
                "nothing; if they pay by the year or otherwise, add it, as in value: {monthly: "
                '"[Monthly Fee] + [what they pay] / 12"}'
            ]
            * said
        )


def test_values_of_nothing_in_both_tables_are_noted(checked: Checked, tmp_path: Path) -> None:
    """The sum that the note speaks of mends it."""
    rows = [row | {"Year": "0"} for row in made_rows()]
    for row in rows[:40]:
        row |= {"Monthly Fee": "0", "Year": "120"}
    for name in ("history", "active"):
        left = [row for row in rows if name == "history" or row["Cancelled"] == "no"]
        (tmp_path / f"{name}.csv").write_text(as_csv(left))
    both = CONTRACT.replace("identity:", "  active: {path: active.csv}\nidentity:")
    assert [note.split(" (")[0][:35] for note in checked(both).notes] == [
        "history: the monthly value of 40 ro",
        "active: the monthly value of 25 row",
    ]
    both = both.replace("{monthly: Monthly Fee", "{monthly: '[Monthly Fee] + [Year] / 12'")
    assert checked(both).notes == []


def flagged(**columns: tuple[str, ...]) -> Rows:
    """Customers with columns of these cells in turn."""
    return [
        row | {name: cells[number // 3 % len(cells)] for name, cells in columns.items()}
        for number, row in enumerate(renamed(made_rows()))
    ]


def test_consents_and_opt_outs_by_channel(tmp_path: Path) -> None:
    """Each is written for the channel that its name says; none is a feature."""
    rows = flagged(
        consent_email=("yes", "no", ""),
        consent_sms=("no", "yes"),
        do_not_contact=("0", "0", "0", "1"),
        do_not_call=("no", "no", "yes"),
    )
    found = inspected(tmp_path, rows)
    assert {k: found.guesses[k] for k in rows[0] if "con" in k or "not" in k} == {
        "consent_email": "consent (email)",
        "consent_sms": "consent (sms)",
        "do_not_contact": "opt-out",
        "do_not_call": "opt-out (call)",
    }
    assert found.contract.endswith(
        "\ncontact:\n"
        "  opt_out: {column: do_not_contact, yes: '1', no: '0'}\n"
        "  channels:\n"
        "    call:\n"
        "      opt_out: {column: do_not_call, yes: 'yes', no: 'no'}\n"
        "    email:\n"
        "      consent: {column: consent_email, yes: 'yes', no: ['no', '']}   # DECIDE: "
        "consent_email is blank in 132 rows: that is no consent here; is that so?\n"
        "    sms:\n"
        "      consent: {column: consent_sms, yes: 'yes', no: 'no'}\n"
    )
    keys = [key for key in decided(found) if "con" in key or "do_not" in key]
    assert keys == ["contact.channels.email.consent"]


def test_flags_that_can_t_be_told_apart_are_asked_about(tmp_path: Path) -> None:
    """Two of every channel, two of one and a single answer: all are left out, however many cells
    they have, and asked about; so are what the only consent there is means, and a third answer, of
    a column that is used all the same."""
    rows = flagged(
        opt_out=("no", "yes"),
        unsubscribed=("no", "no", "yes"),
        email_opt_out=("no", "no", "no", "yes"),
        mail_opt_out=("no", "yes", "yes"),
        sms_opt_out=("no", "yes", "asked"),
        push_opt_out=("no",),
        email_consent=("given", "given", "refused"),
    )
    found = inspected(tmp_path, rows)
    asked = decided(found)
    unsure = ("unsubscribed", "mail_opt_out", "push_opt_out")
    for name in unsure:
        assert found.guesses[name] == "left out"
        line = f"  {name}: 'may say who may be contacted: never learnt from'   # DECIDE: "
        assert line + asked[f"left_out.{name}"] in found.contract
    assert (
        "email_opt_out is taken for the opt-out of contacts by email"
        in (asked["left_out.mail_opt_out"])
    )
    assert found.guesses["sms_opt_out"] == "opt-out (sms)"
    assert asked["contact.channels.sms.opt_out"] == (
        "sms_opt_out has other cells than yes and no, which count as opted out: what do they mean?"
    )
    assert asked["contact.opt_out"] == "is it this one, or unsubscribed?"
    assert asked["contact.channels.email.opt_out"] == "is it this one, or mail_opt_out?"
    assert asked["contact.consent"] == "is 'refused' of email_consent yes?"
    features = found.contract.split("features:")[1].split("left_out:")[0]
    assert not any(name in features for name in rows[0] if "opt_out" in name or "con" in name)


def test_the_only_consent_is_of_every_channel(tmp_path: Path) -> None:
    """Though its name says one: so a person is asked."""
    found = inspected(tmp_path, flagged(sms_consent=("yes", "no")))
    asked = (
        "it holds for every channel; if sms_consent is of sms alone, write "
        "channels: {sms: {consent: ...}}"
    )
    assert decided(found)["contact.consent"] == asked
    line = f"  consent: {{column: sms_consent, yes: 'yes', no: 'no'}}   # DECIDE: {asked}\n"
    assert found.contract.endswith(line)


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        *(("consent_email", "email"), ("Consent E-Mail", "email"), ("mailOptIn", "email")),
        *(("sms_ok", "sms"), ("Text consent", "sms"), ("do_not_call", "call")),
        *(("tel_optin", "call"), ("Phone", "call"), ("consent.push", "push")),
        *(("WhatsApp consent", "whatsapp"), ("letter_consent", "letter")),
        *(("Consent postal mail", "letter"), ("direct mail", "letter"), ("consent_post", "letter")),
        *(("consent", None), ("email_sms_consent", None), ("recalled", None)),
    ],
)
def test_names_say_channels(name: str, channel: str | None) -> None:
    """In the words that companies have for them; of two, none is meant."""
    assert channel_of(name) == channel


def test_the_day_of_a_last_fine_is_no_end(tmp_path: Path) -> None:
    """It decided who left, unasked: "fine" is Italian for the end."""
    rows = [
        row | {"Last fine": "" if n % 3 else f"2026-01-{1 + n % 28:02d}"}
        for n, row in enumerate(made_rows())
    ]
    for row in rows:
        del row["Cancelled"]
    found = inspected(tmp_path, rows)
    assert found.guesses["Last fine"] == "left out"
    assert "end_date" not in found.contract
    assert "# DECIDE churned: " in found.contract


def test_a_cap_of_data_is_a_number_and_an_italian_cap_a_code(tmp_path: Path) -> None:
    """It was a postcode, whatever its numbers."""
    rows = [row | {"Cap": str((5, 10, 50, 100)[n % 4])} for n, row in enumerate(made_rows())]
    found = inspected(tmp_path, rows)
    assert found.guesses["Cap"] == "number"
    assert decided(found)["features.Cap"].startswith("4 numbers from 5 to 100; if they're a code")
    rows = [row | {"Cap": str(20_121 + n % 40)} for n, row in enumerate(made_rows())]
    assert inspected(tmp_path, rows).guesses["Cap"] == "category"


def test_what_happens_on_mondays_is_not_monthly(tmp_path: Path) -> None:
    """A Dutch "Maandag" was taken for what is paid by the month, unasked."""
    rows = [
        {k.replace("Monthly Fee", "Bedrag op maandag"): v for k, v in r.items()}
        for r in made_rows()
    ]
    asked = decided(inspected(tmp_path, rows))["value.monthly"]
    assert asked == "is Bedrag op maandag what they pay in a month?"
