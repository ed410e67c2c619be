"""`manage.py ingest`: the process that reads engines into the job audit trail."""

from __future__ import annotations

import gc
import signal
import sys
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from console.checks import TAG
from console.clients.celery import keeping
from console.database import memory
from observability.ingest.loop import Ingest, read_once
from tenants.models import Target


class Command(BaseCommand):
    """Reads what changed on each target: runs, events, histories, documents."""

    help = (
        "Read every enabled target into the job audit trail until SIGTERM. Any number of these "
        "processes may run; each target is read by one of them at a time. With --once: catch up "
        "and leave with exit code 1 when a target could not be read."
    )

    # The others would load every page with its forms; `manage.py check` is for that.
    requires_system_checks = (TAG,)

    def add_arguments(self, parser: CommandParser) -> None:
        """The scope, and whether to stay."""
        parser.add_argument("--target", action="append", default=[], metavar="SLUG")
        parser.add_argument("--once", action="store_true", help="catch up and leave")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs it."""
        memory.keep_little()
        connection.close()  # the checks may have opened one
        only: list[str] = options["target"]
        unknown = sorted(set(only) - set(Target.objects.values_list("slug", flat=True)))
        if unknown:
            raise CommandError(f"No such target: {', '.join(unknown)}")
        # A page is thousands of small objects that live for a second and hold no cycles: looking
        # through them for cycles as often as Python does by default costs a tenth of the work.
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        if options["once"]:
            self._once(only)
            return
        process = Ingest(only)

        def stop(_number: int, _frame: FrameType | None) -> None:
            process.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        process.run()

    def _once(self, only: list[str]) -> None:
        try:
            problems = read_once(only)
        finally:
            keeping.end()  # whoever leaves leaves nothing behind
        slugs = dict(Target.objects.filter(pk__in=problems).values_list("pk", "slug"))
        for pk, message in problems.items():
            self.stderr.write(f"{slugs[pk]}: {message}")
        if problems:
            sys.exit(1)
