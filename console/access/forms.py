"""What people type about people. A form checks shape; the services decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.utils import timezone

from console.access import services
from console.access.models import Role, TokenScope


class SignInForm(AuthenticationForm):
    """Name and password; after many failures in a row it asks to wait."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "User name"

    def clean(self) -> dict[str, Any]:
        """Signs in, or says why not without saying which half was wrong."""
        username = self.cleaned_data.get("username", "")
        if username and services.must_wait(username=username, at=timezone.now()):
            raise ValidationError(
                "Too many attempts under this name. Wait five minutes, or ask an admin for a "
                "new one-time password.",
                code="wait",
            )
        try:
            return super().clean()
        except ValidationError as error:
            if username:
                services.sign_in_failed(username=username)
            raise ValidationError(
                "User name and password do not belong together.", code="invalid_login"
            ) from error


class PasswordForm(forms.Form):
    """A person's own new password."""

    current = forms.CharField(
        label="Current password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label="New password",
        strip=False,
        help_text="At least 8 characters, and not a common one.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class TokenForm(forms.Form):
    """A new API token."""

    name = forms.CharField(max_length=80, help_text="What will use it, e.g. “nightly export”.")
    scope = forms.ChoiceField(
        label="It may",
        choices=[
            (TokenScope.READ, "read only"),
            (TokenScope.OPERATE, "read, and what operators do"),
            (TokenScope.ALL, "do whatever I may do"),
        ],
        initial=TokenScope.READ,
        help_text="Never more than your own role.",
    )
    days = forms.TypedChoiceField(
        label="Expires",
        coerce=int,
        choices=[(30, "in 30 days"), (90, "in 90 days"), (365, "in a year"), (0, "never")],
        initial=90,
    )


class ReasonForm(forms.Form):
    """Every change asks why."""

    reason = forms.CharField(
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Kept in the ledger for whoever asks later.",
    )


class PersonForm(ReasonForm):
    """A new person."""

    username = forms.CharField(
        label="User name", max_length=150, validators=[UnicodeUsernameValidator()]
    )
    email = forms.EmailField(label="E-mail", required=False)
    role = forms.ChoiceField(choices=Role.choices, required=False)

    field_order = ("username", "email", "role", "reason")


class RoleForm(ReasonForm):
    """Another role for a person."""

    role = forms.ChoiceField(choices=Role.choices, required=False)

    field_order = ("role", "reason")
