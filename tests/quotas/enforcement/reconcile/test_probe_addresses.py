"""A target whose address has a port or a number that no computer has is told so, and nothing fails
over it; nor does the page that tries the connection."""

from __future__ import annotations

import pytest

from console.access.models import Role
from console.clients import pool
from observability.ingest.loop import read_once
from quotas.enforcement.models import TargetState
from quotas.enforcement.reconcile.probe import probe
from tenants.models import Target
from tests.rest import Rest

pytestmark = pytest.mark.django_db
LONG = "9" * 250
"""As long as an address may be."""


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [
        ("kubernetes", f"https://127.0.0.1:{LONG}"),
        ("kubernetes", "https://127.0.0.1:99999"),
        ("argo", f"https://127.0.0.1:{LONG}"),
        ("temporal", f"127.0.0.1:{LONG}"),
        ("temporal", "127.0.0.1:99999"),
        ("celery", f"redis://127.0.0.1:{LONG}/0"),
        ("celery", "redis://127.0.0.1:99999/0"),
        ("celery", f"amqp://127.0.0.1:{LONG}//"),
    ],
    ids=lambda value: value[:30],
)
def test_a_number_in_an_address_that_none_has_is_said(
    kind: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADROOM_CRED_TOKEN", "hunter2")
    credential = "env:HEADROOM_CRED_TOKEN" if kind in ("kubernetes", "argo") else ""
    target = Target.objects.create(
        slug="lab", name="Lab", kind=kind, endpoint=endpoint, credential=credential
    )
    try:
        answer = Rest(Role.OPERATOR).post("targets/lab/test/", {})
        assert answer.status_code == 200, answer.content
        assert answer.json()["ok"] is False
        assert probe(target.pk) is not None
        texts = [answer.json()["message"], TargetState.objects.get().message]
        texts += read_once(["lab"]).values()
    finally:
        pool.close_all()
    assert len(texts) == 3
    for text in texts:
        assert "URL" in text
        assert "hunter2" not in text
