"""Pages about who may come in: sign-in, my account, people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from console.access import services
from console.access.contracts import Permission
from console.access.forms import (
    PasswordForm,
    PersonForm,
    ReasonForm,
    RoleForm,
    SignInForm,
    TokenForm,
)
from console.access.models import ApiToken, User
from console.access.rights import SignedInRequest, actor_of, requires
from console.errors import DomainError
from console.pages.addresses import own_path
from console.pages.forms import bound_data


@login_not_required
@never_cache
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Signs in. A partial that is sent here (session over) makes the whole page come here."""
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(
            f"{request.path}?{urlencode({'next': _where_from(request)})}"
        )
    form = SignInForm(request, data=bound_data(request))
    if request.method == "POST" and form.is_valid():
        login(request, form.get_user())
        return HttpResponseRedirect(_next_url(request))
    context = {"form": form, "next": request.GET.get("next", ""), "demo": settings.DEMO}
    return render(request, "access/sign_in.html", context, status=422 if form.errors else 200)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends the session."""
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@never_cache
def account(request: SignedInRequest) -> HttpResponse:
    """My account: my role, my password, my API tokens. The only page without a console role."""
    if request.user.password_is_one_time:
        return redirect("access:password")
    form = TokenForm(bound_data(request))
    plain = ""
    if request.method == "POST" and form.is_valid():
        days = form.cleaned_data["days"]
        plain = services.issue_token(
            actor=actor_of(request),
            user=request.user,
            name=form.cleaned_data["name"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
            scope=form.cleaned_data["scope"],
        )
        form = TokenForm()
    tokens = request.user.api_tokens.filter(revoked_at__isnull=True).order_by("-created_at")
    context = {"form": form, "plain": plain, "tokens": tokens, "now": timezone.now()}
    return render(request, "access/account.html", context, status=422 if form.errors else 200)


@require_POST
def revoke_token(request: SignedInRequest, pk: int) -> HttpResponse:
    """Ends one of my own tokens."""
    token = get_object_or_404(ApiToken, pk=pk, user=request.user)
    services.revoke_token(actor=actor_of(request), token=token)
    messages.success(request, f"Token “{token.name}” is revoked.")
    return redirect("access:account")


@never_cache
@sensitive_post_parameters("current", "new")
def password(request: SignedInRequest) -> HttpResponse:
    """My password; whoever has a one-time password gets no further than here."""
    form = PasswordForm(bound_data(request))
    if request.method == "POST" and form.is_valid():
        change = {"current": form.cleaned_data["current"], "new": form.cleaned_data["new"]}
        if _done(
            form,
            lambda: services.change_password(actor=actor_of(request), user=request.user, **change),
        ):
            update_session_auth_hash(request, request.user)
            messages.success(request, "Your password is changed.")
            return redirect("access:account")
    status = 422 if form.errors else 200
    return render(request, "access/password.html", {"form": form}, status=status)


@requires(Permission.ADMINISTER)
@require_GET
def people(request: SignedInRequest) -> HttpResponse:
    """Everybody who can sign in."""
    rows = User.objects.order_by("-is_active", "username")
    return render(request, "access/people.html", {"people": rows})


@requires(Permission.ADMINISTER)
@never_cache
def invite(request: SignedInRequest) -> HttpResponse:
    """A new person; the one-time password is shown once."""
    form = PersonForm(bound_data(request))
    made: list[Any] = []
    if request.method == "POST" and form.is_valid():
        person = form.cleaned_data
        if _done(
            form,
            lambda: made.extend(services.create_user(actor=actor_of(request), **person)),
        ):
            context = {"person": made[0], "password": made[1]}
            return render(request, "access/one_time_password.html", context)
    context = {"form": form, "title": "Invite a person", "button": "Create with one-time password"}
    return render(request, "access/person_form.html", context, status=422 if form.errors else 200)


@requires(Permission.ADMINISTER)
def change_role(request: SignedInRequest, pk: int) -> HttpResponse:
    """Another role for a person."""
    person = get_object_or_404(User, pk=pk)
    form = RoleForm(bound_data(request), initial={"role": person.role})
    return _change(
        request,
        form,
        title=f"Role of {person.get_username()}",
        button="Change the role",
        message=f"The role of {person.get_username()} is changed.",
        act=lambda: services.change_role(actor=actor_of(request), user=person, **form.cleaned_data),
    )


@requires(Permission.ADMINISTER)
def set_active(request: SignedInRequest, pk: int) -> HttpResponse:
    """Keeps a person out, or lets them in again."""
    person = get_object_or_404(User, pk=pk)
    verb = "Deactivate" if person.is_active else "Reactivate"
    form = ReasonForm(bound_data(request))
    return _change(
        request,
        form,
        title=f"{verb} {person.get_username()}",
        button=verb,
        message=f"{person.get_username()} is {verb.lower()}d.",
        act=lambda: services.set_active(
            actor=actor_of(request), user=person, active=not person.is_active, **form.cleaned_data
        ),
    )


@requires(Permission.ADMINISTER)
@never_cache
def reset_password(request: SignedInRequest, pk: int) -> HttpResponse:
    """A new one-time password for a person who lost theirs."""
    person = get_object_or_404(User, pk=pk)
    form = ReasonForm(bound_data(request))
    if request.method == "POST" and form.is_valid():
        plain = services.reset_password(
            actor=actor_of(request), user=person, reason=form.cleaned_data["reason"]
        )
        context = {"person": person, "password": plain}
        return render(request, "access/one_time_password.html", context)
    context = {
        "form": form,
        "title": f"New one-time password for {person.get_username()}",
        "button": "Make a one-time password",
    }
    return render(request, "access/person_form.html", context, status=422 if form.errors else 200)


def _change(
    request: SignedInRequest,
    form: Form,
    *,
    title: str,
    button: str,
    message: str,
    act: Callable[[], object],
) -> HttpResponse:
    """The form, or the act and back to the list."""
    if request.method == "POST" and form.is_valid() and _done(form, act):
        messages.success(request, message)
        return redirect("access:people")
    context = {"form": form, "title": title, "button": button}
    return render(request, "access/person_form.html", context, status=422 if form.errors else 200)


def _done(form: Form, act: Callable[[], object]) -> bool:
    """Acts; a refusal becomes an error of the form's field, or of the form."""
    try:
        act()
    except DomainError as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return False
    return True


def _next_url(request: HttpRequest) -> str:
    address = request.POST.get("next") or request.GET.get("next") or ""
    return own_path(address) or settings.LOGIN_REDIRECT_URL


def _where_from(request: HttpRequest) -> str:
    return str(getattr(request.htmx, "current_url_abs_path", None) or "/")  # type: ignore[attr-defined]  # set by HtmxMiddleware
