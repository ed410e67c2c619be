"""`argo` and `kubectl` commands for a Workflow. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from observability.engines.commands import Command, word
from observability.engines.links import RunAddress


def commands_for(address: RunAddress, options: Mapping[str, Any], _endpoint: str) -> list[Command]:
    """What to type where; the Argo server is named where the target's options have one."""
    server = str(options.get("argo_server") or "")
    where = f"--namespace={word(address.location)}"
    if server:
        where += f" --argo-server={word(server)}"
    name = word(address.external_id)
    owned = word(f"workflows.argoproj.io/workflow={address.external_id}")
    commands = [
        Command("Get", f"argo get {where} -- {name}"),
        Command("Logs", f"argo logs {where} --tail=200 -- {name}"),
        Command("Object", f"kubectl get {word(f'workflow/{address.external_id}')} {where} -o yaml"),
        Command("Pods", f"kubectl get pods {where} --selector={owned} -o wide"),
    ]
    if address.is_open:
        commands.append(
            Command("Stop (runs exit handlers)", f"argo stop {where} -- {name}", acts=True)
        )
        commands.append(Command("Terminate", f"argo terminate {where} -- {name}", acts=True))
    else:
        commands.append(Command("Retry", f"argo retry {where} -- {name}", acts=True))
        commands.append(Command("Resubmit", f"argo resubmit {where} -- {name}", acts=True))
    return commands
