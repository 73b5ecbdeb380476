"""docs/own-data.md: its commands are run in order, and its outputs are what they print."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from churn_assets.release.registry import ReleaseRegistry
from churn_assets.storage.local import LocalArtifactStore
from tests.cli.conftest import clean_environment
from tests.customers.conftest import as_csv, made_rows
from tests.customers.own_company import company_of
from tests.customers.test_own_offers import log_rows

FIGURES = Path(__file__).resolve().parents[2] / "benchmarks" / "own_campaign.json"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-data.md"
_BLOCK = re.compile(r"^```(console|yaml)\n(.*?)^```\n", re.M | re.S)
_MATERIALIZED = "<!-- materialized -->"  # before the first command that needs a release
_ANSWERED = re.compile(r"^(│ \d+   (?:│[^│]*){6})│.*$")  # a row of `predict`; the message is last
_CAMPAIGN = "<!-- campaign -->"  # before the contract of a campaign by itself
_CHARITY = re.compile(r"(?<=<!-- charity -->\n\n).*?(?=\n## )", re.S)  # figures of the benchmark
_MENDED = "<!-- mended -->"  # before the contract that the reader ends up with


def write_tables(folder: Path) -> None:
    """The table of the page: a small company's, with flaws that the page finds."""
    rows = [{k.replace("Cancelled", "Churn"): v for k, v in r.items()} for r in made_rows(600)]
    for row in rows:
        left = row["Churn"] == "yes"
        row["Churn Reason"] = ("price" if int(row["Months"]) % 2 else "moved") if left else ""
    rows[16]["Months"], rows[104]["Months"] = "n/k", "-3"
    rows[230]["Monthly Fee"] = "1,250"
    (folder / "customers.csv").write_text(as_csv([*rows, *rows[:5]], delimiter=";"))
    today = [{k: v for k, v in row.items() if "Churn" not in k} for row in made_rows(4, seed=7)]
    today[3]["Plan"] = "Gold"
    (folder / "today.csv").write_text(as_csv(today, delimiter=";"))
    (folder / "log.csv").write_text(as_csv(log_rows()))


def materialize(folder: Path) -> None:
    """What `churn materialize` leaves, in seconds: learnt from the contract's table, but decided by
    a rule instead of a policy that takes minutes to learn."""
    root, bundle = folder / "home" / "made", folder / "home" / "bundle"
    root.mkdir(parents=True)
    bundle.mkdir()
    manifest = company_of(folder / "customers.yaml", root).release(bundle)
    registry = ReleaseRegistry(LocalArtifactStore(folder / "home" / "store"))
    registry.publish(bundle)
    registry.promote(manifest.release_id, "the first release")


def run(command: str, folder: Path, **variables: str) -> str:
    """What a command of the page prints, with its exit code where it isn't 0."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from churn_assets.cli import app; app()",
            *shlex.split(command)[1:],
        ],
        cwd=folder,
        env=clean_environment()
        | {"CHURN_HOME": str(folder / "home"), "COLUMNS": "100"}
        | variables,
        stderr=subprocess.STDOUT if "predict" in command else subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert not done.stderr, done.stderr  # of `predict` it is part of what the page shows
    out = re.sub(r"\s+$", "", done.stdout, flags=re.M).replace(str(folder), "…")
    return f"{out}\n" + (f"(exit code {done.returncode})\n" if done.returncode else "")


def walked(page: str, folder: Path) -> str:
    """The page with every output as it is now; does what a reader does, in order."""
    write_tables(folder)

    def block(match: re.Match[str]) -> str:
        kind, content = match.groups()
        if kind == "yaml":
            if page[: match.start()].rstrip().endswith(_MENDED):
                (folder / "customers.yaml").write_text(content)
            if page[: match.start()].rstrip().endswith(_CAMPAIGN):
                (folder / "campaign.yaml").write_text(content)
            return match[0]
        if page[: match.start()].rstrip().endswith(_MATERIALIZED):
            materialize(folder)
        command = content.splitlines()[0].removeprefix("$ ")
        if command == "cat customers.yaml":
            output = (folder / "customers.yaml").read_text()
        else:
            output = run(command, folder)
        return f"```console\n$ {command}\n{output}```\n"

    return _CHARITY.sub(lambda _: charity_table(), _BLOCK.sub(block, page))


def charity_table() -> str:
    """What the benchmark measured of the real letters, as the page has it."""
    found = json.loads(FIGURES.read_text("utf-8"))
    lines = ["| match | letters | gave | rate (95 %) | more than without (95 %) | p |"]
    lines.append("|---|---|---|---|---|---|")
    for row in found["response_by_level"]:
        low, high = row["interval"]
        more = ""
        if "gain" in row:
            below, above = row["gain_interval"]
            more = f"{row['gain']:+.2%} ({below:+.2%} to {above:+.2%})"
        p_value = f"{row['p_value']:.3f}" if "gain" in row else ""
        gave = f"{row['contacts']:,} | {row['accepted']:,}"
        rate = f"{row['rate']:.2%} ({low:.2%} to {high:.2%})"
        lines.append(f"| {row['gives']:g} % | {gave} | {rate} | {more} | {p_value} |")
    models = ", ".join(
        f"{name.replace('_', ' ')} {of['auc']:.3f} and {of['log_loss']:.4f}"
        for name, of in found["methods"].items()
    )
    passed = sum(gate["passed"] for gate in found["gates"].values())
    low, high = found["auc_interval"]
    said = (
        f"AUC and log-loss out of fold: {models}. The model is the {found['method']}"
        f" (held out: AUC {found['auc']:.3f}, {low:.3f} to {high:.3f}).".replace("_", " ")
    )
    gates = f"It holds {passed} of {len(found['gates'])} gates."
    means = ", ".join(f"`{name}`" for name in found["outcome_means"])
    return "\n".join([*lines, "", said, f"{gates} Means of the outcome: {means}.", ""])


def without_wording(page: str) -> str:
    """The page without the messages' words, which are those of the reviewed templates: whoever
    mends one need not mend this page."""
    lines = [line for line in page.splitlines() if not line.startswith("│     │          │")]
    return "\n".join(_ANSWERED.sub(r"\1", line) for line in lines)


def test_the_page_says_what_happens(tmp_path: Path) -> None:
    """Somebody types it, and sees the same. CHURN_RENEW_PAGES=1 writes the page anew."""
    page = PAGE.read_text("utf-8")
    now = walked(page, tmp_path)
    if os.environ.get("CHURN_RENEW_PAGES"):
        PAGE.write_text(now, encoding="utf-8")
    assert without_wording(now) == without_wording(page)
    assert page.count("```console") >= 4
