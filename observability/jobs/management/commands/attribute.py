"""`manage.py attribute`: runs that were nobody's go to the tenants that are placed there by now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from console.audit.services import Actor
from console.errors import DomainError
from console.pages.plural import plural
from observability.jobs.services.attribution import attribute_past_runs, count_unattributed
from tenants.models import Target


class Command(BaseCommand):
    """Gives unattributed runs of a target to tenants."""

    help = (
        "Give a target's unattributed runs to the tenants that are placed there now, or that the "
        "runs name: for runs that were read before their tenant or its placement was entered. "
        "The tenants' members see them from then on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The target, why, and whether only to count."""
        parser.add_argument("--target", required=True, metavar="SLUG")
        parser.add_argument("--reason", default="", help="why, for the ledger")
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs it."""
        target = Target.objects.filter(slug=options["target"]).first()
        if target is None:
            raise CommandError(f"No such target: {options['target']}")
        if options["dry_run"]:
            self._show(count_unattributed(target), "would get")
            return
        try:
            counts = attribute_past_runs(
                target=target,
                actor=Actor.command("attribute"),
                reason=options["reason"],
                now=timezone.now(),
            )
        except DomainError as error:
            raise CommandError(error.message) from None
        self._show(counts, "got")

    def _show(self, counts: Mapping[str, int], verb: str) -> None:
        for slug, runs in counts.items():
            self.stdout.write(f"{slug} {verb} {plural(runs, 'run')}")
        if not counts:
            self.stdout.write(
                "No unattributed run is in a tenant's namespace or queue, or names a tenant."
            )
