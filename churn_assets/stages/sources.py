"""What a stage's code is: one digest over the sources that it imports and the libraries installed.

Two runs with the same inputs, settings and code make the same artifact, so the second needn't run.
Nobody has to remember to raise a version when a line changes: the line is in the digest.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "churn_assets"
PRODUCT = "churn-retention"  # its distribution
ROOT = Path(__file__).resolve().parents[1]


@cache
def code_version(function: str) -> str:
    """Hex SHA-256, 16 digits, of what `module:function` may execute, as it was when this process
    first looked.

    That is its module with every module of this package that it imports, at whatever depth and
    wherever in the file; the data files that lie beside any of them; and name and version of each
    installed distribution that the product asks for. Imports by a computed name aren't seen.

    Raises:
        ModuleNotFoundError: the package has no such module.
    """
    return _version([*_libraries(), *(f"{name} {_digest(name)}" for name in _modules(function))])


def sources_version(function: str) -> str:
    """The same without the libraries: two programs of this machine agree on it, wherever they were
    started from."""
    return _version([f"{name} {_digest(name)}" for name in _modules(function)])


def sources_now(function: str) -> str:
    """What `sources_version` is of the files as they are at this moment."""
    return _version([f"{name} {_digest_now(name)}" for name in _modules(function)])


def _version(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _modules(function: str) -> list[str]:
    """Names of what `module:function` may execute of this package, sorted.

    A change of them needs no second look: whoever imports another module has other bytes.
    """
    module = function.partition(":")[0]
    if _file(module) is None:
        raise ModuleNotFoundError(f"{PACKAGE} has no module {module}")
    return sorted(_closure(module))


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
    for node in _statements(tree):
        match node:
            case ast.Import(names=names):
                candidates = [alias.name for alias in names]
            case ast.ImportFrom(module=str(origin), names=names, level=0):
                candidates = [origin, *(f"{origin}.{alias.name}" for alias in names)]
            case _:
                continue
        yield from (name for name in candidates if _file(name))


def _statements(block: ast.AST) -> Iterator[ast.AST]:
    """All statements in it, at whatever depth; expressions, most of a tree, hold none."""
    for field in ("body", "handlers", "cases", "orelse", "finalbody"):
        inner = getattr(block, field, None)
        if isinstance(inner, list):  # of a lambda or a conditional, it is an expression
            for each in inner:
                yield each
                yield from _statements(each)


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
    return _digest_now(module)


def _digest_now(module: str) -> str:
    """Digest of the module's source; of a package, with the data files in its folder."""
    file = _file(module)
    if file is None or not file.is_file():
        return "gone"  # since it was found
    beside = file.parent.iterdir() if file.name == "__init__.py" else ()
    # Hidden ones are an editor's: to open a module in it doesn't change what is executed.
    data = (f for f in beside if f.is_file() and f.suffix != ".py" and f.name[0] != ".")
    digest = hashlib.sha256()
    for each in (file, *sorted(data)):
        digest.update(each.name.encode() + b"\0" + each.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def _libraries() -> tuple[str, ...]:
    """Name and version of each distribution that the product asks for, itself or through others:
    other libraries, other numbers. A tool that was installed beside them changes none."""
    installed: dict[str, Distribution] = {}
    for found in distributions():
        installed.setdefault(canonicalize_name(found.name), found)
    # Where only the sources are, as in a container, nobody says what they ask for.
    names = set(_asked_for(installed)) if PRODUCT in installed else {*installed}
    return tuple(sorted(f"{name}=={installed[name].version}" for name in names))


def _asked_for(installed: Mapping[str, Distribution]) -> Iterator[str]:
    """Those of the installed distributions that the product needs, and on a GPU machine uses."""
    waiting = [(PRODUCT, ""), (PRODUCT, "gpu")]  # name and extra
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = one = waiting.pop()
        if name not in installed or one in seen:
            continue
        seen.add(one)
        yield name
        for text in installed[name].requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                found = canonicalize_name(needed.name)
                waiting += [(found, asked) for asked in ("", *needed.extras)]
