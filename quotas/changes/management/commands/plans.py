"""manage.py plans export|diff|apply: plans as YAML, for those who keep them in git."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError

from console.audit.services import Actor, require_reason
from console.errors import DomainError
from console.pages.diff import ValueChange
from console.pages.plural import plural
from quotas.changes.contracts import Preview
from quotas.changes.rules import document as yaml_form
from quotas.changes.services.documents import Applied, PlanDifference, apply_document, compare
from quotas.changes.services.documents import export as export_plan
from quotas.plans.models import Plan

ERROR = 2
DIFFERENT = 1


class Command(BaseCommand):
    """Exports plans, says what a file would change, and applies it."""

    help = (
        "Plans as YAML. `diff` exits with 0 when nothing differs, 1 when something does and 2 on "
        "an error, like kubectl diff; `apply` publishes only what differs and starts the rollout."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Three subcommands; `-` as FILE reads standard input."""
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = yaml_form.__doc__
        commands = parser.add_subparsers(dest="action", required=True)
        export = commands.add_parser("export", help="write plans as YAML to standard output")
        export.add_argument("plans", nargs="*", metavar="PLAN", help="all plans if none is named")
        diff = commands.add_parser("diff", help="say what applying FILE would change")
        diff.add_argument("file", metavar="FILE")
        apply = commands.add_parser("apply", help="make the plans what FILE says")
        apply.add_argument("file", metavar="FILE")
        apply.add_argument("--reason", required=True, help="why; it stays in the ledger")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs one subcommand; errors end with code 2."""
        try:
            getattr(self, f"_{options['action']}")(options)
        except DomainError as error:
            _fail(error.message)

    def _export(self, options: dict[str, Any]) -> None:
        wanted = options["plans"]
        plans = Plan.objects.filter(slug__in=wanted) if wanted else Plan.objects.all()
        if not wanted:
            plans = plans.filter(archived_at=None)
        by_slug = {plan.slug: plan for plan in plans.order_by("slug")}
        if missing := sorted(set(wanted) - by_slug.keys()):
            _fail(f"There is no plan {', '.join(missing)}.")
        self.stdout.write(yaml_form.dump(export_plan(plan) for plan in by_slug.values()), ending="")

    def _diff(self, options: dict[str, Any]) -> None:
        differences = [compare(document) for document in _read(options["file"])]
        for difference in differences:
            self._say_difference(difference)
        if any(difference.changes for difference in differences):
            sys.exit(DIFFERENT)

    def _apply(self, options: dict[str, Any]) -> None:
        reason = require_reason(options["reason"])
        documents = _read(options["file"])
        for difference in [compare(document) for document in documents]:
            self._say_difference(difference)
        for document in documents:
            applied = apply_document(
                document=document, reason=reason, actor=Actor.command("plans apply")
            )
            self._say_applied(applied)

    def _say_difference(self, difference: PlanDifference) -> None:
        if difference.base is None:
            self.stdout.write(f"{difference.plan}: new plan")
        elif not difference.changes:
            self.stdout.write(f"{difference.plan}: no change")
        elif difference.terms:
            base, count = difference.base, difference.tenants
            tenants = plural(count, "tenant")
            self.stdout.write(f"{difference.plan}: v{base} → v{base + 1} for {tenants}")
        else:
            self.stdout.write(f"{difference.plan}: texts only, no new version")
        for change in difference.changes:
            self.stdout.write(f"  {_line(change)}")
        for warning in difference.warnings:
            self.stdout.write(f"  ! {warning}")

    def _say_applied(self, applied: Applied) -> None:
        if applied.preview is not None:
            self._say_preview(applied.preview)
        if applied.rollout is not None:
            self.stdout.write(
                f"{applied.plan}: published v{applied.version}, rollout {applied.rollout.pk} of "
                f"{applied.rollout.total} placements"
            )
        elif applied.version is not None:
            self.stdout.write(f"{applied.plan}: written, v{applied.version}")

    def _say_preview(self, preview: Preview) -> None:
        for over_limit in preview.over_limit:
            self.stdout.write(
                f"  {over_limit.tenant} on {over_limit.target} uses {over_limit.used_text} of "
                f"{over_limit.label}, the new limit is {over_limit.limit_text}: {over_limit.effect}"
            )
        for blocked in preview.blocked:
            self.stdout.write(f"  {blocked.message}")
        for warning in preview.warnings:
            self.stdout.write(f"  {warning}")


def _read(name: str) -> list[yaml_form.PlanDocument]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _fail(f"{name} cannot be read: {error}")
    documents = yaml_form.load(text)
    if not documents:
        _fail(f"{name} holds no plan.")
    return documents


def _line(change: ValueChange) -> str:
    if change.kind == "added":
        return f"+ {change.path}: {change.after}"
    if change.kind == "removed":
        return f"- {change.path}: {change.before}"
    return f"~ {change.path}: {change.before} → {change.after}"


def _fail(message: str) -> NoReturn:
    raise CommandError(message, returncode=ERROR)
