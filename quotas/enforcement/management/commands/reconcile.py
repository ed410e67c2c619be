"""`manage.py reconcile`: the reconcile loop, for a shell and for cron."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from console.audit.services import Actor
from quotas.enforcement.models import Condition, PlacementState, TargetState
from quotas.enforcement.ports import Change
from quotas.enforcement.reconcile.planning import plan_changes
from quotas.enforcement.reconcile.queue import process_queue
from quotas.enforcement.reconcile.sweep import sweep
from quotas.enforcement.selectors.loop import current_limits
from quotas.enforcement.services.rollouts import sync_now
from tenants.models import Placement, Target, Tenant

FINE = (Condition.SYNCED, Condition.SUSPENDED)


class Command(BaseCommand):
    """Compares targets with what is intended, and writes what differs."""

    help = (
        "Compare targets with what is intended and write what differs. Exit code 0: everything is "
        "as intended; 1: something differs, was refused or could not be reached."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The scope, and whether to write."""
        parser.add_argument("--target", action="append", default=[], metavar="SLUG")
        parser.add_argument("--tenant", action="append", default=[], metavar="SLUG")
        parser.add_argument("--all", action="store_true", help="every tenant on every target")
        parser.add_argument("--dry-run", action="store_true", help="stop after the diff")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs it and leaves with the exit code."""
        targets, placements = self._scope(options)
        if options["dry_run"]:
            fine = self._show(placements)
        else:
            fine = self._write(targets, placements, whole=not options["tenant"])
        if not fine:
            sys.exit(1)

    def _scope(self, options: dict[str, Any]) -> tuple[list[Target], list[Placement]]:
        if not (options["target"] or options["tenant"] or options["all"]):
            raise CommandError("Say what to reconcile: --target SLUG, --tenant SLUG or --all.")
        targets = Target.objects.filter(enabled=True).order_by("slug")
        placements = Placement.objects.filter(target__enabled=True).select_related(
            "target", "tenant"
        )
        if options["target"]:
            _known("target", options["target"], Target.objects.values_list("slug", flat=True))
            targets = targets.filter(slug__in=options["target"])
            placements = placements.filter(target__slug__in=options["target"])
        if options["tenant"]:
            _known("tenant", options["tenant"], Tenant.objects.values_list("slug", flat=True))
            placements = placements.filter(tenant__slug__in=options["tenant"])
            targets = targets.filter(placements__in=placements).distinct()
        return list(targets), list(placements.order_by("target__slug", "tenant__slug", "pk"))

    def _show(self, placements: list[Placement]) -> bool:
        now = timezone.now()
        limits = current_limits({placement.tenant_id for placement in placements}, now)
        result = plan_changes(limits_by_tenant=limits, placements=placements)
        for placement in placements:
            plan = result.plans.get(placement.pk)
            if plan and plan.changes:
                self.stdout.write(f"{placement.tenant.slug} on {placement}")
                self.stdout.write("\n".join(_lines(plan.changes)))
            for refusal in plan.compiled.refusals if plan else ():
                self.stdout.write(f"{placement.tenant.slug} on {placement}: {refusal.message}")
        for placement_id, why in result.unobserved.items():
            self.stderr.write(f"placement {placement_id}: {why}")
        for target in Target.objects.filter(pk__in=result.failures):
            self.stderr.write(f"{target.slug}: {result.failures[target.pk]}")
        differing = [item for item in result.plans.values() if item.changes]
        total = sum(len(item.changes) for item in differing)
        self.stdout.write(
            f"{len(placements)} placements, {len(differing)} differ in {total} objects"
        )
        return not (differing or result.unobserved or result.failures)

    def _write(self, targets: list[Target], placements: list[Placement], *, whole: bool) -> bool:
        for target in targets:
            TargetState.objects.get_or_create(target=target)
        if not whole:
            actor = Actor.command("manage.py reconcile")
            now = timezone.now()
            sync_now(placements=placements, actor=actor, reason="manage.py reconcile", at=now)
        for target in targets:
            if whole:
                self._sweep(target)
            process_queue(target.pk)
        bad = PlacementState.objects.filter(placement__in=placements).exclude(condition__in=FINE)
        for state in bad.select_related("placement__target", "placement__tenant"):
            words = f"{state.get_condition_display()} {state.message}".strip()
            self.stdout.write(f"{state.placement.tenant.slug} on {state.placement}: {words}")
        number = bad.count()
        self.stdout.write(f"{len(placements)} placements, {number} not as intended")
        return number == 0

    def _sweep(self, target: Target) -> None:
        swept = sweep(target.pk, force=True)
        if swept is None:
            self.stdout.write(f"{target.slug}: another worker is at it")
            return
        self.stdout.write(
            f"{target.slug}: {swept.placements} placements, {swept.reads} reads, "
            f"{swept.due + swept.healing} written, {swept.milliseconds} ms"
        )


def _known(what: str, named: list[str], there: Iterable[str]) -> None:
    unknown = sorted(set(named) - set(there))
    if unknown:
        raise CommandError(f"No such {what}: {', '.join(unknown)}")


def _lines(changes: Iterable[Change]) -> list[str]:
    return [
        line
        for change in changes
        for line in (
            f"  {change.operation} {change.ref}",
            *(
                f"    {item.path}: {item.before or '–'} → {item.after or '–'}"
                for item in change.fields
            ),
        )
    ]
