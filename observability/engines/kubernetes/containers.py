"""The containers of a pod, told apart by what they are for: the job itself, what prepares it, and
what only stands beside it. Near-pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from console.unstructured import mapping, mappings, moment, whole
from observability.engines.kubernetes.objects import spec_of, status_of
from observability.engines.unstructured import Object, text

OUT_OF_MEMORY: Final = "OOMKilled"
NEVER_RAN: Final = frozenset({"StartError", "ContainerCannotRun"})
"""Reasons of an end that came before the program of a container was started at all."""
_PROXIES: Final = frozenset(
    {"envoy", "daprd", "vault-agent", "consul-dataplane", "cloud_sql_proxy", "pgbouncer"}
)
_PROXY_ENDS: Final = ("-proxy", "-sidecar")


class ContainerRole(StrEnum):
    """What a container is for."""

    MAIN = "main"
    INIT = "init container"
    SIDECAR = "sidecar"


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod by its status.

    `is_native` is a sidecar that Kubernetes knows as one (an init container that is always started
    again): how it ends decides how its pod does only where nothing else has begun.
    `is_sidecar_by_name` is one of the Job's own template that nothing but its name calls a sidecar.
    """

    name: str
    role: ContainerRole
    status: Object
    is_native: bool = False
    is_sidecar_by_name: bool = False

    @property
    def terminated(self) -> dict[str, Any]:
        """How it ended; empty while it has not, and once it was started again."""
        return mapping(mapping(self.status.get("state")).get("terminated"))

    @property
    def waiting(self) -> dict[str, Any]:
        """Why it has not begun, or not again; empty otherwise."""
        return mapping(mapping(self.status.get("state")).get("waiting"))

    @property
    def running(self) -> dict[str, Any]:
        """Its state while it runs; empty otherwise."""
        return mapping(mapping(self.status.get("state")).get("running"))

    @property
    def is_running(self) -> bool:
        """Whether it runs now."""
        return isinstance(mapping(self.status.get("state")).get("running"), dict)

    @property
    def last_end(self) -> dict[str, Any]:
        """How it ended before it was last started again; empty when it never was."""
        return mapping(mapping(self.status.get("lastState")).get("terminated"))

    @property
    def restarts(self) -> int:
        """How often it was started again inside its pod."""
        return max(whole(self.status.get("restartCount")) or 0, 0)

    @property
    def title(self) -> str:
        """`main`, `init container fetch`, `sidecar proxy`."""
        return self.name if self.role is ContainerRole.MAIN else f"{self.role.value} {self.name}"

    @property
    def has_begun(self) -> bool:
        """Whether it runs, or did."""
        return bool(self.is_running or self.terminated or self.last_end)

    @property
    def is_unready(self) -> bool:
        """Whether it does not run, or has not passed its startup probe."""
        return not self.is_running or self.status.get("started") is False

    @property
    def has_failed(self) -> bool:
        """Whether it ended badly."""
        return failed(self.terminated)


def failed(terminated: Object) -> bool:
    """Whether a container that ended so ended badly: by its exit code alone, as for Kubernetes. A
    child process that was killed for its memory makes the reason OOMKilled of a good end, too."""
    return bool(whole(terminated.get("exitCode")))


def ended_at(terminated: Object) -> datetime | None:
    """When a container ended."""
    return moment(terminated.get("finishedAt"))


def has_main_begun(containers: Iterable[Container]) -> bool:
    """Whether any container of a pod has begun that comes after all that prepares it."""
    return any(
        item.has_begun
        for item in containers
        if item.role is not ContainerRole.INIT and not item.is_native
    )


def containers_of(pod: Object, template: Object) -> list[Container]:
    """All containers that a pod says something of, init containers first.

    `template` is that of the Job: a container that is not in it was put into the pod on its way
    into the cluster, and is a sidecar.
    """
    status = status_of(pod)
    return [
        *_prepared(pod, mappings(status.get("initContainerStatuses"))),
        *_regular(template, mappings(status.get("containerStatuses"))),
    ]


def _prepared(pod: Object, statuses: list[dict[str, Any]]) -> Iterator[Container]:
    always = {
        _name(container)
        for container in mappings(spec_of(pod).get("initContainers"))
        if container.get("restartPolicy") == "Always"
    }
    for status in statuses:
        native = _name(status) in always
        role = ContainerRole.SIDECAR if native else ContainerRole.INIT
        yield Container(_name(status), role, status, is_native=native)


def _regular(template: Object, statuses: list[dict[str, Any]]) -> list[Container]:
    own = {_name(container) for container in mappings(spec_of(template).get("containers"))}
    names = [_name(status) for status in statuses]
    beside = [bool(own and name not in own) or _is_proxy(name) for name in names]
    if all(beside):
        beside = [False] * len(statuses)
    return [
        Container(
            name,
            ContainerRole.SIDECAR if aside else ContainerRole.MAIN,
            status,
            is_sidecar_by_name=aside and name in own,
        )
        for name, status, aside in zip(names, statuses, beside, strict=True)
    ]


def _is_proxy(name: str) -> bool:
    """Whether a container is one of those that people put beside a job and that never end."""
    return name in _PROXIES or name.endswith(_PROXY_ENDS)


def _name(container: Object) -> str:
    return text(container.get("name"), 80)
