"""Putting values into templates: `{{inputs.parameters.x}}`, conditions, loops."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from deploy.emulators.argo.names import Obj

_TAG: Final = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
_WHEN: Final = re.compile(r"\s*(.+?)\s*(==|!=|>=|<=|>|<)\s*(.+?)\s*")
_TERM: Final = re.compile(r"[\w-]+(?:\.\w+)?|&&|\|\||!|\(|\)")
Values = Mapping[str, str]


def filled(content: Any, values: Values) -> Any:
    """A template with its tags replaced; a tag of an unknown name stays."""
    if isinstance(content, str):
        return _TAG.sub(lambda tag: values.get(tag[1], tag[0]), content)
    if isinstance(content, dict):
        return {key: filled(value, values) for key, value in content.items()}
    if isinstance(content, list):
        return [filled(value, values) for value in content]
    return content


def parameters(holder: Mapping[str, Any] | None) -> dict[str, str]:
    """Names to values of `arguments` or `inputs`; what has a default only, has that."""
    return {
        parameter["name"]: str(parameter.get("value", parameter.get("default", "")))
        for parameter in (holder or {}).get("parameters") or ()
    }


def inputs(template: Obj, arguments: Mapping[str, str]) -> dict[str, str]:
    """What a template's inputs are when it is called with these arguments."""
    values = {**parameters(template.get("inputs")), **arguments}
    return {f"inputs.parameters.{name}": value for name, value in values.items()}


def holds(condition: str) -> bool:
    """Whether a `when` is met, once its tags are replaced: two words compared, or a word."""
    match = _WHEN.fullmatch(condition)
    if match is None:
        return condition.strip().lower() in ("true", "1")
    left, sign, right = (part.strip("\"' ") for part in match.groups())
    if sign in ("==", "!="):
        return (left == right) is (sign == "==")
    try:
        number, other = float(left), float(right)
    except ValueError:
        return False
    return {">": number > other, "<": number < other, ">=": number >= other, "<=": number <= other}[
        sign
    ]


def loop(step: Obj) -> Iterator[tuple[str, Values]]:
    """The suffix of each name, and the values, of a step with `withItems`; one without."""
    if "withItems" not in step:
        yield "", {}
        return
    for number, item in enumerate(step["withItems"]):
        shown = ",".join(f"{k}:{v}" for k, v in item.items()) if isinstance(item, dict) else item
        values = {"item": str(item)}
        if isinstance(item, dict):
            values |= {f"item.{key}": str(value) for key, value in item.items()}
        yield f"({number}:{shown})", values


def depends_on(task: Obj) -> tuple[str, ...]:
    """The tasks that a task of a DAG waits for."""
    if "depends" in task:
        words = (word for word in _TERM.findall(task["depends"]) if word[0].isalnum())
        return tuple(dict.fromkeys(word.split(".")[0] for word in words))
    return tuple(task.get("dependencies") or ())


def is_met(task: Obj, phases: Mapping[str, str]) -> bool:
    """Whether a task may run now that all that it waits for has finished."""
    if "depends" not in task:
        return all(phases[name] in ("Succeeded", "Skipped") for name in depends_on(task))
    words = {"&&": "and", "||": "or", "!": "not", "(": "(", ")": ")"}
    truths = [
        words[word] if word in words else str(_was(word, phases))
        for word in _TERM.findall(task["depends"])
    ]
    return _truth(truths)


def _was(word: str, phases: Mapping[str, str]) -> bool:
    name, _, outcome = word.partition(".")
    phase = phases[name]
    if not outcome:
        return phase in ("Succeeded", "Skipped")
    return phase == {"Errored": "Error"}.get(outcome, outcome)


def _truth(words: list[str]) -> bool:
    """The value of `True and not ( False or True )`: or binds least, then and, then not."""
    value = _conjunction(words)
    while words and words[0] == "or":
        words.pop(0)
        other = _conjunction(words)
        value = value or other
    return value


def _conjunction(words: list[str]) -> bool:
    value = _atom(words)
    while words and words[0] == "and":
        words.pop(0)
        other = _atom(words)
        value = value and other
    return value


def _atom(words: list[str]) -> bool:
    word = words.pop(0)
    if word == "not":
        return not _atom(words)
    if word == "(":
        value = _truth(words)
        words.pop(0)
        return value
    return word == "True"
