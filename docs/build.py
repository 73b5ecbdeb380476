"""Write the generated parts of the documentation; `python docs/build.py` renews them.

`settings.md`: every setting, from the pydantic models. `gates.md`: every check, from the asset
graph and the odds beside the checks. `architecture.md`: the picture between its markers, from the
imports. `tests/test_docs.py` holds the files to the code.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import grimp
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from checks import document
from churn_assets.definitions import definitions
from churn_assets.settings import PROJECT, Settings

DOCS = Path(__file__).resolve().parent
PACKAGES = ("churn_assets", "checks", "api", "modal_jobs")
BEGIN, END = "<!-- generated: rooms -->", "<!-- end -->"
NESTED = ("churn_assets.predictors", "churn_assets.decision", "churn_assets.messages")


# --- settings.md ---------------------------------------------------------------------------------


def settings_page() -> str:
    """Every setting as a Markdown table row: variable, type, default, meaning."""
    rows = "\n".join(_rows(Settings, "CHURN_", None))
    return f"""# Settings

Made from the code by `python docs/build.py`. Each is an environment variable; a section's fields
are joined with two underscores. Defaults are those of the profile `embedded`.

A value is typed as the defaults are shown here, in single quotes where the shell would read it
otherwise: words and numbers as they are, `true` or `false`, `null` for none where the type has it.
A list is JSON or has commas (`CHURN_DECISION__SEEDS=0,1,2`; empty: `[]`). An empty variable is an
unset one. A section can be given in part, as JSON too, and what isn't named stays as it is:
`CHURN_COMPUTE__MODAL__GPU_STAGE='{{"gpu": "A10", "memory_mib": 65536}}'`. Only lists, mappings
(`CHURN_CAMPAIGN__CHANNELS`) and a file's pin (digest and rows, set together) are replaced whole.

| variable | type | default | meaning |
|---|---|---|---|
{rows}
"""


def _rows(model: type[BaseModel], prefix: str, defaults: BaseModel | None) -> list[str]:
    """A row a field; `defaults` is the section as the one above it has it by default."""
    meanings, rows = _meanings(model), []
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        kind = field.annotation
        value = getattr(defaults, name) if defaults else _declared(field)
        if inspect.isclass(kind) and issubclass(kind, BaseModel):
            rows += _rows(kind, f"{variable}__", value if isinstance(value, BaseModel) else None)
            continue
        meaning = field.description or meanings.get(name, "")
        rows.append(f"| `{variable}` | {_type(kind)} | {_shown(value)} | {_one_line(meaning)} |")
    return rows


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Field -> what the class (or one that it extends) says of it, under `Attributes:` or below
    the field."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if not issubclass(kind, BaseModel) or kind is BaseModel:
            continue
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        for field, text in pairwise(ast.iter_child_nodes(definition)):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(said)):
                    found[name] = str(said)
        found |= _attributes(inspect.getdoc(kind) or "")
    return found


def _attributes(docstring: str) -> dict[str, str]:
    """The entries below `Attributes:` of a Google-style docstring."""
    _, _, section = docstring.partition("Attributes:\n")
    entries = re.findall(r"^    ([a-z][\w, ]*): (.*(?:\n {8}.*)*)", section, re.M)
    return {name: text for names, text in entries for name in re.split(r",\s*", names)}


def _type(kind: Any) -> str:
    name = kind.__name__ if inspect.isclass(kind) else str(kind)
    name = re.sub(r"Annotated\[(\w[\w.]*), .*?\)\]", r"\1", name)  # what checks it has an address
    name = re.sub(r"Optional\[(.*)\]$", r"\1 | None", name)
    name = re.sub(r"\b(?:[a-z_0-9]+\.)+(?=[A-Z])", "", name)  # modules
    return f"`{name}`".replace("|", "or").replace("or None", "or null")


def _declared(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def _shown(value: Any) -> str:
    """A default as it is typed."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value == "":
        return "empty"
    if isinstance(value, Path):
        return f"`{value.relative_to(PROJECT)}` in the project's folder"
    plain = isinstance(value, str)
    text = value if plain else json.dumps(to_jsonable_python(value), ensure_ascii=False)
    return f"`{text}`".replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# --- the picture of the rooms --------------------------------------------------------------------


def rooms_picture() -> str:
    """A Mermaid graph: a box for each package, an arrow where one imports from another.

    Arrows that follow from others (a -> b -> c makes a -> c superfluous) are left out.
    """
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    arrows: dict[str, set[str]] = defaultdict(set)
    for module in sorted(graph.modules):
        for imported in graph.find_modules_directly_imported_by(module):
            if (upper := room(module)) != (lower := room(imported)):
                arrows[upper].add(lower)
    lines = [
        f"    {_box(upper)} --> {_box(lower)}"
        for upper in sorted(arrows)
        for lower in sorted(_reduced(upper, arrows))
    ]
    return "\n".join(["```mermaid", "graph TD", *lines, "```"])


def room(module: str) -> str:
    """The package that a module stands for in the picture."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "churn_assets" else parts[0]


def _box(name: str) -> str:
    return f"{name.replace('.', '_')}[{name.removeprefix('churn_assets.')}]"


def _reduced(upper: str, arrows: dict[str, set[str]]) -> set[str]:
    others = {far for near in arrows[upper] for far in _reach(near, arrows) if far != near}
    return arrows[upper] - others


def _reach(start: str, arrows: dict[str, set[str]]) -> set[str]:
    seen, todo = set(), [start]
    while todo:
        for lower in arrows.get(todo.pop(), set()) - seen:
            seen.add(lower)
            todo.append(lower)
    return seen


def with_picture(page: str) -> str:
    """The page with the picture between its markers renewed."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{rooms_picture()}\n\n{END}{after}"


def pages() -> dict[str, str]:
    """File name -> the text that it should have."""
    architecture = (DOCS / "architecture.md").read_text(encoding="utf-8")
    return {
        "settings.md": settings_page(),
        "gates.md": document.page(definitions().resolve_asset_graph()),
        "architecture.md": with_picture(architecture),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
