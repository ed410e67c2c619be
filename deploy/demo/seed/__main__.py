"""Fills an empty Headroom with the sample platform, through the same verbs that the pages use.

Run by `make demo` as `python -m deploy.demo.seed` once its servers answer. Doing it again
changes nothing but the addresses of the targets, which may have moved to other ports.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup()

from django.utils import timezone  # noqa: E402 - Django has to be set up first
from kubernetes import client as kube  # noqa: E402
from kubernetes import config as kube_config  # noqa: E402

from console.access.models import Role, User  # noqa: E402
from console.audit.services import Actor  # noqa: E402
from deploy.demo.sample import (  # noqa: E402
    ARGO,
    CELERY,
    CLUSTER,
    TEMPORAL,
    Sample,
    SampleTenant,
    load,
)
from deploy.demo.seed.usage_history import trails  # noqa: E402
from deploy.demo.workloads.namespaces import create_job, is_ours  # noqa: E402
from quotas.changes.kinds.adjustments import GrantLease  # noqa: E402
from quotas.changes.kinds.change import ProposedChange  # noqa: E402
from quotas.changes.kinds.lifecycle import Onboard, Suspend  # noqa: E402
from quotas.changes.kinds.placements import Place  # noqa: E402
from quotas.changes.kinds.plans import MovePlan  # noqa: E402
from quotas.changes.services import proposals  # noqa: E402
from quotas.enforcement.adapters.registry import adapter_for, kinds  # noqa: E402
from quotas.enforcement.models import OPEN_STATES, RolloutItem  # noqa: E402
from quotas.enforcement.reconcile.planning import target_ref  # noqa: E402
from quotas.enforcement.reconcile.probe import probe  # noqa: E402
from quotas.enforcement.reconcile.queue import process_queue  # noqa: E402
from quotas.enforcement.reconcile.sweep import sweep  # noqa: E402
from quotas.plans.models import Plan  # noqa: E402
from quotas.plans.rules.defaults import with_defaults  # noqa: E402
from quotas.plans.rules.soundness import parse_limits  # noqa: E402
from quotas.plans.services.plans import create_plan  # noqa: E402
from tenants.models import DriftPolicy, Placement, Target, Tenant  # noqa: E402
from tenants.services.governance import create_target, update_target  # noqa: E402

ACTOR = Actor.command("demo")
REASON = "Sample platform of make demo"
PEOPLE = ((Role.ADMIN, "admin"), (Role.OPERATOR, "operator"), (Role.VIEWER, "viewer"))


def people(file: Path) -> None:
    """One person per role; their passwords are made once and kept in `file`, readable by you."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    passwords = {entry["username"]: entry["password"] for entry in known}
    entries = []
    for role, name in PEOPLE:
        password = passwords.get(name) or secrets.token_urlsafe(9)
        user, _ = User.objects.get_or_create(username=name, defaults={"role": role})
        if not user.check_password(password):
            user.set_password(password)
            user.save()
        entries.append({"username": name, "password": password, "role": role.value})
    file.touch(mode=0o600)
    file.write_text(json.dumps(entries, indent=1), encoding="utf-8")


def targets(sample: Sample, kubeconfig: str, address: str) -> None:
    """The cluster and the Temporal namespace, at their addresses of this run."""
    wanted = sample.targets(
        kubeconfig,
        address,
        os.environ["HEADROOM_DEMO_CELERY"],
        os.environ["HEADROOM_DEMO_TEMPORAL_UI"],
        _argo_server(),
    )
    for slug, settings in wanted.items():
        target = Target.objects.filter(slug=slug).first()
        if target is None:
            create_target(slug=slug, kinds=kinds(), actor=ACTOR, reason=REASON, **settings)
        elif moved := _moved(target, settings):
            update_target(
                target=target,
                expected_generation=target.generation,
                actor=ACTOR,
                reason="The demo's servers listen on other ports now",
                **moved,
            )
    for target in Target.objects.filter(slug__in=wanted):
        probe(target.pk)
        adapter_for(target.kind).prepare(target=target_ref(target))


_PLACES = frozenset({"ui_url", "argo_server", "argo_server_token"})


def _argo_server() -> dict[str, str]:
    """Options of the Argo target, where the demo has an Argo server."""
    server = os.environ.get("HEADROOM_DEMO_ARGO_SERVER", "")
    if not server:
        return {}
    return {"argo_server": server, "argo_server_token": os.environ["HEADROOM_DEMO_ARGO_TOKEN"]}


def _moved(target: Target, settings: dict[str, Any]) -> dict[str, Any]:
    """Those of a target's addresses that are other ones in this run; the rest stays as edited."""
    moved = {
        name: settings[name]
        for name in ("endpoint", "credential")
        if name in settings and getattr(target, name) != settings[name]
    }
    places = {
        name: value
        for name, value in settings.get("options", {}).items()
        if name in _PLACES and target.options.get(name) != value
    }
    if places:
        moved["options"] = {**target.options, **places}
    return moved


def plans(sample: Sample) -> None:
    """The three plans, version 1 each."""
    for slug, entry in sample.plans.items():
        if Plan.objects.filter(slug=slug).exists():
            continue
        limits = with_defaults(parse_limits(entry["limits"]))
        create_plan(
            slug=slug,
            name=entry["name"],
            description=entry["description"],
            limits=limits,
            actor=ACTOR,
            reason=REASON,
        )


def do(change: ProposedChange, reason: str = REASON) -> None:
    """Proposes, previews and applies, as a person would."""
    proposals.apply_at_once(change=change, reason=reason, actor=ACTOR)


def settle(seconds: float = 60) -> None:
    """Pushes what waits, here and now: the worker may not be up yet, or be at it already."""
    deadline = time.monotonic() + seconds
    waiting = RolloutItem.objects.filter(state__in=OPEN_STATES)
    while waiting.exists() and time.monotonic() < deadline:
        for target in Target.objects.all():
            process_queue(target.pk)
        time.sleep(0.1)


def onboard(sample: Sample, tenant: SampleTenant) -> None:
    """A tenant with its plan, a namespace, and its place on a queue."""
    if tenant.queue:
        queue = Place(tenant.slug, TEMPORAL, tenant.queue)
    else:
        queue = Place(tenant.slug, TEMPORAL, sample.shared_queue, "shared", tenant.slug)
    tasks = (Place(tenant.slug, CELERY, tenant.task_queue),) if tenant.task_queue else ()
    flows = (Place(tenant.slug, ARGO, tenant.slug),) if tenant.flows_per_minute else ()
    do(
        Onboard(
            slug=tenant.slug,
            name=tenant.name,
            plan=tenant.plan,
            contact=f"platform@{tenant.slug}.example",
            group=f"{tenant.slug}-devs",
            labels=tenant.labels,
            placements=(Place(tenant.slug, CLUSTER, tenant.slug), queue, *tasks, *flows),
        )
    )


def steady_job(tenant: SampleTenant) -> dict[str, Any]:
    """A Job whose pods keep running, so that something of the quota is always used."""
    pods, cpu, memory = tenant.steady
    resources = {"cpu": cpu, "memory": memory}
    container = {
        "name": "serve",
        "image": "example.invalid/serve:1",
        "resources": {"requests": resources, "limits": resources},
    }
    return {
        "metadata": {"name": "serve", "labels": {"app": "serve"}},
        "spec": {
            "parallelism": pods,
            "completions": pods,
            "template": {
                "metadata": {"annotations": {"headroom.dev/runs-for": "720h"}},
                "spec": {"restartPolicy": "Never", "containers": [container]},
            },
        },
    }


def start_steady(kubeconfig: str, sample: Sample) -> None:
    """Starts the steady pods and waits (30 s at most) until the quotas have counted them."""
    untyped: Any = kube_config
    api = untyped.new_client_from_config(config_file=kubeconfig)
    steady = [tenant for tenant in sample.tenants if tenant.steady[0]]
    started = [tenant for tenant in steady if create_job(api, tenant.slug, steady_job(tenant))]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and any(_uncounted(api, started)):
        time.sleep(0.5)


def _uncounted(api: Any, tenants: Sequence[SampleTenant]) -> Iterator[str]:
    """Those of the tenants whose quota does not show all of their steady pods yet."""
    listed: Any = kube.CoreV1Api(api).list_resource_quota_for_all_namespaces(_request_timeout=10)
    used = {
        quota.metadata.namespace: int((quota.status.used or {}).get("pods", 0))
        for quota in listed.items
        if quota.metadata.name == "headroom"
    }
    for tenant in tenants:
        if used.get(tenant.slug, 0) < tenant.steady[0]:
            yield tenant.slug


def stories(kubeconfig: str, sample: Sample) -> None:
    """What happened on this platform lately: a downgrade, a suspension, a lease, a hand edit."""
    for tenant in sample.tenants:
        if tenant.story == "downgrade":
            do(MovePlan((tenant.slug,), tenant.downgrade_to), "Contract changed, see SALES-118")
        elif tenant.story == "suspend":
            do(Suspend((tenant.slug,)), "Invoice overdue for 60 days")
        elif tenant.story == "lease":
            until = timezone.now() + timedelta(hours=6)
            change = GrantLease((tenant.slug,), "requests.cpu", 6000, until)
            do(change, "Load test before the Black Friday release")
    settle()
    for tenant in sample.tenants:
        if tenant.story == "drift":
            _edit_by_hand(kubeconfig, tenant.slug)


def _edit_by_hand(kubeconfig: str, slug: str) -> None:
    """What somebody did with kubectl at night; held for a person, so that it stays to be seen."""
    placed = Placement.objects.filter(tenant__slug=slug, target__slug=CLUSTER)
    placed.update(drift_policy=DriftPolicy.HOLD)
    untyped: Any = kube_config
    api = untyped.new_client_from_config(config_file=kubeconfig)
    if not is_ours(api, slug):
        return
    core: Any = kube.CoreV1Api(api)
    core.patch_namespaced_resource_quota(
        "headroom",
        slug,
        {"spec": {"hard": {"requests.cpu": "12"}}},
        field_manager="kubectl-edit",
        _request_timeout=10,
    )


def main() -> None:
    """Seeds what is missing and says what it does."""
    sample = load()
    kubeconfig = os.environ["HEADROOM_DEMO_KUBECONFIG"]
    people(Path(os.environ["HEADROOM_DEMO_CREDENTIALS"]))
    targets(sample, kubeconfig, os.environ["HEADROOM_DEMO_TEMPORAL"])
    if Tenant.objects.exists():
        print("The sample platform is there already.", flush=True)
        return
    plans(sample)
    for tenant in sample.tenants:
        onboard(sample, tenant)
        print(f"On-boarded {tenant.slug}.", flush=True)
    settle()
    start_steady(kubeconfig, sample)
    stories(kubeconfig, sample)
    for target in Target.objects.all():
        sweep(target.pk, force=True)
    trails()
    print("The sample platform is ready.", flush=True)


if __name__ == "__main__":
    main()
    # Threads of the Temporal SDK can crash the interpreter on its way out (seen on 3.11.7).
    os._exit(0)
