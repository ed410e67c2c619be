"""Selectors read rows. What has to ask another system is a service or belongs to the loop."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.test_structure import product_modules

DIALLING = {"clients", "services", "reconcile", "ingest", "tasks", "views", "api"}
"""Packages that talk to other systems, or lead to what does."""
ASKING = {"observe", "probe", "apply", "prepare", "changes", "history", "perform", "find"}
"""Methods of adapters that reach out; compiling, validating, verbs and links are pure."""

SELECTORS = sorted(
    path
    for path in product_modules()
    if "selectors" in path.with_suffix("").parts and path.name != "__init__.py"
)


def test_there_are_selectors_to_look_at() -> None:
    assert len(SELECTORS) > 15


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", SELECTORS, ids=lambda path: "/".join(path.parts[-3:]))
def test_a_selector_imports_nothing_that_dials(path: Path) -> None:
    names = list(_imported(ast.parse(path.read_text(encoding="utf-8"))))
    leading = [
        name
        for name in names
        if name.split(".")[0] in {"console", "tenants", "quotas", "observability"}
        and DIALLING & set(name.split(".")[1:-1])
    ]
    outside = [
        name for name in names if name.startswith(("socket", "http.client", "urllib.request"))
    ]
    assert leading + outside == []


@pytest.mark.parametrize("path", SELECTORS, ids=lambda path: "/".join(path.parts[-3:]))
def test_a_selector_asks_adapters_only_what_is_pure(path: Path) -> None:
    """What `adapter_for(…)` or `source_for(…)` gives is not told to reach out."""
    assert _reaching_out(path.read_text(encoding="utf-8")) == []


def _reaching_out(source: str) -> list[str]:
    tree = ast.parse(source)
    names = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_adapter(node.value, frozenset())
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ASKING
        and _is_adapter(node.value, frozenset(names))
    ]


def _is_adapter(value: ast.expr, names: frozenset[str]) -> bool:
    """Whether an expression holds what a `…_for(…)` gave, or a name that it was given."""
    return any(
        (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("_for"))
        or (isinstance(node, ast.Name) and node.id in names)
        for node in ast.walk(value)
    )


@pytest.mark.parametrize(
    ("source", "reaches"),
    [
        ("adapter_for(kind).observe(target)", True),
        ("adapter = adapter_for(kind)\nadapter.observe(target)", True),
        ("adapter_for(kind).source.history(run)", True),
        ("adapter = adapter_for(kind)\nadapter.compile(limits)", False),
        ("rows.observe()", False),
    ],
)
def test_an_adapter_is_known_by_where_it_came_from(source: str, reaches: bool) -> None:
    assert bool(_reaching_out(source)) is reaches
