"""`temporal` commands for a workflow run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from observability.engines.commands import Command, word
from observability.engines.links import RunAddress
from observability.engines.temporal.run_ids import is_standalone, own_run_id


def commands_for(address: RunAddress, options: Mapping[str, Any], endpoint: str) -> list[Command]:
    """What to type where; `endpoint` is the address of the server, where the target has one."""
    where = f" --namespace {word(address.location)}"
    if endpoint:
        where += f" --address {word(endpoint)}"
    if options.get("tls") is True:
        where += " --tls"
    if is_standalone(address.run_id):
        return _of_activity(address, where)
    run = f" --workflow-id={word(address.external_id)}"
    if address.run_id:
        run += f" --run-id={word(address.run_id)}"
    workflow = f"temporal workflow {{}}{where}{run}"
    commands = [
        Command("Describe", workflow.format("describe")),
        Command("History", workflow.format("show")),
        Command("History as JSON", f"{workflow.format('show')} --output json"),
        *_of_queue(address, where),
    ]
    if address.is_open:
        commands.append(Command("Call stack", workflow.format("stack")))
        commands.append(Command("Cancel", workflow.format("cancel"), acts=True))
        stop = f"{workflow.format('terminate')} --reason 'WHY'"
        commands.append(Command("Terminate", stop, acts=True))
    reset = f"{workflow.format('reset')} --type LastWorkflowTask --reason 'WHY'"
    commands.append(Command("Reset to the last workflow task", reset, acts=True))
    return commands


def _of_queue(address: RunAddress, where: str) -> list[Command]:
    if not address.queue:
        return []
    queue = f"temporal task-queue describe{where} --task-queue={word(address.queue)}"
    return [Command("Task queue", queue)]


def _of_activity(address: RunAddress, where: str) -> list[Command]:
    """For an activity that no workflow runs."""
    run_id = word(own_run_id(address.run_id))
    activity = f"{where} --activity-id={word(address.external_id)} --run-id={run_id}"
    commands = [
        Command("Describe", f"temporal activity describe{activity}"),
        *_of_queue(address, where),
    ]
    if address.is_open:
        commands.append(Command("Cancel", f"temporal activity cancel{activity}", acts=True))
        stop = f"temporal activity terminate{activity} --reason 'WHY'"
        commands.append(Command("Terminate", stop, acts=True))
    return commands
