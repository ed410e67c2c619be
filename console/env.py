"""Reads the environment for `settings.py` and remembers what was wrong with it.

A bad value never raises: the default is used, and `console.checks` turns every remembered problem
into a Django system check that names the variable, the value and what would be right.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environ

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """One environment variable that could not be used: `hint` says what would be right."""

    name: str
    shown: str
    hint: str


problems: list[SettingProblem] = []
names: set[str] = set()
"""Every variable that was asked for, whether it was set or not: they are Headroom's own."""
files: set[Path] = set()
"""Every file that a value was read from (NAME_FILE)."""


def _refuse(name: str, shown: str, hint: str) -> None:
    problem = SettingProblem(name, shown, hint)
    if problem not in problems:  # some variables are read twice
        problems.append(problem)


def text(name: str, default: str = "") -> str:
    """The variable as text; `NAME_FILE` names a mounted file to read it from instead."""
    names.update((name, f"{name}_FILE"))
    path = os.environ.get(f"{name}_FILE")
    if path:
        files.add(Path(path))
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            _refuse(f"{name}_FILE", path, "the path of a readable text file")
            return default
    return os.environ.get(name, default)


def boolean(name: str, default: bool) -> bool:  # noqa: FBT001 - mirrors text() and integer()
    """The variable as a truth value: 1/true/yes/on or 0/false/no/off."""
    names.add(name)
    raw = os.environ.get(name)
    if raw is None:
        return default
    if raw.strip().lower() in _TRUE:
        return True
    if raw.strip().lower() in _FALSE:
        return False
    _refuse(name, raw, "true or false")
    return default


def integer(name: str, default: int, *, low: int = 0, high: int = 2**31) -> int:
    """The variable as an integer between `low` and `high`, both included."""
    names.add(name)
    raw = os.environ.get(name)
    if raw is None:
        return default
    try:
        value = int(raw)
    except ValueError:
        value = low - 1
    if low <= value <= high:
        return value
    _refuse(name, raw, f"a whole number from {low} to {high}")
    return default


def words(name: str, default: str = "") -> list[str]:
    """The variable as a list, separated by commas; blanks are dropped."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """The variable as one of `allowed`."""
    names.add(name)
    raw = os.environ.get(name, default)
    if raw in allowed:
        return raw
    _refuse(name, raw, "one of " + ", ".join(allowed))
    return default


def database(name: str, default: str) -> dict[str, Any]:
    """A Django database entry from a URL (sqlite:///PATH or postgres://USER:PASSWORD@HOST/NAME)."""
    raw = text(name, default)
    hint = "sqlite:///path/to/file or postgres://user:password@host:5432/name"
    try:
        parsed: dict[str, Any] = environ.Env.db_url_config(raw)
    except Exception:  # noqa: BLE001 - whatever a malformed URL makes the parser raise
        parsed = {}
    engine = parsed.get("ENGINE")
    if engine == "django.db.backends.sqlite3":
        return parsed
    if engine == "django.db.backends.postgresql" and parsed.get("NAME"):
        return parsed
    # The URL may hold a password: only its scheme is shown.
    _refuse(name, raw.partition(":")[0] + ":…", hint)
    return dict(environ.Env.db_url_config(default))
