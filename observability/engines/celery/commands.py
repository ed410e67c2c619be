"""`celery` commands for a task. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from observability.engines.commands import Command, word
from observability.engines.links import RunAddress


def commands_for(address: RunAddress, options: Mapping[str, Any], _endpoint: str) -> list[Command]:
    """What to type where; the app is the one that the target's options name."""
    celery = f"celery --app {word(str(options.get('app') or 'PROJECT'))}"
    task = word(address.external_id)
    commands = [
        Command("Where it is", f"{celery} inspect query_task -- {task}"),
        Command("Result", f"{celery} result -- {task}"),
        Command("What runs now", f"{celery} inspect active"),
        Command("What workers hold back", f"{celery} inspect reserved"),
    ]
    if address.is_open:
        commands.append(Command("Revoke", f"{celery} control revoke -- {task}", acts=True))
        stop = f"{celery} control terminate SIGTERM -- {task}"
        commands.append(Command("Stop while it runs", stop, acts=True))
    return commands
