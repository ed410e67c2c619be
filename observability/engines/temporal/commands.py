"""`temporal` commands for a workflow run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from observability.engines.commands import Command, word
from observability.engines.links import RunAddress


def commands_for(address: RunAddress, options: Mapping[str, Any], endpoint: str) -> list[Command]:
    """What to type where; `endpoint` is the address of the server, where the target has one."""
    where = f" --namespace {word(address.location)}"
    if endpoint:
        where += f" --address {word(endpoint)}"
    if options.get("tls") is True:
        where += " --tls"
    run = f" --workflow-id={word(address.external_id)}"
    if address.run_id:
        run += f" --run-id={word(address.run_id)}"
    workflow = f"temporal workflow {{}}{where}{run}"
    commands = [
        Command("Describe", workflow.format("describe")),
        Command("History", workflow.format("show")),
        Command("History as JSON", f"{workflow.format('show')} --output json"),
    ]
    if address.queue:
        queue = f"temporal task-queue describe{where} --task-queue={word(address.queue)}"
        commands.append(Command("Task queue", queue))
    if address.is_open:
        commands.append(Command("Call stack", workflow.format("stack")))
        commands.append(Command("Cancel", workflow.format("cancel"), acts=True))
        stop = f"{workflow.format('terminate')} --reason 'WHY'"
        commands.append(Command("Terminate", stop, acts=True))
    reset = f"{workflow.format('reset')} --type LastWorkflowTask --reason 'WHY'"
    commands.append(Command("Reset to the last workflow task", reset, acts=True))
    return commands
