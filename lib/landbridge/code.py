"""The source files a step imports, each with a hash that comments, docstrings and layout do not change."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable


@cache
def code_of(module: str) -> Mapping[str, str]:
    """Return module (or data file) to hash, for everything that `module` imports from its own package, itself included.

    The graph is walked in the text, nothing is imported. A module that is only named in a string, as the worker that a
    launcher starts is, counts as imported; so do the data files that lie beside a module (templates).
    """
    top = module.partition(".")[0]
    root = files(top)
    found: dict[str, str] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        place = _place(root, name)
        if place is None:
            continue
        file, folder, package = place
        tree = ast.parse(file.read_text(encoding="utf-8"))
        found[name] = _hash(ast.dump(_bare(tree)).encode())
        found.update(_data(folder, package))
        todo += [package, *_imports(tree, top, package)]
    return dict(sorted(found.items()))


def _place(root: Traversable, name: str) -> tuple[Traversable, Traversable, str] | None:
    """Return file, folder and package of a module, or None where there is no such module."""
    parts = name.split(".")[1:]
    folder = root.joinpath(*parts) if parts else root
    if folder.joinpath("__init__.py").is_file():
        return folder.joinpath("__init__.py"), folder, name
    parent = root.joinpath(*parts[:-1]) if parts[:-1] else root
    file = parent.joinpath(f"{parts[-1]}.py") if parts else root
    return (file, parent, name.rpartition(".")[0]) if file.is_file() else None


def _imports(tree: ast.Module, top: str, package: str) -> Iterator[str]:
    named = re.compile(rf"{re.escape(top)}(\.\w+)+")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == top)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            if base.partition(".")[0] == top:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and named.fullmatch(node.value):
            yield node.value


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if node.level == 0:
        return node.module or ""
    parents = package.split(".")
    base = parents[: len(parents) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _bare(tree: ast.Module) -> ast.Module:
    """The tree without texts that stand alone: docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                setattr(node, field, [line for line in body if not _is_text(line)])
    return tree


def _is_text(line: ast.AST) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def _data(folder: Traversable, package: str) -> Iterator[tuple[str, str]]:
    for file in folder.iterdir():
        if file.is_file() and not file.name.endswith((".py", ".pyc", ".pyi")) and file.name != "py.typed":
            yield f"{package}/{file.name}", _hash(file.read_bytes())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
