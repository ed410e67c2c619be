"""`kubectl` commands for a Job. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from observability.engines.commands import Command, word
from observability.engines.links import RunAddress


def commands_for(address: RunAddress, _options: Mapping[str, Any], _endpoint: str) -> list[Command]:
    """What to type where."""
    where = f"--namespace={word(address.location)}"
    job = word(f"job/{address.external_id}")
    chosen = word(f"job-name={address.external_id}")
    commands = [
        Command("Describe", f"kubectl describe {job} {where}"),
        Command("Pods", f"kubectl get pods {where} --selector={chosen} -o wide"),
        Command("Logs", f"kubectl logs {job} {where} --all-containers --tail=200"),
        Command("Events", f"kubectl get events {where} --sort-by=.lastTimestamp"),
        Command("Quota", f"kubectl describe resourcequota {where}"),
    ]
    if address.pod:
        pod = word(f"pod/{address.pod}")
        commands.append(
            Command("Logs before the restart", f"kubectl logs {pod} {where} --previous")
        )
    if address.is_open:
        suspend = f'kubectl patch {job} {where} --type=merge -p \'{{"spec":{{"suspend":true}}}}\''
        commands.append(Command("Suspend", suspend, acts=True))
        commands.append(Command("Delete", f"kubectl delete {job} {where}", acts=True))
    return commands
