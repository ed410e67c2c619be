"""YAML that means one thing only: what would be read in a way of its own is refused."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import DomainError
from quotas.changes.rules import document, strict_yaml
from quotas.changes.rules.strict_yaml import dump, load_all

YAML_1_1 = """
plan: yaml-1-1
limits:
  pods: 010
  services: 08
  job.activeDeadlineSeconds: 1:30
  secrets: 1_000
  configmaps: 0x10
"""
"""The plan of noyaml#35."""

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
PLAIN = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**18), 10**18), st.text(LETTERS, max_size=40)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(LETTERS, max_size=10), inner, max_size=3),
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "reading"),
    [
        ("010", "010 is read as 8 by YAML 1.1; write the number without the 0 in front"),
        ("-017", "-017 is read as -15 by YAML 1.1; write the number without the 0 in front"),
        ("08", "08 is a text to some and a number to others"),
        ("00.5", "00.5 is read as 0.5 by YAML 1.1"),
        ("0o17", "0o17 is a text to some and a number to others"),
        ("1:30", "1:30 is read as 90 by YAML 1.1; write what is meant, or put quotes around"),
        ("190:20:30", "190:20:30 is read as 685230 by YAML 1.1"),
        ("1:30.5", "1:30.5 is read as 90.5 by YAML 1.1"),
        ("1_000", "1_000 is read as 1000 by YAML 1.1"),
        ("0x10", "0x10 is read as 16 by YAML 1.1"),
        ("0b101", "0b101 is read as 5 by YAML 1.1"),
        ("1e3", "1e3 is a number to some and a text to others; write it without an exponent"),
        ("1.0E+3", "1.0E+3 is a number to some and a text to others"),
        (".inf", ".inf is read as inf by YAML 1.1"),
        ("-.Inf", "-.Inf is read as -inf by YAML 1.1"),
        (".NaN", ".NaN is read as nan by YAML 1.1"),
        ("yes", "yes is read as true by YAML 1.1; write what is meant, or put quotes around"),
        ("NO", "NO is read as false by YAML 1.1"),
        ("on", "on is read as true by YAML 1.1"),
        ("Off", "Off is read as false by YAML 1.1"),
        ("n", "n is not a text to everybody; put it in quotes"),
        ("2026-01-01", "2026-01-01 is read as a date by YAML 1.1"),
        ("2026-13-01", "2026-13-01 is read as a date by YAML 1.1"),
        ("0000-00-00", "0000-00-00 is read as a date by YAML 1.1"),
        ("2026-01-01T10:00:00Z", "is read as a date by YAML 1.1"),
        ("9" * 5000, f"{'9' * 40} has more than 20 digits"),
        ("=", "= is not a text to everybody"),
        ("!!int '3'", "the tag 'tag:yaml.org,2002:int' is not accepted; leave it out"),
        ("!!python/name:os.system x", "is not accepted; leave it out"),
        ("&x 5", "'x' is an anchor or an alias; write the value out"),
        ("*x", "'x' is an anchor or an alias; write the value out"),
        ("[" * 100_000, "more than 20 lists and mappings inside each other"),
        ("{a: " * 100_000, "more than 20 lists and mappings inside each other"),
    ],
)
def test_what_could_mean_two_things_is_refused_with_what_it_would_be_read_as(
    value: str, reading: str
) -> None:
    with pytest.raises(DomainError, match=re.escape(reading)) as refusal:
        load_all(f"plan: a\nlimits:\n  pods: {value}\n")

    assert refusal.value.code == "invalid_yaml"
    assert refusal.value.detail == {"line": 3, "syntax": False}
    assert re.match(r"limits\.pods in line 3: |Line 3: ", refusal.value.message)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("pods: 1\nsecrets: 2\npods: 3", "pods in line 3: it stands twice; keep one of the two"),
        ("a: {b: 1, 'b': 2}", "a.b in line 1: it stands twice"),
        ("<<: {a: 1}", "<< is not a text to everybody"),
        ("8: a", "'8' is no name; put it in quotes"),
        ("on: a", "on is read as true by YAML 1.1"),
        ('a: "\\ud800"', "a in line 1: it has a NUL or half a surrogate pair"),
        ('a: {b: "x\\0"}', "a.b in line 1: it has a NUL or half a surrogate pair"),
        ('"\\udfff": 1', "Line 1: it has a NUL or half a surrogate pair"),
        ("? [a]\n: 1", "a name is a text, not a list or a mapping"),
        ("- 1\n- [2, 010]", "[1][1] in line 2: 010 is read as 8"),
        ("x" * 1_000_001, "longer than 1000000 characters"),
    ],
)
def test_names_stand_once_and_are_texts(text: str, problem: str) -> None:
    with pytest.raises(DomainError, match=re.escape(problem)):
        load_all(text)


@pytest.mark.parametrize("text", ["a: [b", "a: 'b", "a: b: c", "\tb: 1", "a: \x00", "a: \ud800"])
def test_what_is_no_yaml_is_said_to_be_none(text: str) -> None:
    with pytest.raises(DomainError, match="This is not YAML") as refusal:
        load_all(text)

    assert refusal.value.detail["syntax"] is True


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("10", 10), ("0", 0), ("-5", -5), ("+5", 5), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("'010'", "010"), ('"yes"', "yes"), ("1h30m", "1h30m"), ("20/s", "20/s"), ("96Gi", "96Gi"),
        ("unlimited", "unlimited"), ("10.0.0.0/8", "10.0.0.0/8"), ("standard", "standard"),
        ("2001:db8::/32", "2001:db8::/32"), ("|\n    010\n", "010\n"), ("[TCP, 443]", ["TCP", 443]),
    ],
)  # fmt: skip
def test_what_means_one_thing_is_read_as_that(value: str, read: Any) -> None:
    assert load_all(f"a: {value}") == [{"a": read}]


@given(PLAIN)
def test_what_is_written_reads_back_to_the_same(value: Any) -> None:
    assert load_all(dump({"value": value})) == [{"value": value}]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(DomainError):
        load_all(text)


def test_a_plan_of_yaml_1_1_numbers_is_refused_with_every_one_of_them() -> None:
    with pytest.raises(DomainError) as refusal:
        document.load(YAML_1_1)

    for part in (
        "limits.pods in line 4: 010 is read as 8 by YAML 1.1",
        "limits.services in line 5: 08 is a text to some and a number to others",
        "limits.job.activeDeadlineSeconds in line 6: 1:30 is read as 90 by YAML 1.1",
        "limits.secrets in line 7: 1_000 is read as 1000 by YAML 1.1",
        "limits.configmaps in line 8: 0x10 is read as 16 by YAML 1.1",
    ):
        assert part in refusal.value.message


def test_of_thousands_of_problems_the_first_are_told_and_the_rest_counted() -> None:
    with pytest.raises(DomainError) as refusal:
        load_all("\n".join(f"a{number}: yes" for number in range(500)))

    assert refusal.value.message.count("is read as true") == 20
    assert refusal.value.message.endswith(" And 480 more.")


@pytest.mark.parametrize("nothing", ["", "~", "null"])
def test_a_limit_without_a_value_is_not_taken_for_unlimited(nothing: str) -> None:
    with pytest.raises(DomainError, match="a: pods: no value; write how much, or unlimited"):
        document.load(f"plan: a\nlimits:\n  pods: {nothing}\n")


def test_one_value_that_stands_twice_is_written_out_twice() -> None:
    shared = {"ports": [["TCP", 53]]}

    assert "&" not in strict_yaml.dump({"a": shared, "b": shared})


def test_a_pair_of_surrogates_as_json_writes_it_is_one_letter() -> None:
    assert load_all('{"name": "caf\\u00e9 \\ud83d\\ude80"}') == [{"name": "café 🚀"}]
