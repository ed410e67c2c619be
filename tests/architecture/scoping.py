"""Finds reads of tenants' rows that ask nobody whose they are, in the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set
from dataclasses import dataclass

# These scope `queryset` of a class by themselves: console.rest.views.VisibleRows.
SCOPING_VIEWS = frozenset({"RowList", "RowDetail", "TaggedDetail", "VisibleRows"})
_GETTERS = frozenset({"get_object_or_404", "get_list_or_404"})
_MANAGERS = frozenset({"objects", "_default_manager", "_base_manager"})
_ENOUGH = frozenset({"visible_to", "none"})


@dataclass(frozen=True, slots=True)
class Read:
    """One unscoped read: the function (or class) that holds it, the model, the line."""

    place: str
    model: str
    line: int


def unscoped_reads(source: str, models: Set[str]) -> list[Read]:
    """Reads of `models` in a module that do not go through `visible_to`.

    A read is `Model.objects…` (by any name that the model was imported under) or a bare model given
    to get_object_or_404. Rows that are reached from a row (`tenant.placements`) are as visible as
    that row is.
    """
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    names = _names_of(tree, models)
    scoping = _scoping_classes(tree)
    reads = [
        Read(_place(node, parents), names[name], node.lineno)
        for node, name in _reads(tree, names)
        if not _is_scoped(node, parents) and not _is_class_queryset(node, parents, scoping)
    ]
    return sorted(reads, key=lambda read: read.line)


def _names_of(tree: ast.Module, models: Set[str]) -> dict[str, str]:
    """Local name to model, for models that the module imports or reaches through a module."""
    named = {model: model for model in models}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            named |= {
                alias.asname: alias.name
                for alias in node.names
                if alias.asname and alias.name in models
            }
    return named


def _reads(tree: ast.Module, names: dict[str, str]) -> Iterator[tuple[ast.expr, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _MANAGERS:
            read: ast.expr = node.value
        elif isinstance(node, ast.Call) and _last(node.func) in _GETTERS and node.args:
            read = node.args[0]
        else:
            continue
        if _last(read) in names:
            yield node, _last(read)


def _last(node: ast.AST) -> str:
    """`Tenant` of `Tenant` and of `models.Tenant`."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _is_scoped(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether the chain that begins here is called `.visible_to(…)` anywhere."""
    while (parent := parents.get(node)) is not None:
        if isinstance(parent, ast.Attribute) and parent.value is node:
            if parent.attr in _ENOUGH and isinstance(parents.get(parent), ast.Call):
                return True
        elif not (isinstance(parent, ast.Call) and parent.func is node):
            return False
        node = parent
    return False


def _scoping_classes(tree: ast.Module) -> set[str]:
    """Classes of the module that stand on a view which scopes, directly or not."""
    known = set(SCOPING_VIEWS)
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for _ in classes:
        known |= {node.name for node in classes if known & {_last(base) for base in node.bases}}
    return known


def _is_class_queryset(node: ast.AST, parents: dict[ast.AST, ast.AST], scoping: Set[str]) -> bool:
    """Whether it is `queryset = Model.objects…` in the body of a view that scopes it."""
    while (parent := parents.get(node)) is not None and not isinstance(parent, ast.stmt):
        node = parent
    owner = parents.get(parent) if parent is not None else None
    return (
        isinstance(parent, ast.Assign)
        and [_last(target) for target in parent.targets] == ["queryset"]
        and isinstance(owner, ast.ClassDef)
        and owner.name in scoping
    )


def _place(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> str:
    held: list[str] = []
    step: ast.AST | None = node
    while step is not None:
        if isinstance(step, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            held.append(step.name)
        step = parents.get(step)
    return ".".join(reversed(held)) or "module"
