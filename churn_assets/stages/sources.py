"""What a stage's code is: one digest over the sources that it imports and the libraries installed.

Two runs with the same inputs, settings and code make the same artifact, so the second needn't run.
Nobody has to remember to raise a version when a line changes: the line is in the digest.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

PACKAGE = "churn_assets"
ROOT = Path(__file__).resolve().parents[1]


@cache
def code_version(function: str) -> str:
    """Hex SHA-256, 16 digits, of what `module:function` may execute.

    That is its module with every module of this package that it imports, at whatever depth and
    wherever in the file; the data files that lie beside any of them; and name and version of each
    installed distribution. Imports by a computed name aren't seen.

    Raises:
        ModuleNotFoundError: the package has no such module.
    """
    module = function.partition(":")[0]
    if _file(module) is None:
        raise ModuleNotFoundError(f"{PACKAGE} has no module {module}")
    lines = [*_libraries(), *(f"{name} {_digest(name)}" for name in sorted(_closure(module)))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _closure(module: str) -> set[str]:
    """The module and all that it imports of this package, and the packages that hold them."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [*_imports(name), *filter(None, [name.rpartition(".")[0]])]
    return found


@cache
def _imports(module: str) -> frozenset[str]:
    file = _file(module)
    return frozenset(_imported(ast.parse(file.read_bytes()))) if file else frozenset()


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                candidates = [alias.name for alias in names]
            case ast.ImportFrom(module=str(origin), names=names, level=0):
                candidates = [origin, *(f"{origin}.{alias.name}" for alias in names)]
            case _:
                continue
        yield from (name for name in candidates if _file(name))


@cache
def _file(module: str) -> Path | None:
    """The module's source; None for what is no module of this package."""
    top, *parts = module.split(".")
    if top != PACKAGE:
        return None
    path = ROOT.joinpath(*parts)
    return next((f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()), None)


@cache
def _digest(module: str) -> str:
    """Digest of the module's source; of a package, with the data files in its folder."""
    file = _file(module)
    assert file is not None  # noqa: S101 - the closure holds only modules that there are
    beside = file.parent.iterdir() if file.name == "__init__.py" else ()
    files = [file, *sorted(f for f in beside if f.is_file() and f.suffix != ".py")]
    digest = hashlib.sha256()
    for each in files:
        digest.update(each.name.encode() + b"\0" + each.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def _libraries() -> tuple[str, ...]:
    """Each installed distribution's name and version: other libraries, other numbers."""
    return tuple(sorted({f"{found.name}=={found.version}" for found in distributions()}))
