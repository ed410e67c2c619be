"""Commands that show a run, or act on it, from a shell. Pure.

Names come from outside: each is one word for the shell whatever it holds, and nothing that a
terminal would act on (escape sequences, line breaks, text direction) is printed as itself.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from observability.jobs.contracts import Engine
from observability.jobs.rules.links import Subject


@dataclass(frozen=True, slots=True)
class Command:
    """One line to copy. `acts` says that it changes something, which our ledger would not see."""

    label: str
    line: str
    acts: bool = False


_SPECIAL: Final = re.compile(r"['\\]")


def word(text: str) -> str:
    """A text as one word of a POSIX shell; with bash's $'…' where it holds unprintable letters."""
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(_letter, text)) + "'"


def _letter(letter: str) -> str:
    if _SPECIAL.match(letter):
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    number = ord(letter)
    if number < 0x100:
        # \u0080 to \u00ff would depend on the shell's locale; as octal they would be bytes.
        return f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def commands_for(
    subject: Subject, options: Mapping[str, Any], *, endpoint: str = "", server: str = ""
) -> list[Command]:
    """What to type where. `endpoint` is the address of a Temporal server; `server` of an Argo
    one, where the target has it."""
    build = _COMMANDS[subject.engine]
    return build(subject, options, endpoint or server)


def _temporal(subject: Subject, options: Mapping[str, Any], endpoint: str) -> list[Command]:
    where = f" --namespace {word(subject.location)}"
    if endpoint:
        where += f" --address {word(endpoint)}"
    if options.get("tls") is True:
        where += " --tls"
    run = f" --workflow-id={word(subject.external_id)}"
    if subject.run_id:
        run += f" --run-id={word(subject.run_id)}"
    workflow = f"temporal workflow {{}}{where}{run}"
    found = [
        Command("Describe", workflow.format("describe")),
        Command("History", workflow.format("show")),
        Command("History as JSON", f"{workflow.format('show')} --output json"),
    ]
    if subject.queue:
        queue = f"temporal task-queue describe{where} --task-queue={word(subject.queue)}"
        found.append(Command("Task queue", queue))
    if subject.is_open:
        found.append(Command("Call stack", workflow.format("stack")))
        found.append(Command("Cancel", workflow.format("cancel"), acts=True))
        stop = f"{workflow.format('terminate')} --reason 'WHY'"
        found.append(Command("Terminate", stop, acts=True))
    reset = f"{workflow.format('reset')} --type LastWorkflowTask --reason 'WHY'"
    found.append(Command("Reset to the last workflow task", reset, acts=True))
    return found


def _kubernetes(subject: Subject, _: Mapping[str, Any], __: str) -> list[Command]:
    where = f"--namespace={word(subject.location)}"
    job = word(f"job/{subject.external_id}")
    chosen = word(f"job-name={subject.external_id}")
    found = [
        Command("Describe", f"kubectl describe {job} {where}"),
        Command("Pods", f"kubectl get pods {where} --selector={chosen} -o wide"),
        Command("Logs", f"kubectl logs {job} {where} --all-containers --tail=200"),
        Command("Events", f"kubectl get events {where} --sort-by=.lastTimestamp"),
        Command("Quota", f"kubectl describe resourcequota {where}"),
    ]
    if subject.pod:
        pod = word(f"pod/{subject.pod}")
        found.append(Command("Logs before the restart", f"kubectl logs {pod} {where} --previous"))
    if subject.is_open:
        suspend = f'kubectl patch {job} {where} --type=merge -p \'{{"spec":{{"suspend":true}}}}\''
        found.append(Command("Suspend", suspend, acts=True))
        found.append(Command("Delete", f"kubectl delete {job} {where}", acts=True))
    return found


def _argo(subject: Subject, _: Mapping[str, Any], server: str) -> list[Command]:
    where = f"--namespace={word(subject.location)}"
    if server:
        where += f" --argo-server={word(server)}"
    name = word(subject.external_id)
    owned = word(f"workflows.argoproj.io/workflow={subject.external_id}")
    found = [
        Command("Get", f"argo get {where} -- {name}"),
        Command("Logs", f"argo logs {where} --tail=200 -- {name}"),
        Command("Object", f"kubectl get {word(f'workflow/{subject.external_id}')} {where} -o yaml"),
        Command("Pods", f"kubectl get pods {where} --selector={owned} -o wide"),
    ]
    if subject.is_open:
        found.append(
            Command("Stop (runs exit handlers)", f"argo stop {where} -- {name}", acts=True)
        )
        found.append(Command("Terminate", f"argo terminate {where} -- {name}", acts=True))
    else:
        found.append(Command("Retry", f"argo retry {where} -- {name}", acts=True))
        found.append(Command("Resubmit", f"argo resubmit {where} -- {name}", acts=True))
    return found


def _celery(subject: Subject, options: Mapping[str, Any], _: str) -> list[Command]:
    celery = f"celery --app {word(str(options.get('app') or 'PROJECT'))}"
    task = word(subject.external_id)
    found = [
        Command("Where it is", f"{celery} inspect query_task -- {task}"),
        Command("Result", f"{celery} result -- {task}"),
        Command("What runs now", f"{celery} inspect active"),
        Command("What workers hold back", f"{celery} inspect reserved"),
    ]
    if subject.is_open:
        found.append(Command("Revoke", f"{celery} control revoke -- {task}", acts=True))
        stop = f"{celery} control terminate SIGTERM -- {task}"
        found.append(Command("Stop while it runs", stop, acts=True))
    return found


_COMMANDS: Final = {
    Engine.TEMPORAL.value: _temporal,
    Engine.KUBERNETES.value: _kubernetes,
    Engine.ARGO.value: _argo,
    Engine.CELERY.value: _celery,
}
