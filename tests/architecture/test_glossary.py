"""One word for one thing: holds names to the glossary in CONTRIBUTING.md."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.test_structure import ROOT, product_modules, tracked

ROW = re.compile(
    r"^\| (?P<term>[^|]+) \| (?P<meaning>[^|]+) \| (?P<where>[^|]+) \|(?P<never>[^|]*)\|$"
)
CODE = re.compile(r"`([^`]+)`")
PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

TWICE = {
    "Meta": "Django's and DRF's own name for the options of a class",
    "Command": "Django's own name for a management command",
}
"""Class names that may stand in several modules, and why."""
LOCALS = {"found", "said", "told", "seen", "heard", "asked"}
"""Names of variables that say how a value came and not what it is."""
OTHERS = {"deploy", "tests"}
"""Folders beside those of the product whose variables are looked at, too."""


@dataclass(frozen=True)
class Term:
    """One row: what it is called, where it is, and what it is never called."""

    term: str
    where: tuple[str, ...]
    never: tuple[str, ...]


def section(title: str) -> list[str]:
    """The lines of one section of CONTRIBUTING."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, _, rest = text.partition(f"## {title}\n")
    return rest.split("\n## ")[0].splitlines()


@cache
def glossary() -> tuple[Term, ...]:
    rows = [row for line in section("Glossary") if (row := ROW.match(line))]
    return tuple(
        Term(
            row["term"].strip(),
            tuple(CODE.findall(row["where"])),
            tuple(CODE.findall(row["never"])),
        )
        for row in rows
        if not set(row["term"]) <= set("- ") and row["term"].strip() != "term"
    )


def parts(name: str) -> set[str]:
    """The words of an identifier, in small letters."""
    return {part.lower() for part in PARTS.findall(name)}


def is_called(name: str, never: str) -> bool:
    """Whether a name is one that the glossary refuses: `Word` is the whole name, `*word*` is a word
    in it."""
    if never.startswith("*"):
        return never.strip("*").lower() in parts(name)
    return name.lstrip("_") == never


@cache
def names() -> tuple[tuple[str, str], ...]:
    """Every (place, name) of a folder, module, class and function of the product."""
    named: list[tuple[str, str]] = []
    for path in product_modules():
        place = str(path.relative_to(ROOT))
        named.append((place, path.stem))
        named.extend((place, folder) for folder in path.relative_to(ROOT).parts[:-1])
        named.extend(
            (f"{place}:{node.lineno}", node.name)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        )
    return tuple(named)


def test_the_glossary_has_terms_and_words_to_refuse() -> None:
    assert len(glossary()) > 30
    assert sum(len(term.never) for term in glossary()) > 30
    assert len(names()) > 2000


def test_no_term_stands_twice() -> None:
    terms = [term.term for term in glossary()]
    assert sorted(terms) == sorted(set(terms))


def test_every_place_of_the_glossary_is_there() -> None:
    gone = [
        (term.term, place)
        for term in glossary()
        for place in term.where
        if not (ROOT / place.partition(":")[0]).exists()
    ]
    assert gone == []


def test_nothing_is_called_by_a_word_that_the_glossary_refuses() -> None:
    refused = [
        f"{place} {name}: never {never}, it is “{term.term}”"
        for term in glossary()
        for never in term.never
        for place, name in names()
        if is_called(name, never)
    ]
    assert refused == []


@pytest.mark.parametrize(
    ("name", "never", "refused"),
    [
        ("Leave", "Leave", True),
        ("_Leave", "Leave", True),
        ("leave", "Leave", False),
        ("left_over_hurt", "*hurt*", True),
        ("HurtTenant", "*hurt*", True),
        ("hurtle", "*hurt*", False),
    ],
)
def test_a_word_is_refused_as_a_whole_or_as_a_part(name: str, never: str, refused: bool) -> None:
    assert is_called(name, never) is refused


def test_one_name_is_one_class() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in product_modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    twice = {name: paths for name, paths in places.items() if len(paths) > 1 and name not in TWICE}
    assert twice == {}


def assigned(path: Path) -> set[str]:
    """Names that a module binds: variables, loop variables and parameters."""
    return {
        node.id if isinstance(node, ast.Name) else node.arg
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
        or isinstance(node, ast.arg)
    }


def own_modules() -> list[Path]:
    """The modules of the product, of its deployment and of its tests."""
    others = [path for path in tracked(".py") if path.relative_to(ROOT).parts[0] in OTHERS]
    return [*product_modules(), *others]


def test_a_variable_has_the_noun_of_what_it_holds() -> None:
    vague = {
        str(path.relative_to(ROOT)): sorted(words)
        for path in own_modules()
        if (words := assigned(path) & LOCALS)
    }
    assert vague == {}


def questions() -> list[tuple[str, str]]:
    """(question, place) of each row of “Where is …”."""
    rows = (re.match(r"^\| (.+?) \| `([^`]+)`", line) for line in section("Where is …"))
    return [(row[1], row[2]) for row in rows if row]


def test_every_answer_to_where_is_there() -> None:
    answers = questions()
    assert len(answers) >= 20
    missing = [(question, place) for question, place in answers if not (ROOT / place).exists()]
    assert missing == []


def test_documents_name_only_modules_that_are_there() -> None:
    documents = [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *tracked(".md")]
    gone = {
        f"{path.relative_to(ROOT)}: {place}"
        for path in documents
        if path.name != "CHANGELOG.md"
        for place in CODE.findall(path.read_text(encoding="utf-8"))
        if re.fullmatch(
            r"(console|tenants|quotas|observability|deploy|tests)/[\w/.-]+\.(py|html)", place
        )
        and not (ROOT / place).exists()
    }
    assert gone == set()
