"""Children that say nothing of their tenant have their parent's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from observability.engines.contracts import Engine, Status
from observability.ingest.reading import Read
from observability.jobs.models import Attribution, JobRun
from tenants.models import Target
from tests.observability.jobs.factories import make_tenant
from tests.observability.jobs.fakes import ScriptedSource, look

pytestmark = pytest.mark.django_db(transaction=True)
Reading = Callable[[], Read]
PARENT = "temporal/default/parent/parent-1"
CHILD = "temporal/default/child/child-1"


def owner(name: str) -> tuple[str, str]:
    run = JobRun.objects.select_related("tenant").get(external_id=name)
    return (run.tenant.slug if run.tenant else "", run.attribution)


@pytest.mark.parametrize(
    "order", [("parent", "child", "grandchild"), ("grandchild", "child", "parent")]
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_family_belongs_to_its_oldest_run_in_whatever_order_it_is_heard_of(
    order: tuple[str, ...],
    at_once: bool,  # a parameter of pytest
    source: ScriptedSource,
    read: Reading,
    target: Target,
) -> None:
    make_tenant("acme")
    looks = {
        "parent": look("parent", tenant="acme"),
        "child": look("child", parent=PARENT),
        "grandchild": look("grandchild", parent=CHILD),
    }
    snapshots = [looks[name] for name in order]
    source.pages = [snapshots] if at_once else [[snapshot] for snapshot in snapshots]
    read()
    assert {owner(name) for name in order} == {("acme", Attribution.DECLARED.value)}


def test_it_stays_the_tenants_when_the_child_is_looked_at_again(
    source: ScriptedSource, read: Reading, target: Target
) -> None:
    make_tenant("acme")
    source.pages = [
        [look("child", parent=PARENT)],
        [look("parent", tenant="acme")],
        [look("child", Status.SUCCEEDED, "2", parent=PARENT)],
    ]
    read()
    assert owner("child") == ("acme", Attribution.DECLARED)


def test_a_child_that_names_another_tenant_is_that_tenants(
    source: ScriptedSource, read: Reading, target: Target
) -> None:
    make_tenant("acme")
    make_tenant("globex")
    source.pages = [
        [look("parent", tenant="acme"), look("child", parent=PARENT, tenant="globex")],
        [look("other", parent=PARENT, tenant="nobody")],
    ]
    read()
    assert owner("child")[0] == "globex"
    assert owner("other")[0] == ""


def test_what_a_label_calls_a_parent_hands_nothing_down(
    source: ScriptedSource, read: Reading, target: Target
) -> None:
    make_tenant("acme")
    source.engine = Engine.ARGO
    Target.objects.filter(pk=target.pk).update(kind=Engine.ARGO)
    source.pages = [
        [look("parent", tenant="acme")],
        [look("child", parent="argo/default/parent/parent-1")],
    ]
    read()
    assert owner("child") == ("", Attribution.NONE)
