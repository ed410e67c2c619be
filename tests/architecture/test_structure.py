"""Guards of the house: sizes, names, mirrors. Ratchets only go down."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from observability.engines.contracts import Engine

ROOT = Path(__file__).resolve().parents[2]
APPS = ("console", "tenants", "quotas", "observability")
BANNED = {"utils", "helpers", "common", "misc", "core", "base"}
VOCABULARY = {
    "urls", "api_urls", "admin", "views", "api", "tasks", "workflows", "forms", "serializers",
    "filters", "activities", "reconcile", "sampling", "services", "kinds", "selectors", "models",
    "diff", "charts", "rules", "ports", "effective", "limits", "quantities", "contracts", "errors",
    "apps", "checks", "__init__",
}  # fmt: skip
PURE = {
    "diff", "charts", "rules", "ports", "effective", "limits", "quantities", "contracts", "errors",
}  # fmt: skip
OWN_VOCABULARY = {"engines", "ingest"}
"""Packages whose import contract names every module in them (exhaustive)."""
PER_ENGINE = {"source", "controls", "features", "verbs", "links", "commands"}
"""What every engine's folder has, whatever else is in it."""
PURE_ENGINE = {"catalogue", "commands", "contracts", "features", "links", "ports", "verbs"}
FREE_FOLDERS = {"adapters", "migrations", "management", "commands", "templatetags"}
MAX_LINES = 400


def tracked(*suffixes: str) -> list[Path]:
    """Every tracked or new file of the working tree with one of the suffixes."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    return [ROOT / name for name in listed if name.endswith(suffixes) and (ROOT / name).is_file()]


def product_modules() -> list[Path]:
    return [
        path
        for path in tracked(".py")
        if path.relative_to(ROOT).parts[0] in APPS and "migrations" not in path.parts
    ]


def test_the_tree_has_modules_to_look_at() -> None:
    assert len(product_modules()) > 40


def test_no_module_outgrows_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked(".py")
        if "migrations" not in path.parts
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert long == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = [str(path.relative_to(ROOT)) for path in tracked(".py") if path.stem in BANNED]
    assert named == []


def test_package_init_files_are_empty() -> None:
    full = [
        str(path.relative_to(ROOT))
        for path in tracked(".py")
        if path.name == "__init__.py" and path.read_text(encoding="utf-8").strip()
    ]
    assert full == []


def _vocabulary_name(path: Path) -> str:
    """The module's name in its app; a package of a vocabulary name counts as that name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    start = 2 if parts[0] in {"quotas", "observability"} else 1
    return parts[start] if len(parts) > start else "__init__"


def test_every_app_uses_the_closed_vocabulary() -> None:
    strange = [
        str(path.relative_to(ROOT))
        for path in product_modules()
        if path.relative_to(ROOT).parts[0] != "console"
        and path.relative_to(ROOT).parts[1] not in OWN_VOCABULARY
        and _vocabulary_name(path) not in VOCABULARY | FREE_FOLDERS
    ]
    assert strange == []


def test_every_engine_has_files_of_the_same_names() -> None:
    folder = ROOT / "observability/engines"
    engines = [path for path in folder.iterdir() if (path / "__init__.py").is_file()]
    assert {path.name for path in engines} == {engine.value for engine in Engine}
    for path in engines:
        missing = PER_ENGINE - {module.stem for module in path.glob("*.py")}
        assert missing == set(), path.name


def _function_imports(tree: ast.Module) -> list[int]:
    return [
        inner.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]


def test_no_function_imports_to_dodge_a_cycle() -> None:
    imports = {
        str(path.relative_to(ROOT)): lines
        for path in product_modules()
        if path.name != "apps.py"
        and (lines := _function_imports(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert imports == {}


def test_every_pure_module_is_held_to_purity() -> None:
    """What a pure name promises, the import contract checks: no framework, not even indirectly."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    held = next(
        set(contract["source_modules"])
        for contract in contracts
        if contract["name"].startswith("The pure core")
    )
    pure = {
        ".".join(parts[: parts.index(name) + 1])
        for path in product_modules()
        if (name := _vocabulary_name(path)) in PURE
        and (parts := path.relative_to(ROOT).with_suffix("").parts)
    }
    engines = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in product_modules()
        if path.relative_to(ROOT).parts[:2] == ("observability", "engines")
        and path.stem in PURE_ENGINE
    }
    assert len(pure) > 15
    assert len(engines) > 15
    loose = [
        name
        for name in sorted(pure | engines)
        if not any(fnmatchcase(name, pattern) for pattern in held)
    ]
    assert loose == []


def test_every_environment_variable_is_in_the_example() -> None:
    tree = ast.parse((ROOT / "console/settings.py").read_text(encoding="utf-8"))
    names = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    example = (ROOT / "deploy/.env.example").read_text(encoding="utf-8")
    assert len(names) > 15
    assert [name for name in sorted(map(str, names)) if f"{name}=" not in example] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_the_documents_name_no_machine(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.search(r"(?<![\w.:])/(home|Users|tmp)/\w", text) is None


def test_requirement_files_pin_with_hashes_and_name_no_host() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text, path.name
        assert "://" not in text, path.name


def test_requirement_files_match_pyproject() -> None:
    """Every direct dependency is pinned in the file it belongs to."""
    import re

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = project["project"]["dependencies"]
    for name in ("base", "demo", "dev"):
        text = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")
        extra = project["dependency-groups"].get(name, [])
        for entry in [*wanted, *(item for item in extra if isinstance(item, str))]:
            package = re.split(r"[\[<>=~! ]", entry, maxsplit=1)[0].lower()
            assert re.search(rf"^{re.escape(package)}(\[.*\])?==", text, re.M), (name, package)


def _asks_by_hand(path: Path) -> bool:
    """Whether a module asks a role or a token for a permission instead of `console.access.rights`,
    which knows of both."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"may", "allows"}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    )


def test_rights_are_asked_for_in_one_place() -> None:
    asking = {str(path.relative_to(ROOT)) for path in product_modules() if _asks_by_hand(path)}
    # `visible_to` asks the role alone: no scope of a token narrows whose rows are seen.
    assert asking == {"console/access/rights.py", "console/access/scoping.py"}
