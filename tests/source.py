"""The source of the project as its rules see it: files, imports, circles of imports, caches."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "sipstack"


class Import(NamedTuple):
    line: int
    module: str  # dotted, absolute
    for_types: bool  # inside ``if TYPE_CHECKING``
    in_function: bool


@functools.cache
def files(*folders: str) -> tuple[Path, ...]:
    return tuple(sorted(path for folder in folders for path in (PROJECT / folder).rglob("*.py")))


def inside(path: Path) -> str:
    """The path inside sipstack/."""
    return path.relative_to(PACKAGE).as_posix()


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> list[Import]:
    """Every import of the file, also inside functions."""
    found: list[Import] = []

    def visit(node: ast.AST, for_types: bool, in_function: bool) -> None:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.extend(Import(node.lineno, name, for_types, in_function) for name in modules_of(node))
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for statement in node.body:
                visit(statement, True, in_function)
            for statement in node.orelse:
                visit(statement, for_types, in_function)
        else:
            in_function = in_function or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            for child in ast.iter_child_nodes(node):
                visit(child, for_types, in_function)

    visit(tree_of(path), False, False)
    return found


def modules_of(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """``from sipstack import sdp`` imports the module ``sipstack.sdp``. Relative imports are left out."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    if node.level:
        return
    module = node.module or ""
    for alias in node.names:
        below = PROJECT.joinpath(*module.split("."), alias.name)
        is_module = below.is_dir() or below.with_suffix(".py").is_file()
        yield f"{module}.{alias.name}" if module and is_module else module


def layer_imported(module: str) -> str | None:
    """The layer that ``module`` belongs to; "sipstack" for the public API; None when it is not ours."""
    parts = module.split(".")
    if parts[0] != "sipstack":
        return None
    return parts[1] if len(parts) > 1 else "sipstack"


def module_of(path: Path) -> str:
    """The dotted name under which the file is imported."""
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of nodes that can all be reached from one another, in the order of their names."""
    reached = {node: reachable(graph, node) for node in graph}
    groups = {
        tuple(sorted(other for other in reached[node] if node in reached.get(other, ()))) for node in graph
    }
    return [list(group) for group in sorted(groups) if group]


def reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """The nodes at the end of a way that begins at ``start``: itself only if a way comes back."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


class Cache(NamedTuple):
    """A use of functools' ``lru_cache`` or ``cache``."""

    line: int
    name: str
    """Of the function, or of the variable that the cached function is assigned to."""
    size: int | None
    """The literal ``maxsize``; None where there is none."""


def caches(tree: ast.Module) -> list[Cache]:
    """Every cache of functools in the module, whatever name it was imported under."""
    known = {"functools.lru_cache", "functools.cache"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "functools":
            known |= {
                alias.asname or alias.name for alias in node.names if alias.name in ("lru_cache", "cache")
            }
    return [
        Cache(made.lineno, name, size_of(made))
        for node in ast.walk(tree)
        for made, name in made_by(node)
        if any(ast.unparse(part) in known for part in ast.walk(made) if isinstance(part, ast.expr))
    ]


def made_by(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """The expressions that may make a cache, with the name it would get."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        for decorator in node.decorator_list:
            yield decorator, node.name
    elif isinstance(node, ast.Assign):
        yield node.value, ast.unparse(node.targets[0])
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield node.value, ast.unparse(node.target)
    elif isinstance(node, (ast.Expr, ast.Return)) and node.value is not None:
        yield node.value, "(no name)"


def size_of(made: ast.expr) -> int | None:
    sizes = [part.value for part in ast.walk(made) if isinstance(part, ast.keyword) and part.arg == "maxsize"]
    values = [size.value for size in sizes if isinstance(size, ast.Constant)]
    return next((value for value in values if type(value) is int and value > 0), None)
