"""Reading Jobs together with their pods and refusals: all of a cluster, or those that changed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from console.chunks import chunks
from console.clients.kubernetes.client import KubernetesClient
from console.clients.kubernetes.kinds import Selection
from console.clients.kubernetes.watch import WatchEvent, pages
from console.errors import NotFound
from console.unstructured import mapping, mappings, sequence, texts
from observability.engines.kubernetes.objects import has_ended, spec_of
from observability.engines.kubernetes.state import JobSnapshot, is_finished, selects_by_hand
from observability.engines.unstructured import (
    Object,
    name_of,
    namespace_of,
    owners_of,
    text,
    uid_of,
)
from observability.engines.watching import Column

JOB_NAME: Final = "batch.kubernetes.io/job-name"
_ABOUT_JOBS: Final = "involvedObject.kind=Job,type=Warning"
JOBS: Final = Selection("Job")
PODS: Final = Selection("Pod", labels=JOB_NAME)
WARNINGS: Final = Selection("Event", fields=_ABOUT_JOBS)
WANTS: Final = (JOBS, PODS, WARNINGS)
_SELECTOR: Final = re.compile(r"!?[\w./-]+(?:=[\w.-]*| (?:not)?in \([\w.,-]*\))?", re.ASCII)
NAMES_AT_ONCE: Final = 50
FEW: Final = 4
"""Up to so many objects of a namespace are asked for one by one."""


def job_of(pod: Object) -> tuple[str, str]:
    """Name and uid of the Job that a pod belongs to; empty strings for none."""
    for owner in owners_of(pod):
        if owner.get("kind") == "Job" and owner.get("controller") is True:
            return text(owner.get("name"), 255), text(owner.get("uid"), 80)
    return "", ""


def selector_of(job: Object) -> str:
    """The label selector of a Job as a query; empty when it has none that can be asked for."""
    selector = mapping(spec_of(job).get("selector"))
    parts = [f"{key}={value}" for key, value in sorted(texts(selector.get("matchLabels")).items())]
    for wanted in mappings(selector.get("matchExpressions")):
        key, values = text(wanted.get("key"), 320), sequence(wanted.get("values"))
        listed = ",".join(sorted(text(value, 63) for value in values))
        written = {
            "In": f"{key} in ({listed})",
            "NotIn": f"{key} notin ({listed})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }.get(text(wanted.get("operator"), 20), "")
        parts.append(written)
    # The API server has checked them; whatever else would make it refuse the list is not asked.
    return ",".join(parts) if all(map(_SELECTOR.fullmatch, parts)) else ""


def about(warning: Object) -> tuple[str, str]:
    """Name and uid of the object that a Kubernetes Event is about."""
    involved = mapping(warning.get("involvedObject"))
    return text(involved.get("name"), 255), text(involved.get("uid"), 80)


def by_uid(pods: Iterable[Object]) -> dict[str, list[Object]]:
    """Pods by the uid of their Job."""
    pods_by_uid: dict[str, list[Object]] = defaultdict(list)
    for pod in pods:
        pods_by_uid[job_of(pod)[1]].append(pod)
    return pods_by_uid


def warnings_by_uid(warnings: Iterable[Object]) -> dict[str, list[Object]]:
    """Kubernetes Events by the uid of the Job that they are about."""
    warnings_of: dict[str, list[Object]] = defaultdict(list)
    for warning in warnings:
        warnings_of[about(warning)[1]].append(warning)
    return warnings_of


class JobListing:
    """Every Job of the cluster, namespace by namespace: one list request per kind and page."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._jobs, self._pods, self._warnings = (Column(client, selection) for selection in WANTS)

    @property
    def versions(self) -> dict[str, str]:
        """From where watches miss nothing."""
        return {
            JOBS.kind: self._jobs.version,
            PODS.kind: self._pods.version,
            WARNINGS.kind: self._warnings.version,
        }

    def jobs(self, namespaces: frozenset[str]) -> Iterator[JobSnapshot]:
        """The Jobs of some namespaces."""
        for namespace, jobs in groupby(self._jobs, key=namespace_of):
            if namespace not in namespaces:
                continue
            pods = by_uid(self._pods.take(namespace))
            warnings = warnings_by_uid(self._warnings.take(namespace))
            reader = _NamespaceReader(self._client, namespace)
            for job in jobs:
                uid = uid_of(job)
                of_job = pods.get(uid, ())
                if selects_by_hand(job):
                    of_job = by_uid(reader.selected([job])).get(uid, ())
                yield JobSnapshot(job, of_job, warnings.get(uid, ()))


@dataclass(slots=True)
class _JobChange:
    """A Job about which something came."""

    namespace: str
    name: str
    job: Object | None = None
    deleted: bool = False
    warned: bool = False
    pods: dict[str, Object] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)


class ChangedJobs:
    """The Jobs that a batch of changes concerns, by uid."""

    def __init__(self, namespaces: frozenset[str]) -> None:
        self._namespaces = namespaces
        self._changes: dict[str, _JobChange] = {}
        self.versions: dict[str, str] = {}

    def add(self, change: WatchEvent) -> None:
        """Take note of one change."""
        if change.version:
            self.versions[change.selection.kind] = change.version
        item = change.object
        if change.verb == "BOOKMARK" or namespace_of(item) not in self._namespaces:
            return
        if change.selection == JOBS:
            job_change = self._change_of(item, name_of(item), uid_of(item))
            job_change.job, job_change.deleted = item, change.verb == "DELETED"
        elif change.selection == PODS:
            self._add_pod(item, deleted=change.verb == "DELETED")
        elif change.verb != "DELETED":  # events expire, which says nothing about the Job
            self._change_of(item, *about(item)).warned = True

    def _add_pod(self, pod: Object, *, deleted: bool) -> None:
        name, uid = job_of(pod)
        if not uid:
            return
        job_change = self._change_of(pod, name, uid)
        job_change.pods[uid_of(pod)] = pod
        if deleted and not has_ended(pod):
            job_change.removed.add(uid_of(pod))

    def _change_of(self, item: Object, name: str, uid: str) -> _JobChange:
        return self._changes.setdefault(uid, _JobChange(namespace_of(item), name))

    def jobs(self, client: KubernetesClient) -> Iterator[JobSnapshot]:
        """What there is now of each of them; those of which nothing is left are left out."""
        by_namespace: dict[str, list[tuple[str, _JobChange]]] = defaultdict(list)
        for uid, job_change in self._changes.items():
            if job_change.name:
                by_namespace[job_change.namespace].append((uid, job_change))
        for namespace, changes in by_namespace.items():
            for chunk in chunks(changes, NAMES_AT_ONCE):
                yield from _NamespaceReader(client, namespace).jobs(chunk)


class _NamespaceReader:
    """Some Jobs of one namespace, read with as few requests as will do."""

    def __init__(self, client: KubernetesClient, namespace: str) -> None:
        self._client, self._namespace = client, namespace

    def jobs(self, changes: Sequence[tuple[str, _JobChange]]) -> Iterator[JobSnapshot]:
        """What there is now."""
        known = self._objects(changes)
        present = [(uid, job_change, known[uid]) for uid, job_change in changes if uid in known]
        pods = by_uid(
            [
                *self.pods([job_change.name for _, job_change, _ in present]),
                *self.selected([job for _, _, job in present if selects_by_hand(job)]),
            ]
        )
        names_by_uid = {
            uid: job_change.name
            for uid, job_change, job in present
            if job_change.warned or is_finished(job)
        }
        warnings = warnings_by_uid(self.warnings(sorted(set(names_by_uid.values()))))
        for uid, job_change, job in present:
            merged = job_change.pods | {uid_of(pod): pod for pod in pods.get(uid, ())}
            yield JobSnapshot(
                job,
                tuple(merged.values()),
                warnings.get(uid, ()) if uid in names_by_uid else (),
                frozenset(job_change.removed),
                deleted=job_change.deleted,
            )

    def _objects(self, changes: Sequence[tuple[str, _JobChange]]) -> dict[str, Object]:
        known = {uid: job_change.job for uid, job_change in changes if job_change.job is not None}
        missing = {job_change.name for uid, job_change in changes if uid not in known}
        jobs = self._list(JOBS) if len(missing) > FEW else self._get(sorted(missing))
        for job in jobs:
            if name_of(job) in missing:
                known.setdefault(uid_of(job), job)
        return known

    def _get(self, names: Sequence[str]) -> Iterator[Object]:
        for name in names:
            try:
                yield self._client.get("Job", name, namespace=self._namespace)
            except NotFound:
                continue

    def pods(self, names: Sequence[str]) -> Iterator[Object]:
        """The pods of Jobs by name."""
        if names:
            listed = ",".join(sorted(set(names)))
            yield from self._list(Selection("Pod", labels=f"{JOB_NAME} in ({listed})"))

    def selected(self, jobs: Sequence[Object]) -> Iterator[Object]:
        """The pods of Jobs whose authors chose the labels of these: they do not carry a name."""
        selectors = sorted({selector for job in jobs if (selector := selector_of(job))})
        if len(selectors) > FEW:
            selectors = [""]
        uids: set[str] = set()
        for selector in selectors:
            for pod in self._list(Selection("Pod", labels=selector)):
                if uid_of(pod) not in uids:
                    uids.add(uid_of(pod))
                    yield pod

    def warnings(self, names: Sequence[str]) -> Iterator[Object]:
        """The warnings about Jobs by name; about many, those about all of the namespace."""
        if len(names) > FEW:
            yield from self._list(WARNINGS)
            return
        for name in names:
            fields = f"{_ABOUT_JOBS},involvedObject.name={name}"
            yield from self._list(Selection("Event", fields=fields))

    def _list(self, selection: Selection) -> Iterator[Object]:
        inside = Selection(selection.kind, self._namespace, selection.labels, selection.fields)
        for page in pages(self._client, inside):
            yield from page.objects


def read_job(client: KubernetesClient, namespace: str, name: str) -> JobSnapshot:
    """One Job by name. Raises NotFound."""
    job = client.get("Job", name, namespace=namespace)
    reader = _NamespaceReader(client, namespace)
    of_job = reader.selected([job]) if selects_by_hand(job) else reader.pods([name])
    pods = [pod for pod in of_job if job_of(pod)[1] == uid_of(job)]
    warnings = [warning for warning in reader.warnings([name]) if about(warning)[1] == uid_of(job)]
    return JobSnapshot(job, pods, warnings)
