"""Runs that belong together, and those that only say they do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import pytest

from observability.engines.contracts import Status
from observability.jobs.models import JobRun
from observability.jobs.selectors.tree import MOST_NODES, Node, related
from tests.observability.jobs.factories import (
    after,
    make_links,
    make_run,
    make_target,
    make_tenant,
)

pytestmark = pytest.mark.django_db
Drawn = list[Any]


def drawn(nodes: Iterable[Node]) -> Drawn:
    """The tree as nested lists of types; the current run has a star."""
    return [
        [f"{node.run.type}{'*' if node.is_current else ''}", *drawn(node.children)]
        for node in nodes
    ]


def family(**shared: Any) -> tuple[JobRun, JobRun, JobRun]:
    """A workflow, the Kubernetes job that it starts, and the Argo workflow which that starts."""
    top = make_run(type="Flow", **shared)
    job = make_run(
        make_target("k8s", "kubernetes"), type="job", parent_key=top.key, created_at=after(1),
        **shared,
    )  # fmt: skip
    leaf = make_run(
        make_target("argo", "argo"), type="leaf", parent_key=job.key, created_at=after(2), **shared
    )
    return top, job, leaf


def test_parents_and_children_are_one_tree_over_engines_seen_from_anywhere() -> None:
    for run in family(tenant=make_tenant()):
        tree = related(run)
        plain = str(drawn(tree.roots)).replace("*", "")
        assert plain == "[['Flow', ['job', ['leaf']]]]"
        assert tree.size == 3


def test_unattributed_runs_are_related_to_each_other() -> None:
    top, _, _ = family()
    assert related(top).size == 3


def test_anothers_run_is_not_shown_however_it_names_itself() -> None:
    acme, globex = make_tenant("acme"), make_tenant("globex")
    ours = make_run(tenant=acme, type="ours")
    make_links(ours, trace="t-1", request="r-1")
    theirs = make_run(tenant=globex, type="theirs", parent_key=ours.key)
    make_links(theirs, trace="t-1", request="r-1")
    nobodys = make_run(type="nobody's", parent_key=ours.key)
    make_links(nobodys, trace="t-1")
    for run in (ours, theirs, nobodys):
        assert related(run).is_alone


def test_a_run_of_another_tenant_does_not_connect_two_of_ours() -> None:
    acme, globex = make_tenant("acme"), make_tenant("globex")
    ours = make_run(tenant=acme)
    between = make_run(tenant=globex, parent_key=ours.key)
    make_run(tenant=acme, parent_key=between.key)
    assert related(ours).is_alone


def test_requests_traces_and_chains_relate_too_and_say_so() -> None:
    tenant = make_tenant()
    run = make_run(tenant=tenant, type="one")
    other = make_run(tenant=tenant, type="two", created_at=after(5))
    make_links(run, trace="t-1", request="r-1")
    make_links(other, trace="t-1")
    tree = related(run)
    assert drawn(tree.roots) == [["one*"], ["two"]]
    assert tree.roots[1].why == "same trace"


@pytest.mark.parametrize("name", ["order/7", "x" * 300])
def test_a_run_that_was_reset_and_what_came_of_it_belong_together(name: str) -> None:
    """The first one said nothing of a chain: it had ended before anybody reset it."""
    first = make_run(type="first", external_id=name, run_id="a", status=Status.FAILED)
    again = make_run(type="again", external_id=name, run_id="b", created_at=after(5))
    chain = first.key if len(name) < 200 else hashlib.sha256(first.key.encode()).hexdigest()
    make_links(again, chain=chain)
    assert drawn(related(first).roots) == [["first*"], ["again"]]
    assert related(first).roots[1].why == "same chain"
    if chain == first.key:
        assert drawn(related(again).roots) == [["first"], ["again*"]]
    make_links(make_run(tenant=make_tenant()), chain=chain)
    assert related(first).size == 2


def test_the_same_value_of_another_kind_relates_nothing() -> None:
    run, other = make_run(), make_run()
    make_links(run, trace="7")
    make_links(other, request="7")
    assert related(run).is_alone


def test_a_parent_named_without_its_run_is_whichever_has_that_id() -> None:
    top = make_run(type="Flow", external_id="order/7", run_id="abc")
    child = make_run(type="child", parent_key="temporal/default/order/7/", created_at=after(1))
    assert drawn(related(child).roots) == [["Flow", ["child*"]]]
    assert drawn(related(top).roots) == [["Flow*", ["child"]]]


def test_circles_end() -> None:
    first, second, third = (
        make_run(type=name, created_at=after(n)) for n, name in enumerate("abc")
    )
    JobRun.objects.filter(pk=first.pk).update(parent_key=third.key)
    JobRun.objects.filter(pk=second.pk).update(parent_key=first.key)
    JobRun.objects.filter(pk=third.pk).update(parent_key=second.key)
    self = make_run(type="self")
    JobRun.objects.filter(pk=self.pk).update(parent_key=self.key)
    first.refresh_from_db()
    self.refresh_from_db()
    assert drawn(related(first).roots) == [["a*", ["b", ["c"]]]]
    assert drawn(related(self).roots) == [["self*"]]


def test_a_long_chain_stays_readable_and_bounded() -> None:
    parent = first = make_run(type="0")
    for number in range(1, 30):
        parent = make_run(type=str(number), parent_key=parent.key, created_at=after(number))
    tree = related(first)
    depth, nodes = 0, list(tree.roots)
    while nodes:
        depth, nodes = depth + 1, [child for node in nodes for child in node.children]
    assert depth <= 11
    assert tree.cut or tree.size == 30


def test_many_children_are_cut_and_it_is_said(django_assert_max_num_queries: Any) -> None:
    top = make_run(status=Status.RUNNING)
    rows = [make_run(parent_key=top.key) for _ in range(3)]
    JobRun.objects.bulk_create(
        JobRun(
            engine="temporal", target=top.target, external_id=f"x{n}", run_id="", key=f"k{n}",
            location="default", type="x", status="succeeded", parent_key=top.key,
            created_at=after(n), updated_at=after(n),
        )
        for n in range(MOST_NODES + 50)
    )  # fmt: skip
    with django_assert_max_num_queries(12):
        tree = related(top)
    assert tree.size == MOST_NODES
    assert tree.cut
    assert len(rows) == 3
