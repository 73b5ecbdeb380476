"""A stage's code version changes with what the stage may execute, and with nothing else."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import churn_assets
from churn_assets.stages import sources
from churn_assets.stages.registry import STAGES
from churn_assets.stages.sources import code_version

PACKAGE = Path(churn_assets.__file__).parent
RISK = STAGES["risk_model"].function


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package's sources in a folder of their own."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(PACKAGE, tmp_path / "churn_assets", ignore=ignored))


def version_in(copy: Path, function: str = RISK) -> str:
    program = (
        f"from churn_assets.stages.sources import code_version; print(code_version({function!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=copy.parent,
        env={"PYTHONPATH": str(copy.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_where_the_sources_lie_is_no_part_of_it(copy: Path) -> None:
    """This machine and a container must agree."""
    assert version_in(copy) == code_version(RISK)


@pytest.mark.parametrize(
    "changed",
    [
        "predictors/training/risk.py",
        "predictors/scoring/forest.py",
        "domain/statistics.py",  # imported by what the stage imports
        "domain/__init__.py",
    ],
)
def test_a_line_of_what_it_imports_changes_it(copy: Path, changed: str) -> None:
    """Why: nobody remembers to raise a version by hand."""
    with (copy / changed).open("a") as file:
        file.write("\n# another line\n")
    assert version_in(copy) != code_version(RISK)


@pytest.mark.parametrize("changed", ["messages/shield/rules.json", "cli/serve.py", "settings.py"])
def test_a_line_of_what_it_never_reads_does_not(copy: Path, changed: str) -> None:
    """Why: a word of the shield must not train the risk model again."""
    with (copy / changed).open("a") as file:
        file.write("\n")
    assert version_in(copy) == code_version(RISK)


def test_a_file_that_an_editor_has_open_does_not(copy: Path) -> None:
    """Why: its swap file lies beside the module, and changes nothing that is executed."""
    (copy / "predictors/training/.risk.py.swp").write_text("unsaved")
    assert version_in(copy) == code_version(RISK)


RUN = """
from pathlib import Path
from pydantic import BaseModel
from churn_assets.stages.runner import run_stage, with_sources
from churn_assets.stages.spec import Stage, StageSpec
from churn_assets.storage.local import LocalArtifactStore

class Nothing(BaseModel):
    pass

def run(inputs, out, config, progress):
    {change}
    return {{}}

store = LocalArtifactStore(Path("store"))
asked = StageSpec(stage="risk_model", inputs={{}}, config={{}}, store_url="", code_version="1")
try:
    run_stage(Stage("risk_model", run, Nothing), with_sources(asked), store)
finally:
    print("pointers", store.pointers())
"""


@pytest.mark.parametrize(
    ("change", "noted"),
    [
        ("pass", True),
        ("Path('churn_assets/cli/serve.py').write_text('another')", True),
        ("Path('churn_assets/domain/statistics.py').write_text('another')", False),
        ("Path('churn_assets/predictors/training/risk.py').unlink()", False),
    ],
    ids=["nothing", "elsewhere", "imported", "gone"],
)
def test_what_is_made_while_its_sources_change_is_not_noted(
    copy: Path, change: str, noted: bool
) -> None:
    """Why: what is imported late is the new code, and the result would stand under the old one's
    digest for ever."""
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(change=change)],
        cwd=copy.parent,
        env={"PYTHONPATH": str(copy.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("stages/risk_model/" in done.stdout) is noted, done.stderr
    assert (
        "the sources changed since the run began, so start it again" in done.stderr
    ) is not noted
    assert (done.returncode == 0) is noted


def test_data_beside_its_modules_change_it(copy: Path) -> None:
    """The shield's rules are a file that the bank is made by."""
    bank = STAGES["message_bank"].function
    with (copy / "messages/shield/rules.json").open("a") as file:
        file.write("\n")
    assert version_in(copy, bank) != code_version(bank)


def test_an_unknown_module_is_an_error() -> None:
    """A misspelt declaration must not be a stage whose code never changes."""
    with pytest.raises(ModuleNotFoundError, match="no module"):
        code_version("churn_assets.nothing:run")


DEEP = """
import churn_assets.domain
try:
    with open(__file__):
        import churn_assets.settings
except OSError:
    match churn_assets:
        case _:
            from churn_assets import automation
else:
    for _ in ():
        from churn_assets.stages import runner
    else:
        from churn_assets.stages.spec import Stage
finally:
    class Inner:
        async def late(self):
            if (lambda: 1)() if self else 0:
                pass
            elif self:
                import churn_assets.definitions
"""


def test_an_import_counts_wherever_it_stands() -> None:
    """Expressions aren't searched, blocks of every kind are."""
    assert set(sources._imported(ast.parse(DEEP))) == {
        "churn_assets",
        "churn_assets.automation",
        "churn_assets.definitions",
        "churn_assets.domain",
        "churn_assets.settings",
        "churn_assets.stages",
        "churn_assets.stages.runner",
        "churn_assets.stages.spec",
    }


class Installed:
    """A distribution that says what it needs."""

    def __init__(self, name: str, *requires: str) -> None:
        self.name, self.version, self.requires = name, "1.0", list(requires)


def test_tools_beside_the_product_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own are installed between a demo and the next run: nothing is trained again. What
    the product asks for itself, by an extra, or through others counts; where nobody says what it
    asks for, all that is there does."""
    there = [
        Installed("churn-retention", "Torch", "web[fast]", "lint; extra == 'dev'"),
        Installed("torch", "numbers; python_version >= '3'", "windows; sys_platform == 'win32'"),
        Installed("web", "quick; extra == 'fast'", "slow; extra == 'other'"),
        *map(Installed, ("numbers", "windows", "quick", "slow", "lint", "editor")),
    ]
    monkeypatch.setattr(sources, "distributions", lambda: there)
    libraries = sources._libraries.__wrapped__
    asked = ["churn-retention", "numbers", "quick", "torch", "web"]
    assert libraries() == tuple(f"{name}==1.0" for name in asked)
    there[0] = Installed("churn-retention", "Torch", "lint; extra == 'dev'")
    assert libraries() == ("churn-retention==1.0", "numbers==1.0", "torch==1.0")
    del there[0]
    assert len(libraries()) == len(there)
