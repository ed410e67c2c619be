"""Who asks, and one of everything that belongs to a tenant, for acme and for globex."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import models
from django.test import Client
from django.utils import timezone

from console.access.models import ApiToken, Role, SavedLink, TokenScope, User
from console.audit import services as audit
from console.audit.services import Actor
from observability.actions.models import Action, ActionItem
from observability.engines.contracts import EventKind, LinkKind
from observability.jobs.models import JobDocument, JobLink
from observability.replays.models import BundleKind, Replay, ReplayResult, WorkflowBundle
from observability.usage.models import UsageSamples
from quotas.changes.models import Proposal
from quotas.enforcement.models import (
    Drift,
    PlacementState,
    Rollout,
    RolloutItem,
    TargetState,
    TenantState,
)
from quotas.plans.models import Lease, Override, PlanVersion, Subscription, Suspension
from quotas.plans.services.plans import create_plan
from tenants.models import Membership, Placement, Target, Tenant, UnreadableObject
from tests.observability.jobs.factories import make_events, make_run, seen

OWN, FOREIGN = "acme", "globex"
ROLES = {
    "admin": Role.ADMIN,
    "operator": Role.OPERATOR,
    "viewer": Role.VIEWER,
    "member": Role.NOBODY,
    "member of another": Role.NOBODY,
}
SIGNED_OUT = "signed out"
SESSION = "session"
CREDENTIALS = (SESSION, *TokenScope.values)


@dataclass(frozen=True)
class World:
    """`clients` by role and credential, `rows` by tenant and model name; `shared` is nobody's."""

    clients: dict[tuple[str, str], Client]
    rows: dict[str, dict[str, models.Model]]
    shared: dict[str, Any]


def build() -> World:
    """Everything, in the database of this test."""
    people = {who: User.objects.create_user(who, role=role) for who, role in ROLES.items()}
    alice = Actor.person(people["admin"])
    version = create_plan(
        slug="standard", name="Standard", limits={"pods": 100}, actor=alice, reason="first plan"
    )
    target = Target.objects.create(slug="lab", name="Lab", kind="kubernetes")
    TargetState.objects.create(target=target)
    bundle = WorkflowBundle.objects.create(
        name="flows", version="1", kind=BundleKind.MODULE, modules=["m"], workflows=["W"],
        isolated=True, reason="for a test", created_at=timezone.now(),
    )  # fmt: skip
    rows = {
        slug: belongings(slug, people[who], version, target, bundle)
        for slug, who in ((OWN, "member"), (FOREIGN, "member of another"))
    }
    nobody = User.objects.create_user("nobody")
    token = ApiToken.objects.create(
        user=nobody, name="theirs", prefix="hr_x", digest="x", scope=TokenScope.READ
    )
    saved = SavedLink.objects.create(user=nobody, place="jobs", name="mine", query="x")
    shared = {"plan": version.plan, "target": target, "bundle": bundle, "person": nobody}
    shared |= {"token": token, "saved": saved}
    return World(_clients(people), rows, shared)


def _clients(people: dict[str, User]) -> dict[tuple[str, str], Client]:
    clients = {(SIGNED_OUT, SESSION): Client()}
    for who, user in people.items():
        clients[who, SESSION] = Client()
        clients[who, SESSION].force_login(user)
        for scope in TokenScope.values:
            token = ApiToken.issue(user=user, name=scope, scope=scope)
            clients[who, scope] = Client(headers={"Authorization": f"Bearer {token}"})
    for client in clients.values():
        client.raise_request_exception = False
    ApiToken.objects.update(last_used_at=timezone.now())  # no cell has to note its use
    return clients


def belongings(
    slug: str, member: User, version: PlanVersion, target: Target, bundle: WorkflowBundle
) -> dict[str, models.Model]:
    """One row of every model that leads to a tenant, by the model's name."""
    now = timezone.now()
    tenant = Tenant.objects.create(slug=slug, name=slug.title())
    made: list[models.Model] = [tenant]
    made.append(Membership.objects.create(tenant=tenant, user=member))
    place = Placement.objects.create(tenant=tenant, target=target, location=slug)
    made += [place, *_of_quotas(tenant, place, version, member)]
    run = make_run(target, tenant=tenant, external_id=f"{slug}-job")
    make_events(run, [seen(1, EventKind.STARTED)])
    made += [run, run.events.get()]
    made.append(JobLink.objects.create(run=run, kind=LinkKind.TRACE, value=slug))
    made.append(JobDocument.objects.create(run=run, sha256=slug, media="text/plain", size=1))
    action = Action.objects.create(
        run=run, label=slug, target=target, tenant=tenant, engine=run.engine, verb="cancel",
        reason="because", actor_kind="person", actor="olga", created_at=now,
    )  # fmt: skip
    made += [action, ActionItem.objects.create(action=action, run=run, label=slug)]
    replay = Replay.objects.create(bundle=bundle, selection=slug, total=1, created_at=now)
    made += [replay, ReplayResult.objects.create(replay=replay, run=run)]
    return {type(row).__name__: row for row in made}


def _of_quotas(
    tenant: Tenant, place: Placement, version: PlanVersion, member: User
) -> list[models.Model]:
    now, later = timezone.now(), timezone.now() + timedelta(hours=1)
    why: dict[str, Any] = {"tenant": tenant, "reason": "because", "author": "ann"}
    pods: dict[str, Any] = {"key": "pods", "value": 120, "starts_at": now}
    rollout = Rollout.objects.create(kind="change", title=tenant.slug, actor="ann", total=1)
    seen_there: dict[str, Any] = {"tenant": tenant, "target": place.target, "placement": place}
    entry = audit.record(
        actor=Actor.command("test"), action="tenant.create", object_type="tenant",
        object_id=tenant.pk, object_label=tenant.slug, tenant=tenant.slug,
    )  # fmt: skip
    return [
        Subscription.objects.create(tenant=tenant, version=version, starts_at=now),
        Lease.objects.create(**why, **pods, ends_at=later),
        Override.objects.create(**why, **pods),
        Suspension.objects.create(**why, starts_at=now, ends_at=now),
        rollout,
        RolloutItem.objects.create(rollout=rollout, generation=1, **seen_there),
        PlacementState.objects.create(placement=place),
        TenantState.objects.create(tenant=tenant),
        Drift.objects.create(found_at=now, **seen_there),
        UnreadableObject.objects.create(
            tenant=tenant,
            target=place.target,
            reader="jobs",
            kind="Workflow",
            name=tenant.slug,
            problem="odd",
            first_at=now,
            last_at=now,
        ),
        Proposal.objects.create(
            kind="Suspend", payload={"tenants": [tenant.slug]}, title="Suspend", author=member
        ),
        UsageSamples.objects.create(placement=place, slot=1),
        entry,
    ]
