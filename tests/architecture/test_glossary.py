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
"""Names of variables, constants and fields that say how a value came and not what it is."""
SAYING = re.compile(r"{%-?\s*(?:for\s+(?P<loop>[\w\s,]+?)\s+in\s|with\s+(?P<with>[^%]*)%)")
AS = re.compile(r"{%[^%]*\sas\s+(\w+)\s*-?%}")
WILL_STAND = re.compile(r"^will stand in `([^`]+)` \(issue: [^)]+\); nearest: `([^`]+)`$")
BOUND_DATA = "console/pages/forms.py"
"""The one module that says what a form is bound to."""
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


def python_names(source: str) -> list[tuple[int, str]]:
    """Every (line, name) that Python code binds: classes, functions, constants, type aliases,
    fields, variables, loop variables, parameters and what imports and exceptions are called."""
    bound: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                bound.append((node.lineno, name))
            case ast.AsyncFunctionDef(name=name) | ast.ExceptHandler(name=str(name)):
                bound.append((node.lineno, name))
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                bound.append((node.lineno, name))
            case ast.Attribute(attr=name, ctx=ast.Store()) | ast.alias(asname=str(name)):
                bound.append((node.lineno, name))
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                bound.append((node.lineno, name))
    return bound


def template_names(source: str) -> list[tuple[int, str]]:
    """Every (line, name) that a template binds: `{% for X in`, `{% with X=` and `{% … as X %}`."""
    bound: list[tuple[int, str]] = []
    for tag in SAYING.finditer(source):
        line = source.count("\n", 0, tag.start()) + 1
        loop = re.split(r"[\s,]+", tag["loop"]) if tag["loop"] else []
        bound.extend((line, name) for name in [*loop, *re.findall(r"(\w+)=", tag["with"] or "")])
    bound.extend((source.count("\n", 0, tag.start()) + 1, tag[1]) for tag in AS.finditer(source))
    return bound


@cache
def names() -> tuple[tuple[str, str], ...]:
    """Every (place, name) of the product, of its templates, and of the files of its tests."""
    named: list[tuple[str, str]] = []
    for path in product_modules():
        place = str(path.relative_to(ROOT))
        named.append((place, path.stem))
        named.extend((place, folder) for folder in path.relative_to(ROOT).parts[:-1])
        bound = python_names(path.read_text(encoding="utf-8"))
        named.extend((f"{place}:{line}", name) for line, name in bound)
    for path in tracked(".html"):
        place = str(path.relative_to(ROOT))
        named.append((place, path.stem))
        bound = template_names(path.read_text(encoding="utf-8"))
        named.extend((f"{place}:{line}", name) for line, name in bound)
    for path in tracked(".py"):
        if path.relative_to(ROOT).parts[0] == "tests":
            place = str(path.relative_to(ROOT))
            named.append((place, path.stem))
            named.extend((place, folder) for folder in path.relative_to(ROOT).parts[:-1])
    return tuple(named)


def test_the_glossary_has_terms_and_words_to_refuse() -> None:
    assert len(glossary()) > 30
    assert sum(len(term.never) for term in glossary()) > 30
    assert len(names()) > 20_000


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
    refused = {
        (place.partition(":")[0], name): f"{place} {name}: never {never}, it is “{term.term}”"
        for term in glossary()
        for never in term.never
        for place, name in names()
        if is_called(name, never)
    }
    assert list(refused.values()) == []


@pytest.mark.parametrize(
    ("name", "never", "refused"),
    [
        ("Leave", "Leave", True),
        ("_Leave", "Leave", True),
        ("leave", "Leave", False),
        ("left_over_hurt", "*hurt*", True),
        ("HurtTenant", "*hurt*", True),
        ("hurtle", "*hurt*", False),
        ("_OVERTAKEN", "*overtaken*", True),
        ("EMPTY_SECONDS", "*drain*", False),
        ("DRAIN_SECONDS", "*drain*", True),
        ("_second_look", "*look*", True),
        ("lookup", "*look*", False),
    ],
)
def test_a_word_is_refused_as_a_whole_or_as_a_part(name: str, never: str, refused: bool) -> None:
    assert is_called(name, never) is refused


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("Known = Mapping[str, int]", "Known"),
        ("STANDING: dict[str, int] = {}", "STANDING"),
        ("class Some:\n    hole: int", "hole"),
        ("class Some:\n    def ask(self):\n        self.look_again = 1", "look_again"),
        ("def ask(look): ...", "look"),
        ("ahead, behind = 1, 2", "ahead"),
        ("for asking in ():\n    ...", "asking"),
        ("done = [hole for hole in ()]", "hole"),
        ("if (telling := ask()):\n    ...", "telling"),
        ("with ask() as opening:\n    ...", "opening"),
        ("import ask as drain", "drain"),
        ("try:\n    ...\nexcept ValueError as hurt:\n    ...", "hurt"),
        ("match ask():\n    case [hole, *_]:\n        ...", "hole"),
        ("async def _second_look(): ...", "_second_look"),
    ],
)
def test_every_name_that_code_binds_is_seen(source: str, name: str) -> None:
    assert name in {bound for _, bound in python_names(source)}
    assert any(is_called(name, never) for term in glossary() for never in term.never), (
        "the glossary refuses it"
    )


@pytest.mark.parametrize(
    ("source", "bound"),
    [
        ("{% for hole in policy.holes %}", ["hole"]),
        ("{% for key,hole in pairs %}", ["key", "hole"]),
        ("{%for hole in holes%}", ["hole"]),
        ("{% with hole=one other=two.three|join:',' %}", ["hole", "other"]),
        ('{% url "page" as hole %}', ["hole"]),
        ("{% include 'a.html' %} {{ hole }}", []),
    ],
)
def test_every_name_that_a_template_binds_is_seen(source: str, bound: list[str]) -> None:
    assert [name for _, name in template_names(source)] == bound


def test_one_name_is_one_class() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in product_modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    twice = {name: paths for name, paths in places.items() if len(paths) > 1 and name not in TWICE}
    assert twice == {}


def vague_names(source: str) -> set[str]:
    """What code binds to a word that says how the value came: variables, parameters, constants and
    fields. A member of an enumeration that is called like its stored code is not one."""
    tree = ast.parse(source)
    codes = {
        name.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(name := node.targets[0], ast.Name)
        if f"'{name.id.lower()}'" in ast.unparse(node.value)
    }
    bound = {
        node.id if isinstance(node, ast.Name) else node.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.arg)
        or (
            isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Store)
            and node.lineno not in codes
        )
    }
    return {name for name in bound if name.strip("_").lower() in LOCALS}


@pytest.mark.parametrize("source", ["HEARD = 20_000", "_told = ()", "for seen in ():\n    ..."])
def test_a_constant_is_held_to_the_words_of_variables(source: str) -> None:
    assert vague_names(source)


def test_a_stored_code_may_be_such_a_word() -> None:
    assert vague_names('class Status(TextChoices):\n    ASKED = "asked", "Asked"') == set()


def own_modules() -> list[Path]:
    """The modules of the product, of its deployment and of its tests."""
    others = [path for path in tracked(".py") if path.relative_to(ROOT).parts[0] in OTHERS]
    return [*product_modules(), *others]


def test_a_variable_has_the_noun_of_what_it_holds() -> None:
    product = set(product_modules())
    vague = {
        str(path.relative_to(ROOT)): sorted(words)
        for path in own_modules()
        if (words := vague_names(path.read_text(encoding="utf-8")))
        # Tests may keep what they compare with in a constant of such a name.
        if path in product or words & LOCALS
    }
    vague |= {
        str(path.relative_to(ROOT)): sorted(words)
        for path in tracked(".html")
        if (words := {name for _, name in template_names(path.read_text("utf-8"))} & LOCALS)
    }
    assert vague == {}


def test_what_a_form_is_bound_to_is_said_in_one_module() -> None:
    """`request.POST or None` takes an empty POST for none; the rest is one thing many times."""
    by_hand = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in product_modules()
        if str(path.relative_to(ROOT)) != BOUND_DATA
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.BoolOp) and ast.unparse(node) == "request.POST or None")
        or (
            isinstance(node, ast.IfExp)
            and "request.method" in ast.unparse(node.test)
            and ast.unparse(node.body) == "request.POST"
        )
    ]
    assert by_hand == []


def answers() -> list[tuple[str, str]]:
    """(question, answer) of each row of “Where is …”."""
    rows = (re.match(r"^\| (.+?) \| (.*`.*) \|$", line) for line in section("Where is …"))
    return [(row[1], row[2]) for row in rows if row]


def what_is_wrong(answer: str) -> str:
    """Why an answer is no good; empty when it is. What will come names where it will stand, in a
    folder that is there, and the nearest place that is there already."""
    if planned := WILL_STAND.match(answer):
        place, nearest = planned.groups()
        if (ROOT / place).exists():
            return f"{place} is there by now"
        if not (ROOT / place).parent.is_dir():
            return f"the folder of {place} is not there"
        return "" if (ROOT / nearest).exists() else f"{nearest} is not there"
    place = re.fullmatch(r"`([^`]+)`", answer)
    if place is None:
        return "neither a place nor where it will stand"
    return "" if (ROOT / place[1]).exists() else f"{place[1]} is not there"


def test_every_answer_to_where_is_there() -> None:
    assert len(answers()) >= 40
    assert sum(bool(WILL_STAND.match(answer)) for _, answer in answers()) >= 10
    wrong = {question: fault for question, answer in answers() if (fault := what_is_wrong(answer))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("`console/settings.py`", ""),
        ("`console/nowhere.py`", "console/nowhere.py is not there"),
        ("somewhere", "neither a place nor where it will stand"),
        ("will stand in `console/new.py` (issue: some); nearest: `console`", ""),
        (
            "will stand in `console/settings.py` (issue: some); nearest: `console`",
            "console/settings.py is there by now",
        ),
        (
            "will stand in `nowhere/new.py` (issue: some); nearest: `console`",
            "the folder of nowhere/new.py is not there",
        ),
        (
            "will stand in `console/new.py` (issue: some); nearest: `nowhere`",
            "nowhere is not there",
        ),
    ],
)
def test_an_answer_names_what_is_there_or_where_it_will_stand(answer: str, fault: str) -> None:
    assert what_is_wrong(answer) == fault


def test_no_question_is_asked_twice() -> None:
    questions = [question for question, _ in answers()]
    assert sorted(questions) == sorted(set(questions))


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
