"""The gate in front of every page: who may see and do what.

    @requires(Permission.VIEW)
    def tenant_list(request: SignedInRequest) -> HttpResponse: ...

    @requires(Permission.ADMINISTER)
    @require_POST
    def publish(request: SignedInRequest, pk: int) -> HttpResponse:
        services.publish(actor=actor_of(request), …)

Nobody passes without signing in; a role that lacks the permission gets the 403 page, and an
attempt to write (anything but GET and HEAD) that was refused goes to the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django_htmx.middleware import HtmxDetails

from console.access.models import ApiToken, Permission, User
from console.audit import services as audit
from console.audit.models import Outcome
from console.audit.services import Actor

P = ParamSpec("P")

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class SignedInRequest(HttpRequest):
    """What a view behind the gate gets: `user` is a person, `htmx` tells a partial's request."""

    user: User
    htmx: HtmxDetails


View = Callable[Concatenate[SignedInRequest, P], HttpResponseBase]
AnyView = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def requires(permission: Permission) -> Callable[[View[P]], AnyView[P]]:
    """Lets only signed-in people whose role grants `permission` into the view."""

    def decorate(view: View[P]) -> AnyView[P]:
        @wraps(view)
        def gated(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            user = request.user
            if not isinstance(user, User):
                return redirect_to_login(request.get_full_path())
            if user.password_is_one_time:
                return HttpResponseRedirect(reverse("access:password"))
            if not user.may(permission):
                refuse(request, permission=permission)
            return view(cast(SignedInRequest, request), *args, **kwargs)

        gated.required_permission = permission  # type: ignore[attr-defined]  # read by tests
        return cast(AnyView[P], gated)

    return decorate


def refuse(request: HttpRequest, *, permission: Permission) -> None:
    """Writes a refused attempt to change something to the ledger, and raises PermissionDenied."""
    message = f"Your role does not include “{permission.label}”."
    if request.method not in _SAFE:
        audit.record(
            actor=actor_of(request),
            action="access.refused",
            object_type="page",
            object_id=request.path[:64],
            object_label=f"{request.method} {request.path}",
            outcome=Outcome.REFUSED,
            message=f"Needs the permission {permission.value}.",
        )
    raise PermissionDenied(message)


def actor_of(request: HttpRequest | Any) -> Actor:
    """Who acts in this request, for the ledger: an API token when one was used, else the person.

    Takes Django's requests and DRF's alike.
    """
    user = request.user
    if not isinstance(user, User):
        raise PermissionDenied("Sign in first.")
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken):
        return Actor.key(user, token.name)
    return Actor.person(user)
