"""What the settings let targets name, less what is our own."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from console import checks, credential_places, env
from console.clients import allowance
from console.clients.credentials import parse
from console.errors import Refused


def test_every_variable_that_the_settings_read_is_our_own() -> None:
    example = Path(django_settings.BASE_DIR, "deploy/.env.example").read_text()
    listed = {line.partition("=")[0] for line in example.splitlines() if "=" in line[:40]}
    named = {name for name in listed if name.isupper() or "_" in name} - {"#"}
    named = {name for name in named if name.replace("_", "").isalnum()}
    assert {"SECRET_KEY", "DATABASE_URL", "ARCHIVE_SECRET_ACCESS_KEY"} <= named
    assert named <= credential_places.own_variables()
    assert "SECRET_KEY_FILE" in credential_places.own_variables()


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "SECRET_KEY_FILE", "HEADROOM_DEMO"])
def test_none_of_them_is_a_credential_however_badly_the_prefix_is_set(
    name: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "our-own")
    for prefix in (name, name[:2], "HEADROOM_CRED_", ""):
        settings.CREDENTIAL_ENV_PREFIX = prefix
        with pytest.raises(Refused):
            parse(f"env:{name}").read()


def test_a_file_that_a_setting_is_read_from_is_no_credential(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret-key").write_text("our-own")
    (tmp_path / "token").write_text("theirs")
    (tmp_path / "link").symlink_to("secret-key")
    settings.CREDENTIAL_DIRS = [str(tmp_path)]
    monkeypatch.setattr(env, "files", set(env.files))
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "secret-key"))
    assert env.text("SECRET_KEY") == "our-own"
    assert parse(f"file:{tmp_path}/token").read().value == "theirs"
    for name in ("secret-key", "link"):
        with pytest.raises(Refused, match="one of Headroom's own"):
            parse(f"file:{tmp_path}/{name}").read()


@pytest.mark.parametrize("place", ["/", "/etc", "/proc", "relative", "~", ".", "", "/etc/.."])
def test_a_place_that_is_the_system_s_is_none_and_a_check_says_so(
    place: str, settings: Settings
) -> None:
    settings.CREDENTIAL_DIRS = [place]
    assert allowance.current().places == ()
    (problem,) = checks.credential_directories()
    assert problem.id == "console.E009"
    assert repr(place) in problem.msg


def test_a_database_beside_credentials_is_none(tmp_path: Path, settings: Settings) -> None:
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "h.sqlite3")}
    allowed = Path(tmp_path / "token")
    settings.CREDENTIAL_DIRS = [str(tmp_path)]
    with patch.dict(settings.DATABASES["default"], database):
        for name in ("h.sqlite3", "h.sqlite3-wal", "h.sqlite3-journal"):
            (tmp_path / name).write_text("rows")
            with pytest.raises(Refused, match="one of Headroom's own"):
                parse(f"file:{tmp_path}/{name}").read()
        allowed.write_text("theirs")
        assert parse(f"file:{allowed}").read().value == "theirs"


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("SECRET", "SECRET_KEY"),
        ("D", "Headroom's own"),
        ("not a name", "begins no variable's name"),
    ],
)
def test_a_prefix_that_is_ours_or_no_name_is_a_check(
    prefix: str, words: str, settings: Settings
) -> None:
    settings.CREDENTIAL_ENV_PREFIX = prefix
    (problem,) = checks.credential_variables()
    assert problem.id == "console.E008"
    assert words in problem.msg


@pytest.mark.parametrize("prefix", ["", "HEADROOM_CRED_", "PROD_"])
def test_a_prefix_of_nothing_else_is_none(prefix: str, settings: Settings) -> None:
    settings.CREDENTIAL_ENV_PREFIX = prefix
    assert checks.credential_variables() == []
