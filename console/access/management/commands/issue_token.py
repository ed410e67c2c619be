"""manage.py issue_token USERNAME --name NAME: prints a new API token, once."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from console.access import services
from console.access.models import TokenScope, User
from console.audit.services import Actor


class Command(BaseCommand):
    """Issues an API token for a person who exists."""

    help = "Issues an API token. The token is the only line on standard output."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Who, for what, for how long."""
        parser.add_argument("username")
        parser.add_argument("--name", required=True, help="what will use the token")
        parser.add_argument("--days", type=int, default=0, help="expires after so many; 0 never")

        parser.add_argument(
            "--scope",
            choices=TokenScope.values,
            default=TokenScope.ALL,
            help="the most that it may do, within what its owner may",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Writes the plain token to standard output."""
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active person named {options['username']!r}.")
        if options["days"] < 0:
            raise CommandError(f"--days is 0 or more, not {options['days']}.")
        ends = timezone.now() + timedelta(days=options["days"]) if options["days"] else None
        plain = services.issue_token(
            actor=Actor.command("issue_token"),
            user=user,
            name=options["name"],
            expires_at=ends,
            scope=options["scope"],
        )
        self.stdout.write(plain)
