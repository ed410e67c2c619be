"""What a credential reference may name: what whoever runs the server said, and nothing of ours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from console.clients import allowance
from console.clients.allowance import Allowance
from console.clients.credentials import parse
from console.errors import Refused


@pytest.fixture
def creds(tmp_path: Path) -> Path:
    """The one place of credentials; a secret of ours lies beside it."""
    place = tmp_path / "creds"
    place.mkdir()
    (place / "token").write_text("s3cr3t\n")
    (tmp_path / "secret-key").write_text("our-own\n")
    return place


@pytest.fixture(autouse=True)
def _allowed(creds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = Allowance(
        env_prefix="HEADROOM_CRED_",
        places=(creds,),
        own_variables=frozenset({"SECRET_KEY", "HEADROOM_CRED_OURS"}),
        own_files=frozenset({(creds / "ours").resolve()}),
    )
    monkeypatch.setattr(allowance, "_source", lambda: allowed)


def refused(reference: str) -> str:
    """The message of a reference that may neither be named nor read."""
    with pytest.raises(Refused) as checked:
        parse(reference).check()
    with pytest.raises(Refused) as read:
        parse(reference).read()
    assert checked.value.code == read.value.code == "credential"
    assert "our-own" not in read.value.message
    return read.value.message


def test_a_variable_with_the_prefix_and_a_file_in_the_directory_are_read(
    creds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADROOM_CRED_PROD", "from the environment")
    for reference, secret in (
        ("env:HEADROOM_CRED_PROD", "from the environment"),
        (f"file:{creds}/token", "s3cr3t"),
        (f"file:{creds}/../creds/token", "s3cr3t"),
    ):
        parse(reference).check()
        assert parse(reference).read().value == secret


@pytest.mark.parametrize(
    "name",
    [
        "SECRET_KEY",
        "DATABASE_URL",
        "AWS_SECRET_ACCESS_KEY",
        "HEADROOM_CRED",
        "headroom_cred_x",
        "PATH",
    ],
)
def test_another_variable_is_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "our-own")
    assert "CREDENTIAL_ENV_PREFIX" in refused(f"env:{name}")
    assert "CREDENTIAL_ENV_PREFIX" in refused(f"kubeconfig:env:{name}")


@pytest.mark.parametrize("prefix", ["S", "SECRET_", "HEADROOM_CRED_", "A", "P", "D", ""])
@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "DJANGO_X", "HEADROOM_CRED_OURS"]
)
def test_a_variable_of_ours_is_not_whatever_the_prefix(
    prefix: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "our-own")
    careless = Allowance(
        env_prefix=prefix, own_variables=frozenset({"SECRET_KEY", "HEADROOM_CRED_OURS"})
    )
    monkeypatch.setattr(allowance, "_source", lambda: careless)
    refused(f"env:{name}")


@pytest.mark.parametrize(
    "path",
    [
        "{creds}/../secret-key",
        "{creds}/../creds-of-another/token",
        "{creds}/link",
        "{creds}/linked/secret-key",
        "{creds}/ours",
        "/etc/hostname",
        "/proc/self/environ",
        "creds/token",
        "~/.ssh/id_rsa",
        "{creds}/\0",
    ],
)
def test_a_file_elsewhere_is_not_whatever_leads_there(creds: Path, path: str) -> None:
    (creds / "link").symlink_to(creds.parent / "secret-key")
    (creds / "linked").symlink_to(creds.parent)
    (creds / "ours").write_text("our-own")
    (creds.parent / "creds-of-another").mkdir()
    (creds.parent / "creds-of-another" / "token").write_text("our-own")
    for scheme in ("file", "kubeconfig"):
        refused(f"{scheme}:{path.format(creds=creds)}")


def test_the_system_s_own_files_are_not_even_where_everything_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything = Allowance(places=(Path("/"),))
    monkeypatch.setattr(allowance, "_source", lambda: everything)
    for path in ("/proc/self/environ", f"/proc/{os.getppid()}/environ", "/dev/stdin", "/sys/x"):
        refused(f"file:{path}")


def test_a_secret_that_is_swapped_by_a_link_within_the_directory_is_read(creds: Path) -> None:
    """As Kubernetes mounts them."""
    for version in ("..2026_1", "..2026_2"):
        (creds / version).mkdir()
        (creds / version / "key").write_text(version)
    (creds / "..data").symlink_to("..2026_1")
    (creds / "key").symlink_to("..data/key")
    reference = parse(f"file:{creds}/key")
    before = reference.stamp()
    assert reference.read().value == "..2026_1"
    (creds / "next").symlink_to("..2026_2")
    (creds / "next").replace(creds / "..data")
    assert reference.stamp() != before
    assert reference.read().value == "..2026_2"


@pytest.mark.parametrize("kind", ["directory", "pipe", "huge", "absent", "a name of 300 letters"])
def test_what_is_no_small_file_is_refused_at_once(creds: Path, kind: str) -> None:
    path = creds / ("x" * 300 if "300" in kind else "odd")
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "huge":
        path.write_bytes(b"x" * 2_000_000)
    with pytest.raises(Refused) as caught:
        parse(f"file:{path}").read()
    assert caught.value.code == "credential"
    assert parse(f"file:{path}").stamp()


def test_nothing_is_allowed_before_anybody_said_what(
    creds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADROOM_CRED_PROD", "our-own")
    nothing: Any = Allowance
    monkeypatch.setattr(allowance, "_source", nothing)
    refused("env:HEADROOM_CRED_PROD")
    assert "a directory that none is set for" in refused(f"file:{creds}/token")
