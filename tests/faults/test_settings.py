"""Wrong settings and missing servers: said in words with a fix, never as a traceback."""

from __future__ import annotations

import socket
import time

import pytest
from django.test import Client
from pytest_django import DjangoDbBlocker, Settings

from deploy.ports import any_free
from tests.console.loops.rows import all_run
from tests.faults.installation import Installation
from tests.faults.processes import connected, manage
from tests.waiting import PATIENCE

FILES = "sqlite:///path/to/file or postgres://user:password@host:5432/name"
HINTS = {
    "CELERY_BROKER_URL": ("foo://", "redis://host:6379/0"),
    "DEBUG": ("maybe", "true or false"),
    "SWEEP_SECONDS": ("soon", "a whole number from 5 to 3600"),
    "CLAIM_SECONDS": ("0", "a whole number from 5 to 3600"),
    "TARGET_TIMEOUT_SECONDS": ("-1", "a whole number from 1 to 300"),
    "LOG_FORMAT": ("xml", "one of json, console"),
    "LOG_LEVEL": ("loud", "one of DEBUG, INFO, WARNING, ERROR"),
    "SECRET_KEY_FILE": ("/nowhere/at/all", "the path of a readable text file"),
}


def test_every_wrong_setting_is_a_check_with_an_id_and_what_would_be_right() -> None:
    done = manage("check", **{name: value for name, (value, _) in HINTS.items()})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for name, (_, hint) in HINTS.items():
        (complaint,) = [
            line for line in paragraphs(done.stderr) if f" {name}" in line.split("HINT")[0]
        ]
        assert "(console.E00" in complaint
        assert hint in complaint


@pytest.mark.parametrize(
    "url",
    ["nonsense", "postgres://somebody:hunter2@[::1/x", "mysql://root:hunter2@localhost/headroom"],
)
def test_a_wrong_database_is_a_check_that_keeps_the_password(url: str) -> None:
    done = manage("check", DATABASE_URL=url)
    assert done.returncode == 1
    assert "(console.E001) DATABASE_URL=" in done.stderr
    assert FILES in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


WRONG = [
    ("DATABASE_URL", "postgres://ann:hunter2@host/", "E001", FILES),
    ("CELERY_BROKER_URL", "redis://:hunter2@host:port/0", "E003", "redis://host:6379/0"),
    ("ARCHIVE_URL", "ftp://user:hunter2@host/x", "E006", "s3://bucket/prefix"),
    ("MASK_PATTERNS", "password,(oops", "E007", "regular expressions"),
    ("CREDENTIAL_ENV_PREFIX", "SECRET_", "E008", "HEADROOM_CRED_"),
    ("CREDENTIAL_DIRS", "/etc", "E009", "nothing but credentials"),
    ("ALLOWED_HOSTS", "https://headroom.example.com", "E005", "without scheme"),
    ("SECRET_KEY", "hunter2", "W003", "at least 50 random characters"),
]
NO_DIRECTORY = ("DATABASE_URL", "sqlite:////no/such/directory/h.sqlite3", "E004", "Create the")


@pytest.mark.parametrize("wrong", [WRONG, [NO_DIRECTORY]], ids=["many at once", "alone"])
def test_values_that_read_well_and_cannot_work_are_checks_too(
    wrong: list[tuple[str, str, str, str]],
) -> None:
    done = manage("check", **{name: value for name, value, _, _ in wrong})
    for name, _, check, fix in wrong:
        (complaint,) = [line for line in paragraphs(done.stderr) if f"(console.{check})" in line]
        assert name in complaint
        assert fix in complaint
    assert "hunter2" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_with_a_wrong_setting_is_not_ready_and_says_which(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["https://headroom.example.com"]
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "settings" in answer.json()["degraded"]
    assert Client().get("/healthz").status_code == 200


def paragraphs(text: str) -> list[str]:
    """What `manage.py check` says of each thing: the finding and its hint in one line."""
    return text.replace("\n\t", " ").splitlines()


def test_readiness_says_that_the_broker_is_away_and_pages_go_on(
    installation: Installation, settings: Settings
) -> None:
    settings.CELERY_BROKER_URL = installation.broker.url
    all_run()
    assert Client().get("/readyz").json()["degraded"] == []
    installation.broker.stop()
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["degraded"]) == (200, ["broker"])
    assert Client().get("/healthz").status_code == 200


def test_readiness_fails_without_a_database_and_liveness_does_not(
    installation: Installation, django_db_blocker: DjangoDbBlocker
) -> None:
    url = f"postgres://nobody:hunter2@127.0.0.1:{any_free()}/gone"
    with connected(url, django_db_blocker):
        answer = Client().get("/readyz")
        assert (answer.status_code, answer.json()["ready"]) == (503, False)
        assert "database" in answer.json()["degraded"]
        assert "hunter2" not in answer.content.decode()
        assert Client().get("/healthz").status_code == 200


def test_readiness_does_not_wait_for_a_database_that_hangs() -> None:
    code = "from console.health import readyz; print(readyz().status_code)"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://nobody:hunter2@127.0.0.1:{silent.getsockname()[1]}/gone"
        began = time.monotonic()
        done = manage("shell", "--no-imports", "-c", code, DATABASE_URL=url)
    assert done.stdout.split()[-1:] == ["503"], done.stderr
    assert time.monotonic() - began < PATIENCE  # after 5 s; asking goes on for much longer
