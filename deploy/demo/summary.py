"""What is printed when everything has started."""

import contextlib
import json

from deploy.demo.parts.console import StackConfig
from deploy.demo.stack.display import MEBIBYTE
from deploy.demo.stack.supervisor import Status, Unit


def summary(config: StackConfig, units: list[Unit], seconds: float) -> str:
    """The addresses, the sign-in and the kubectl line; what failed, if anything did."""
    memory = sum(unit.memory for unit in units) / MEBIBYTE
    failed = [unit.part.name for unit in units if unit.status is Status.FAILED]
    head = (
        f"Started in {seconds:.0f} s, but these parts failed: {', '.join(failed)}"
        if failed
        else f"Ready in {seconds:.0f} s, {memory:.0f} MiB in all"
    )
    # kubectl sends no token over plain HTTP: the emulator's second context has it in the address.
    context = " --context kubectl" if config.kubernetes == "emulated" else ""
    kubectl = f"kubectl --kubeconfig {config.kubeconfig}{context} get resourcequota -A"
    rows = {
        "Console": config.url,
        "Sign in": _sign_in(config),
        "Temporal UI": config.temporal_ui,
        f"Kubernetes ({config.kubernetes})": kubectl,
        "Stop": "Ctrl-C (data is kept; `make demo-reset` deletes it)",
    }
    lines = (f"  {name:<24}{value}" for name, value in rows.items() if value)
    return "\n".join(["", head, *lines, ""])


def _sign_in(config: StackConfig) -> str:
    """As the seeds wrote it: {"username": …, "password": …}, or a list of those with a role."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        credentials = json.loads(config.state.credentials.read_text())
        people = credentials if isinstance(credentials, list) else [credentials]
        return ", ".join(f"{person['username']} / {person['password']}" for person in people)
    return ""
