"""Runs that belong together, over every engine, as one tree.

A run names its starter by that one's key, and a request, a trace or a chain of continued runs by
what they have in common. Whoever starts a run can write any of these: only runs of the same tenant
are ever related (or only unattributed ones), so that a label reaches nobody else's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Final

from django.db.models import Q, QuerySet

from observability.engines.contracts import LinkKind
from observability.jobs.models import JobLink, JobRun
from observability.jobs.rules.bounding import bounded_id
from tenants.models import Target

MOST_NODES: Final = 200
_ROUNDS: Final = 12
_DEEPEST: Final = 10
_LONGEST_LINK: Final = 255
_LINK_LABELS: Final = {
    LinkKind.REQUEST.value: "same request",
    LinkKind.TRACE.value: "same trace",
    LinkKind.CHAIN.value: "same chain",
}
_COLUMNS: Final = (
    *("id", "engine", "target_id", "external_id", "run_id", "location", "key", "parent_key"),
    *("tenant_id", "type", "status", "created_at", "closed_at", "duration_ms"),
)


@dataclass(slots=True)
class Node:
    """One run of the tree. `why` says how it belongs here where it is nobody's child."""

    run: JobRun
    is_current: bool
    why: str = ""
    children: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tree:
    """The roots, and how many runs are in all; `cut` when there are more than are shown."""

    roots: list[Node]
    size: int
    cut: bool = False

    @property
    def is_alone(self) -> bool:
        """Whether nothing belongs to the run."""
        return self.size == 1


def related(run: JobRun) -> Tree:
    """The tree that a run is part of: a bounded number of queries whatever is in it."""
    members: dict[int, JobRun] = {run.pk: run}
    why: dict[int, str] = {}
    frontier: list[JobRun] = [run]
    cut = False
    for _ in range(_ROUNDS):
        if not frontier or cut:
            break
        fresh = _next(run, frontier, known=members, why=why)
        room = MOST_NODES - len(members)
        cut, frontier = len(fresh) > room, fresh[:room]
        members |= {other.pk: other for other in frontier}
    return Tree(_build(run, members, why), size=len(members), cut=cut or bool(frontier))


def _next(
    run: JobRun, frontier: Collection[JobRun], *, known: dict[int, JobRun], why: dict[int, str]
) -> list[JobRun]:
    """What the runs of the frontier are related to and is not known yet: at most seven queries.

    Each asks for one thing, so that each has its index whatever else is in the table.
    """
    keys = {other.key for other in frontier} | {_without_run(other) for other in frontier}
    starters = {other.parent_key for other in frontier if other.parent_key}
    wanted = [Q(parent_key__in=sorted(keys))]
    if starters:
        wanted.append(Q(key__in=sorted(starters)))
    loose = [_any_run(key) for key in sorted(starters) if key.endswith("/")]
    if loose:
        wanted.append(reduce(or_, loose))
    fresh: dict[int, JobRun] = {}
    for condition in wanted:
        for other in _own(run).filter(condition).only(*_COLUMNS)[: MOST_NODES + 1]:
            fresh[other.pk] = other
    for other, kind in _linked(run, frontier):
        if other.pk not in fresh and other.pk not in known:
            why[other.pk] = _LINK_LABELS.get(kind, "")
        fresh[other.pk] = other
    new = [other for other in fresh.values() if other.pk not in known]
    return sorted(new, key=lambda other: (other.created_at, other.pk))


def _own(run: JobRun) -> QuerySet[JobRun]:
    """The runs that may be related: those of the same tenant, or unattributed ones alike."""
    if run.tenant_id is None:
        return JobRun.objects.filter(tenant__isnull=True)
    return JobRun.objects.filter(tenant_id=run.tenant_id)


def _without_run(run: JobRun) -> str:
    """The key by which a run is named without saying which of that id."""
    return run.key[: len(run.key) - len(run.run_id)] if run.run_id else run.key


def _any_run(key: str) -> Q:
    """Whichever run has the id that a key without a run id names."""
    engine, _, rest = key.partition("/")
    location, _, named = rest.partition("/")
    targets = Target.objects.filter(kind=engine).values("pk")
    return Q(engine=engine, target__in=targets, external_id=named[:-1], location=location)


def _linked(run: JobRun, frontier: Collection[JobRun]) -> Iterator[tuple[JobRun, str]]:
    """Runs that share a request, a trace or a chain with the frontier: four queries."""
    ids = [other.pk for other in frontier]
    shared = set(JobLink.objects.filter(run__in=ids).values_list("kind", "value"))
    firsts = sorted({value for kind, value in shared if kind == LinkKind.CHAIN})
    if firsts:
        # The first run of a chain need not know that it began one: it may have been reset since.
        for other in _own(run).filter(key__in=firsts).only(*_COLUMNS)[: MOST_NODES + 1]:
            yield other, LinkKind.CHAIN.value
    shared |= {(LinkKind.CHAIN.value, _as_first(other)) for other in frontier}
    by_kind: dict[str, list[str]] = {}
    for kind, value in sorted(shared)[: 2 * MOST_NODES]:
        by_kind.setdefault(kind, []).append(value)
    wanted = reduce(or_, (Q(kind=kind, value__in=values) for kind, values in by_kind.items()))
    own = Q(run__tenant_id=run.tenant_id) if run.tenant_id else Q(run__tenant__isnull=True)
    rows = JobLink.objects.filter(wanted, own).values_list("run_id", "kind")
    kinds = dict(rows[: 3 * (MOST_NODES + 1)])
    for other in _own(run).filter(pk__in=list(kinds)[: MOST_NODES + 1]).only(*_COLUMNS):
        yield other, kinds[other.pk]


def _as_first(run: JobRun) -> str:
    """What the runs of a chain that began with this one have in common: its key, or its digest."""
    short = len(run.key) <= _LONGEST_LINK
    value = run.key if short else hashlib.sha256(run.key.encode()).hexdigest()
    return bounded_id(value, _LONGEST_LINK)


def _build(run: JobRun, members: dict[int, JobRun], why: dict[int, str]) -> list[Node]:
    """The runs as a tree; who names itself, or a circle, becomes a root."""
    ordered = sorted(members.values(), key=lambda other: (other.created_at, other.pk))
    nodes = {other.pk: Node(other, is_current=other.pk == run.pk) for other in ordered}
    by_key: dict[str, int] = {}
    for other in ordered:
        by_key[other.key] = other.pk
        by_key[_without_run(other)] = other.pk
    parents = {
        other.pk: by_key[other.parent_key]
        for other in ordered
        if by_key.get(other.parent_key, other.pk) != other.pk
    }
    roots = []
    for other in ordered:
        parent = _ancestor(other.pk, parents)
        if parent is None:
            parents.pop(other.pk, None)
            nodes[other.pk].why = why.get(other.pk, "")
            roots.append(nodes[other.pk])
        else:
            nodes[parent].children.append(nodes[other.pk])
    return roots


def _ancestor(pk: int, parents: dict[int, int]) -> int | None:
    """The node that a run is drawn under: its parent, or higher up where the tree grows too deep;
    None for a root and where following the parents leads back."""
    path = [pk]
    while path[-1] in parents and len(path) <= MOST_NODES:
        above = parents[path[-1]]
        if above == pk:
            return None
        path.append(above)
    if len(path) == 1 or len(path) > MOST_NODES:
        return None
    depth = len(path) - 1
    return path[1] if depth < _DEEPEST else path[depth - _DEEPEST + 1]
