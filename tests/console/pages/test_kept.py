"""Where something is no longer kept, the answer says how long such things are."""

from __future__ import annotations

import pytest
from django.test import Client

from console.access.models import Role, User
from tests.rest import Rest


@pytest.mark.parametrize("kind", ["rollouts", "proposals", "actions", "replays", "jobs"])
def test_what_is_gone_says_how_long_such_things_are_kept_over_rest(db: None, kind: str) -> None:
    answer = Rest(Role.VIEWER).get(f"{kind}/404/")
    assert answer.status_code == 404
    assert " kept for " in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/rollouts/404/", "Rollouts are kept for 180 days after they end."),
        ("/changes/404/", "Drafts are kept for 30 days after their last preview."),
        ("/jobs/actions/404/", "Actions are kept for 180 days after they end."),
        ("/jobs/replays/404/", "Replays are kept for 90 days after they end."),
        ("/jobs/404/", "Jobs are kept for 90 days after they end, unless"),
    ],
)
def test_what_is_gone_says_how_long_such_things_are_kept(db: None, path: str, words: str) -> None:
    client = Client()
    client.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    answer = client.get(path)
    assert answer.status_code == 404
    assert words in answer.content.decode()


def test_what_never_goes_by_itself_says_nothing_of_the_kind(db: None) -> None:
    client = Client()
    client.force_login(User.objects.create_user("vera", role=Role.VIEWER))
    assert " kept for " not in client.get("/tenants/nobody/").content.decode()
