"""Registering and retiring workflow bundles, and where their code is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from console.audit import services as audit
from console.audit.services import Actor, require_reason
from console.clients.temporal.replay import landlock
from console.clients.temporal.replay.runner import Bounds, Bundle, ReplayProcess
from console.errors import DomainError, Refused
from observability.replays.models import BundleKind, WorkflowBundle

_MODULE = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$", re.ASCII)
_MOST_MODULES = 20


def bounds() -> Bounds:
    """What one replay may use, from the settings."""
    return Bounds(
        seconds=settings.REPLAY_SECONDS,
        start_seconds=settings.REPLAY_SECONDS,
        memory=settings.REPLAY_MEMORY_MIB << 20,
    )


def confines() -> bool:
    """Whether the kernel here keeps the code of a bundle from files that are not its own."""
    return landlock.version() >= landlock.WHOLE


def register(
    *, name: str, version: str, modules: Sequence[str], actor: Actor, reason: str
) -> WorkflowBundle:
    """Imports the bundle once, in a process of its own, and keeps what it found.

    The code is in REPLAY_BUNDLES/NAME/VERSION (wheels, or a directory of modules); where there is
    no such directory the modules are taken from the server's own import path. Raises DomainError:
    `invalid`, `bundle_import` (with what importing it raised), `bundle_exists`.
    """
    reason = require_reason(reason)
    wanted = _checked_modules(modules)
    bundle = WorkflowBundle(
        name=name,
        version=version,
        modules=wanted,
        reason=reason,
        author=actor.user,
        created_at=timezone.now(),
        kind=BundleKind.MODULE,
        isolated=False,
    )
    _validate(bundle)
    bundle.kind = _kind(name, version)  # only now may its name be one of a directory
    bundle.sha256 = _digest(bundle)
    with opened(bundle) as process:
        try:
            contents = process.start()
        except Refused as error:
            raise DomainError("bundle_import", error.message, field="modules") from error
    bundle.workflows = list(contents.workflows)
    bundle.isolated, bundle.confined = contents.isolated, contents.confined
    try:
        with transaction.atomic():
            bundle.save(force_insert=True)
            _record(bundle, "bundle.register", actor, reason)
    except IntegrityError as error:
        raise _exists(bundle) from error
    return bundle


def retire(*, bundle: WorkflowBundle, actor: Actor, reason: str) -> bool:
    """No new replay may use it; those that are there stay readable. False when it was retired."""
    reason = require_reason(reason)
    with transaction.atomic():
        open_ones = WorkflowBundle.objects.filter(pk=bundle.pk, retired_at=None)
        if open_ones.update(retired_at=timezone.now()) == 0:
            return False
        _record(bundle, "bundle.retire", actor, reason)
    return True


def opened(bundle: WorkflowBundle) -> ReplayProcess:
    """A process for a bundle, not started yet. Raises DomainError("bundle_changed") when its files
    are not those that were registered: results would be about other code."""
    if bundle.pk and bundle.kind != BundleKind.MODULE and _digest(bundle) != bundle.sha256:
        raise DomainError(
            "bundle_changed",
            f"The files of bundle {bundle} are not those that were registered; register a new "
            "version.",
        )
    return ReplayProcess(Bundle(tuple(bundle.modules), tuple(_paths(bundle))), bounds())


def _kind(name: str, version: str) -> BundleKind:
    home = _home(name, version)
    if not home.is_dir():
        return BundleKind.MODULE
    return BundleKind.WHEEL if any(home.glob("*.whl")) else BundleKind.DIRECTORY


def _home(name: str, version: str) -> Path:
    return Path(settings.REPLAY_BUNDLES) / name / version


def _checked_modules(modules: Sequence[str]) -> list[str]:
    wanted = [name.strip() for name in modules if name.strip()]
    if not 1 <= len(wanted) <= _MOST_MODULES:
        raise DomainError(
            "invalid",
            f"Modules: {len(wanted)} are named; name 1 to {_MOST_MODULES}, such as "
            "acme_flows.invoice.",
            field="modules",
        )
    for name in wanted:
        if not _MODULE.fullmatch(name):
            raise DomainError(
                "invalid",
                f"Modules: {name[:80]!r} is not the name of a Python module; use one such as "
                "acme_flows.invoice.",
                field="modules",
            )
    return wanted


def _validate(bundle: WorkflowBundle) -> None:
    if WorkflowBundle.objects.filter(name=bundle.name, version=bundle.version).exists():
        raise _exists(bundle)
    try:
        bundle.clean_fields(exclude=["workflows", "sha256", "author"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise DomainError("invalid", f"{field}: {messages[0]}", field=field) from error


def _exists(bundle: WorkflowBundle) -> DomainError:
    return DomainError(
        "bundle_exists",
        f"Version: {bundle} is registered already; bundles never change, so choose a new version.",
        field="version",
        status=409,
    )


def _digest(bundle: WorkflowBundle) -> str:
    """Of the names and contents of its files; empty for modules of the server itself."""
    if bundle.kind == BundleKind.MODULE:
        return ""
    digest = hashlib.sha256()
    home = _home(bundle.name, bundle.version)
    for path in _files(home):
        digest.update(str(path.relative_to(home)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(home: Path) -> Iterator[Path]:
    for path in sorted(home.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _paths(bundle: WorkflowBundle) -> list[str]:
    home = _home(bundle.name, bundle.version)
    if bundle.kind == BundleKind.DIRECTORY:
        return [str(home.resolve())]
    if bundle.kind == BundleKind.WHEEL:
        # Python imports from a wheel as it is, as long as it holds Python only.
        return [str(wheel.resolve()) for wheel in sorted(home.glob("*.whl"))]
    return []


def _record(bundle: WorkflowBundle, action: str, actor: Actor, reason: str) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_type="workflow bundle",
        object_id=bundle.pk,
        object_label=str(bundle),
        after={"modules": bundle.modules, "sha256": bundle.sha256, "workflows": bundle.workflows},
        reason=reason,
    )
