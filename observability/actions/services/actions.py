"""One action on one run: asked, written down, tried, and what came of it written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from console.audit.services import Actor, require_reason
from console.errors import Conflict, DomainError, ExternalError, NotFound, Refused
from console.pages.visible import visible
from console.request import current_request_id
from console.unstructured import clean
from observability.actions.models import OPEN, Action, ActionStatus
from observability.actions.rules.arguments import read_arguments
from observability.actions.selectors.facts import facts_of, offers, ref_of
from observability.actions.services.records import (
    OUTCOMES,
    email_of,
    ledger_entry,
    record_in_trail,
)
from observability.engines.catalogue import find_verb, verbs_of
from observability.engines.contracts import STATUS_LABELS, Status
from observability.engines.registry import adapter_for
from observability.engines.verbs import ActionRequest, Answer, Availability, RunFacts, Verb, find
from observability.jobs.models import JobRun
from observability.jobs.rules.bounding import bounded_detail
from tenants.models import Target

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(seconds=120)
"""Longer than any single call may take: an action held for longer has lost its process."""
UNANSWERED: Final = "It may have been carried out or not: look at the run before asking again."


@dataclass(frozen=True, slots=True)
class ActionCommand:
    """What somebody asks for. `seen_status` is the status that the run had on their
    screen, `confirm` the id that they typed."""

    verb: str
    reason: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    confirm: str = ""
    seen_status: str = ""


def act(*, run: JobRun, command: ActionCommand, actor: Actor) -> Action:
    """Asks and carries out at once. Raises DomainError as `ask` does; whatever the engine says is
    in the action's status and message."""
    action = ask(run=run, command=command, actor=actor, now=timezone.now())
    return carry_out(action=action)


def ask(*, run: JobRun, command: ActionCommand, actor: Actor, now: datetime) -> Action:
    """Writes the action and its first ledger entry, before anything is tried.

    Raises DomainError: `unknown_verb`, `invalid` (arguments), `reason_required`,
    `confirm_required`, or with status 409 `run_changed`, `not_possible`, `order_under_way`.
    """
    verb = verb_of(run.engine, command.verb)
    reason = require_reason(command.reason)
    arguments = read_arguments(verb, command.arguments)
    require_possible(run, command.verb, seen_status=command.seen_status)
    if verb.destructive and _typed(command.confirm) not in _typed_names(run):
        raise DomainError(
            "confirm_required",
            f"confirm: {command.confirm[:80]!r} is not the run's id; type {run.external_id} to say "
            f"that you mean it: {verb.label.lower()} cannot be taken back.",
            field="confirm",
        )
    action = Action(
        run=run,
        label=run.external_id,
        target=run.target,
        tenant=run.tenant,
        engine=run.engine,
        verb=verb.name,
        arguments=arguments,
        reason=reason,
        actor_kind=actor.kind,
        actor=actor.name,
        user=actor.user,
        request_id=current_request_id.get(),
        created_at=now,
        total=1,
    )
    try:
        # Durable: whoever calls this in a transaction would try it before it is written down.
        with transaction.atomic(durable=True):
            action.save(force_insert=True)
            ledger_entry(action, step="asked", message="Asked, not tried yet.", now=now).save(
                force_insert=True
            )
    except IntegrityError:
        raise _under_way(run) from None
    return action


def carry_out(*, action: Action) -> Action:
    """Does what was asked, once, and writes down the answer. The action as it is then."""
    now = timezone.now()
    if not Action.objects.start(pk=action.pk, now=now, until=now + LEASE):
        action.refresh_from_db()
        return action
    # As it is now: somebody else may have ended it since it was asked.
    run = reload_run(action.run_id)
    request = action.request(email=email_of(action.user))
    status, answer = attempt(run, action.verb, request)
    settle(action=action, run=run, status=status, answer=answer)
    action.refresh_from_db()
    return action


def attempt(run: JobRun | None, verb: str, request: ActionRequest) -> tuple[ActionStatus, Answer]:
    """Tries it, outside of any transaction. Whatever goes wrong is an outcome with its words."""
    if run is None:
        return ActionStatus.REFUSED, Answer("The run is not kept here any more.")
    try:
        facts = require_possible(run, verb)
    except DomainError as error:
        return ActionStatus.REFUSED, Answer(error.message)
    return perform(facts, run.target, request)


def perform(facts: RunFacts, target: Target, request: ActionRequest) -> tuple[ActionStatus, Answer]:
    """Has the engine do it. Whatever it says, or does not, is an outcome with its words, in
    characters that both databases keep."""
    status, answer = _call_engine(facts, target, request)
    return status, Answer(clean(answer.message), bounded_detail(answer.result))


def _call_engine(
    facts: RunFacts, target: Target, request: ActionRequest
) -> tuple[ActionStatus, Answer]:
    try:
        answer = adapter_for(facts.engine).controls.perform(
            run=facts, target=ref_of(target), request=request
        )
    except (Refused, NotFound, Conflict) as error:
        return ActionStatus.REFUSED, Answer(f"{target.slug} refused: {error.message}")
    except ExternalError as error:
        message = f"{target.slug} did not do it: {error.message}"
        if error.code == "unreachable":
            message = f"{target.slug} did not answer: {error.message}. {UNANSWERED}"
        return ActionStatus.FAILED, Answer(message)
    except Exception as error:  # the action must not stay open for a fault of ours
        log.exception("action.failed", verb=request.verb, run=facts.id)
        return ActionStatus.UNKNOWN, Answer(
            f"Headroom itself failed ({type(error).__name__}). {UNANSWERED}"
        )
    return ActionStatus.DONE, answer


def settle(*, action: Action, run: JobRun | None, status: ActionStatus, answer: Answer) -> bool:
    """Writes the outcome to the action, the ledger and the run's trail; False when it has one. An
    answer that comes after the action was given up for unknown still counts."""
    now = timezone.now()
    late = action_status(action) == ActionStatus.UNKNOWN
    with transaction.atomic():
        changed = Action.objects.filter(
            pk=action.pk, status__in=[*OPEN, *([ActionStatus.UNKNOWN] if late else [])]
        ).update(
            status=status,
            message=answer.message,
            result=dict(answer.result),
            finished_at=now,
            claim="",
            claimed_until=None,
            done=int(status == ActionStatus.DONE),
            bad=int(status != ActionStatus.DONE),
        )
        if not changed:
            return False
        outcome = OUTCOMES[status]
        ledger_entry(action, outcome=outcome, message=answer.message, now=now).save(
            force_insert=True
        )
        if run is not None:
            record_in_trail(action, run, status=status, message=answer.message, now=now, late=late)
    return True


def reload_run(run_id: int | None) -> JobRun | None:
    """The run as it is now; None when it is not kept any more."""
    if run_id is None:
        return None
    return JobRun.objects.select_related("target", "tenant").filter(pk=run_id).first()


def action_status(action: Action) -> str:
    """The status in the database now."""
    return str(Action.objects.values_list("status", flat=True).get(pk=action.pk))


def verb_of(engine: str, name: str) -> Verb:
    """The verb of that name. Raises DomainError("unknown_verb") with those there are."""
    verb = find_verb(engine, name)
    if verb is None:
        known = ", ".join(other.name for other in verbs_of(engine))
        raise DomainError(
            "unknown_verb", f"verb: {name[:80]!r} is none of {engine}; use {known}.", field="verb"
        )
    return verb


def require_possible(run: JobRun, name: str, *, seen_status: str = "") -> RunFacts:
    """The run's facts. Raises DomainError 409 when the verb does not fit it now."""
    if seen_status and seen_status != run.status:
        raise DomainError(
            "run_changed",
            f"The run was {_status_label(seen_status)} when you looked and is "
            f"{_status_label(run.status)} now. Nothing was done; reload the page and decide again.",
            status=409,
        )
    facts = facts_of(run)
    offered = find(offers(run, facts), name)
    if offered is None or offered.why_not:
        raise DomainError("not_possible", _refusal(offered), status=409)
    return facts


def _refusal(offered: Availability | None) -> str:
    if offered is None:
        return "Nothing of the kind can be done to this run."
    return f"{offered.verb.label} is not possible now. {offered.why_not}"


def _status_label(status: str) -> str:
    return STATUS_LABELS[Status(status)].lower() if status in set(Status) else status[:20]


def _typed_names(run: JobRun) -> set[str]:
    """The run's id as it is, and as it is shown."""
    return {_typed(run.external_id), _typed(visible(run.external_id))}


def _typed(name: str) -> str:
    """A name as a field can hold it: line breaks and blanks around it get lost in one."""
    return "".join(name.split())


def _under_way(run: JobRun) -> DomainError:
    other = Action.objects.open().filter(run=run, selection="").first()
    who = f"{other.actor} asked for “{other.what}”" if other else "Somebody else asked for it"
    return DomainError(
        "order_under_way",
        f"{who} a moment ago and the engine has not answered yet. Wait for that, then look again.",
        status=409,
    )
