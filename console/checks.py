"""Deployment mistakes as Django system checks, each with an id and a fix."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core import checks

from console import credential_places, env
from console.clients.temporal.replay import landlock

TAG = "headroom"
_BROKERS = {"redis", "rediss", "amqp", "amqps", "memory", "sentinel"}
_SHORTEST_KEY = 50
_ARCHIVES = {"file", "s3", "gs", "az"}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

log = structlog.get_logger(__name__)


def environment(**_: Any) -> Sequence[checks.CheckMessage]:
    """console.E001: a variable that could not be read; its default is in force."""
    return [
        checks.Error(
            f"{problem.name}={problem.shown!r} cannot be used.",
            hint=f"Set {problem.name} to {problem.hint}.",
            id="console.E001",
        )
        for problem in env.problems
    ]


def broker(**_: Any) -> Sequence[checks.CheckMessage]:
    """console.E003: a broker that Celery cannot use. The URL may hold a password: not shown."""
    hint = (
        "Use redis://host:6379/0 (Valkey or Redis) or amqp://user:password@host:5672// (RabbitMQ)."
    )
    try:
        parts = urlsplit(settings.CELERY_BROKER_URL)
        parts.port  # noqa: B018 - a port that is no number is found when it is read
    except ValueError:
        text = "CELERY_BROKER_URL has a host or port that cannot be read."
        return [checks.Error(text, hint=hint, id="console.E003")]
    if parts.scheme in _BROKERS:
        return []
    text = f"CELERY_BROKER_URL has the scheme {parts.scheme!r}, which Celery cannot use."
    return [checks.Error(text, hint=hint, id="console.E003")]


def database_file(**_: Any) -> Sequence[checks.CheckMessage]:
    """console.E004: SQLite in a directory that is not there."""
    database = settings.DATABASES["default"]
    name = str(database["NAME"])
    in_memory = name.startswith(("file:", ":memory:"))
    if not database["ENGINE"].endswith("sqlite3") or in_memory or Path(name).parent.is_dir():
        return []
    return [
        checks.Error(
            f"DATABASE_URL names a file in {Path(name).parent}, which is no directory.",
            hint="Create the directory, or set DATABASE_URL to another file.",
            id="console.E004",
        )
    ]


def hosts(**_: Any) -> Sequence[checks.CheckMessage]:
    """console.E005: an address where a host name is wanted, which would refuse every request."""
    return [
        checks.Error(
            f"ALLOWED_HOSTS has {host!r}, which no request can match.",
            hint="Give host names without scheme, port and path: headroom.example.com",
            id="console.E005",
        )
        for host in settings.ALLOWED_HOSTS
        if "/" in host
    ]


def secret_key(**_: Any) -> Sequence[checks.CheckMessage]:
    """console.W002: a generated key ends sessions at every restart. W003: a key too short."""
    hint = f"Set SECRET_KEY (or SECRET_KEY_FILE) to at least {_SHORTEST_KEY} random characters."
    if not settings.SECRET_KEY_IS_GENERATED:
        if len(settings.SECRET_KEY) >= _SHORTEST_KEY:
            return []
        text = f"SECRET_KEY is shorter than {_SHORTEST_KEY} characters: sessions could be forged."
        return [checks.Warning(text, hint=hint, id="console.W003")]
    return [
        checks.Warning(
            "SECRET_KEY is not set: a new one is made at every start, and signs everybody out.",
            hint=hint,
            id="console.W002",
        )
    ]


def archive(**_: Any) -> Sequence[checks.CheckMessage]:
    """console.E006: an archive that cannot be opened. The URL may hold a password: not shown."""
    parts = urlsplit(settings.ARCHIVE_URL)
    known = parts.scheme in _ARCHIVES
    if known and (parts.path.strip("/") if parts.scheme == "file" else parts.netloc):
        return []
    return [
        checks.Error(
            f"ARCHIVE_URL with the scheme {parts.scheme!r} names no place for documents.",
            hint="Use file:///path, s3://bucket/prefix, gs://bucket/prefix or "
            "az://account/container.",
            id="console.E006",
        )
    ]


def masks(**_: Any) -> Sequence[checks.CheckMessage]:
    """console.E007: a mask pattern that is no regular expression."""
    return [
        checks.Error(
            f"MASK_PATTERNS has {pattern!r}, which is no regular expression: {problem}.",
            hint="Give regular expressions for names of keys, separated by commas; value:EXPRESSION"
            " for values.",
            id="console.E007",
        )
        for pattern in settings.MASK_PATTERNS
        if (problem := _regex_problem(pattern.removeprefix("value:")))
    ]


def credential_variables(**_: Any) -> Sequence[checks.CheckMessage]:
    """console.E008: a prefix that would let targets name variables of our own, or none at all."""
    prefix = settings.CREDENTIAL_ENV_PREFIX
    hint = "Use a prefix that nothing else has, such as HEADROOM_CRED_; empty: no variables."
    own = sorted(name for name in credential_places.own_variables() if name.startswith(prefix))
    if not prefix or (_VARIABLE.fullmatch(prefix) and not own):
        return []
    which = f"begins {own[0]}, which is Headroom's own" if own else "begins no variable's name"
    text = f"CREDENTIAL_ENV_PREFIX={prefix!r} {which}."
    return [checks.Error(text, hint=hint, id="console.E008")]


def credential_directories(**_: Any) -> Sequence[checks.CheckMessage]:
    """console.E009: a place of credentials that is none of its own."""
    return [
        checks.Error(
            f"CREDENTIAL_DIRS has {place!r}, which is no place for credentials alone.",
            hint="Name absolute directories (or files) that hold nothing but credentials of "
            "targets, such as /etc/headroom/credentials.",
            id="console.E009",
        )
        for place in settings.CREDENTIAL_DIRS
        if not credential_places.is_usable(Path(place))
    ]


def _regex_problem(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return ""


def replays(**_: Any) -> Sequence[checks.CheckMessage]:
    """console.W004: a kernel that cannot keep the code of a bundle from our files."""
    version = landlock.version()
    if version >= landlock.WHOLE:
        return []
    lack = f"only version {version} of Landlock" if version else "no Landlock"
    reach = (
        "the code of a bundle can empty files that it may read"
        if version
        else "the code of a bundle can read and write what Headroom can"
    )
    return [
        checks.Warning(
            f"Replays are not confined to their own files: this kernel has {lack}, so {reach}.",
            hint="Run web and workers on Linux 6.2 or newer with Landlock enabled "
            "(CONFIG_SECURITY_LANDLOCK, and landlock in the lsm= parameter), or register only "
            "bundles that you trust.",
            id="console.W004",
        )
    ]


def register() -> None:
    """Registers every check of the frame."""
    settings_checks = (environment, broker, database_file, hosts, secret_key, archive, masks)
    for check in (*settings_checks, credential_variables, credential_directories, replays):
        checks.register(check, TAG)


def errors() -> list[checks.CheckMessage]:
    """The settings of this process that are wrong; their defaults are in force."""
    return [message for message in checks.run_checks(tags=[TAG]) if message.is_serious()]


def report() -> None:
    """Logs what is wrong: a web server starts without asking `manage.py check`."""
    for message in errors():
        log.error("settings.wrong", id=message.id, problem=message.msg, fix=message.hint)
