"""One of everything that can hang on a run."""

from __future__ import annotations

from django.utils import timezone

from console.access.models import Role, User
from console.audit.services import Actor
from observability.actions.models import Action
from observability.engines.contracts import EventKind, LinkKind
from observability.jobs.models import JobLink, JobRun
from observability.replays.models import BundleKind, WorkflowBundle
from observability.replays.services import replays
from tests.observability.jobs.factories import make_events, seen


def one_of_each(run: JobRun, secret: str) -> dict[str, int]:
    """An event, a link, an action and a replay with its bundle; the ids of them and of the run, by
    name. Every text that may hold `secret` holds it."""
    JobLink.objects.create(run=run, kind=LinkKind.TRACE, value="4bf9")
    make_events(run, [seen(1, EventKind.STARTED)])
    action = Action.objects.create(
        run=run, label=secret, target=run.target, tenant=run.tenant, engine=run.engine,
        verb="cancel", reason=secret, actor_kind="person", actor="olga", created_at=timezone.now(),
    )  # fmt: skip
    bundle = WorkflowBundle.objects.create(
        name="flows", version="1", kind=BundleKind.MODULE, modules=["m"], workflows=["W"],
        isolated=True, reason="for a test", created_at=timezone.now(),
    )  # fmt: skip
    asker = Actor.person(User.objects.create_user("asker", role=Role.OPERATOR))
    replay = replays.ask(bundle=bundle, runs=[run], selection=secret, actor=asker)
    return {
        "run": run.pk, "event": run.events.get().pk, "action": action.pk, "replay": replay.pk,
        "bundle": bundle.pk,
    }  # fmt: skip
