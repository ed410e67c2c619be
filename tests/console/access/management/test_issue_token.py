"""manage.py issue_token."""

import io

import pytest
from django.core.management import CommandError, call_command

from console.access.models import ApiToken, User
from console.audit.models import ActorKind, Entry

pytestmark = pytest.mark.django_db


def test_the_token_is_the_only_line_on_standard_output() -> None:
    User.objects.create_user("ana")
    out = io.StringIO()
    call_command("issue_token", "ana", name="gitops", days=30, stdout=out)
    token = ApiToken.objects.get()
    assert token.digest == ApiToken.digest_of(out.getvalue().rstrip("\n"))
    assert token.expires_at
    assert Entry.objects.get().actor_kind == ActorKind.COMMAND


def test_a_token_for_nobody_is_refused() -> None:
    with pytest.raises(CommandError, match="no active person named 'zoe'"):
        call_command("issue_token", "zoe", name="x")


def test_negative_days_are_refused() -> None:
    User.objects.create_user("ana")
    with pytest.raises(CommandError, match="0 or more"):
        call_command("issue_token", "ana", name="x", days=-1)
