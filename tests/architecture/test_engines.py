"""Which engine it is, only its folder and the registry know; all others ask for its features."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from observability.engines.contracts import Engine
from tests.architecture.test_structure import ROOT, product_modules

ENGINES: Final = ROOT / "observability/engines"
VALUES: Final = frozenset(engine.value for engine in Engine)
NAMED_ELSEWHERE: Final = {
    "observability/engines/catalogue.py": "lists every engine's verbs in the order of pages",
    "observability/engines/contracts.py": "declares the engines and their labels",
    "observability/engines/registry.py": "the one place that joins name and folder",
    "observability/replays/services/run_selection.py": "replays are Temporal's",
}
"""Modules outside the folders that name a single engine, and why they may."""


def engine_names(tree: ast.Module) -> Iterator[int]:
    """The lines that name a single engine: a member such as `Engine.CELERY`, whatever `Engine` is
    imported as, its value as a bare text, or an import from its folder."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name):
                named = name in Engine.__members__
            case ast.Constant(value=value):
                named = value in VALUES
            case ast.Import(names=names):
                named = any(_is_in_folder(alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names):
                named = any(_is_in_folder(f"{module}.{alias.name}") for alias in names)
            case _:
                continue
        if named:
            yield node.lineno


def _is_in_folder(module: str) -> bool:
    package, _, rest = module.partition("observability.engines.")
    return not package and rest.partition(".")[0] in VALUES


def shared_modules() -> list[Path]:
    """The modules of observability that belong to no single engine."""
    folders = [ENGINES / engine.value for engine in Engine]
    return [
        path
        for path in product_modules()
        if path.is_relative_to(ROOT / "observability")
        and not any(path.is_relative_to(folder) for folder in folders)
    ]


@pytest.mark.parametrize(
    "source",
    [
        "run.engine == Engine.CELERY",
        "run.engine == EngineName.CELERY.value",
        "engine in {'argo', 'kubernetes'}",
        "match engine:\n    case 'temporal': pass",
        "from observability.engines.argo.state import run_id",
        "from observability.engines import argo",
        "import observability.engines.argo.state",
    ],
)
def test_a_module_that_names_an_engine_is_noticed(source: str) -> None:
    assert list(engine_names(ast.parse(source)))


def test_no_shared_module_names_a_single_engine() -> None:
    modules = shared_modules()
    assert len(modules) > 80
    naming = {
        str(path.relative_to(ROOT)): lines
        for path in modules
        if (lines := sorted(engine_names(ast.parse(path.read_text(encoding="utf-8")))))
    }
    strays = {name: lines for name, lines in naming.items() if name not in NAMED_ELSEWHERE}
    assert strays == {}, "ask adapter_for(engine).features, or say in NAMED_ELSEWHERE why not"
    assert set(NAMED_ELSEWHERE) <= set(naming), "take it from NAMED_ELSEWHERE"
