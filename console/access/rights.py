"""Who may do what: one answer for pages and REST alike.

    role × scope of the token × own tenant  →  `granted`

    @requires(Permission.ADMINISTER)                      # a page
    @require_POST
    def publish(request: SignedInRequest, pk: int) -> HttpResponse:
        services.publish(actor=actor_of(request), …)

    class TenantView(APIView):                            # an endpoint (`RolePermission`)
        required_permissions = {"GET": Permission.VIEW, "POST": Permission.ADMINISTER}

    require(request, permission_for(kind))                # where it depends on what is asked for

Nobody passes without signing in. A method that an endpoint has but does not declare is denied, one
that it does not have is a 405; HEAD and OPTIONS need what GET needs. Whoever may not gets a 403,
before what was sent is looked at; an attempt to write that was refused goes to the ledger. What
belongs to tenants that somebody may not know of is not found (404): `visible_to` of its rows sees
to that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, Protocol, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django_htmx.middleware import HtmxDetails
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from console.access.contracts import Permission
from console.access.models import ApiToken, User
from console.audit import services as audit
from console.audit.models import Outcome
from console.audit.services import Actor

if TYPE_CHECKING:
    from rest_framework.views import APIView

P = ParamSpec("P")


class SignedInRequest(HttpRequest):
    """What a view behind `requires` gets: `user` is a person, `htmx` tells a partial's request."""

    user: User
    htmx: HtmxDetails


View = Callable[Concatenate[SignedInRequest, P], HttpResponseBase]
AnyView = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
AnyRequest = HttpRequest | Request


class Owned(Protocol):
    """A tenant, as far as rights go: whose it is."""

    def has_member(self, user: User) -> bool:
        """Whether this person belongs to it."""
        ...


def granted(request: AnyRequest, permission: Permission, *, own: Owned | None = None) -> bool:
    """Whether whoever asks may do what needs `permission`.

    Their role has to grant it and, where a token asks, its scope has to include it. With `own`, the
    tenant that it is about, its members may as well, whatever their role.
    """
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return False
    if user.may(permission) and _in_scope(request, permission):
        return True
    may_own = user.may(Permission.OWN) and _in_scope(request, Permission.OWN)
    return own is not None and may_own and own.has_member(user)


def require(request: AnyRequest, permission: Permission, *, own: Owned | None = None) -> None:
    """Raises PermissionDenied unless `granted`; a refused attempt to write is in the ledger."""
    if not granted(request, permission, own=own):
        _refuse(request, permission)


def requires(permission: Permission) -> Callable[[View[P]], AnyView[P]]:
    """Lets only signed-in people into a page whose role grants `permission`."""

    def decorate(view: View[P]) -> AnyView[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            user = request.user
            if not isinstance(user, User):
                return redirect_to_login(request.get_full_path())
            if user.password_is_one_time:
                return HttpResponseRedirect(reverse("access:password"))
            require(request, permission)
            return view(cast(SignedInRequest, request), *args, **kwargs)

        guarded.required_permission = permission  # type: ignore[attr-defined]  # read by tests
        return cast(AnyView[P], guarded)

    return decorate


class RolePermission(BasePermission):
    """Lets a request through to an endpoint that declares `required_permissions`, method by
    method; DRF's default permission class."""

    schema_views: ClassVar = frozenset({"SchemaView", "SpectacularSwaggerSplitView"})

    def has_permission(self, request: Request, view: APIView) -> bool:
        """False without a sign-in; raises PermissionDenied without the right or a declaration,
        MethodNotAllowed where there is no such method."""
        user = request.user
        if not isinstance(user, User) or user.password_is_one_time:
            return False
        needed = self._needed(request, view)
        if needed is None and not hasattr(view, str(request.method).lower()):
            raise MethodNotAllowed(str(request.method))
        if needed is None:
            _refuse(request, None)
        else:
            require(request, needed)
        return True

    def _needed(self, request: Request, view: APIView) -> Permission | None:
        if type(view).__name__ in self.schema_views:
            return Permission.VIEW
        declared: dict[str, Permission] = getattr(view, "required_permissions", {})
        method = "GET" if request.method in SAFE_METHODS else str(request.method)
        return declared.get(method)


def person_of(request: AnyRequest) -> User:
    """Who asks. Raises PermissionDenied for whoever has not signed in."""
    user = request.user
    if not isinstance(user, User):
        raise PermissionDenied("Sign in first.")
    return user


def actor_of(request: AnyRequest) -> Actor:
    """Who acts in this request, for the ledger: an API token when one was used, else the person."""
    user, token = person_of(request), _token_of(request)
    return Actor.key(user, token.name) if token else Actor.person(user)


def _token_of(request: Any) -> ApiToken | None:
    """The token that was sent: DRF notes it on its own request and on Django's."""
    token = getattr(request, "auth", None)
    return token if isinstance(token, ApiToken) else None


def _in_scope(request: AnyRequest, permission: Permission) -> bool:
    token = _token_of(request)
    return token is None or token.allows(permission)


def _refuse(request: AnyRequest, needed: Permission | None) -> None:
    if request.method not in SAFE_METHODS:
        audit.record(
            actor=actor_of(request),
            action="access.refused",
            object_type="endpoint" if isinstance(request, Request) else "page",
            object_id=request.path[:64],
            object_label=f"{request.method} {request.path}",
            outcome=Outcome.REFUSED,
            message=f"Needs the permission {needed}." if needed else "Not declared.",
        )
    raise PermissionDenied(_why_not(request, needed))


def _why_not(request: AnyRequest, needed: Permission | None) -> str:
    if needed is None:
        return f"{request.method} is not open to anybody here."
    if not _in_scope(request, needed):
        return (
            f"This token's scope does not include “{needed.label}”; issue one with a wider scope."
        )
    return f"Your role does not include “{needed.label}”."
