"""Objects by path in a directory or a bucket, named by one URL.

`file:///path`, `s3://bucket/prefix` (also MinIO, Ceph and others by `endpoint`), `gs://bucket/prefix`
and `az://account/container`. Where no keys are given, the machine's own identity counts (instance
role, workload identity, AWS_… and GOOGLE_… variables).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

import obstore
from obstore import exceptions as errors
from obstore.store import LocalStore, ObjectStore, from_url

from console.chunks import chunks
from console.clients.credentials import Secret
from console.clients.foreign_words import foreign_words
from console.errors import ExternalError, NotFound, Refused, Unreachable

_NONE: Final = Secret("")
SCHEMES: Final = ("file", "s3", "gs", "az")
_PAGE: Final = 1000

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """How to reach a bucket. `timeout` bounds one call, in seconds."""

    endpoint: str = ""
    region: str = ""
    allow_http: bool = False
    access_key: Secret = _NONE
    secret_key: Secret = _NONE
    timeout: float = 20.0


def _typed(
    call: Callable[Concatenate[ObjectStorage, P], T],
) -> Callable[Concatenate[ObjectStorage, P], T]:
    """Turns the library's errors into ours, without what they say of keys."""

    @wraps(call)
    def calling(self: ObjectStorage, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(self, *args, **kwargs)
        except (errors.BaseError, OSError, ValueError) as problem:
            raise self._error(problem) from problem

    return calling


class ObjectStorage:
    """One bucket or directory. Every call ends within a bounded time and may be repeated.

    Raises NotFound, Refused (wrong keys, wrong bucket) or Unreachable.
    """

    def __init__(self, url: str, options: StorageOptions | None = None) -> None:
        """Opens nothing yet, but makes the directory of a `file:` URL. Refused for a wrong URL."""
        self.url = url
        self._options = options or StorageOptions()
        try:
            self._store = _store(url, self._options)
        except (errors.BaseError, OSError, ValueError) as problem:
            raise Refused(f"{shown(url)}: {_words(problem)}", code="object_storage") from problem

    @_typed
    def put(self, path: str, data: bytes) -> None:
        """Writes an object; one that is there already is replaced as a whole."""
        obstore.put(self._store, path, data)

    @_typed
    def get(self, path: str) -> bytes:
        """The object as a whole."""
        return bytes(obstore.get(self._store, path).bytes())

    @_typed
    def exists(self, path: str) -> bool:
        """Whether there is such an object."""
        try:
            obstore.head(self._store, path)
        except (errors.NotFoundError, FileNotFoundError):
            return False
        return True

    @_typed
    def delete(self, paths: list[str]) -> None:
        """Deletes objects; those that are not there are no error."""
        for page in chunks(paths, _PAGE):
            self._delete(page)

    def _delete(self, paths: list[str]) -> None:
        if not isinstance(self._store, LocalStore):
            obstore.delete(self._store, paths)
            return
        for path in paths:
            try:
                obstore.delete(self._store, path)
            except (errors.NotFoundError, FileNotFoundError):
                continue

    def paths(self, prefix: str = "") -> Iterator[str]:
        """The paths below a prefix (whole path segments), in no order that is promised."""
        pages = obstore.list(self._store, prefix or None, chunk_size=_PAGE)
        while page := self._next(pages):
            yield from page

    @_typed
    def _next(self, pages: Any) -> list[str]:
        return [entry["path"] for entry in next(pages, ())]

    def _error(self, problem: Exception) -> ExternalError:
        words = f"object storage {shown(self.url)}: {_words(problem)}"
        for secret in (self._options.access_key, self._options.secret_key):
            words = secret.scrub(words)
        if isinstance(problem, errors.NotFoundError | FileNotFoundError):
            # A bucket that is not there says NoSuchBucket in the same kind of error.
            return Refused(words) if "NoSuchBucket" in str(problem) else NotFound(words)
        if isinstance(problem, _REFUSALS):
            return Refused(words)
        return Unreachable(words)


_REFUSALS: Final = (
    errors.PermissionDeniedError,
    errors.UnauthenticatedError,
    errors.InvalidPathError,
    errors.NotSupportedError,
    errors.UnknownConfigurationKeyError,
    PermissionError,
)


def shown(url: str) -> str:
    """The URL without what could be a secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _store(url: str, options: StorageOptions) -> ObjectStore:
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise ValueError(f"use one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.strip("/"):
            raise ValueError("name a directory as file:///path")
        path = Path(unquote(parts.path))
        path.mkdir(parents=True, exist_ok=True, mode=0o750)
        return LocalStore(path)
    if not parts.netloc:
        raise ValueError(f"name a bucket as {parts.scheme}://bucket/prefix")
    arguments: dict[str, Any] = {
        "config": _config(parts.scheme, options) or None,
        "client_options": {
            "allow_http": options.allow_http,
            "connect_timeout": timedelta(seconds=min(options.timeout, 5.0)),
            "timeout": timedelta(seconds=options.timeout),
        },
        "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=options.timeout)},
    }
    return from_url(url, **arguments)


def _config(scheme: str, options: StorageOptions) -> dict[str, Any]:
    if scheme != "s3":
        return {}
    named = {
        "endpoint": options.endpoint,
        "region": options.region,
        "access_key_id": options.access_key.value,
        "secret_access_key": options.secret_key.value,
    }
    return {key: value for key, value in named.items() if value}


def _words(problem: Exception) -> str:
    """What went wrong, by the kind of the error: the library's own words repeat whole answers."""
    kind = next((words for kinds, words in _KINDS if isinstance(problem, kinds)), "")
    if isinstance(problem, OSError) and problem.strerror:
        kind = problem.strerror
    elif isinstance(problem, ValueError):
        kind = foreign_words(str(problem), 300)
    matches = [pattern.search(str(problem)) for pattern in (_STATUS, _CODE)]
    codes = [match[1] for match in matches if match]
    if not kind and not codes and _NO_ANSWER.search(str(problem)):
        kind = "there is no answer"
    text = kind or "it did not answer as object storage does"
    return f"{text} ({', '.join(codes)})" if codes else text


_STATUS: Final = re.compile(r"status(?: code)?:? (\d{3})\b")
_CODE: Final = re.compile(r"<Code>([A-Za-z]{3,60})</Code>")
_NO_ANSWER: Final = re.compile(r"(?i)error sending request|timed out|timeout|connect|dns")
_KINDS: Final = (
    ((errors.NotFoundError, FileNotFoundError), "there is no such object or bucket"),
    (errors.PermissionDeniedError, "it is not allowed"),
    (errors.UnauthenticatedError, "the keys are not accepted"),
    (errors.InvalidPathError, "the path is not accepted"),
    (errors.NotSupportedError, "it cannot do that"),
    (errors.UnknownConfigurationKeyError, "a setting is unknown"),
)
