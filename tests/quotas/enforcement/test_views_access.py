"""Who may open and do what on the pages of the loop."""

from __future__ import annotations

import pytest

from console.access.models import Role
from console.audit.models import Entry
from tenants.models import Target
from tests.quotas.enforcement.page_rows import SignIn, tenant

READS = ["/", "/tenants/", "/tenants/acme/", "/rollouts/", "/targets/", "/targets/lab/", "/drift/",
         "/search/?q=a", "/targets/dots/"]  # fmt: skip
WRITES = ["/targets/lab/test/", "/targets/lab/sync/", "/rollouts/1/group/"]


@pytest.mark.parametrize("path", READS)
def test_a_person_without_a_console_role_is_refused(
    path: str, sign_in: SignIn, lab: Target
) -> None:
    tenant("acme", lab)
    assert sign_in(Role.NOBODY).get(path).status_code == 403


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("role", [Role.NOBODY, Role.VIEWER])
def test_only_operators_act_and_a_refused_try_is_in_the_ledger(
    path: str, role: str, sign_in: SignIn, lab: Target
) -> None:
    assert sign_in(role).post(path).status_code == 403
    assert Entry.objects.filter(action="access.refused", outcome="refused").count() == 1


@pytest.mark.parametrize(
    "path", ["/tenants/nobody/", "/targets/nowhere/", "/rollouts/999999/", "/plans/none/"]
)
def test_what_is_not_there_is_a_page_that_says_so(path: str, sign_in: SignIn) -> None:
    assert sign_in(Role.VIEWER).get(path).status_code == 404


@pytest.mark.parametrize("path", ["/tenants/", "/rollouts/", "/drift/"])
def test_a_mangled_cursor_is_a_clear_refusal(path: str, sign_in: SignIn, lab: Target) -> None:
    answer = sign_in(Role.VIEWER).get(path, {"cursor": "nonsense"})
    assert answer.status_code == 400
    assert b"cursor" in answer.content
